package resilience_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/resilience"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	cfg := struct {
		SPAR resilience.Config `yaml:"spar" class:"public" doc:"how much SPAR may cost us"`
	}{resilience.DefaultConfig()}
	if err := config.Load(&cfg, config.Options{Args: []string{"--spar.failure_ratio=0.25", "--spar.open_for=2s"}, Environ: []string{}}); err != nil {
		t.Fatal(err)
	}
	if cfg.SPAR.FailureRatio != 0.25 || cfg.SPAR.OpenFor != 2*time.Second {
		t.Errorf("got %+v", cfg.SPAR)
	}
	if err := cfg.SPAR.Validate(); err != nil {
		t.Error(err)
	}
	err := resilience.Config{Wait: -1, HedgeAfter: -1, Retries: -1, RetryWait: -1}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	fields := reflect.TypeFor[resilience.Config]()
	for i := range fields.NumField() {
		if key := fields.Field(i).Tag.Get("yaml"); !strings.Contains(err.Error(), key+":") {
			t.Errorf("nothing said about %s: %v", key, err)
		}
	}
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*resilience.Config, *resilience.Deps){
		"name":          func(_ *resilience.Config, d *resilience.Deps) { d.Name = "" },
		"logger":        func(_ *resilience.Config, d *resilience.Deps) { d.Logger = nil },
		"meter":         func(_ *resilience.Config, d *resilience.Deps) { d.Meter = nil },
		"failure":       func(_ *resilience.Config, d *resilience.Deps) { d.Failure = nil },
		"hedge_after":   func(c *resilience.Config, _ *resilience.Deps) { c.HedgeAfter = c.Timeout },
		"window":        func(c *resilience.Config, _ *resilience.Deps) { c.Window = c.Timeout*time.Duration(c.MinCalls) - 1 },
		"failure_ratio": func(c *resilience.Config, _ *resilience.Deps) { c.FailureRatio = 1.01 },
	} {
		cfg, d := resilience.DefaultConfig(), deps()
		bend(&cfg, &d)
		if _, err := resilience.New(cfg, d); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
