package bootstrap_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/vaulttest"
	"samvirke.dev/certs/workload"
)

const domain = "samvirke.test"

func organisation(t *testing.T) workload.ID {
	t.Helper()
	id, err := workload.Organisation(domain, "DK", "12345678", "caseworker")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func spec(t *testing.T) bootstrap.Spec {
	t.Helper()
	return bootstrap.Spec{
		TrustDomain: domain,
		Classes: []bootstrap.Class{
			{Mount: bootstrap.OrgMount, Organisations: []workload.ID{organisation(t)}},
			{Mount: bootstrap.PartnerMount, MaxTTL: time.Hour},
		},
		Keys: []bootstrap.Key{{Name: "kek-se"}, {Name: "kek-dk"}, {Name: "ledger", Type: bootstrap.Ed25519}},
		Services: []bootstrap.Service{
			{Name: "identity", DNSNames: []string{"localhost"}, AllowIPs: true, Grants: []bootstrap.Grant{
				{Key: "kek-se", Uses: []bootstrap.Use{bootstrap.Encrypt, bootstrap.Decrypt, bootstrap.DataKey, bootstrap.Rewrap, bootstrap.HMAC}},
			}},
			{Name: "audit", Grants: []bootstrap.Grant{
				{Key: "ledger", Uses: []bootstrap.Use{bootstrap.Sign, bootstrap.Verify, bootstrap.Describe}},
				{Key: "kek-*", Uses: []bootstrap.Use{bootstrap.Decrypt, bootstrap.HMAC}},
			}},
		},
	}
}

// TestApplyTwice: a second run keeps authorities and keys, and mints further secret ids.
func TestApplyTwice(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		root := vaulttest.Root(t, v)
		state := func() string {
			var b strings.Builder
			for _, mount := range []string{"pki-root", "pki-svc", "pki-org", "pki-partner"} {
				sec, err := root.Logical().ListWithContext(t.Context(), mount+"/issuers")
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&b, mount, sec.Data["keys"])
			}
			for _, key := range []string{"kek-se", "kek-dk", "ledger"} {
				sec, err := root.Logical().ReadWithContext(t.Context(), "transit/keys/"+key)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&b, key, sec.Data["type"], sec.Data["latest_version"], sec.Data["keys"])
			}
			return b.String()
		}
		first := vaulttest.Bootstrap(t, v, spec(t))
		before := state()
		second := vaulttest.Bootstrap(t, v, spec(t))
		if after := state(); after != before {
			t.Errorf("second run changed\n%s\nto\n%s", before, after)
		}
		if !bytes.Equal(first.CAPEM, second.CAPEM) || first.Credentials["identity"].RoleID != second.Credentials["identity"].RoleID {
			t.Error("root or role id changed")
		}
		if first.Credentials["identity"].SecretID == second.Credentials["identity"].SecretID {
			t.Error("secret id was not minted anew")
		}
		for _, res := range []*bootstrap.Result{first, second} {
			vaulttest.Client(t, v, res.Credentials["identity"]) // both log in
		}
	})
}

// TestLeastPrivilege: each service may do what it was granted, and nothing beside it.
// covers: SEC-03
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		res := vaulttest.Bootstrap(t, v, spec(t))
		clients := map[string]*vault.Client{}
		for name, creds := range res.Credentials {
			clients[name] = vaulttest.Client(t, v, creds)
		}
		for _, c := range []struct {
			who, path string
			read      bool
			allowed   bool
		}{
			{"identity", "transit/encrypt/kek-se", false, true},
			{"identity", "transit/decrypt/kek-se", false, true},
			{"identity", "transit/rewrap/kek-se", false, true},
			{"identity", "transit/datakey/plaintext/kek-se", false, true},
			{"identity", "transit/hmac/kek-se", false, true},
			{"identity", "transit/hmac/kek-se/sha2-512", false, true},
			{"identity", "transit/encrypt/kek-dk", false, false},
			{"identity", "transit/decrypt/kek-dk", false, false},
			{"identity", "transit/encrypt/kek-se-new", false, false},
			{"identity", "transit/sign/ledger", false, false},
			{"identity", "transit/keys/kek-se", true, false},
			{"identity", "transit/keys/kek-se/rotate", false, false},
			{"identity", "transit/keys/kek-se/config", false, false},
			{"identity", "pki-svc/sign/identity", false, true},
			{"identity", "pki-svc/sign/audit", false, false},
			{"identity", "pki-svc/issue/identity", false, false},
			{"identity", "pki-svc/roles/identity", false, false},
			{"identity", "pki-org/sign/dk-12345678-caseworker", false, false},
			{"identity", "pki-org/roles/own", false, false},
			{"identity", "pki-root/root/sign-intermediate", false, false},
			{"identity", "pki-svc/revoke", false, false},
			{"identity", "pki-org/issuers", true, false},
			{"identity", "pki-org/issuer/default/json", true, true},
			{"identity", "sys/policies/acl/samvirke-identity", true, false},
			{"identity", "auth/approle/role/identity/secret-id", false, false},
			{"identity", "auth/token/create", false, false},
			{"identity", "sys/seal", false, false},
			{"audit", "transit/sign/ledger", false, true},
			{"audit", "transit/verify/ledger", false, true},
			{"audit", "transit/keys/ledger", true, true},
			{"audit", "transit/decrypt/kek-dk", false, true},
			{"audit", "transit/hmac/kek-dk", false, true},
			{"audit", "transit/encrypt/kek-dk", false, false},
			{"audit", "transit/encrypt/ledger", false, false},
		} {
			var err error
			if c.read {
				_, err = clients[c.who].Logical().ReadWithContext(t.Context(), c.path)
			} else {
				_, err = clients[c.who].Logical().WriteWithContext(t.Context(), c.path, map[string]any{})
			}
			// Empty requests are malformed, so an allowed one mostly fails too, yet never with "denied".
			if denied := errors.Is(vault.Explain(err), vault.ErrDenied); denied == c.allowed {
				t.Errorf("%s on %s: denied %v (%v)", c.who, c.path, denied, err)
			}
		}
	})
}

func TestIssueOrganisation(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		res := vaulttest.Bootstrap(t, v, spec(t))
		root := vaulttest.Root(t, v)
		id := organisation(t)
		got, err := bootstrap.IssueOrganisation(t.Context(), root, id, 2*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(got.CertPEM, got.KeyPEM)
		if err != nil {
			t.Fatal(err)
		}
		named, err := workload.FromCertificate(pair.Leaf)
		if err != nil || named != id {
			t.Errorf("names %v, %v", named, err)
		}
		roots, inter := x509.NewCertPool(), x509.NewCertPool()
		roots.AppendCertsFromPEM(got.CAPEM)
		ca, err := x509.ParseCertificate(pair.Certificate[1])
		if err != nil {
			t.Fatal(err)
		}
		inter.AddCert(ca)
		verify := func(usage x509.ExtKeyUsage) error {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, KeyUsages: []x509.ExtKeyUsage{usage}})
			return err
		}
		if err := verify(x509.ExtKeyUsageClientAuth); err != nil {
			t.Error(err)
		}
		if verify(x509.ExtKeyUsageServerAuth) == nil {
			t.Error("an organisation's client certificate can stand as a server's")
		}
		if !bytes.Equal(got.CAPEM, res.CAPEM) || time.Until(got.NotAfter) > 2*time.Hour || got.Serial == "" {
			t.Errorf("anchor differs, or ends at %s, or no serial %q", got.NotAfter, got.Serial)
		}
		if _, err := bootstrap.IssueFrom(t.Context(), root, bootstrap.PartnerMount, id, time.Minute); err != nil {
			t.Errorf("partner: %v", err)
		}
		svc, err := workload.Service(domain, "identity")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bootstrap.IssueOrganisation(t.Context(), root, svc, time.Hour); err == nil {
			t.Error("a service's identity was issued as an organisation's")
		}
		if _, err := bootstrap.IssueOrganisation(t.Context(), root, id, 0); err == nil {
			t.Error("no life: no error")
		}
		foreign, err := workload.Organisation("elsewhere.test", "DK", "12345678", "caseworker")
		if err != nil {
			t.Fatal(err)
		}
		if stray, err := bootstrap.IssueOrganisation(t.Context(), root, foreign, time.Hour); err == nil {
			checkConstraint(t, stray, roots)
		}
		if err := bootstrap.Revoke(t.Context(), root, bootstrap.OrgMount, "00:11"); err == nil {
			t.Error("revoked what is not there")
		}
	})
}

// checkConstraint: even if somebody has the intermediate sign another domain's name, nobody who verifies takes it.
func checkConstraint(t *testing.T, stray *bootstrap.Issued, roots *x509.CertPool) {
	t.Helper()
	pair, err := tls.X509KeyPair(stray.CertPEM, stray.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	inter := x509.NewCertPool()
	inter.AppendCertsFromPEM(stray.CertPEM)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName {
		t.Errorf("a foreign domain's name verifies: %v", err)
	}
}

func TestFilesAndSecrets(t *testing.T) {
	t.Parallel()
	c := bootstrap.Credentials{RoleID: "role", SecretID: "canary"}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "creds", c)
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, c), log.String()} {
		if strings.Contains(out, "canary") || !strings.Contains(out, "role") {
			t.Errorf("printed %q", out)
		}
	}
	role, secret, err := c.Write(t.TempDir() + "/new")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{role: "role", secret: "canary"} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	i := &bootstrap.Issued{CertPEM: []byte("cert"), KeyPEM: []byte("key"), CAPEM: []byte("ca")}
	cert, key, ca, err := i.Write(t.TempDir() + "/new")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{cert: "cert", key: "key", ca: "ca"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
}

func TestSpecRefused(t *testing.T) {
	t.Parallel()
	bad := bootstrap.Spec{
		TrustDomain: "Not A Domain",
		Classes:     []bootstrap.Class{{Mount: "pki-root"}, {Mount: "UPPER"}, {Mount: "pki-org", Organisations: []workload.ID{{}}}},
		Keys:        []bootstrap.Key{{Name: "kek-*"}, {Name: "../x"}},
		Services: []bootstrap.Service{
			{Name: "a/b"}, {Name: "twice", Grants: []bootstrap.Grant{{Key: "k"}, {Key: "k", Uses: []bootstrap.Use{"export"}}, {Key: "a/b", Uses: []bootstrap.Use{bootstrap.Sign}}}},
		},
		CRLTTL: time.Second,
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"trust domain", `"pki-root"`, `"UPPER"`, "no organisation", `"kek-*"`, `"../x"`, `"a/b"`, "unusable grant", `unknown use "export"`, "CRL TTL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
	if _, err := bootstrap.Apply(t.Context(), nil, bad); err == nil {
		t.Error("Apply took it")
	}
}

// TestOccupiedMounts: what somebody else keeps at our paths is not taken over.
func TestOccupiedMounts(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		root := vaulttest.Root(t, v)
		if _, err := root.Logical().WriteWithContext(t.Context(), "sys/mounts/pki-svc", map[string]any{"type": "transit"}); err != nil {
			t.Fatal(err)
		}
		if _, err := bootstrap.Apply(t.Context(), root, spec(t)); err == nil || !strings.Contains(err.Error(), "is of type transit") {
			t.Errorf("got %v", err)
		}
		if err := v.Seal(); err != nil {
			t.Fatal(err)
		}
		if _, err := bootstrap.Apply(t.Context(), root, spec(t)); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("sealed: %v", err)
		}
	})
}
