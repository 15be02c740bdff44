package compose_test

import (
	"testing"

	"samvirke.dev/services/identity"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/config"
)

// The configuration files are what the services take: no unknown key, nothing missing.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	one, two := identity.DefaultConfig(), insurance.DefaultConfig()
	for name, into := range map[string]any{"config/identity.yaml": &one, "config/insurance.yaml": &two} {
		if err := config.Load(into, config.Options{File: name, Environ: []string{}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(two.Controllers) != 1 || two.Identity.Address == "" {
		t.Errorf("insurance: %+v", two.Controllers)
	}
}
