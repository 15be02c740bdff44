package gateway_test

import (
	"slices"
	"testing"

	"samvirke.dev/gateway"
	"samvirke.dev/services/platform/config"
)

// The configuration files under compose, and those that the chart writes, are what the gateway takes: no unknown key, nothing missing.
func TestDeployedConfiguration(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../deploy/compose/config/gateway.yaml", "../deploy/helm/rendered/gateway.yaml"} {
		c := gateway.DefaultConfig()
		if err := config.Load(&c, config.Options{File: file, Environ: []string{}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, name := range gateway.Services() {
			if c.Services[name] == "" {
				t.Errorf("%s: no address of %s", file, name)
			}
		}
		if c.Token.Key == "" || c.Public.Listen == "" || !slices.Contains(c.PKI.TrustMounts, "pki-partner") {
			t.Errorf("%s: token %q, public %q, trust %v", file, c.Token.Key, c.Public.Listen, c.PKI.TrustMounts)
		}
	}
}
