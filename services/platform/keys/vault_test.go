package keys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/vaulttest"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
)

// vaultConfig is the configuration of a service that may use two of three keys in v, with a store of its own.
func vaultConfig(t *testing.T, v vaulttest.Vault) (keys.Config, *memory, *clock.Fake) {
	t.Helper()
	wrap := []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt}
	res := vaulttest.Bootstrap(t, v, bootstrap.Spec{
		TrustDomain: "samvirke.test",
		Keys:        []bootstrap.Key{{Name: "kek-person"}, {Name: "kek-handle"}, {Name: "kek-foreign"}},
		Services: []bootstrap.Service{{Name: "identity", Grants: []bootstrap.Grant{
			{Key: "kek-person", Uses: wrap}, {Key: "kek-handle", Uses: wrap},
		}}},
	})
	client := vaulttest.Client(t, v, res.Credentials["identity"])
	k := newKit()
	cfg := k.config()
	cfg.Wrap = keys.TransitWrapper(client.Logical(), "transit/")
	return cfg, k.store, k.clock
}

// covers: SEC-03, SEC-10
func TestVaultWrapsKeysets(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		cfg, store, _ := vaultConfig(t, v)
		r, err := keys.Open(t.Context(), cfg, specs()...)
		if err != nil {
			t.Fatal(err)
		}
		p := prfOf(t, r, fundA)
		old := must[string](t)(p.Pseudonym(member))
		if err := r.Rotate(t.Context(), fundA); err != nil {
			t.Fatal(err)
		}
		if all := must[[]string](t)(p.All(member)); len(all) != 2 || all[1] != old {
			t.Errorf("All = %v", all)
		}
		again, err := keys.Open(t.Context(), cfg, specs()...)
		if err != nil {
			t.Fatal(err)
		}
		if ok := must[bool](t)(prfOf(t, again, fundA).Matches(old, member)); !ok {
			t.Error("not recognised after a restart")
		}
		if !strings.Contains(string(store.get(person).wrapped), "vault:v1:") {
			t.Error("the stored keyset is not wrapped by Vault")
		}
	})
}

func TestVaultRefusesWhatDoesNotBelong(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		cfg, store, _ := vaultConfig(t, v)
		if _, err := keys.Open(t.Context(), cfg, specs()...); err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]keys.Spec{
			"not granted":    {Name: "identity/other", Kind: keys.KindPRF, KEK: "kek-foreign"},
			"does not exist": {Name: "identity/other", Kind: keys.KindPRF, KEK: "kek-misspelt"},
			"other key":      {Name: fundA, Kind: keys.KindPRF, KEK: "kek-person"},
			"other kind":     {Name: fundA, Kind: keys.KindAEAD, KEK: "kek-handle"},
		} {
			if _, err := keys.Open(t.Context(), cfg, s); !errors.Is(err, keys.ErrUnwrap) {
				t.Errorf("%s: %v", name, err)
			}
		}
		store.put(fundB, store.get(fundA))
		if _, err := keys.Open(t.Context(), cfg, specs()...); !errors.Is(err, keys.ErrUnwrap) {
			t.Errorf("row of another controller: %v", err)
		}
	})
}

func TestVaultAwayAndBack(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		cfg, _, now := vaultConfig(t, v)
		r, err := keys.Open(t.Context(), cfg, specs()...)
		if err != nil {
			t.Fatal(err)
		}
		p := prfOf(t, r, fundA)
		for name, f := range map[string]struct{ away, back func() error }{
			"sealed": {v.Seal, v.Unseal}, "down": {v.Down, v.Up},
		} {
			if err := f.away(); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Open(t.Context(), cfg, specs()...); !errors.Is(err, keys.ErrUnreachable) {
				t.Errorf("%s at start: %v", name, err)
			}
			if err := r.Refresh(t.Context()); !errors.Is(err, keys.ErrUnreachable) {
				t.Errorf("%s: Refresh: %v", name, err)
			}
			now.Advance(time.Hour)
			if _, err := p.Pseudonym(member); err != nil {
				t.Errorf("%s, within MaxAge: %v", name, err)
			}
			now.Advance(time.Second)
			if _, err := p.Pseudonym(member); !errors.Is(err, keys.ErrExpired) {
				t.Errorf("%s, after MaxAge: %v", name, err)
			}
			if err := f.back(); err != nil {
				t.Fatal(err)
			}
			if err := r.Refresh(t.Context()); err != nil {
				t.Errorf("%s: back, but Refresh: %v", name, err)
			}
			if _, err := p.Pseudonym(member); err != nil {
				t.Errorf("%s, back: %v", name, err)
			}
		}
	})
}
