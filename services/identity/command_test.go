package identity_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/services/identity"
	"samvirke.dev/services/platform/config"
)

func run(t *testing.T, args ...string) (out, log string, err error) {
	t.Helper()
	var o, l bytes.Buffer
	err = identity.Main(t.Context(), args, &o, &l)
	return o.String(), l.String(), err
}

// Whoever calls the program wrongly is told how to call it.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {""}, {"start"}, {"--help"}, {"help"}} {
		out, _, err := run(t, args...)
		if err == nil || !strings.Contains(err.Error(), "identityd serve") || out != "" {
			t.Errorf("%q: %v, printed %q", args, err, out)
		}
	}
}

// sound is a configuration without problems; nothing behind it exists.
func sound(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.ReplaceAll(`environment: test
trust_domain: samvirke.example
listen: 127.0.0.1:0
database: {url: "sqlite:DIR/x.db"}
vault: {address: "https://127.0.0.1:1", ca_file: DIR/ca.pem, role_id_file: DIR/role, secret_id_file: DIR/secret}
agreements: {dir: DIR}
memory: {limit: 1GiB, gc_percent: 100}
`, "DIR", dir)
	file := filepath.Join(dir, "identity.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestArgumentsOfCommands(t *testing.T) {
	t.Parallel()
	file := sound(t)
	for _, args := range [][]string{
		{"serve", "--config", file, "more"}, {"import", "--config", file}, {"import", "--config", file, "a", "b"}, {"audit", "--config", file},
	} {
		if _, _, err := run(t, args...); err == nil || !strings.Contains(err.Error(), "usage:") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, _, err := run(t, "serve", "--config", filepath.Join(t.TempDir(), "no-such-file")); err == nil || !strings.Contains(err.Error(), "no-such-file") {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := run(t, "serve", "--config="+file, "--no.such.key=1"); err == nil || !strings.Contains(err.Error(), "no.such.key") {
		t.Errorf("unknown flag: %v", err)
	}
}

// Every problem is told at once, from the file and from the flags, none with its value.
func TestConfigurationProblems(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yaml")
	must(t, os.WriteFile(file, []byte(`environment: hunter2
trust_domain: "not a domain"
surprise: 1
database: {url: "postgres://user:hunter2@host/x"}
keys: {max_age: 1m, refresh_every: 5m}
agreements: {reload: 1ms}
telemetry: {sample_ratio: 7, log_level: hunter2}
pki: {ttl: 1ms}
`), 0o600))
	for command, args := range map[string][]string{"serve": nil, "import": {"persons.jsonl"}, "audit": {"0"}} {
		out, log, err := run(t, slices.Concat([]string{command, "--config", file, "--reflection=hunter2", "--listen", "hunter2"}, args)...)
		problems, ok := errors.AsType[config.SettingErrors](err)
		if !ok || problems.ExitCode() != 2 {
			t.Fatalf("%s: %v", command, err)
		}
		for _, key := range []string{
			"environment", "trust_domain", "surprise", "database.url", "keys.max_age", "agreements.reload", "agreements.dir", "telemetry.sample_ratio",
			"pki.ttl", "reflection", "listen", "vault.address", "vault.role_id_file",
		} {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("%s: nothing about %s in\n%v", command, key, err)
			}
		}
		if strings.Contains(err.Error()+out+log, "hunter2") {
			t.Errorf("%s: a value was repeated: %v", command, err)
		}
	}
}

// A service whose Vault can't be reached does not start, and says so.
func TestServeWithoutVault(t *testing.T) {
	t.Parallel()
	file := sound(t)
	_, _, err := run(t, "serve", "--config", file)
	if err == nil || !strings.Contains(err.Error(), "vault") {
		t.Errorf("%v", err)
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	out, _, err := run(t, "config")
	must(t, err)
	cfg := identity.DefaultConfig()
	if bad := config.Unclassified(&cfg); len(bad) > 0 {
		t.Errorf("unclassified: %v", bad)
	}
	if out != config.Reference(&cfg, "SAMVIRKE_IDENTITY") {
		t.Error("not the reference")
	}
	for _, row := range []string{"| `environment` |", "| `vault.secret_id_file` |", "`SAMVIRKE_IDENTITY_DATABASE_URL`", "| `test_persons` |", "`Europe/Copenhagen`"} {
		if !strings.Contains(out, row) {
			t.Errorf("the reference lacks %s", row)
		}
	}
	if strings.Count(out, "\n") < 30 {
		t.Errorf("the reference has only %d lines", strings.Count(out, "\n"))
	}
}

func TestPublishedPersonsFile(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := filepath.Join(t.TempDir(), "persons.txt")
	must(t, os.WriteFile(file, []byte("# published\n\nDK:0101005038\n"), 0o600))
	cfg := identity.DefaultConfig()
	cfg.Environment, cfg.TestPersonsFile = "test", file
	parts, err := identity.NewParts(t.Context(), cfg, w.DB, w.Keys, w.clock, nil)
	must(t, err)
	t.Cleanup(func() { must(t, parts.Close(context.WithoutCancel(t.Context()))) })
	if _, err := parts.Import(t.Context(), strings.NewReader(`{"number":"DK:0101005038","register_time":"2020-01-01T00:00:00Z"}`)); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"bad number": "0101005038\n", "bad country": "NO:0101005038\n"} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := identity.NewParts(t.Context(), cfg, w.DB, w.Keys, w.clock, nil); err == nil || strings.Contains(err.Error(), "0101005038") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg.TestPersonsFile += ".gone"
	if _, err := identity.NewParts(t.Context(), cfg, w.DB, w.Keys, w.clock, nil); err == nil || !strings.Contains(err.Error(), "test_persons_file") {
		t.Errorf("missing file: %v", err)
	}
	cfg.TestPersonsFile, cfg.TimeZone = "", "Nowhere/Nothing"
	if _, err := identity.NewParts(t.Context(), cfg, w.DB, w.Keys, w.clock, nil); err == nil || !strings.Contains(err.Error(), "time_zone") {
		t.Errorf("time zone: %v", err)
	}
}
