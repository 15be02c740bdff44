package parcel_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/protobuf/proto"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/parcel"
	"samvirke.dev/services/transfer/internal/store"
)

const nord, syd, vest = "DK:10000009", "DK:20000018", "DK:30000027"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signer signs as Vault's transit engine does.
type signer struct{ key ed25519.PrivateKey }

func (s signer) Sign(_ context.Context, message []byte) ([]byte, int, error) {
	return ed25519.Sign(s.key, message), 1, nil
}

// memory is a key store in memory.
type memory map[string][]store.Key

func (memory) InTx(ctx context.Context, fn func(ctx context.Context) error) error { return fn(ctx) }

func (m memory) PutKey(_ context.Context, fund string, k store.Key, _ time.Time) error {
	m[fund] = append(m[fund], k)
	return nil
}

func (m memory) Keys(_ context.Context, fund string) ([]store.Key, error) { return m[fund], nil }

// funds are all of them, with their keys, in one place.
type funds struct {
	keys    *parcel.Keys
	signers map[string]ed25519.PrivateKey
}

// Public implements parcel.Directory.
func (f funds) Public(_ context.Context, _, of string, _ bool) (parcel.Public, error) {
	encryption, ok := f.keys.Encryption(of)
	public, known := f.signers[of].Public().(ed25519.PublicKey)
	if !ok || !known {
		return parcel.Public{}, core.ErrKeys
	}
	return parcel.Public{Signing: map[int]ed25519.PublicKey{1: public}, Encryption: encryption}, nil
}

func newParcels(t testing.TB) (*parcel.Parcels, funds) {
	t.Helper()
	f := funds{keys: parcel.NewKeys(), signers: map[string]ed25519.PrivateKey{}}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	must(t, err)
	seal, err := aead.New(handle)
	must(t, err)
	for _, id := range []string{nord, syd, vest} {
		_, f.signers[id], err = ed25519.GenerateKey(nil)
		must(t, err)
		must(t, f.keys.Load(t.Context(), memory{}, seal, id, signer{f.signers[id]}, time.Unix(0, 0)))
	}
	p, err := parcel.New(f.keys.Own, f)
	must(t, err)
	return p, f
}

func sanctions(t testing.TB) []byte {
	t.Helper()
	plain, err := proto.Marshal(&transferv1.DataPackage{Content: &transferv1.DataPackage_Sanctions{Sanctions: &transferv1.SanctionsPackage{Debt: 120_000}}})
	must(t, err)
	return plain
}

func letter() core.Parcel {
	return core.Parcel{TransferID: "transfer-1", From: nord, To: syd, Part: cases.Part{Number: 1, Kind: cases.PackageF, Last: true}}
}

// Tampered, signed by another, sent again for another transfer, under another number, to or from another fund: with the real keys, none
// is taken, and the part that is right is.
func TestForgedParts(t *testing.T) {
	t.Parallel()
	p, f := newParcels(t)
	plain := sanctions(t)
	good, err := p.Wrap(t.Context(), letter(), plain)
	must(t, err)
	must(t, p.Check(t.Context(), letter(), good))
	opened, err := p.Open(t.Context(), letter(), good)
	must(t, err)
	if string(opened) != string(plain) {
		t.Error("something else came out")
	}
	receipt := good
	receipt.Content = nil
	must(t, p.Check(t.Context(), letter(), receipt)) // erased meanwhile: the signed receipt still holds
	flip := func(b []byte, at int) []byte {
		out := append([]byte(nil), b...)
		out[(at%len(out)+len(out))%len(out)] ^= 1
		return out
	}
	for name, edit := range map[string]func(*core.Parcel, *store.Part){
		"first byte": func(_ *core.Parcel, s *store.Part) { s.Content = flip(s.Content, 0) },
		"last byte":  func(_ *core.Parcel, s *store.Part) { s.Content = flip(s.Content, -1) },
		"cut short":  func(_ *core.Parcel, s *store.Part) { s.Content = s.Content[:len(s.Content)-1] },
		"content and digest": func(_ *core.Parcel, s *store.Part) {
			s.Content = flip(s.Content, 9)
			d := sha256.Sum256(s.Content)
			s.Digest = d[:]
		},
		"digest":       func(_ *core.Parcel, s *store.Part) { s.Digest = flip(s.Digest, 3) },
		"short digest": func(_ *core.Parcel, s *store.Part) { s.Digest = s.Digest[:31] },
		"signature": func(_ *core.Parcel, s *store.Part) {
			raw, err := base64.StdEncoding.DecodeString(s.Signature[len("v1:"):])
			must(t, err)
			s.Signature = "v1:" + base64.StdEncoding.EncodeToString(flip(raw, 5))
		},
		"no signature":      func(_ *core.Parcel, s *store.Part) { s.Signature = "" },
		"unknown key":       func(_ *core.Parcel, s *store.Part) { s.Signature = "v2" + s.Signature[2:] },
		"another transfer":  func(c *core.Parcel, _ *store.Part) { c.TransferID = "transfer-2" },
		"another number":    func(c *core.Parcel, _ *store.Part) { c.Part.Number = 2 },
		"another kind":      func(c *core.Parcel, _ *store.Part) { c.Part.Kind = cases.PackageG },
		"not the last":      func(c *core.Parcel, _ *store.Part) { c.Part.Last = false },
		"from another fund": func(c *core.Parcel, _ *store.Part) { c.From = vest },
		"to another fund":   func(c *core.Parcel, _ *store.Part) { c.To = vest },
		"sent back":         func(c *core.Parcel, _ *store.Part) { c.From, c.To = c.To, c.From },
		"signed by a third one": func(c *core.Parcel, s *store.Part) {
			forged := *c
			forged.From = vest
			got, err := p.Wrap(t.Context(), forged, plain)
			must(t, err)
			*s = got
		},
		"signed by a stolen name": func(_ *core.Parcel, s *store.Part) {
			s.Signature = "v1:" + base64.StdEncoding.EncodeToString(ed25519.Sign(f.signers[vest], s.Digest))
		},
	} {
		c, s := letter(), good
		edit(&c, &s)
		if err := p.Check(t.Context(), c, s); !errors.Is(err, core.ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rightly signed and encrypted, but not what may be carried: unknown fields, another package than is said, an invalid one, noise.
func TestOnlyWhatMayBeCarried(t *testing.T) {
	t.Parallel()
	p, _ := newParcels(t)
	invalid, err := proto.Marshal(&transferv1.DataPackage{Content: &transferv1.DataPackage_Sanctions{Sanctions: &transferv1.SanctionsPackage{Debt: -1}}})
	must(t, err)
	for name, plain := range map[string][]byte{
		"unknown field":   append(sanctions(t), 0xfa, 0x3f, 0x01, 'x'),
		"unknown inside":  {0x2a, 0x05, 0xfa, 0x3f, 0x02, 'h', 'i'},
		"nothing":         {},
		"invalid":         invalid,
		"not a message":   []byte("free remarks"),
		"another package": {0x0a, 0x00},
	} {
		s, err := p.Wrap(t.Context(), letter(), plain)
		must(t, err)
		if err := p.Check(t.Context(), letter(), s); !errors.Is(err, core.ErrPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPackage reads whatever the other fund may have encrypted: either it is refused, or it says no more than the schema knows, so that
// written again it is the same.
func FuzzPackage(f *testing.F) {
	p, _ := newParcels(f)
	f.Add(sanctions(f))
	f.Add([]byte{0x0a, 0x00})
	f.Add([]byte{0x2a, 0x05, 0xfa, 0x3f, 0x02, 'h', 'i'})
	f.Fuzz(func(t *testing.T, plain []byte) {
		s, err := p.Wrap(t.Context(), letter(), plain)
		must(t, err)
		switch err := p.Check(t.Context(), letter(), s); {
		case errors.Is(err, core.ErrPart):
			return
		case err != nil:
			t.Fatal(err)
		}
		var got transferv1.DataPackage
		must(t, proto.Unmarshal(plain, &got))
		if parcel.KindOf(&got) != cases.PackageF || len(got.ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("taken: %v", &got)
		}
	})
}

// FuzzPart checks whatever a stranger may send in place of a part: it is refused and never panics.
func FuzzPart(f *testing.F) {
	p, _ := newParcels(f)
	good, err := p.Wrap(f.Context(), letter(), sanctions(f))
	must(f, err)
	f.Add(good.Content, good.Digest, good.Signature)
	f.Add([]byte{}, make([]byte, sha256.Size), "v1:")
	f.Add([]byte("x"), []byte(nil), fmt.Sprintf("v%d:AAAA", -1))
	f.Fuzz(func(t *testing.T, content, digest []byte, signature string) {
		s := store.Part{Part: letter().Part, Content: content, Digest: digest, Signature: signature}
		err := p.Check(t.Context(), letter(), s)
		whole := string(digest) == string(good.Digest) && (len(content) == 0 || string(content) == string(good.Content))
		if err == nil && !whole {
			t.Fatal("a forged part was taken")
		}
		if err != nil && !errors.Is(err, core.ErrPart) {
			t.Fatal(err)
		}
	})
}
