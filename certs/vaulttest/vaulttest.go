// Package vaulttest runs a test against every Vault at hand: the development server always, and a real one when the environment
// variable SAMVIRKE_TEST_VAULT names its binary. With SAMVIRKE_TEST_STRICT=1, as in continuous integration, a missing binary fails
// the test instead of skipping its half. Test support; production code must not import it.
package vaulttest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/devvault"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/vaultserver"
)

// The environment variables that steer Each.
const (
	EnvBinary = "SAMVIRKE_TEST_VAULT"
	EnvStrict = "SAMVIRKE_TEST_STRICT"
)

// Vault is a running server that a test may take down.
type Vault interface {
	// Name is "devvault" or "vault".
	Name() string
	// Addr is the base URL, CAPEM the anchor of its listener, RootToken may do everything.
	Addr() string
	CAPEM() []byte
	RootToken() string
	// Seal and Unseal do what they say; Unseal returns when the server serves again.
	Seal() error
	Unseal() error
	// Down ends the process, or what comes nearest, cutting every connection. Up brings it back, unsealed, with its state.
	Down() error
	Up() error
}

// Restart is Down, then Up.
func Restart(v Vault) error {
	if err := v.Down(); err != nil {
		return err
	}
	return v.Up()
}

// Each runs f as a subtest per Vault, each on a fresh server that ends with the subtest.
func Each(t *testing.T, f func(t *testing.T, v Vault)) {
	t.Helper()
	t.Run("devvault", func(t *testing.T) {
		t.Parallel()
		f(t, StartDev(t))
	})
	t.Run("vault", func(t *testing.T) {
		t.Parallel()
		f(t, StartReal(t))
	})
}

// StartDev starts a development server that ends with the test.
func StartDev(t testing.TB) Vault {
	t.Helper()
	s, err := devvault.Start(devvault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return dev{s}
}

// StartReal starts a real server that ends with the test. It skips the test when no binary is named, and fails it where strictness
// is asked for.
func StartReal(t testing.TB) Vault {
	t.Helper()
	bin := os.Getenv(EnvBinary)
	switch {
	case bin == "" && os.Getenv(EnvStrict) == "1":
		t.Fatalf("%s=1 demands a real Vault, and %s names none", EnvStrict, EnvBinary)
	case bin == "":
		t.Skipf("%s names no vault binary: the real server is not tested", EnvBinary)
	}
	s, err := vaultserver.Start(t.Context(), vaultserver.Config{Binary: bin, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return genuine{Server: s, ctx: func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	}}
}

type dev struct{ *devvault.Server }

func (dev) Name() string    { return "devvault" }
func (d dev) Seal() error   { d.Server.Seal(); return nil }
func (d dev) Unseal() error { d.Server.Unseal(); return nil }

type genuine struct {
	*vaultserver.Server

	ctx func() (context.Context, context.CancelFunc)
}

func (genuine) Name() string { return "vault" }

func (g genuine) Seal() error {
	ctx, cancel := g.ctx()
	defer cancel()
	return g.Server.Seal(ctx)
}

func (g genuine) Unseal() error {
	ctx, cancel := g.ctx()
	defer cancel()
	return g.Server.Unseal(ctx)
}

func (g genuine) Down() error { return g.Stop() }

func (g genuine) Up() error {
	ctx, cancel := g.ctx()
	defer cancel()
	if err := g.Launch(ctx); err != nil {
		return err
	}
	return g.Server.Unseal(ctx)
}

// API is a library client with the given token ("" for none) that knows nothing of the environment and retries nothing.
func API(t testing.TB, v Vault, token string) *api.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(v.CAPEM()) {
		t.Fatal("the server's CA is no PEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: v.Addr(), HttpClient: &http.Client{Transport: transport}, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	client.ClearToken()
	client.ClearNamespace()
	if token != "" {
		client.SetToken(token)
	}
	return client
}

// Root is API with the root token.
func Root(t testing.TB, v Vault) *api.Client {
	t.Helper()
	return API(t, v, v.RootToken())
}

// Bootstrap applies a spec with the root token; trouble ends the test.
func Bootstrap(t testing.TB, v Vault, spec bootstrap.Spec) *bootstrap.Result {
	t.Helper()
	res, err := bootstrap.Apply(t.Context(), Root(t, v), spec)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Config writes credentials into files of the test and returns a client configuration that uses them.
func Config(t testing.TB, v Vault, creds bootstrap.Credentials) vault.Config {
	t.Helper()
	roleID, secretID, err := creds.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return vault.Config{Address: v.Addr(), CAPEM: v.CAPEM(), RoleIDFile: roleID, SecretIDFile: secretID, Timeout: 10 * time.Second}
}

// Client logs in with the credentials; the client is closed with the test.
func Client(t testing.TB, v Vault, creds bootstrap.Credentials) *vault.Client {
	t.Helper()
	c, err := vault.New(t.Context(), Config(t, v, creds), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
