package vaulttest_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/vaulttest"
)

// within polls until the condition holds; it fails the test after the limit. Time limits in Vault are seconds of its own clock,
// so there is nothing to fake.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
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

func setUpLife(t *testing.T, w *wire) {
	t.Helper()
	w.run(t, []step{
		{name: "mount", as: "root", method: post, path: "sys/mounts/transit", body: m{"type": "transit"}, status: 204},
		{name: "key", as: "root", method: post, path: "transit/keys/kek", body: m{}, status: 200},
		{name: "auth", as: "root", method: post, path: "sys/auth/approle", body: m{"type": "approle"}, status: 204},
		{name: "role", as: "root", method: post, path: "auth/approle/role/short", body: m{"token_ttl": "2s", "token_max_ttl": "4s"}, status: 204},
		{name: "role id", as: "root", method: get, path: "auth/approle/role/short/role-id", status: 200, keep: map[string]string{"role_id": "role_id"}},
		{name: "secret id", as: "root", method: post, path: "auth/approle/role/short/secret-id", body: m{}, status: 200, keep: map[string]string{"secret_id": "secret_id"}},
	})
}

// TestContractTimeLimits: what was given for a time ends when the time is up, and a renewal never goes past the maximum.
func TestContractTimeLimits(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		w := newWire(t, v)
		setUpLife(t, w)
		lookup := func(who string) func() bool {
			return func() bool {
				return w.call(t, step{as: who, method: get, path: "auth/token/lookup-self"}).status == http.StatusForbidden
			}
		}
		w.run(t, []step{
			{name: "short secret id", as: "root", method: post, path: "auth/approle/role/short/secret-id", body: m{"ttl": "1s"}, status: 200, keep: map[string]string{"short_secret": "secret_id"}},
			{name: "short token", as: "root", method: post, path: "auth/token/create", body: m{"policies": []string{"default"}, "ttl": "1s"}, status: 200, keep: map[string]string{"brief": "client_token"}},
			{name: "login", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 200, keep: map[string]string{"svc": "client_token"}},
		})
		began := time.Now()
		within(t, 10*time.Second, "token of one second ends", lookup("brief"))
		// Vault sweeps secret ids once a minute, so one that has just run out still logs in. Nobody may count on the second.
		if a := w.call(t, step{method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{short_secret}"}}); a.status != http.StatusOK {
			t.Errorf("secret id refused before the sweep: %s", a.raw)
		}
		// Renewing keeps the token alive past its first life of two seconds, and never past four.
		within(t, 15*time.Second, "renewed token ends at its maximum", func() bool {
			a := w.call(t, step{as: "svc", method: post, path: "auth/token/renew-self", body: m{}})
			return a.status == http.StatusForbidden
		})
		if lived := time.Since(began); lived < 2500*time.Millisecond {
			t.Errorf("renewed token lived only %s", lived)
		}
	})
}

// TestContractSealed: a sealed server answers 503 to everything but health and unsealing, and forgets nothing.
func TestContractSealed(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		w := newWire(t, v)
		setUpLife(t, w)
		w.run(t, []step{{name: "encrypt", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq"}, status: 200, keep: map[string]string{"ct": "ciphertext"}}})
		if err := v.Seal(); err != nil {
			t.Fatal(err)
		}
		w.run(t, []step{
			{name: "health", method: get, path: "sys/health", status: 503},
			{name: "health with a code of choice", method: get, path: "sys/health?sealedcode=299", status: 299},
			{name: "seal status", method: get, path: "sys/seal-status", status: 200},
			{name: "use a key", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{ct}"}, status: 503, err: "Vault is sealed"},
			{name: "login", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 503, err: "Vault is sealed"},
			{name: "look up", as: "root", method: get, path: "auth/token/lookup-self", status: 503, err: "Vault is sealed"},
			{name: "no route", as: "root", method: get, path: "nowhere", status: 503},
			{name: "unseal without key", method: post, path: "sys/unseal", body: m{}, status: 400},
		})
		if err := v.Unseal(); err != nil {
			t.Fatal(err)
		}
		w.run(t, []step{
			{name: "health again", method: get, path: "sys/health", status: 200},
			{name: "use the key again", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{ct}"}, status: 200, is: m{"plaintext": "aGVq"}},
			{name: "seal by request", as: "root", method: "PUT", path: "sys/seal", status: 204},
			{name: "sealed", method: get, path: "sys/health", status: 503},
		})
	})
}

// TestContractRestart: down means unreachable, and after a restart keys, roles and tokens are as they were.
func TestContractRestart(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		w := newWire(t, v)
		setUpLife(t, w)
		w.run(t, []step{{name: "encrypt", as: "root", method: post, path: "transit/encrypt/kek", body: m{"plaintext": "aGVq"}, status: 200, keep: map[string]string{"ct": "ciphertext"}}})
		if err := v.Down(); err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), get, v.Addr()+"/v1/sys/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := w.client.Do(req); err == nil {
			t.Error(resp.Body.Close())
			t.Fatal("a server that is down answered")
		}
		if err := v.Up(); err != nil {
			t.Fatal(err)
		}
		w.run(t, []step{
			{name: "key", as: "root", method: post, path: "transit/decrypt/kek", body: m{"ciphertext": "{ct}"}, status: 200, is: m{"plaintext": "aGVq"}},
			{name: "login", method: post, path: "auth/approle/login", body: m{"role_id": "{role_id}", "secret_id": "{secret_id}"}, status: 200},
		})
	})
}

// TestContractCertificates looks into what the two servers sign: usages, names, dates, chain, revocation lists.
func TestContractCertificates(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		w := newWire(t, v)
		w.run(t, []step{
			{name: "mount root", as: "root", method: post, path: "sys/mounts/pki-root", body: m{"type": "pki", "config": m{"max_lease_ttl": "87600h"}}, status: 204},
			{name: "mount int", as: "root", method: post, path: "sys/mounts/pki-int", body: m{"type": "pki", "config": m{"max_lease_ttl": "87600h"}}, status: 204},
		})
		w.run(t, slices.DeleteFunc(pkiSteps(t), func(s step) bool { return s.name == "revoke" || s.name == "revoke again" || s.name == "urls" }))
		leaf := parse(t, w, "pki-int/cert/{serial}")
		ca, root := parse(t, w, "pki-int/cert/ca"), parse(t, w, "pki-root/cert/ca")
		checkLeaf(t, leaf)
		checkAuthorities(t, ca, root)
		if err := leaf.CheckSignatureFrom(ca); err != nil {
			t.Error(err)
		}
		// With automatic rebuilding a revocation shows after the list was rotated, not before.
		w.run(t, []step{{name: "revoke", as: "root", method: post, path: "pki-int/revoke", body: m{"serial_number": "{serial}"}, status: 200}})
		if listed(t, w, leaf, ca) {
			t.Error("revocation shows before the list was rotated")
		}
		w.run(t, []step{{name: "rotate", as: "root", method: get, path: "pki-int/crl/rotate", status: 200}})
		if !listed(t, w, leaf, ca) {
			t.Error("revocation does not show after the list was rotated")
		}
	})
}

func parse(t *testing.T, w *wire, path string) *x509.Certificate {
	t.Helper()
	text, _ := w.call(t, step{method: get, path: path}).Data["certificate"].(string)
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("%s is no PEM", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checkLeaf(t *testing.T, c *x509.Certificate) {
	t.Helper()
	usages := slices.Clone(c.ExtKeyUsage)
	slices.Sort(usages)
	if !slices.Equal(usages, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}) || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("leaf has usages %v, %v", usages, c.KeyUsage)
	}
	if len(c.URIs) != 1 || len(c.DNSNames)+len(c.IPAddresses)+len(c.EmailAddresses) != 0 || c.IsCA || c.Subject.CommonName != "" {
		t.Errorf("leaf names %v, %v, subject %q, authority %v", c.URIs, c.DNSNames, c.Subject, c.IsCA)
	}
	if life := c.NotAfter.Sub(c.NotBefore); life != 10*time.Minute+30*time.Second {
		t.Errorf("leaf lives %s, want ten minutes and the half minute against skew", life)
	}
	if len(c.AuthorityKeyId) == 0 {
		t.Error("leaf has no authority key id")
	}
}

func checkAuthorities(t *testing.T, ca, root *x509.Certificate) {
	t.Helper()
	if err := ca.CheckSignatureFrom(root); err != nil {
		t.Error(err)
	}
	if !ca.IsCA || !ca.MaxPathLenZero || !slices.Equal(ca.PermittedURIDomains, []string{"samvirke.test"}) || !ca.PermittedDNSDomainsCritical {
		t.Errorf("intermediate: authority %v, path length zero %v, names %v critical %v", ca.IsCA, ca.MaxPathLenZero, ca.PermittedURIDomains, ca.PermittedDNSDomainsCritical)
	}
	for _, c := range []*x509.Certificate{ca, root} {
		if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(c.ExtKeyUsage) != 0 || len(c.SubjectKeyId) == 0 {
			t.Errorf("authority %q: usages %v %v", c.Subject, c.KeyUsage, c.ExtKeyUsage)
		}
	}
}

func listed(t *testing.T, w *wire, leaf, ca *x509.Certificate) bool {
	t.Helper()
	text, _ := w.call(t, step{method: get, path: "pki-int/issuer/default/crl"}).Data["crl"].(string)
	block, _ := pem.Decode([]byte(text))
	if block == nil || !strings.Contains(block.Type, "CRL") {
		t.Fatalf("no list: %q", text)
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca); err != nil {
		t.Fatal(err)
	}
	if life := list.NextUpdate.Sub(list.ThisUpdate); life != 72*time.Hour {
		t.Errorf("list is good for %s, want 72h", life)
	}
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(leaf.SerialNumber) == 0 })
}
