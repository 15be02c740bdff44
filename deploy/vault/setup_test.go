package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/insurance"
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
