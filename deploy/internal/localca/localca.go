// Package localca is a certificate authority of a few minutes' use: for the benchmark's echo, which must not need Vault, and
// for the stranger whom the suite has to refuse. Nothing that it signs is trusted by any service.
package localca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/clock"
)

// backdate stands against clocks that differ a little.
const backdate = time.Minute

// CA is an authority whose key lives in memory only.
type CA struct {
	clk  clock.Clock
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Files are the paths of a leaf with its chain, of its key and of the trust anchor, all PEM.
type Files struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca"`
}

// New makes a self-signed authority that lives for the given time.
func New(clk clock.Clock, name string, life time.Duration) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authority key: %w", err)
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             clk.Now().Add(-backdate),
		NotAfter:              clk.Now().Add(life),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca := &CA{clk: clk, cert: tmpl, key: key}
	if ca.cert, err = ca.sign(tmpl, &key.PublicKey); err != nil {
		return nil, err
	}
	return ca, nil
}

// Issue signs a leaf for both usages, with id as its one URI, and writes it as <name>.pem, <name>-key.pem and <name>-ca.pem
// into dir.
func (ca *CA) Issue(dir, name string, id workload.ID, life time.Duration) (Files, error) {
	uri, err := url.Parse(id.String())
	if err != nil {
		return Files{}, fmt.Errorf("leaf identity: %w", err)
	}
	return ca.leaf(dir, name, &x509.Certificate{URIs: []*url.URL{uri}}, life)
}

// IssueLocal is Issue for somebody outside of the suite, who has no workload identity: the leaf names this machine's loopback
// addresses.
func (ca *CA) IssueLocal(dir, name string, life time.Duration) (Files, error) {
	names := &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	return ca.leaf(dir, name, names, life)
}

// rsaBits is the size of RSA keys.
const rsaBits = 2048

// IssueRSA is IssueLocal with an RSA key, for those who sign messages by it.
func (ca *CA) IssueRSA(dir, name string, life time.Duration) (Files, error) {
	key, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return Files{}, fmt.Errorf("leaf key: %w", err)
	}
	names := &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	return ca.write(dir, name, names, life, key)
}

// leaf signs and writes a leaf with the names of the template.
func (ca *CA) leaf(dir, name string, tmpl *x509.Certificate, life time.Duration) (Files, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Files{}, fmt.Errorf("leaf key: %w", err)
	}
	return ca.write(dir, name, tmpl, life, key)
}

func (ca *CA) write(dir, name string, tmpl *x509.Certificate, life time.Duration, key crypto.Signer) (Files, error) {
	tmpl.Subject = pkix.Name{CommonName: name}
	tmpl.NotBefore, tmpl.NotAfter = ca.clk.Now().Add(-backdate), ca.clk.Now().Add(life)
	tmpl.KeyUsage, tmpl.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	leaf, err := ca.sign(tmpl, key.Public())
	if err != nil {
		return Files{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Files{}, fmt.Errorf("leaf key: %w", err)
	}
	f := Files{
		Cert: filepath.Join(dir, name+".pem"),
		Key:  filepath.Join(dir, name+"-key.pem"),
		CA:   filepath.Join(dir, name+"-ca.pem"),
	}
	for path, block := range map[string]*pem.Block{
		f.Cert: {Type: "CERTIFICATE", Bytes: leaf.Raw},
		f.Key:  {Type: "PRIVATE KEY", Bytes: der},
		f.CA:   {Type: "CERTIFICATE", Bytes: ca.cert.Raw},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return Files{}, fmt.Errorf("write certificate: %w", err)
		}
	}
	return f, nil
}

func (ca *CA) sign(tmpl *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	tmpl.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse what was signed: %w", err)
	}
	return cert, nil
}
