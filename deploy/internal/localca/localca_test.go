package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/deploy/internal/localca"
	"samvirke.dev/services/platform/clock"
)

func issue(t *testing.T, clk clock.Clock, name string) localca.Files {
	t.Helper()
	ca, err := localca.New(clk, "authority", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := workload.Service("test.example", name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ca.Issue(t.TempDir(), name, id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestIssuedLeafVerifies(t *testing.T) {
	t.Parallel()
	f := issue(t, clock.System(), "echo")
	src, err := mtls.Files(f.Cert, f.Key, f.CA)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := src.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: src.Roots(), KeyUsages: usages}); err != nil {
		t.Error(err)
	}
	if id, err := workload.FromCertificate(cert.Leaf); err != nil || id.Name() != "echo" {
		t.Errorf("identity %s, error %v", id, err)
	}
	for _, file := range []string{f.Cert, f.Key, f.CA} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

// TestAuthoritiesAreStrangers: two authorities of the same name don't vouch for each other, which the story depends on.
func TestAuthoritiesAreStrangers(t *testing.T) {
	t.Parallel()
	a, b := issue(t, clock.System(), "echo"), issue(t, clock.System(), "echo")
	leaf, err := tls.LoadX509KeyPair(a.Cert, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := os.ReadFile(b.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(anchor)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool}); err == nil {
		t.Error("a foreign authority's leaf verifies")
	}
}

func TestIssueFollowsTheClock(t *testing.T) {
	t.Parallel()
	past := clock.NewFake(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	f := issue(t, past, "echo")
	leaf, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got := leaf.Leaf.NotAfter; !got.Equal(past.Now().Add(time.Hour)) {
		t.Errorf("it ends at %s", got)
	}
}

// A leaf for somebody outside of the suite serves on this machine, and names no workload.
func TestLocalLeafVerifiesByAddress(t *testing.T) {
	t.Parallel()
	ca, err := localca.New(clock.System(), "registers", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ca.IssueLocal(t.TempDir(), "register", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	src, err := mtls.Files(f.Cert, f.Key, f.CA)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := src.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: src.Roots(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id, err := workload.FromCertificate(cert.Leaf); err == nil {
		t.Errorf("it names the workload %s", id)
	}
}
