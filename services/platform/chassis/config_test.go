package chassis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/idem"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/quota"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// soundConfig is a configuration without problems; nothing behind it exists.
func soundConfig() chassis.Config {
	cfg := chassis.DefaultConfig()
	cfg.Environment, cfg.TrustDomain, cfg.Listen = chassis.Test, "samvirke.example", "127.0.0.1:0"
	cfg.Vault = chassis.Vault{Address: "https://127.0.0.1:1", CAFile: "ca", RoleIDFile: "role", SecretIDFile: "secret"}
	cfg.Agreements.Dir = "agreements"
	cfg.Memory = chassis.Memory{Limit: 1 << 30, GCPercent: 100} // it holds for the whole process, so for all tests of it
	return cfg
}

// Each mistake alone is found and named, and all of them together are reported at once.
func TestConfigValidate(t *testing.T) {
	t.Parallel()
	if err := soundConfig().Validate(); err != nil {
		t.Fatalf("a sound configuration: %v", err)
	}
	all := soundConfig()
	cases := []struct {
		key   string
		spoil func(*chassis.Config)
	}{
		{"environment", func(c *chassis.Config) { c.Environment = "hunter2" }},
		{"trust_domain", func(c *chassis.Config) { c.TrustDomain = "Hunter2 !" }},
		{"listen", func(c *chassis.Config) { c.Listen = "hunter2" }},
		{"vault.address", func(c *chassis.Config) { c.Vault.Address = "http://hunter2" }},
		{"vault.ca_file", func(c *chassis.Config) { c.Vault.CAFile = "" }},
		{"vault.role_id_file", func(c *chassis.Config) { c.Vault.RoleIDFile = "" }},
		{"vault.secret_id_file", func(c *chassis.Config) { c.Vault.SecretIDFile = "" }},
		{"agreements.dir", func(c *chassis.Config) { c.Agreements.Dir = "" }},
		{"agreements.reload", func(c *chassis.Config) { c.Agreements.Reload = time.Millisecond }},
		{"keys.max_age", func(c *chassis.Config) { c.Keys.MaxAge = c.Keys.RefreshEvery }},
		{"telemetry.sample_ratio", func(c *chassis.Config) { c.Telemetry.SampleRatio = 1.01 }},
		{"telemetry.log_level", func(c *chassis.Config) { c.Telemetry.LogLevel = "hunter2" }},
		{"memory", func(c *chassis.Config) { c.Memory.GCPercent = 0 }},
		{"pki.ttl", func(c *chassis.Config) { c.PKI.TTL = time.Millisecond }},
		{"pki.refresh", func(c *chassis.Config) { c.PKI.Refresh = -1 }},
		{"pki.grace", func(c *chassis.Config) { c.PKI.Grace = -1 }},
	}
	for _, tc := range cases {
		one := soundConfig()
		tc.spoil(&one)
		tc.spoil(&all)
		if err := one.Validate(); err == nil || !strings.HasPrefix(err.Error(), "vault.role_id_file") && !strings.HasPrefix(err.Error(), tc.key) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s alone: %v", tc.key, err)
		}
	}
	err := all.Validate()
	for _, tc := range cases {
		if !strings.Contains(err.Error(), tc.key) {
			t.Errorf("all at once: nothing about %s in\n%v", tc.key, err)
		}
	}
	if strings.Contains(strings.ToLower(err.Error()), "hunter2") {
		t.Errorf("a value was repeated: %v", err)
	}
}

func TestConfigIsClassified(t *testing.T) {
	t.Parallel()
	cfg := chassis.DefaultConfig()
	if bad := config.Unclassified(&cfg); len(bad) > 0 {
		t.Errorf("unclassified: %v", bad)
	}
}

// The platform's migration is what its packages say, no more and no less.
func TestMigrationsAreTheSchemas(t *testing.T) {
	t.Parallel()
	for dialect, schemas := range map[string][]string{
		"sqlite":   {keys.SchemaSQLite, audit.SchemaSQLite, idem.SchemaSQLite, quota.SchemaSQLite},
		"postgres": {keys.SchemaPostgres, audit.SchemaPostgres, idem.SchemaPostgres, quota.SchemaPostgres},
	} {
		files, err := filepath.Glob(filepath.Join("migrations", dialect, "*.sql"))
		must(t, err)
		if len(files) != 1 {
			t.Fatalf("%s: %v; compare the later ones as well", dialect, files)
		}
		text, err := os.ReadFile(files[0])
		must(t, err)
		up, _, ok := strings.Cut(string(text), "-- +goose Down")
		if !ok {
			t.Fatalf("%s: no way down", dialect)
		}
		var want strings.Builder
		want.WriteString("-- +goose Up ")
		for _, s := range schemas {
			want.WriteString(strings.TrimSuffix(strings.TrimSpace(s), ";") + "; ")
		}
		if squeeze(up) != squeeze(want.String()) {
			t.Errorf("%s: the migration is\n%s\nbut the packages say\n%s", dialect, squeeze(up), squeeze(want.String()))
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// The platform's tables can be made, used and made again on every database.
func TestMigratePlatform(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		for range 2 {
			must(t, chassis.MigratePlatform(t.Context(), db))
		}
		for _, table := range []string{"keyset", "audit_outbox", "idempotency", "quota_use"} {
			var n int
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d rows, %v", table, n, err)
			}
		}
	})
}
