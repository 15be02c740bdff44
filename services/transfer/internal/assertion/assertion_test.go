package assertion_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"samvirke.dev/services/transfer/internal/assertion"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
)

const issuer = "https://issuer.example"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish writes public keys, named by kid.
func publish(t testing.TB, file string, keys map[string]ed25519.PrivateKey) {
	t.Helper()
	var set jose.JSONWebKeySet
	for kid, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "EdDSA", Use: "sig"})
	}
	raw, err := json.Marshal(set)
	must(t, err)
	must(t, os.WriteFile(file, raw, 0o600))
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	return key
}

// sign makes a power of attorney.
func sign(t testing.TB, key ed25519.PrivateKey, kid string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	must(t, err)
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": issuer, "sub": "DK:0709614126", "aud": "DK:20000018", "current_fund": "DK:10000009", "acr": "substantial", "jti": "poa-1",
		"nbf": 1_700_000_000, "exp": 1_707_000_000, "scope": []string{"contact_current_fund", "exit", "data"},
	}).Serialize()
	must(t, err)
	return text
}

// verifier believes one key.
func verifier(t testing.TB) (v *assertion.Verifier, key ed25519.PrivateKey, file string, log *bytes.Buffer) {
	t.Helper()
	key, file, log = newKey(t), filepath.Join(t.TempDir(), "jwks.json"), &bytes.Buffer{}
	publish(t, file, map[string]ed25519.PrivateKey{"k1": key})
	v, err := assertion.New([]assertion.Issuer{{Name: issuer, JWKSFile: file}}, time.UTC, slog.New(slog.NewTextHandler(log, nil)))
	must(t, err)
	return v, key, file, log
}

// An issuer changes its keys while the service runs: new ones are believed and old ones no longer. A file that can't be read changes
// nothing, and the log says so.
func TestReload(t *testing.T) {
	t.Parallel()
	v, old, file, log := verifier(t)
	next := newKey(t)
	believed := func(text string, want bool) {
		t.Helper()
		if _, err := v.Verify(text); (err == nil) != want {
			t.Errorf("want believed %v, got %v", want, err)
		}
	}
	before, after := sign(t, old, "k1"), sign(t, next, "k2")
	believed(before, true)
	believed(after, false)
	publish(t, file, map[string]ed25519.PrivateKey{"k1": old, "k2": next})
	v.Reload(t.Context())
	believed(before, true)
	believed(after, true)
	publish(t, file, map[string]ed25519.PrivateKey{"k2": next})
	v.Reload(t.Context())
	believed(before, false)
	must(t, os.WriteFile(file, []byte("{"), 0o600))
	v.Reload(t.Context())
	believed(after, true)
	if !strings.Contains(log.String(), issuer) {
		t.Errorf("the log says %q", log)
	}
}

// No secret key, no symmetric one, none at all, no issuer without a name: the service refuses to start.
func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no keys": `{"keys":[]}`, "no set": `[]`, "symmetric": `{"keys":[{"kty":"oct","kid":"k","k":"AAAA"}]}`,
		"secret":      `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`,
		"without kid": `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
	} {
		file := filepath.Join(t.TempDir(), "jwks.json")
		must(t, os.WriteFile(file, []byte(content), 0o600))
		if _, err := assertion.New([]assertion.Issuer{{Name: issuer, JWKSFile: file}}, time.UTC, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzAssertion reads whatever comes in place of a power of attorney: only what the issuer signed is believed, and says what was signed.
func FuzzAssertion(f *testing.F) {
	v, key, _, _ := verifier(f)
	good := sign(f, key, "k1")
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(sign(f, newKey(f), "k1"))
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(parts[0] + ".e30." + parts[2])
	f.Add(`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := v.Verify(text)
		switch {
		case err != nil && !errors.Is(err, core.ErrAssertion):
			t.Fatal(err)
		case err != nil:
			return
		case !strings.HasPrefix(text, parts[0]+"."+parts[1]+"."):
			t.Fatalf("believed: %q", text)
		case p.ID != "poa-1" || p.Subject != "DK:0709614126" || p.Level != cases.Substantial || p.Scope != cases.NeededScope:
			t.Fatalf("%+v", p)
		}
	})
}
