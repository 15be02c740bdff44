package keys_test

import (
	"testing"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
)

func benchRing(b *testing.B) *keys.Ring {
	b.Helper()
	k := newKit()
	cfg := k.config()
	cfg.Now = clock.System().Now // the real clock is part of the price
	r, err := keys.Open(b.Context(), cfg, specs()...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	b.ReportAllocs()
	return r
}

func BenchmarkEncrypt200(b *testing.B) {
	a := aeadOf(b, benchRing(b), person)
	plain, ad := make([]byte, 200), []byte("person/address/7")
	for b.Loop() {
		if _, err := a.Encrypt(plain, ad); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt200(b *testing.B) {
	a := aeadOf(b, benchRing(b), person)
	ad := []byte("person/address/7")
	ct := must[[]byte](b)(a.Encrypt(make([]byte, 200), ad))
	for b.Loop() {
		if _, err := a.Decrypt(ct, ad); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPseudonym(b *testing.B) {
	p := prfOf(b, benchRing(b), fundA)
	for b.Loop() {
		if _, err := p.Pseudonym(member); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDigest400(b *testing.B) {
	p := prfOf(b, benchRing(b), fundA)
	req, resp := make([]byte, 150), make([]byte, 250)
	for b.Loop() {
		if _, err := p.Digest(req, resp); err != nil {
			b.Fatal(err)
		}
	}
}
