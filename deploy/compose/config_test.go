package compose_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/services/audit"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/income"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/transfer"
)

// load reads the services' configuration files in a folder as the services do: no unknown key, nothing missing.
func load(t *testing.T, dir string) (audit.Config, insurance.Config, transfer.Config) {
	t.Helper()
	a, i, tr := audit.DefaultConfig(), insurance.DefaultConfig(), transfer.DefaultConfig()
	one, two := identity.DefaultConfig(), income.DefaultConfig()
	into := map[string]any{"audit.yaml": &a, "insurance.yaml": &i, "transfer.yaml": &tr, "identity.yaml": &one, "income.yaml": &two}
	for name, c := range into {
		if err := config.Load(c, config.Options{File: filepath.Join(dir, name), Environ: []string{}}); err != nil {
			t.Errorf("%s/%s: %v", dir, name, err)
		}
	}
	if !slices.Equal(one.Accept.Services, []string{"insurance"}) || !slices.Equal(one.Accept.Edges, []string{"gateway"}) {
		t.Errorf("%s: the identity service lets %v and %v act for others", dir, one.Accept.Services, one.Accept.Edges)
	}
	for name, address := range map[string]string{"identity": one.Shipping.Address, "income": two.Shipping.Address, "insurance": i.Shipping.Address, "transfer": tr.Shipping.Address} {
		if !strings.HasSuffix(address, "audit:8443") {
			t.Errorf("%s/%s ships its records to %q", dir, name, address)
		}
	}
	return a, i, tr
}

// The configuration files under compose, and those that the chart writes (the chart's own test keeps them fresh), are what the services take.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"config", "../helm/rendered"} {
		a, i, tr := load(t, dir)
		if len(i.Controllers) != 1 || i.Identity.Address == "" || !slices.Contains(i.PKI.TrustMounts, "pki-partner") {
			t.Errorf("%s: insurance: %+v", dir, i.Controllers)
		}
		if len(a.Usage.Services) != 4 || a.Shipping.Address != "" || a.Tiles.Listen == "" || a.Ledger.Key != audit.LedgerKey {
			t.Errorf("%s: audit: %+v, tiles %q, ships to %q", dir, a.Usage, a.Tiles.Listen, a.Shipping.Address)
		}
		if len(tr.Funds) != 1 || tr.Funds[0].SigningKey != "sign-dk-10000017" {
			t.Errorf("%s: transfer: %+v", dir, tr.Funds)
		}
	}
}
