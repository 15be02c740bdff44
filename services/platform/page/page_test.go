package page_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type key struct {
	At int64  `json:"at"`
	ID string `json:"id"`
}

func newAEAD(tb testing.TB) tink.AEAD {
	tb.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		tb.Fatal(err)
	}
	a, err := aead.New(handle)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

var binding = page.Binding{Organisation: "DK:12345678", Method: "/samvirke.audit.v1.AuditService/ListUses", Filter: page.Filter([]byte("a"))}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	c := page.NewCodec[key](newAEAD(t), clock.NewFake(time.Unix(1_800_000_000, 0)), time.Minute)
	rapid.Check(t, func(t *rapid.T) {
		b := page.Binding{Organisation: rapid.String().Draw(t, "org"), Method: rapid.String().Draw(t, "method"),
			Filter: page.Filter(rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "filter")...)}
		k := key{At: rapid.Int64().Draw(t, "at"), ID: rapid.StringN(0, 100, 100).Draw(t, "id")}
		token, err := c.Token(b, k)
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := c.Key(b, token)
		if err != nil || !ok || got.At != k.At || got.ID != strings.ToValidUTF8(k.ID, "\uFFFD") {
			t.Fatalf("%+v came back as %+v, %v, %v", k, got, ok, err)
		}
		if k.ID != "" && len(k.ID) > 5 && strings.Contains(token, k.ID) {
			t.Fatal("the token shows the key")
		}
	})
}

func TestEmptyTokenIsTheFirstPage(t *testing.T) {
	t.Parallel()
	c := page.NewCodec[key](newAEAD(t), clock.System(), 0)
	if k, ok, err := c.Key(binding, ""); ok || err != nil || k != (key{}) {
		t.Errorf("%+v, %v, %v", k, ok, err)
	}
}

func TestTokenIsBound(t *testing.T) {
	t.Parallel()
	now := clock.NewFake(time.Unix(1_800_000_000, 0))
	c := page.NewCodec[key](newAEAD(t), now, time.Minute)
	token, err := c.Token(binding, key{At: 1, ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(b *page.Binding)) page.Binding {
		b := binding
		change(&b)
		return b
	}
	cases := map[string]struct {
		b     page.Binding
		token string
	}{
		"other organisation": {with(func(b *page.Binding) { b.Organisation = "DK:87654321" }), token}, // covers: MIN-04
		"other method":       {with(func(b *page.Binding) { b.Method = "/x/Y" }), token},
		"other filter":       {with(func(b *page.Binding) { b.Filter = page.Filter([]byte("b")) }), token},
		"shifted parts": {with(func(b *page.Binding) {
			b.Organisation, b.Method = binding.Organisation+binding.Method[:1], binding.Method[1:]
		}), token},
		"cut":        {binding, token[:len(token)-2]},
		"flipped":    {binding, flip(token)},
		"not base64": {binding, "%%%"},
		"padded":     {binding, token + "="},
		"with break": {binding, token[:5] + "\n" + token[5:]},
		"long":       {binding, strings.Repeat("A", 5000)},
		"short":      {binding, "AA"},
	}
	for name, c2 := range cases {
		_, ok, err := c.Key(c2.b, c2.token)
		refused(t, name, ok, err)
	}
	other := page.NewCodec[key](newAEAD(t), now, time.Minute)
	_, ok, err := other.Key(binding, token)
	refused(t, "other key", ok, err)
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	now := clock.NewFake(time.Unix(1_800_000_000, 0))
	c := page.NewCodec[key](newAEAD(t), now, time.Minute)
	token, err := c.Token(binding, key{})
	if err != nil {
		t.Fatal(err)
	}
	now.Advance(time.Minute - time.Second)
	if _, ok, err := c.Key(binding, token); !ok || err != nil {
		t.Errorf("one second before: %v", err)
	}
	now.Advance(time.Second)
	_, ok, err := c.Key(binding, token)
	refused(t, "at expiry", ok, err)
}

// Keys of another shape, version or with something after them come only from another release; they are refused as a whole.
func TestPlaintextIsCheckedToo(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"empty":         "",
		"short":         "\x01\x00\x00",
		"version":       "\x02\x7f\xff\xff\xff\xff\xff\xff\xff{}",
		"unknown field": "\x01\x7f\xff\xff\xff\xff\xff\xff\xff" + `{"at":1,"more":2}`,
		"wrong type":    "\x01\x7f\xff\xff\xff\xff\xff\xff\xff" + `{"at":"1"}`,
		"tail":          "\x01\x7f\xff\xff\xff\xff\xff\xff\xff" + `{"at":1}{}`,
	}
	c := page.NewCodec[key](plainAEAD{}, clock.NewFake(time.Unix(0, 0)), time.Minute)
	for name, plain := range cases {
		_, ok, err := c.Key(binding, base64.RawURLEncoding.EncodeToString([]byte(plain+"!")))
		refused(t, name, ok, err)
	}
	good := "\x01\x7f\xff\xff\xff\xff\xff\xff\xff" + `{"at":1,"id":"x"}!`
	if k, ok, err := c.Key(binding, base64.RawURLEncoding.EncodeToString([]byte(good))); !ok || err != nil || k != (key{At: 1, ID: "x"}) {
		t.Errorf("good plaintext: %+v, %v, %v", k, ok, err)
	}
}

// plainAEAD does not encrypt: its ciphertext is the plaintext and a mark.
type plainAEAD struct{}

func (plainAEAD) Encrypt(plaintext, _ []byte) ([]byte, error) { return append(plaintext, '!'), nil }

func (plainAEAD) Decrypt(ciphertext, _ []byte) ([]byte, error) {
	if n := len(ciphertext); n > 0 && ciphertext[n-1] == '!' {
		return ciphertext[:n-1], nil
	}
	return nil, errors.New("not sealed")
}

func flip(token string) string {
	b := []byte(token)
	if b[10] == 'A' {
		b[10] = 'B'
	} else {
		b[10] = 'A'
	}
	return string(b)
}

func refused(t *testing.T, name string, ok bool, err error) {
	t.Helper()
	e, isOurs := errors.AsType[*errs.Error](err)
	if ok || !isOurs || e.Reason() != commonv1.Reason_REASON_PAGE_TOKEN_INVALID || e.Kind() != errs.Invalid {
		t.Errorf("%s: ok %v, %v", name, ok, err)
		return
	}
	if v := e.Violations(); len(v) != 1 || v[0].Field != page.TokenField {
		t.Errorf("%s: violations %v", name, v)
	}
}

func TestFilterKeepsPartsApart(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]bool{}
	for _, parts := range [][][]byte{nil, {nil}, {[]byte("ab")}, {[]byte("a"), []byte("b")}, {[]byte("ab"), nil}, {nil, []byte("ab")}} {
		seen[page.Filter(parts...)] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d digests of 6 lists", len(seen))
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	l := page.Limits{Default: 50, Max: 1000}
	for in, want := range map[int32]int{0: 50, 1: 1, 1000: 1000, 1001: 1000, 1<<31 - 1: 1000} {
		if got, err := l.Size(in); got != want || err != nil {
			t.Errorf("%d: %d, %v", in, got, err)
		}
	}
	_, err := l.Size(-1)
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind() != errs.Invalid || e.Violations()[0].Field != page.SizeField {
		t.Errorf("negative: %v", err)
	}
}

func FuzzKey(f *testing.F) {
	c := page.NewCodec[key](newAEAD(f), clock.NewFake(time.Unix(1_800_000_000, 0)), time.Minute)
	open := page.NewCodec[key](plainAEAD{}, clock.NewFake(time.Unix(1_800_000_000, 0)), time.Minute)
	token, err := c.Token(binding, key{At: 1, ID: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	plain, err := open.Token(binding, key{At: 1, ID: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add("")
	f.Fuzz(func(t *testing.T, in string) {
		for _, codec := range []*page.Codec[key]{c, open} {
			k, ok, err := codec.Key(binding, in)
			if ok == (err != nil) && in != "" {
				t.Fatalf("ok %v, %v", ok, err)
			}
			if !ok && k != (key{}) {
				t.Fatalf("refused, but the key is %+v", k)
			}
		}
		if _, ok, _ := c.Key(binding, in); ok && in != token {
			t.Fatalf("accepted %q", in)
		}
	})
}

// A key that writes itself comes back, and a token is young for the first half of its life.
func TestOpen(t *testing.T) {
	t.Parallel()
	fake := clock.NewFake(time.Unix(1_800_000_000, 0))
	c := page.NewCodec[place](newAEAD(t), fake, time.Hour)
	token, err := c.Token(binding, place{41})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if got, young, err := c.Open(binding, token); err != nil || got.n != 41 || young != want {
			t.Errorf("%v young %v, want %v: %v", got, young, want, err)
		}
		fake.Advance(30 * time.Minute)
	}
	if _, young, err := c.Open(binding, token); err == nil || young {
		t.Error("an expired token is young")
	}
	if got, young, err := c.Open(binding, ""); err != nil || young || got.n != 0 {
		t.Errorf("%v %v %v", got, young, err)
	}
	other := page.NewCodec[key](newAEAD(t), fake, time.Hour)
	if token, err = other.Token(binding, key{At: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Open(binding, token); err == nil {
		t.Error("another codec's token was read")
	}
}

type place struct{ n byte }

func (p place) AppendBinary(to []byte) ([]byte, error) { return append(to, p.n), nil }

func (p *place) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return errors.New("length")
	}
	p.n = b[0]
	return nil
}
