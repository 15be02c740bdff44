package keys

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// Every input is framed by what it is for, so that a digest can never be read as somebody's pseudonym.
const (
	framePseudonym byte = 1
	frameDigest    byte = 2
)

// stackInput is large enough for an identifier with its prefix; longer inputs merely cost an allocation.
const stackInput = 96

// versionPRF is one enabled key of a keyset.
type versionPRF struct {
	version uint32
	f       prf.PRF
}

// PRF makes keyed pseudonyms and digests with one keyset. Safe for concurrent use; never calls Vault.
//
// Two keysets give unrelated pseudonyms of one input, which is why every controller and every partner has its own
// (domain.md C.6). Inputs are normalised by the caller ("SE:198503149802", "DK:7403851013"). Covers SEC-04, SEC-10.
type PRF struct{ e *entry }

// Pseudonym returns the pseudonym of input under the primary key, in the grammar of ParsePseudonym.
// Errors: ErrExpired, ErrEmptyInput.
func (p *PRF) Pseudonym(input string) (string, error) {
	st, err := p.e.live()
	if err != nil {
		return "", err
	}
	ps, err := st.prfs[0].pseudonym(input)
	if err != nil {
		return "", err
	}
	return ps.String(), nil
}

// All returns the pseudonym of input under every enabled key version, primary first: a look-up by blind index must
// try them all while rows of an old version remain. Errors: ErrExpired, ErrEmptyInput.
func (p *PRF) All(input string) ([]string, error) {
	st, err := p.e.live()
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(st.prfs))
	for _, v := range st.prfs {
		ps, err := v.pseudonym(input)
		if err != nil {
			return nil, err
		}
		out = append(out, ps.String())
	}
	return out, nil
}

// Matches reports whether pseudonym was made from input under any enabled key version.
// Errors: ErrExpired, ErrEmptyInput, ErrMalformed, ErrUnknownVersion.
func (p *PRF) Matches(pseudonym, input string) (bool, error) {
	want, err := ParsePseudonym(pseudonym)
	if err != nil {
		return false, err
	}
	v, err := p.version(want.Version)
	if err != nil {
		return false, err
	}
	got, err := v.pseudonym(input)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got.Sum[:], want.Sum[:]) == 1, nil
}

// Digest returns a keyed digest of the parts under the primary key. Parts are framed by their length: moving a byte
// from one part to the next changes the digest. Errors: ErrExpired.
func (p *PRF) Digest(parts ...[]byte) (Digest, error) {
	st, err := p.e.live()
	if err != nil {
		return Digest{}, err
	}
	return st.prfs[0].digest(parts)
}

// DigestMatches reports whether d is the digest of the parts. Errors: ErrExpired, ErrUnknownVersion.
func (p *PRF) DigestMatches(d Digest, parts ...[]byte) (bool, error) {
	v, err := p.version(d.Version)
	if err != nil {
		return false, err
	}
	got, err := v.digest(parts)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got.Sum[:], d.Sum[:]) == 1, nil
}

// Version returns the key version that Pseudonym and Digest use now. Errors: ErrExpired.
func (p *PRF) Version() (uint32, error) {
	st, err := p.e.live()
	if err != nil {
		return 0, err
	}
	return st.prfs[0].version, nil
}

// String names the keyset and nothing else, whatever the formatting verb.
func (p *PRF) String() string { return "prf:" + p.e.spec.Name }

// GoString keeps %#v from walking into the key.
func (p *PRF) GoString() string { return p.String() }

func (p *PRF) version(id uint32) (versionPRF, error) {
	st, err := p.e.live()
	if err != nil {
		return versionPRF{}, err
	}
	i := slices.IndexFunc(st.prfs, func(v versionPRF) bool { return v.version == id })
	if i < 0 {
		p.e.askRefresh()
		return versionPRF{}, fmt.Errorf("%w: keyset %s, version %08x", ErrUnknownVersion, p.e.spec.Name, id)
	}
	return st.prfs[i], nil
}

func (v versionPRF) pseudonym(input string) (Pseudonym, error) {
	if input == "" {
		return Pseudonym{}, ErrEmptyInput
	}
	var stack [stackInput]byte
	in := append(append(stack[:0], framePseudonym), input...)
	sum, err := v.f.ComputePRF(in, pseudonymSize)
	if err != nil {
		return Pseudonym{}, fmt.Errorf("keys: pseudonym: %w", err)
	}
	return Pseudonym{Version: v.version, Sum: [pseudonymSize]byte(sum)}, nil
}

func (v versionPRF) digest(parts [][]byte) (Digest, error) {
	size := 1
	for _, b := range parts {
		size += binary.MaxVarintLen64 + len(b)
	}
	in := append(make([]byte, 0, size), frameDigest)
	for _, b := range parts {
		in = append(binary.AppendUvarint(in, uint64(len(b))), b...)
	}
	sum, err := v.f.ComputePRF(in, digestSize)
	if err != nil {
		return Digest{}, fmt.Errorf("keys: digest: %w", err)
	}
	return Digest{Version: v.version, Sum: [digestSize]byte(sum)}, nil
}

func newPRFs(h *keyset.Handle) ([]versionPRF, error) {
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return nil, err
	}
	primary, ok := set.PRFs[set.PrimaryID]
	if !ok {
		return nil, errors.New("no primary key")
	}
	out := []versionPRF{{version: set.PrimaryID, f: primary}}
	// Newest first: entries are appended on rotation, and rows of the last version are the likeliest to remain.
	for i := h.Len() - 1; i >= 0; i-- {
		en, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		if f, ok := set.PRFs[en.KeyID()]; ok && en.KeyID() != set.PrimaryID {
			out = append(out, versionPRF{version: en.KeyID(), f: f})
		}
	}
	return out, nil
}

// b64 refuses padding and non-zero trailing bits, so that one pseudonym has exactly one spelling.
var b64 = base64.RawURLEncoding.Strict()
