package certtest_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, "samvirke.test")
	id := ca.Service("identity")
	cert := ca.Issue(id, certtest.TTL(time.Minute), certtest.DNS("localhost"))
	if got, err := workload.FromCertificate(cert.Leaf); err != nil || got != id {
		t.Errorf("names %v, %v", got, err)
	}
	if left := time.Until(cert.Leaf.NotAfter); left > time.Minute || len(cert.Leaf.DNSNames) != 1 || len(cert.Certificate) != 2 {
		t.Errorf("ends in %s, names %v, chain of %d", left, cert.Leaf.DNSNames, len(cert.Certificate))
	}
	inter, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(inter)
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: ca.Roots(), Intermediates: pool}); err != nil {
		t.Error(err)
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: certtest.New(t, "samvirke.test").Roots(), Intermediates: pool}); err == nil {
		t.Error("verifies under a foreign authority")
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, "samvirke.test")
	src := ca.Source(ca.Organisation("NO", "123456789", "case"))
	first, err := src.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if revoked, err := src.Revoked(first.Leaf); revoked || err != nil {
		t.Errorf("at first: %v, %v", revoked, err)
	}
	src.Revoke()
	if revoked, err := src.Revoked(first.Leaf); !revoked || err != nil {
		t.Errorf("revoked: %v, %v", revoked, err)
	}
	if next := src.Rotate(); next.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
		t.Error("rotation changed nothing")
	}
	blind := errors.New("blind")
	ca.LoseRevocation(blind)
	if _, err := src.Revoked(first.Leaf); !errors.Is(err, blind) {
		t.Errorf("blind: %v", err)
	}
	src.Expire()
	if _, err := src.Certificate(); err == nil {
		t.Error("expired source serves")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t, "samvirke.test")
	p := ca.Files(ca.Service("gateway"))
	src, err := mtls.Files(p.Cert, p.Key, p.CA)
	if err != nil {
		t.Fatal(err)
	}
	if !src.Roots().Equal(ca.Roots()) {
		t.Error("anchors differ")
	}
}

func BenchmarkIssue(b *testing.B) {
	ca := certtest.New(b, "samvirke.test")
	id := ca.Service("identity")
	for b.Loop() {
		ca.Issue(id)
	}
}
