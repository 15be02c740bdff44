package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/vaulttest"
)

func spec(ttl, longest time.Duration) bootstrap.Spec {
	return bootstrap.Spec{
		TrustDomain: "samvirke.test",
		Keys:        []bootstrap.Key{{Name: "kek"}},
		Services:    []bootstrap.Service{{Name: "identity", Grants: []bootstrap.Grant{{Key: "kek", Uses: []bootstrap.Use{bootstrap.Encrypt}}}}},
		TokenTTL:    ttl, TokenMaxTTL: longest,
	}
}

// logs is a log that tests read while it is being written.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// run keeps the client alive until the test ends, and waits for it to stop.
func run(t *testing.T, c *vault.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		c.Close()
	})
}

func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(limit)
	defer end.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func encrypt(ctx context.Context, c *vault.Client) error {
	_, err := c.Logical().WriteWithContext(ctx, "transit/encrypt/kek", map[string]any{"plaintext": "aGVq"})
	return vault.Explain(err)
}

func TestWorks(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		c := vaulttest.Client(t, v, vaulttest.Bootstrap(t, v, spec(0, 0)).Credentials["identity"])
		if err := c.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
		if err := encrypt(t.Context(), c); err != nil {
			t.Error(err)
		}
		if _, err := c.Logical().WriteWithContext(t.Context(), "transit/decrypt/kek", map[string]any{"ciphertext": "vault:v1:x"}); !errors.Is(vault.Explain(err), vault.ErrDenied) {
			t.Errorf("a key use that was not granted: %v", err)
		}
		if left := time.Until(c.TokenExpiry()); left < 50*time.Minute || left > time.Hour {
			t.Errorf("token ends in %s", left)
		}
	})
}

// TestRefusesToStart: each failure names what an operator must do, and no secret.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec(0, 0)).Credentials["identity"]
		good := vaulttest.Config(t, v, creds)
		bad := filepath.Join(t.TempDir(), "secret-id")
		const canary = "c4n4ry00-0000-0000-0000-000000000000"
		if err := os.WriteFile(bad, []byte(canary), 0o600); err != nil {
			t.Fatal(err)
		}
		try := func(name string, want error, text string, change func(*vault.Config)) {
			t.Helper()
			cfg := good
			change(&cfg)
			var log logs
			_, err := vault.New(t.Context(), cfg, log.logger())
			if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", name, err)
			}
			for _, secret := range []string{canary, creds.SecretID} {
				if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, log.String()), secret) {
					t.Errorf("%s: secret in error or log: %v", name, err)
				}
			}
		}
		try("wrong secret id", vault.ErrLogin, bad, func(c *vault.Config) { c.SecretIDFile = bad })
		try("wrong role id", vault.ErrLogin, "role id", func(c *vault.Config) { c.RoleID, c.RoleIDFile = "00000000-0000-0000-0000-000000000000", "" })
		try("wrong auth mount", vault.ErrLogin, "auth/elsewhere", func(c *vault.Config) { c.AuthMount = "elsewhere" })
		try("foreign CA", vault.ErrUntrusted, "check the configured CA", func(c *vault.Config) { c.CAPEM = certtest.New(t, "x.test").PEM() })
		try("CA is no PEM", nil, "no certificate", func(c *vault.Config) { c.CAPEM = []byte("hello") })
		try("secret id file missing", nil, "no such file", func(c *vault.Config) { c.SecretIDFile = bad + "x" })
		try("plain http", nil, "only https", func(c *vault.Config) { c.Address = strings.Replace(c.Address, "https", "http", 1) })
		if err := v.Seal(); err != nil {
			t.Fatal(err)
		}
		try("sealed", vault.ErrSealed, "unseal", func(*vault.Config) {})
		if err := v.Down(); err != nil {
			t.Fatal(err)
		}
		try("down", vault.ErrUnreachable, "check its address", func(*vault.Config) {})
	})
}

// TestRenewal: a token of three seconds is renewed, and replaced by a login before its six seconds of maximum life end; no call
// fails meanwhile.
func TestRenewal(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec(3*time.Second, 6*time.Second)).Credentials["identity"]
		var log logs
		c, err := vault.New(t.Context(), vaulttest.Config(t, v, creds), log.logger())
		if err != nil {
			t.Fatal(err)
		}
		run(t, c)
		renewed := false
		first := c.TokenExpiry()
		within(t, 30*time.Second, "three logins", func() bool {
			if err := encrypt(t.Context(), c); err != nil {
				t.Error(err)
			}
			renewed = renewed || c.Logins() == 1 && c.TokenExpiry().After(first)
			return c.Logins() >= 3
		})
		if !renewed {
			t.Error("the first token was never renewed")
		}
		if out := log.String(); strings.Contains(out, creds.SecretID) || strings.Contains(out, "hvs.") {
			t.Errorf("secret in the log: %s", out)
		}
	})
}

// TestRecovers: down, sealed and restarted, long enough for the token to end, and nobody touches the client.
func TestRecovers(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec(time.Second, 2*time.Second)).Credentials["identity"]
		var log logs
		c, err := vault.New(t.Context(), vaulttest.Config(t, v, creds), log.logger())
		if err != nil {
			t.Fatal(err)
		}
		run(t, c)
		gone := func() bool { return time.Now().After(c.TokenExpiry()) && strings.Contains(log.String(), "not renewed") }
		back := func() bool { return encrypt(t.Context(), c) == nil }
		for _, trouble := range []struct {
			name       string
			begin, end func() error
			want       error
		}{
			{"down", v.Down, v.Up, vault.ErrUnreachable},
			{"sealed", v.Seal, v.Unseal, vault.ErrSealed},
		} {
			if err := trouble.begin(); err != nil {
				t.Fatal(err)
			}
			within(t, 20*time.Second, trouble.name+": token ends", gone)
			if err := c.Healthy(t.Context()); !errors.Is(err, trouble.want) {
				t.Errorf("%s: health says %v", trouble.name, err)
			}
			if err := encrypt(t.Context(), c); !errors.Is(err, trouble.want) {
				t.Errorf("%s: call says %v", trouble.name, err)
			}
			if err := trouble.end(); err != nil {
				t.Fatal(err)
			}
			within(t, 40*time.Second, trouble.name+": recovery", back)
		}
		if out := log.String(); strings.Contains(out, creds.SecretID) || strings.Contains(out, "hvs.") {
			t.Errorf("secret in the log: %s", out)
		}
	})
}

// TestRevokedToken: a token revoked from outside is noticed by the first refused call, not an hour later; a refusal by policy
// leads to no login.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		c := vaulttest.Client(t, v, vaulttest.Bootstrap(t, v, spec(0, 0)).Credentials["identity"])
		run(t, c)
		for range 20 {
			if _, err := c.Logical().ReadWithContext(t.Context(), "sys/mounts"); !errors.Is(vault.Explain(err), vault.ErrDenied) {
				t.Fatalf("got %v", err)
			}
		}
		if n := c.Logins(); n != 1 {
			t.Errorf("refusals by policy led to %d logins", n)
		}
		if err := vaulttest.Root(t, v).Auth().Token().RevokeTreeWithContext(t.Context(), c.API().Token()); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, "new login", func() bool { return encrypt(t.Context(), c) == nil })
		if n := c.Logins(); n != 2 {
			t.Errorf("%d logins, want 2", n)
		}
	})
}

// TestSecretReplaced: a new secret id in the file is used at the next login.
func TestSecretReplaced(t *testing.T) {
	t.Parallel()
	v := vaulttest.StartDev(t)
	creds := vaulttest.Bootstrap(t, v, spec(time.Second, time.Second)).Credentials["identity"]
	cfg := vaulttest.Config(t, v, creds)
	c, err := vault.New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	root := vaulttest.Root(t, v)
	if _, err := root.Logical().WriteWithContext(t.Context(), "auth/approle/role/identity/secret-id/destroy", map[string]any{"secret_id": creds.SecretID}); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "old secret id fails", func() bool { return encrypt(t.Context(), c) != nil })
	next := vaulttest.Bootstrap(t, v, spec(time.Second, time.Second)).Credentials["identity"]
	if err := os.WriteFile(cfg.SecretIDFile, []byte(next.SecretID+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "recovery", func() bool { return encrypt(t.Context(), c) == nil })
}

// TestSlow: a Vault that takes longer than the time-out counts as unreachable, and a caller's deadline is honoured.
func TestSlow(t *testing.T) {
	t.Parallel()
	v := vaulttest.StartDev(t)
	creds := vaulttest.Bootstrap(t, v, spec(0, 0)).Credentials["identity"]
	slow, ok := v.(interface{ SetLatency(time.Duration) })
	if !ok {
		t.Fatal("devvault can't be slowed down")
	}
	slow.SetLatency(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := vault.New(ctx, vaulttest.Config(t, v, creds), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestEnvironmentHasNoSay is not parallel: it changes the process environment.
func TestEnvironmentHasNoSay(t *testing.T) {
	v := vaulttest.StartDev(t)
	creds := vaulttest.Bootstrap(t, v, spec(0, 0)).Credentials["identity"]
	t.Setenv("VAULT_TOKEN", v.RootToken())
	t.Setenv("VAULT_SKIP_VERIFY", "1")
	t.Setenv("VAULT_ADDR", "https://elsewhere.test:8200")
	t.Setenv("VAULT_NAMESPACE", "elsewhere")
	c := vaulttest.Client(t, v, creds)
	if c.API().Token() == v.RootToken() || c.API().Namespace() != "" {
		t.Error("the environment chose token or namespace")
	}
	cfg := vaulttest.Config(t, v, creds)
	cfg.CAPEM = certtest.New(t, "x.test").PEM()
	if _, err := vault.New(t.Context(), cfg, nil); !errors.Is(err, vault.ErrUntrusted) {
		t.Errorf("VAULT_SKIP_VERIFY opened the door: %v", err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	t.Parallel()
	err := vault.Config{Address: "http://user:pw@x", Timeout: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"only https", "exactly one of CA", "exactly one of role id", "secret id file is missing", "timeout is negative"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "pw") {
		t.Errorf("secret in %v", err)
	}
	for _, address := range []string{"", "://", "https://", "https://user:pw@x"} {
		if err := (vault.Config{Address: address, CAFile: "a", RoleID: "b", SecretIDFile: "c"}).Validate(); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("address %q: %v", address, err)
		}
	}
}

// TestExplain keeps Vault's words on one line and drops what may be secret.
func TestExplain(t *testing.T) {
	t.Parallel()
	if vault.Explain(nil) != nil {
		t.Error("nil became an error")
	}
	err := vault.Explain(&api.ResponseError{StatusCode: http.StatusBadRequest, URL: "https://vault.test/v1/secret?token=hvs.canary", Errors: []string{"first\n\tline", "second"}})
	if got := err.Error(); got != "vault answered with status 400: first line; second" {
		t.Errorf("got %q", got)
	}
	plain := errors.New("plain")
	if !errors.Is(vault.Explain(plain), plain) {
		t.Error("a plain error was lost")
	}
}

// TestUninitialised: a server that was never initialised says so through its health page.
func TestUninitialised(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/sys/health") {
			w.WriteHeader(299)
			_, _ = w.Write([]byte(`{"initialized":false,"sealed":true}`)) //nolint:misspell // Vault's spelling
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"errors":["Vault is sealed"]}`))
	}))
	t.Cleanup(s.Close)
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := vault.New(t.Context(), vault.Config{Address: s.URL, CAPEM: pemOf(s), RoleID: "r", SecretIDFile: secret}, nil)
	if !errors.Is(err, vault.ErrUninitialised) {
		t.Errorf("got %v", err)
	}
}
