package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/certs/devvault"
	"samvirke.dev/certs/vaultserver"
	"samvirke.dev/deploy/internal/say"
)

// Vault is a Vault that somebody runs, with a token that may configure it.
type Vault struct {
	// Kind is what it is, for people.
	Kind    string
	Address string
	CAPEM   []byte
	Token   string
	// Dev is the development Vault, and nil when it is another: with it a test can seal Vault or take it down.
	Dev *devvault.Server
	// Real is the real server that we run, and nil when it is another.
	Real *vaultserver.Server
}

// DevVault starts the development Vault in this process.
func DevVault() (*Vault, error) {
	srv, err := devvault.Start(devvault.Config{})
	if err != nil {
		return nil, err
	}
	return &Vault{Kind: "development Vault (in memory)", Address: srv.Addr(), CAPEM: srv.CAPEM(), Token: srv.RootToken(), Dev: srv}, nil
}

// RealVault starts a real server from a binary, with its storage in dir.
func RealVault(ctx context.Context, binary, dir string) (*Vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("vault server: %w", err)
	}
	srv, err := vaultserver.Start(ctx, vaultserver.Config{Binary: binary, Dir: dir})
	if err != nil {
		return nil, err
	}
	return &Vault{Kind: "real Vault server (raft)", Address: srv.Addr(), CAPEM: srv.CAPEM(), Token: srv.RootToken(), Real: srv}, nil
}

// OutsideVault takes the Vault that VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT name, as Vault's own tools read them.
func OutsideVault(env func(string) string) (*Vault, error) {
	v := &Vault{Kind: "Vault at VAULT_ADDR", Address: env("VAULT_ADDR"), Token: env("VAULT_TOKEN")}
	var errs []error
	if v.Token == "" {
		errs = append(errs, errors.New("VAULT_TOKEN is missing: a token that may mount engines and write policies"))
	}
	if env("VAULT_CACERT") == "" {
		errs = append(errs, errors.New("VAULT_CACERT is missing: the PEM file with the anchor of Vault's certificate"))
	} else {
		var err error
		if v.CAPEM, err = os.ReadFile(env("VAULT_CACERT")); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("vault at VAULT_ADDR: %w", err)
	}
	return v, nil
}

// Close ends the Vault if it is ours.
func (v *Vault) Close() error {
	switch {
	case v.Dev != nil:
		return v.Dev.Close()
	case v.Real != nil:
		return v.Real.Stop()
	default:
		return nil
	}
}

// operator is a client with the token, and a function that lets go of its connections. It reads nothing from the environment
// and trusts the given anchor only.
func (v *Vault) operator() (*api.Client, func(), error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(v.CAPEM) {
		return nil, nil, errors.New("vault: no certificate among its anchors")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, ForceAttemptHTTP2: true}
	client, err := api.NewClient(&api.Config{Address: v.Address, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		return nil, nil, fmt.Errorf("vault: %w", err)
	}
	client.ClearNamespace()
	client.SetToken(v.Token)
	return client, transport.CloseIdleConnections, nil
}

// BuildVault builds the real Vault server into the user's cache and returns the path. It takes minutes once, and nothing later.
func BuildVault(ctx context.Context, toolDir string, progress io.Writer) (_ string, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, "vault-"+vaultVersion)
	release, err := lock(ctx, target+".lock")
	if err != nil {
		return "", fmt.Errorf("build vault: %w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	say.F(progress, "building Vault %s from its module, once; about five minutes on two cores\n", vaultVersion)
	fresh := target + ".new"
	args := []string{"-v", "-tags", "minimal", "-trimpath", "-ldflags", "-s -w", "-o", fresh, "github.com/hashicorp/vault"}
	if err := goBuild(ctx, args, toolDir, &packages{out: progress}, "GOWORK=off", "CGO_ENABLED=0"); err != nil {
		return "", fmt.Errorf("build vault: %w", err)
	}
	if err := os.Rename(fresh, target); err != nil {
		return "", fmt.Errorf("build vault: %w", err)
	}
	return target, nil
}

// vaultVersion is the version that the tool module pins; a new one gets a new place in the cache.
const vaultVersion = "v1.21.2"

// packages turns the thousand lines of a verbose build into a line now and then.
type packages struct {
	out   io.Writer
	count int
}

// Write implements io.Writer.
func (p *packages) Write(b []byte) (int, error) {
	const every = 100
	for _, c := range b {
		if c != '\n' {
			continue
		}
		if p.count++; p.count%every == 0 {
			say.F(p.out, "  %d packages\n", p.count)
		}
	}
	return len(b), nil
}
