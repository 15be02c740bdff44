// Package minica makes throw-away certificate authorities in memory: for the listeners of the development servers of this
// module and for tests. Nothing that runs in production uses it; there, Vault is the authority.
package minica

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"samvirke.dev/certs/internal/clock"
)

// backdate is how far NotBefore lies in the past, against clocks that differ a little.
const backdate = time.Minute

// CA is an authority with its key.
type CA struct {
	// Cert is the authority's own certificate.
	Cert *x509.Certificate

	key *ecdsa.PrivateKey
}

// New makes a self-signed authority that lives for the given time.
func New(name string, life time.Duration) (*CA, error) {
	return build(name, life, nil)
}

// Intermediate makes an authority signed by ca.
func (ca *CA) Intermediate(name string, life time.Duration) (*CA, error) {
	return build(name, life, ca)
}

func build(name string, life time.Duration, parent *CA) (*CA, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	now := clock.Now()
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		parent = &CA{Cert: tmpl, key: key}
	}
	cert, err := parent.Sign(tmpl, key.Public())
	if err != nil {
		return nil, err
	}
	return &CA{Cert: cert, key: key}, nil
}

// Sign issues a certificate as the template says; a missing serial number is drawn at random.
func (ca *CA) Sign(tmpl *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	if tmpl.SerialNumber == nil {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		if err != nil {
			return nil, fmt.Errorf("serial number: %w", err)
		}
		tmpl.SerialNumber = n
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse signed certificate: %w", err)
	}
	return cert, nil
}

// RevocationList signs a list of the given serials, due for its next update at the given time.
func (ca *CA) RevocationList(number int64, next time.Time, serials ...*big.Int) ([]byte, error) {
	now := clock.Now()
	tmpl := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.Add(-48 * time.Hour), NextUpdate: next}
	for _, n := range serials {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, ca.Cert, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign revocation list: %w", err)
	}
	return der, nil
}

// Listener issues a server certificate for localhost and the loopback addresses.
func (ca *CA) Listener(life time.Duration) (*tls.Certificate, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	now := clock.Now()
	cert, err := ca.Sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(life),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, key.Public())
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// PEM is the authority's certificate.
func (ca *CA) PEM() []byte { return CertificatePEM(ca.Cert.Raw) }

// NewKey makes an ECDSA P-256 key.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// CertificatePEM encodes certificates in the given order.
func CertificatePEM(ders ...[]byte) []byte {
	var out bytes.Buffer
	for _, der := range ders {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return out.Bytes()
}

// KeyPEM encodes a private key as PKCS #8.
func KeyPEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ClientTLS trusts this authority and nothing else.
func (ca *CA) ClientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool}
}
