package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

// Every input is framed by what it is for, so that a digest can never be read as somebody's pseudonym.
const (
	framePseudonym byte = 1
	frameDigest    byte = 2
)

// versionPRF is one enabled key of a keyset. It computes what Tink's HMAC PRF does, with the standard library, because that can keep
// the keyed state between calls: Tink keys a new one for every input, which costs more than the digest itself.
type versionPRF struct {
	version uint32
	macs    *sync.Pool // of *mac
}

// mac is HMAC-SHA-256 under one key, with room for an input and the result. One goroutine uses it at a time.
type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
}

// sum returns the code of what was written; it is valid until the mac is used again.
func (m *mac) sum() []byte { return m.Sum(m.out[:0]) }

func newVersionPRF(version uint32, k *hmacprf.Key) versionPRF {
	key := k.KeyBytes().Data(insecuresecretdataaccess.Token{})
	return versionPRF{version: version, macs: &sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }}}
}

// borrow returns a mac to which nothing was written; give it back by v.macs.Put.
func (v versionPRF) borrow() *mac {
	m := v.macs.Get().(*mac) //nolint:forcetypeassert // the pool holds nothing else
	m.Reset()
	return m
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
	return st.prfs[0].digest(parts), nil
}

// DigestMatches reports whether d is the digest of the parts. Errors: ErrExpired, ErrUnknownVersion.
func (p *PRF) DigestMatches(d Digest, parts ...[]byte) (bool, error) {
	v, err := p.version(d.Version)
	if err != nil {
		return false, err
	}
	got := v.digest(parts)
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
	m := v.borrow()
	defer v.macs.Put(m)
	m.in = append(append(m.in[:0], framePseudonym), input...)
	m.Write(m.in)
	clear(m.in)
	return Pseudonym{Version: v.version, Sum: [pseudonymSize]byte(m.sum())}, nil
}

func (v versionPRF) digest(parts [][]byte) Digest {
	m := v.borrow()
	defer v.macs.Put(m)
	m.in = append(m.in[:0], frameDigest)
	for _, b := range parts {
		m.in = binary.AppendUvarint(m.in, uint64(len(b)))
		m.Write(m.in)
		m.Write(b)
		m.in = m.in[:0]
	}
	m.Write(m.in) // the frame of no parts at all
	return Digest{Version: v.version, Sum: [digestSize]byte(m.sum())}
}

// newPRFs returns the enabled keys, primary first.
func newPRFs(h *keyset.Handle) ([]versionPRF, error) {
	wanted, err := parameters(KindPRF)
	if err != nil {
		return nil, err
	}
	var out []versionPRF
	primary := false
	// Newest first: entries are appended on rotation, and rows of the last version are the likeliest to remain.
	for i := h.Len() - 1; i >= 0; i-- {
		en, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		if en.KeyStatus() != keyset.Enabled {
			continue
		}
		k, ok := en.Key().(*hmacprf.Key)
		if !ok || !wanted.Equal(k.Parameters()) {
			return nil, errors.New("a key of another algorithm")
		}
		v := newVersionPRF(en.KeyID(), k)
		if en.IsPrimary() {
			primary, out = true, slices.Insert(out, 0, v)
		} else {
			out = append(out, v)
		}
	}
	if !primary {
		return nil, errors.New("no primary key")
	}
	return out, nil
}

// b64 refuses padding and non-zero trailing bits, so that one pseudonym has exactly one spelling.
var b64 = base64.RawURLEncoding.Strict()
