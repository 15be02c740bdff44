package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fund() stack.Caller {
	return stack.Caller{Country: "DK", Number: "12345678", System: "caseworker"}
}

// prepare makes a stack whose service is a program that ends at once.
func prepare(t *testing.T, binary string) *stack.Stack {
	t.Helper()
	v, err := stack.DevVault()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stack.Prepare(t.Context(), stack.Config{
		Dir: filepath.Join(t.TempDir(), "suite"), Vault: v, Callers: []stack.Caller{fund()},
		Programs: []stack.Program{stack.Identity([]stack.Caller{fund()}, nil, nil)}, Binaries: map[string]string{stack.IdentityName: binary},
		Agreements: fstest.MapFS{"a.yaml": {Data: []byte("id: a\n")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.WithoutCancel(t.Context())), v.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPrepareWritesWhatServicesNeed(t *testing.T) {
	t.Parallel()
	s := prepare(t, "/bin/false")
	raw, err := os.ReadFile(filepath.Join(s.Dir(), "identity.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var conf struct {
		Environment string            `json:"environment"`
		Vault       map[string]string `json:"vault"`
		Agreements  struct {
			Dir string `json:"dir"`
		} `json:"agreements"`
	}
	if err := json.Unmarshal(raw, &conf); err != nil {
		t.Fatal(err)
	}
	if conf.Environment != "test" {
		t.Errorf("environment is %q", conf.Environment)
	}
	for _, key := range []string{"ca_file", "role_id_file", "secret_id_file"} {
		info, err := os.Stat(conf.Vault[key])
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", key, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(conf.Agreements.Dir, "a.yaml")); err != nil {
		t.Error(err)
	}
}

func TestCallersGetCertificates(t *testing.T) {
	t.Parallel()
	f := prepare(t, "/bin/false").Files(fund())
	src, err := mtls.Files(f.Cert, f.Key, f.CA)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := src.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	id, err := workload.FromCertificate(cert.Leaf)
	if err != nil || id.Org() != "DK:12345678" || id.System() != "caseworker" || id.TrustDomain() != stack.TrustDomain {
		t.Errorf("identity is %s, error %v", id, err)
	}
}

// TestStartTellsWhyNot: a service that does not come up is reported with its own last words and at once, not after a time-out.
func TestStartTellsWhyNot(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "identityd")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho the key is missing\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := prepare(t, binary)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := s.Start(ctx, stack.IdentityName)
	if err == nil || !strings.Contains(err.Error(), "the key is missing") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error is %v", err)
	}
	if ctx.Err() != nil {
		t.Error("it took until the time-out")
	}
}

// TestStartFindsTheAddress plays a service that serves, and that reads neither our test variables nor Vault's.
func TestStartFindsTheAddress(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "identityd")
	script := `#!/bin/sh
env | grep -E '^(SAMVIRKE|VAULT)_'
echo '{"level":"INFO","msg":"starting","addr":"127.0.0.1:1"}'
echo '{"level":"INFO","msg":"serving","addr":"127.0.0.1:4711"}'
exec sleep 600
`
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_TOKEN", "secret") // not parallel: the environment belongs to the process
	t.Setenv("SAMVIRKE_TEST_STRICT", "1")
	s := prepare(t, binary)
	if err := s.Start(t.Context(), stack.IdentityName, "SAMVIRKE_IDENTITY_DEBUG_X=1"); err != nil {
		t.Fatal(err)
	}
	if got := s.Service(stack.IdentityName).Addr; got != "127.0.0.1:4711" {
		t.Errorf("address is %q", got)
	}
	if got := s.Service(stack.IdentityName).Log.All()[0]; got != "SAMVIRKE_IDENTITY_DEBUG_X=1" {
		t.Errorf("the service sees %q", got)
	}
}

func TestOutsideVault(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("anchor"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"whole":    {map[string]string{"VAULT_ADDR": "https://v", "VAULT_TOKEN": "t", "VAULT_CACERT": ca}, ""},
		"no token": {map[string]string{"VAULT_ADDR": "https://v", "VAULT_CACERT": ca}, "VAULT_TOKEN is missing"},
		"no ca":    {map[string]string{"VAULT_ADDR": "https://v", "VAULT_TOKEN": "t"}, "VAULT_CACERT is missing"},
		"bad ca":   {map[string]string{"VAULT_ADDR": "https://v", "VAULT_TOKEN": "t", "VAULT_CACERT": ca + "x"}, "no such file"},
	} {
		v, err := stack.OutsideVault(func(k string) string { return c.env[k] })
		switch {
		case c.want == "" && (err != nil || v.Address != "https://v" || string(v.CAPEM) != "anchor"):
			t.Errorf("%s: %+v, %v", name, v, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
