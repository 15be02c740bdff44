// Package certtest gives tests a certificate authority in memory: leaves of every sound and unsound kind, files, and a source
// that rotates and revokes on command. Test support; production code must not import it.
package certtest

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/minica"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

const caLife = 24 * time.Hour

// CA is a root with one intermediate that issues leaves, as Vault does in production. It is safe for concurrent use. Two CAs
// don't know each other: the second one is the foreign one.
type CA struct {
	t           testing.TB
	trustDomain string
	root, inter *minica.CA

	mu      sync.Mutex
	revoked map[string]*big.Int
	number  int64
	blind   error
}

// New makes an authority for a trust domain; trouble ends the test.
func New(t testing.TB, trustDomain string) *CA {
	t.Helper()
	root, err := minica.New("test root of "+trustDomain, caLife)
	if err != nil {
		t.Fatal(err)
	}
	inter, err := root.Intermediate("test intermediate of "+trustDomain, caLife)
	if err != nil {
		t.Fatal(err)
	}
	return &CA{t: t, trustDomain: trustDomain, root: root, inter: inter, revoked: map[string]*big.Int{}}
}

// TrustDomain is the domain given to New.
func (ca *CA) TrustDomain() string { return ca.trustDomain }

// Service names a service in the CA's trust domain.
func (ca *CA) Service(name string) workload.ID {
	ca.t.Helper()
	id, err := workload.Service(ca.trustDomain, name)
	if err != nil {
		ca.t.Fatal(err)
	}
	return id
}

// Organisation names an organisation's system in the CA's trust domain.
func (ca *CA) Organisation(country, number, system string) workload.ID {
	ca.t.Helper()
	id, err := workload.Organisation(ca.trustDomain, country, number, system)
	if err != nil {
		ca.t.Fatal(err)
	}
	return id
}

// PEM is the trust anchor.
func (ca *CA) PEM() []byte { return ca.root.PEM() }

// Roots is the trust anchor as a pool.
func (ca *CA) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.root.Cert)
	return pool
}

// Option bends a leaf away from the sound one: an hour of life, both usages, one URI SAN.
type Option func(*x509.Certificate)

// TTL sets the leaf's life from now.
func TTL(d time.Duration) Option {
	return func(c *x509.Certificate) { c.NotAfter = clock.Now().Add(d) }
}

// Expired makes a leaf whose time ended a minute ago.
func Expired() Option {
	return func(c *x509.Certificate) {
		c.NotBefore = clock.Now().Add(-time.Hour)
		c.NotAfter = clock.Now().Add(-time.Minute)
	}
}

// NotYetValid makes a leaf whose time begins in an hour.
func NotYetValid() Option {
	return func(c *x509.Certificate) {
		c.NotBefore = clock.Now().Add(time.Hour)
		c.NotAfter = clock.Now().Add(2 * time.Hour)
	}
}

// Usages replaces the extended key usages; none at all leaves the extension out.
func Usages(usages ...x509.ExtKeyUsage) Option {
	return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
}

// URIs replaces the URI SANs; none at all leaves them out.
func URIs(uris ...string) Option {
	return func(c *x509.Certificate) {
		c.URIs = nil
		AddURIs(uris...)(c)
	}
}

// AddURIs adds URI SANs to the identity. An unparsable one is left out.
func AddURIs(uris ...string) Option {
	return func(c *x509.Certificate) {
		for _, s := range uris {
			if u, err := url.Parse(s); err == nil {
				c.URIs = append(c.URIs, u)
			}
		}
	}
}

// DNS adds host names.
func DNS(names ...string) Option {
	return func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, names...) }
}

// Authority makes a certificate that could sign others, which no leaf may.
func Authority() Option {
	return func(c *x509.Certificate) {
		c.IsCA = true
		c.KeyUsage |= x509.KeyUsageCertSign
	}
}

// Issue makes a leaf with its chain and key; it takes well under a millisecond.
func (ca *CA) Issue(id workload.ID, opts ...Option) *tls.Certificate {
	ca.t.Helper()
	cert, err := ca.issue(id, opts)
	if err != nil {
		ca.t.Fatal(err)
	}
	return cert
}

func (ca *CA) issue(id workload.ID, opts []Option) (*tls.Certificate, error) {
	now := clock.Now()
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "test leaf"},
		NotBefore:             now.Add(-time.Minute),
		NotAfter:              now.Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	AddURIs(id.String())(tmpl)
	for _, o := range opts {
		o(tmpl)
	}
	key, err := minica.NewKey()
	if err != nil {
		return nil, err
	}
	leaf, err := ca.inter.Sign(tmpl, key.Public())
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.inter.Cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// Revoke withdraws a leaf in every Source of this CA, from the next handshake on.
func (ca *CA) Revoke(leaf *x509.Certificate) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.revoked[leaf.SerialNumber.String()] = leaf.SerialNumber
}

// LoseRevocation makes every Source of this CA answer the question for revocation with err, as after a list went out of date;
// nil brings the lists back.
func (ca *CA) LoseRevocation(err error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.blind = err
}

// CRL is the intermediate's and the root's revocation lists as PEM, due for their next update at the given time. Numbers grow
// with each call.
func (ca *CA) CRL(next time.Time) []byte {
	ca.t.Helper()
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.number++
	serials := make([]*big.Int, 0, len(ca.revoked))
	for _, n := range ca.revoked {
		serials = append(serials, n)
	}
	var out []byte
	for _, is := range []*minica.CA{ca.inter, ca.root} {
		der, err := is.RevocationList(ca.number, next, serials...)
		if err != nil {
			ca.t.Fatal(err)
		}
		out = append(out, crlPEM(der)...)
	}
	return out
}

// IntermediatePEM is the issuing certificate, which verifies the list of CRL.
func (ca *CA) IntermediatePEM() []byte { return ca.inter.PEM() }

// Paths are the files that Files wrote.
type Paths struct{ Cert, Key, CA string }

// Files issues a leaf and writes it with its key and the trust anchor into a fresh folder of the test.
func (ca *CA) Files(id workload.ID, opts ...Option) Paths {
	ca.t.Helper()
	dir := ca.t.TempDir()
	p := Paths{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	ca.WriteFiles(p, ca.Issue(id, opts...))
	return p
}

// WriteFiles writes a leaf with its key and the trust anchor over the given files.
func (ca *CA) WriteFiles(p Paths, cert *tls.Certificate) {
	ca.t.Helper()
	key, err := minica.KeyPEM(cert.PrivateKey)
	if err != nil {
		ca.t.Fatal(err)
	}
	for path, content := range map[string][]byte{p.Cert: minica.CertificatePEM(cert.Certificate...), p.Key: key, p.CA: ca.PEM()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			ca.t.Fatal(err)
		}
	}
}

var _ mtls.Source = (*Source)(nil)

// Source is an mtls.Source on a test CA.
type Source struct {
	ca   *CA
	id   workload.ID
	opts []Option

	mu   sync.Mutex
	cert *tls.Certificate
	gone error
}

// Source issues a leaf and serves it.
func (ca *CA) Source(id workload.ID, opts ...Option) *Source {
	ca.t.Helper()
	return &Source{ca: ca, id: id, opts: opts, cert: ca.Issue(id, opts...)}
}

// Certificate is the present leaf, even when it was made unsound on purpose.
func (s *Source) Certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cert, s.gone
}

// Roots is the CA's anchor.
func (s *Source) Roots() *x509.CertPool { return s.ca.Roots() }

// Revoked knows what CA.Revoke and CA.LoseRevocation were told.
func (s *Source) Revoked(cert *x509.Certificate) (bool, error) {
	s.ca.mu.Lock()
	defer s.ca.mu.Unlock()
	if s.ca.blind != nil {
		return false, s.ca.blind
	}
	_, hit := s.ca.revoked[cert.SerialNumber.String()]
	return hit, nil
}

// Rotate swaps in a fresh leaf and returns it.
func (s *Source) Rotate() *tls.Certificate {
	s.ca.t.Helper()
	cert := s.ca.Issue(s.id, s.opts...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cert = cert
	return cert
}

// Revoke withdraws the present leaf at the CA; the source goes on presenting it.
func (s *Source) Revoke() {
	s.mu.Lock()
	leaf := s.cert.Leaf
	s.mu.Unlock()
	s.ca.Revoke(leaf)
}

// Expire makes the source answer as one whose leaf ran out.
func (s *Source) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = errors.New("own certificate has expired")
	s.cert = nil
}
