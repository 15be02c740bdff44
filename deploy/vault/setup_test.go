package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/services/audit"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/platform/config"
)

// setUp applies the file twice: the second time nothing changes but the secret ids.
func setUp(t *testing.T) (*stack.Vault, string) {
	t.Helper()
	v, err := stack.DevVault()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	anchor := filepath.Join(dir, "vault.pem")
	if err := os.WriteFile(anchor, v.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"VAULT_ADDR": v.Address, "VAULT_TOKEN": v.Token, "VAULT_CACERT": anchor}
	for range 2 {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"--config", "setup.yaml", "--out", dir}, func(k string) string { return env[k] }, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "insurance") {
			t.Error(out.String())
		}
	}
	return v, dir
}

func login(t *testing.T, v *stack.Vault, dir, service string) *api.Client {
	t.Helper()
	conf := api.DefaultConfig()
	conf.Address = v.Address
	if err := conf.ConfigureTLS(&api.TLSConfig{CACertBytes: v.CAPEM}); err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, service, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	secret, err := client.Logical().WriteWithContext(t.Context(), "auth/approle/login", map[string]any{"role_id": read("role-id"), "secret_id": read("secret-id")})
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(secret.Auth.ClientToken)
	return client
}

// Each service may use its own keys, those for controllers and partners included, and no other service's.
//
// covers: SEC-03
func TestSetup(t *testing.T) {
	t.Parallel()
	v, dir := setUp(t)
	own := map[string][]string{
		"identity":  {"identity-person", identity.HandleKEK("DK:10000017"), identity.HandleKEK("SE:8020000017")},
		"insurance": {"insurance-member", "insurance-audit", insurance.PartnerKEK("DK:70000063")},
		"income":    {"income-case", "income-number"},
		"transfer":  {"transfer-case", "transfer-index"},
		"audit":     {"audit-record", "audit-audit"},
		"gateway":   {},
	}
	for service := range own {
		client := login(t, v, dir, service)
		for owner, keys := range own {
			for _, key := range keys {
				_, err := client.Logical().WriteWithContext(t.Context(), "transit/encrypt/"+key, map[string]any{"plaintext": "c2FtdmlyaWU="})
				if (err == nil) != (owner == service) {
					t.Errorf("%s with %s: %v", service, key, err)
				}
			}
		}
		if _, err := client.Logical().WriteWithContext(t.Context(), "transit/keys/"+service+"-new", map[string]any{}); err == nil {
			t.Errorf("%s may create keys", service)
		}
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "ca.pem")); err != nil || !strings.Contains(string(raw), "BEGIN CERTIFICATE") {
		t.Errorf("anchors: %v", err)
	}
}

// Each signing key signs for its service and for no other, and whoever signs may read the public key.
//
// covers: SEC-03
func TestSetupSigning(t *testing.T) {
	t.Parallel()
	v, dir := setUp(t)
	own := map[string][]string{
		"identity": nil, "insurance": nil, "income": nil, "transfer": {"sign-dk-10000017", "sign-se-8020000017"}, "audit": {audit.LedgerKey}, "gateway": {"gateway-token"},
	}
	for service := range own {
		client := login(t, v, dir, service).Logical()
		for owner, keys := range own {
			for _, key := range keys {
				_, signed := client.WriteWithContext(t.Context(), "transit/sign/"+key, map[string]any{"input": "c2FtdmlyaWU="})
				if (signed == nil) != (owner == service) {
					t.Errorf("%s signs with %s: %v", service, key, signed)
				}
				_, read := client.ReadWithContext(t.Context(), "transit/keys/"+key)
				if (read == nil) != (owner == service) {
					t.Errorf("%s reads %s: %v", service, key, read)
				}
			}
		}
	}
}

// Clients of HTTPS check the gateway's host name, so its role alone signs one: its own, and no other.
func TestSetupNames(t *testing.T) {
	t.Parallel()
	v, dir := setUp(t)
	for _, c := range []struct {
		service, host string
		signed        bool
	}{{"gateway", "api.samvirke.example", true}, {"gateway", "other.samvirke.example", false}, {"identity", "api.samvirke.example", false}} {
		_, err := login(t, v, dir, c.service).Logical().WriteWithContext(t.Context(), "pki-svc/sign/"+c.service, map[string]any{
			"csr": request(t, c.service, c.host), "uri_sans": "spiffe://samvirke.example/svc/" + c.service, "alt_names": c.host,
		})
		if (err == nil) != c.signed {
			t.Errorf("%s as %s: %v", c.service, c.host, err)
		}
	}
}

// The file has the keys that the programs want: those which the sandbox and the end-to-end tests start them with.
func TestSetupWhole(t *testing.T) {
	t.Parallel()
	var s Setup
	if err := config.Load(&s, config.Options{Args: []string{"--config", "setup.yaml", "--out", "x"}, Environ: []string{}}); err != nil {
		t.Fatal(err)
	}
	have := map[string]Service{}
	for _, svc := range s.Services {
		have[svc.Name] = svc
	}
	programs := []stack.Program{stack.Identity(nil, nil, nil), stack.Income(nil), stack.Insurance(nil, nil), stack.Transfer(nil, nil), stack.Audit(), stack.Gateway()}
	for _, p := range programs {
		svc := have[p.Name]
		classes := append([]string{"audit", "response"}, p.Classes...)
		if p.REST {
			classes = nil
		}
		if !slices.Equal(svc.Keys, classes) {
			t.Errorf("%s: keys %v, want %v", p.Name, svc.Keys, classes)
		}
		for _, key := range p.Keys {
			if !slices.Contains(svc.SigningKeys, key.Name) {
				t.Errorf("%s: no key %s", p.Name, key.Name)
			}
		}
	}
	if len(programs) != len(have) {
		t.Errorf("set up for %d services, want %d", len(have), len(programs))
	}
}

// request is a request for a service's certificate that bears a host name.
func request(t *testing.T, service, host string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := &url.URL{Scheme: "spiffe", Host: "samvirke.example", Path: "/svc/" + service}
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{id}, DNSNames: []string{host}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw}))
}

func TestSetupRefusals(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	for name, args := range map[string][]string{
		"no file": nil, "no out": {"--config", "setup.yaml"}, "no Vault": {"--config", "setup.yaml", "--out", t.TempDir()}, "unknown key": {"--config", "setup.yaml", "--out", "x", "--no.such", "1"},
	} {
		if err := run(t.Context(), args, none, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
