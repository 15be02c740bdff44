package pki_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/pki"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/vaulttest"
	"samvirke.dev/certs/workload"
)

const domain = "samvirke.test"

func spec() bootstrap.Spec {
	return bootstrap.Spec{
		TrustDomain: domain,
		Classes:     []bootstrap.Class{{Mount: bootstrap.OrgMount}, {Mount: bootstrap.PartnerMount}},
		Services:    []bootstrap.Service{{Name: "identity", DNSNames: []string{"identity.samvirke.test"}}, {Name: "gateway"}},
	}
}

func service(t *testing.T, name string) workload.ID {
	t.Helper()
	id, err := workload.Service(domain, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
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

// start runs a client and a source for a service until the test ends.
func start(t *testing.T, v vaulttest.Vault, creds bootstrap.Credentials, cfg pki.Config, log *slog.Logger) *pki.Source {
	t.Helper()
	client := vaulttest.Client(t, v, creds)
	src, err := pki.New(t.Context(), client, cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := src.Run(ctx); err != nil {
			t.Errorf("Run of the source ended with %v", err)
		}
	})
	wg.Go(func() {
		if err := client.Run(ctx); err != nil {
			t.Errorf("Run of the client ended with %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

func TestFirstLeaf(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		res := vaulttest.Bootstrap(t, v, spec())
		client := vaulttest.Client(t, v, res.Credentials["identity"])
		id := service(t, "identity")
		src, err := pki.New(t.Context(), client, pki.Config{Role: "identity", ID: id, DNSNames: []string{"identity.samvirke.test"}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := src.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := workload.FromCertificate(cert.Leaf)
		if err != nil || got != id {
			t.Errorf("leaf names %v, %v", got, err)
		}
		if len(cert.Leaf.DNSNames) != 1 || len(cert.Certificate) != 2 {
			t.Errorf("names %v, chain of %d", cert.Leaf.DNSNames, len(cert.Certificate))
		}
		if left := time.Until(src.ExpiresAt()); left < 3*time.Hour || left > 4*time.Hour {
			t.Errorf("leaf ends in %s, want about four hours", left)
		}
		if src.SerialNumber() != cert.Leaf.SerialNumber.Text(16) {
			t.Errorf("serial is %s", src.SerialNumber())
		}
		if revoked, err := src.Revoked(cert.Leaf); revoked || err != nil {
			t.Errorf("own leaf: %v, %v", revoked, err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(res.CAPEM)
		if !src.Roots().Equal(pool) {
			t.Error("trust anchors differ from what bootstrap hands out")
		}
	})
}

// TestRefusesToStart: a process that can't have its certificate must not start.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		client := vaulttest.Client(t, v, vaulttest.Bootstrap(t, v, spec()).Credentials["identity"])
		good := pki.Config{Role: "identity", ID: service(t, "identity")}
		for name, c := range map[string]struct {
			change func(*pki.Config)
			want   string
		}{
			"another's identity": {func(c *pki.Config) { c.ID = service(t, "audit") }, "status 400"},
			"another's role":     {func(c *pki.Config) { c.Role = "gateway" }, "denied"},
			"host name":          {func(c *pki.Config) { c.DNSNames = []string{"elsewhere.test"} }, "not allowed"},
			"no such root":       {func(c *pki.Config) { c.RootMounts = []string{"nowhere"} }, "read issuers of nowhere"},
			"no anchor there":    {func(c *pki.Config) { c.RootMounts = []string{"pki-svc"} }, "no trust anchor"},
			"no such trust":      {func(c *pki.Config) { c.TrustMounts = []string{"nowhere"} }, "read issuers of nowhere"},
			"no role":            {func(c *pki.Config) { c.Role = "" }, "role is missing"},
			"no identity":        {func(c *pki.Config) { c.ID = workload.ID{} }, "identity is missing"},
			"negative":           {func(c *pki.Config) { c.TTL = -1 }, "negative"},
			"too short":          {func(c *pki.Config) { c.TTL = time.Millisecond }, "under a second"},
		} {
			cfg := good
			c.change(&cfg)
			if _, err := pki.New(t.Context(), client, cfg, nil, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := pki.New(t.Context(), nil, good, nil, nil); err == nil {
			t.Error("no client: no error")
		}
		if err := v.Seal(); err != nil {
			t.Fatal(err)
		}
		if _, err := pki.New(t.Context(), client, good, nil, nil); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("sealed: %v", err)
		}
	})
}

// TestVaultAway: while Vault is down the old leaf is served; when it ends, nothing is; when Vault is back, all is well again.
func TestVaultAway(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		var log logs
		creds := vaulttest.Bootstrap(t, v, spec()).Credentials["identity"]
		src := start(t, v, creds, pki.Config{Role: "identity", ID: service(t, "identity"), TTL: 4 * time.Second, Refresh: time.Second}, slog.New(slog.NewTextHandler(&log, nil)))
		if err := v.Down(); err != nil {
			t.Fatal(err)
		}
		serial := src.SerialNumber()
		within(t, 10*time.Second, "a failed renewal", func() bool { return strings.Contains(log.String(), "what=certificate") })
		if _, err := src.Certificate(); err != nil && time.Now().Before(src.ExpiresAt()) {
			t.Errorf("old leaf withheld before its time: %v", err)
		}
		if src.SerialNumber() != serial {
			t.Error("a leaf appeared out of nowhere")
		}
		within(t, 10*time.Second, "fails closed", func() bool {
			_, err := src.Certificate()
			return errors.Is(err, pki.ErrExpired)
		})
		if err := v.Up(); err != nil {
			t.Fatal(err)
		}
		within(t, 60*time.Second, "recovery", func() bool {
			_, err := src.Certificate()
			return err == nil && src.SerialNumber() != serial
		})
		if strings.Contains(log.String(), creds.SecretID) || strings.Contains(log.String(), "hvs.") || strings.Contains(log.String(), "PRIVATE") {
			t.Error("secret in the log")
		}
	})
}

// TestRevocationIsFollowed: an outsider's certificate is good until revoked, and one from an issuer that is not followed is never.
// covers: SEC-01
func TestRevocationIsFollowed(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec()).Credentials["identity"]
		root := vaulttest.Root(t, v)
		src := start(t, v, creds, pki.Config{Role: "identity", ID: service(t, "identity"), TrustMounts: []string{bootstrap.OrgMount}, Refresh: 200 * time.Millisecond}, nil)
		org, err := workload.Organisation(domain, "DK", "12345678", "caseworker")
		if err != nil {
			t.Fatal(err)
		}
		good, err := bootstrap.IssueOrganisation(t.Context(), root, org, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		leaf := leafOf(t, good.CertPEM)
		if revoked, err := src.Revoked(leaf); revoked || err != nil {
			t.Errorf("sound certificate: %v, %v", revoked, err)
		}
		stray, err := bootstrap.IssueFrom(t.Context(), root, bootstrap.PartnerMount, org, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Revoked(leafOf(t, stray.CertPEM)); err == nil {
			t.Error("an issuer that is not followed counts as known")
		}
		if err := bootstrap.Revoke(t.Context(), root, bootstrap.OrgMount, good.Serial); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "revocation shows", func() bool {
			revoked, err := src.Revoked(leaf)
			return revoked && err == nil
		})
	})
}

// TestReplacedIssuer: after an intermediate was replaced, leaves of both are known.
func TestReplacedIssuer(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec()).Credentials["identity"]
		root := vaulttest.Root(t, v)
		src := start(t, v, creds, pki.Config{Role: "identity", ID: service(t, "identity"), Refresh: 200 * time.Millisecond}, nil)
		before, err := src.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		write := func(path string, data map[string]any) map[string]any {
			sec, err := root.Logical().WriteWithContext(t.Context(), path, data)
			if err != nil {
				t.Fatal(err)
			}
			return sec.Data
		}
		csr := write("pki-svc/intermediate/generate/internal", map[string]any{"common_name": "second", "key_type": "ec"})["csr"]
		signed := write("pki-root/root/sign-intermediate", map[string]any{"csr": csr, "common_name": "second", "ttl": "24h", "max_path_length": 0})
		set := write("pki-svc/intermediate/set-signed", map[string]any{"certificate": signed["certificate"]})
		issuer := set["imported_issuers"].([]any)[0]
		write("pki-svc/config/issuers", map[string]any{"default": issuer})
		client := vaulttest.Client(t, v, creds)
		second, err := pki.New(t.Context(), client, pki.Config{Role: "identity", ID: service(t, "identity")}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		after, err := second.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if after.Leaf.Issuer.CommonName != "second" {
			t.Fatalf("issued by %q", after.Leaf.Issuer)
		}
		within(t, 20*time.Second, "both issuers known", func() bool {
			a, err1 := src.Revoked(before.Leaf)
			b, err2 := src.Revoked(after.Leaf)
			return !a && !b && err1 == nil && err2 == nil
		})
	})
}

func TestGauge(t *testing.T) {
	t.Parallel()
	v := vaulttest.StartDev(t)
	client := vaulttest.Client(t, v, vaulttest.Bootstrap(t, v, spec()).Credentials["identity"])
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	src, err := pki.New(t.Context(), client, pki.Config{Role: "identity", ID: service(t, "identity"), TTL: time.Hour}, nil, provider.Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	read := func() []metricdata.Metrics {
		var rm metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &rm); err != nil {
			t.Fatal(err)
		}
		if len(rm.ScopeMetrics) == 0 {
			return nil
		}
		return rm.ScopeMetrics[0].Metrics
	}
	all := read()
	if len(all) != 1 || all[0].Name != "samvirke.certificate.expiry" || all[0].Unit != "s" {
		t.Fatalf("metrics %v", all)
	}
	g, ok := all[0].Data.(metricdata.Gauge[float64])
	if !ok || len(g.DataPoints) != 1 || g.DataPoints[0].Value < 3500 || g.DataPoints[0].Value > 3600 {
		t.Errorf("gauge %v", all[0].Data)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	if all := read(); len(all) != 0 {
		t.Errorf("after Close still %v", all)
	}
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func leafOf(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestIssuersKeepToTheirKind: an intermediate for organisations can sign the name of a service all it likes.
// covers: SEC-01, SEC-02
func TestIssuersKeepToTheirKind(t *testing.T) {
	t.Parallel()
	vaulttest.Each(t, func(t *testing.T, v vaulttest.Vault) {
		creds := vaulttest.Bootstrap(t, v, spec()).Credentials["identity"]
		root := vaulttest.Root(t, v)
		id := service(t, "audit")
		src := start(t, v, creds, pki.Config{Role: "identity", ID: service(t, "identity"), TrustMounts: []string{bootstrap.OrgMount}}, nil)
		sign := func(mount string) []*x509.Certificate {
			if _, err := root.Logical().WriteWithContext(t.Context(), mount+"/roles/rogue", map[string]any{"allowed_uri_sans": id.String(), "require_cn": false, "key_type": "ec"}); err != nil {
				t.Fatal(err)
			}
			sec, err := root.Logical().WriteWithContext(t.Context(), mount+"/issue/rogue", map[string]any{"uri_sans": id.String(), "ttl": "1h"})
			if err != nil {
				t.Fatal(err)
			}
			return []*x509.Certificate{leafOf(t, []byte(sec.Data["certificate"].(string))), leafOf(t, []byte(sec.Data["issuing_ca"].(string)))}
		}
		if good := sign("pki-svc"); src.Vouches(id, good[1]) != nil {
			t.Error("the services' issuer may not speak for a service")
		}
		rogue := sign(bootstrap.OrgMount)
		if revoked, err := src.Revoked(rogue[0]); revoked || err != nil {
			t.Errorf("the rogue leaf should be sound apart from its issuer: %v, %v", revoked, err)
		}
		if src.Vouches(id, rogue[1]) == nil {
			t.Error("the organisations' issuer may speak for a service")
		}
		if src.Vouches(id, leafOf(t, anchorOf(t, root))) == nil {
			t.Error("the root may speak for a service")
		}
	})
}

func anchorOf(t *testing.T, root *api.Client) []byte {
	t.Helper()
	ca, err := bootstrap.CABundle(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}
