package keys

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Sizes of what a keyset yields, in bytes. 160 bits leave no room for collisions among any number of persons.
const (
	pseudonymSize = 20
	digestSize    = 32
)

// pseudonymLen is the length of the text form: "k", 8 hex digits, ".", 27 characters.
const (
	pseudonymLen = 1 + 8 + 1 + 27
	sumOffset    = 10
)

// ErrMalformed says that the text is no pseudonym, or the bytes no digest. The error never repeats the input, which may be
// anything a caller sent.
var ErrMalformed = errors.New("keys: malformed")

// Pseudonym is a keyed pseudonym taken apart.
//
// Text form, 37 ASCII characters:
//
//	pseudonym = "k" version "." sum
//	version   = 8 lower-case hexadecimal digits (key version)
//	sum       = 27 characters base64url without padding (20 bytes)
//
// Every pseudonym has exactly one text form. The version is inside so that rotation leaves old ones readable (SEC-10).
type Pseudonym struct {
	Version uint32
	Sum     [pseudonymSize]byte
}

// String returns the text form.
func (p Pseudonym) String() string {
	var out [pseudonymLen]byte
	var v [4]byte
	out[0] = 'k'
	binary.BigEndian.PutUint32(v[:], p.Version)
	hex.Encode(out[1:9], v[:])
	out[9] = '.'
	b64.Encode(out[sumOffset:], p.Sum[:])
	return string(out[:])
}

// ParsePseudonym reads the text form, strictly. Errors: ErrMalformed.
func ParsePseudonym(s string) (Pseudonym, error) {
	var p Pseudonym
	if len(s) != pseudonymLen || s[0] != 'k' || s[9] != '.' {
		return Pseudonym{}, fmt.Errorf("%w: no pseudonym", ErrMalformed)
	}
	for i := 1; i < 9; i++ {
		// hex.Decode would also take upper case, which would give one pseudonym many spellings.
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Pseudonym{}, fmt.Errorf("%w: key version", ErrMalformed)
		}
	}
	var v [4]byte
	if _, err := hex.Decode(v[:], []byte(s[1:9])); err != nil {
		return Pseudonym{}, fmt.Errorf("%w: key version", ErrMalformed)
	}
	p.Version = binary.BigEndian.Uint32(v[:])
	// Line breaks are the one thing that strict base64 still skips; then fewer than 20 bytes come out.
	n, err := b64.Decode(p.Sum[:], []byte(s[sumOffset:]))
	if err != nil || n != pseudonymSize {
		return Pseudonym{}, fmt.Errorf("%w: pseudonym body", ErrMalformed)
	}
	return p, nil
}

// Digest is a keyed digest of some bytes with the version of the key that made it.
type Digest struct {
	Version uint32
	Sum     [digestSize]byte
}

// Bytes returns the stored form: 4 bytes of version, big endian, and 32 bytes of digest.
func (d Digest) Bytes() []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+digestSize), d.Version), d.Sum[:]...)
}

// ParseDigest reads the stored form. Errors: ErrMalformed.
func ParseDigest(b []byte) (Digest, error) {
	if len(b) != 4+digestSize {
		return Digest{}, fmt.Errorf("%w: no digest", ErrMalformed)
	}
	return Digest{Version: binary.BigEndian.Uint32(b), Sum: [digestSize]byte(b[4:])}, nil
}
