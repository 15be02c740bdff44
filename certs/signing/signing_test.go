package signing_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/signing"
	"samvirke.dev/certs/vaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a Vault with a signing key, an encryption key, and a service that may sign.
func fixture(t *testing.T, v vaulttest.Vault) (operator, service signing.Transit) {
	t.Helper()
	result := vaulttest.Bootstrap(t, v, bootstrap.Spec{
		TrustDomain: "samvirke.example",
		Keys:        []bootstrap.Key{{Name: "ledger-sign", Type: bootstrap.Ed25519}, {Name: "ledger-seal"}},
		Services: []bootstrap.Service{{
			Name: "ledger", Grants: []bootstrap.Grant{{Key: "ledger-*", Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Describe}}},
		}},
	})
	return vaulttest.Root(t, v).Logical(), vaulttest.Client(t, v, result.Credentials["ledger"]).Logical()
}

// The service signs, anybody checks with the public key alone; after a rotation new signatures are of the new version, and old ones stay
// good. Nothing else is signed for, and the private half stays where it is.
func TestSign(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		operator, service := fixture(t, v)
		ctx := t.Context()
		key, err := signing.Open(ctx, service, "transit", "ledger-sign")
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("checkpoint 1")
		first, version, err := key.Sign(ctx, message)
		if err != nil || version != 1 || key.Latest() != 1 {
			t.Fatalf("version %d, %v", version, err)
		}
		public, err := key.Public(1)
		if err != nil || !ed25519.Verify(public, message, first) {
			t.Fatalf("the standard library does not accept the signature: %v", err)
		}
		if _, err := operator.WriteWithContext(ctx, "transit/keys/ledger-sign/rotate", nil); err != nil {
			t.Fatal(err)
		}
		second, version, err := key.Sign(ctx, message)
		if err != nil || version != 2 || key.Latest() != 2 {
			t.Fatalf("after a rotation: version %d, latest %d, %v", version, key.Latest(), err)
		}
		old, err := key.SignWith(ctx, message, 1)
		if err != nil || string(old) != string(first) {
			t.Errorf("signing with an old version: %v", err)
		}
		for what, ok := range map[string]bool{
			"first":           key.Verify(message, first, 1),
			"second":          key.Verify(message, second, 2),
			"!wrong version":  !key.Verify(message, first, 2),
			"!other message":  !key.Verify([]byte("checkpoint 2"), first, 1),
			"!no such":        !key.Verify(message, first, 3),
			"!short":          !key.Verify(message, first[:63], 1),
			"!nothing at all": !key.Verify(nil, nil, 1),
		} {
			if !ok {
				t.Errorf("%s does not hold", what)
			}
		}
		if err := v.Seal(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := key.Sign(ctx, message); err == nil {
			t.Error("signed without Vault")
		}
		if !key.Verify(message, second, 2) {
			t.Error("checking needs Vault")
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		operator, service := fixture(t, v)
		for name, open := range map[string]func(context.Context) (*signing.Key, error){
			"key of another type": func(ctx context.Context) (*signing.Key, error) {
				return signing.Open(ctx, service, "transit", "ledger-seal")
			},
			"no such key": func(ctx context.Context) (*signing.Key, error) {
				return signing.Open(ctx, operator, "transit", "nobody")
			},
			"not granted": func(ctx context.Context) (*signing.Key, error) { return signing.Open(ctx, service, "transit", "other") },
			"no mount":    func(ctx context.Context) (*signing.Key, error) { return signing.Open(ctx, service, "", "ledger-sign") },
			"path in the name": func(ctx context.Context) (*signing.Key, error) {
				return signing.Open(ctx, operator, "transit", "../sys/raw")
			},
		} {
			if _, err := open(t.Context()); err == nil {
				t.Errorf("%s: opened", name)
			}
		}
	})
}

// A version that Vault does not have is told as such, so that nobody waits for it.
func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	_, service := fixture(t, vaulttest.StartDev(t))
	key, err := signing.Open(t.Context(), service, "transit", "ledger-sign")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Public(7); !errors.Is(err, signing.ErrUnknownVersion) {
		t.Errorf("error is %v", err)
	}
	if _, err := key.SignWith(t.Context(), []byte("x"), 7); err == nil {
		t.Error("signed with a version that does not exist")
	}
}
