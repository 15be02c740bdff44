package devvault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"time"

	"samvirke.dev/certs/internal/clock"
)

var authorityFields = []string{
	"common_name", "ttl", "key_type", "key_bits", "issuer_name", "max_path_length", "permitted_uri_domains", "permitted_dns_domains",
	"organization", "exclude_cn_from_sans", "csr", "use_csr_values", "format", "not_before_duration",
}

// authority serves the making of roots and intermediates.
func (p *pki) authority(req *request) (*response, error) {
	switch req.path {
	case "intermediate/set-signed":
		return p.setSigned(req.body)
	case "root/generate/internal", "intermediate/generate/internal", "root/sign-intermediate":
	default:
		return nil, errUnknownPath()
	}
	if err := req.body.only(req.path, authorityFields...); err != nil {
		return nil, err
	}
	if f := req.body.textOr("format", "pem"); f != "pem" {
		return nil, errNotOffered("format " + f)
	}
	switch req.path {
	case "root/generate/internal":
		return p.generateRoot(req.body)
	case "intermediate/generate/internal":
		return p.generateIntermediate(req.body)
	default:
		return p.signIntermediate(req.body)
	}
}

func newAuthorityKey(b params) (crypto.Signer, error) {
	bits, err := b.number("key_bits", 0)
	if err != nil {
		return nil, err
	}
	return newKey(b.textOr("key_type", "rsa"), bits)
}

func newKey(kind string, bits int) (crypto.Signer, error) {
	curves := map[int]elliptic.Curve{0: elliptic.P256(), 256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521()}
	switch {
	case kind == "ec" && curves[bits] != nil:
		return ecdsa.GenerateKey(curves[bits], rand.Reader)
	case kind == "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case kind == "rsa" && (bits == 0 || bits == 2048 || bits == 3072 || bits == 4096):
		return rsa.GenerateKey(rand.Reader, max(bits, 2048))
	default:
		return nil, fail(http.StatusBadRequest, "unsupported key type or length: %s %d", kind, bits)
	}
}

// authorityTemplate reads the fields that roots and intermediates share.
func (p *pki) authorityTemplate(b params) (*x509.Certificate, []string, error) {
	cn := b.text("common_name")
	if cn == "" {
		return nil, nil, fail(http.StatusBadRequest, "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false")
	}
	wish, err := b.duration("ttl", 0)
	if err != nil {
		return nil, nil, err
	}
	back, err := b.duration("not_before_duration", 30*time.Second)
	if err != nil {
		return nil, nil, err
	}
	depth, err := b.number("max_path_length", -1)
	if err != nil {
		return nil, nil, err
	}
	life, clipped := leaseWithin(wish, p.mount)
	var warnings []string
	if clipped {
		warnings = append(warnings, "TTL is longer than the mount's max_lease_ttl; it was capped")
	}
	now := clock.Now()
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: cn, Organization: b.list("organization")},
		NotBefore:             now.Add(-back),
		NotAfter:              now.Add(life),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLen:            depth,
		MaxPathLenZero:        depth == 0,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedURIDomains:   b.list("permitted_uri_domains"),
		PermittedDNSDomains:   b.list("permitted_dns_domains"),

		PermittedDNSDomainsCritical: len(b.list("permitted_uri_domains"))+len(b.list("permitted_dns_domains")) > 0,
	}, warnings, nil
}

func (p *pki) generateRoot(b params) (*response, error) {
	tmpl, warnings, err := p.authorityTemplate(b)
	if err != nil {
		return nil, err
	}
	name := b.text("issuer_name")
	for _, is := range p.issuers {
		if name != "" && is.name == name {
			return nil, fail(http.StatusBadRequest, "issuer name already in use")
		}
	}
	key, err := newAuthorityKey(b)
	if err != nil {
		return nil, err
	}
	cert, err := signCertificate(tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyID := newUUID()
	p.keys[keyID] = key
	is, _ := p.adopt(cert, name)
	if err := p.build(is); err != nil {
		return nil, err
	}
	return &response{warnings: warnings, data: map[string]any{
		"certificate": certText(cert), "issuing_ca": certText(cert), "serial_number": serialText(cert.SerialNumber),
		"expiration": cert.NotAfter.Unix(), "issuer_id": is.id, "issuer_name": is.name, "key_id": keyID, "key_name": "",
	}}, nil
}

func (p *pki) generateIntermediate(b params) (*response, error) {
	key, err := newAuthorityKey(b)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: b.text("common_name")}}, key)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "error creating the certificate request")
	}
	id := newUUID()
	p.keys[id] = key
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return &response{data: map[string]any{"csr": string(text[:len(text)-1]), "key_id": id}}, nil
}

func (p *pki) signIntermediate(b params) (*response, error) {
	csr, err := parseCSR(b.text("csr"))
	if err != nil {
		return nil, err
	}
	if useCSR, err := b.flag("use_csr_values", false); err != nil || useCSR {
		return nil, errNotOffered("use_csr_values")
	}
	is, key, err := p.signer()
	if err != nil {
		return nil, err
	}
	tmpl, warnings, err := p.authorityTemplate(b)
	if err != nil {
		return nil, err
	}
	// Vault lets an intermediate outlive its issuer; only leaves are refused for that.
	cert, err := signCertificate(tmpl, is.cert, csr.PublicKey, key)
	if err != nil {
		return nil, err
	}
	p.stored[serialText(cert.SerialNumber)] = cert
	return &response{warnings: warnings, data: map[string]any{
		"certificate": certText(cert), "issuing_ca": certText(is.cert), "ca_chain": append([]string{certText(cert)}, p.chain(is.cert)...),
		"serial_number": serialText(cert.SerialNumber), "expiration": cert.NotAfter.Unix(),
	}}, nil
}

func (p *pki) setSigned(b params) (*response, error) {
	rest := []byte(b.text("certificate"))
	imported, existing := []string{}, []string{}
	mapping := map[string]string{}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !cert.IsCA {
			return nil, fail(http.StatusBadRequest, "unable to import: not an authority's certificate")
		}
		is, fresh := p.adopt(cert, "")
		mapping[is.id] = is.keyID
		if fresh {
			imported = append(imported, is.id)
		} else {
			existing = append(existing, is.id)
		}
		if is.keyID != "" {
			if err := p.build(is); err != nil {
				return nil, err
			}
		}
	}
	if len(imported)+len(existing) == 0 {
		return nil, fail(http.StatusBadRequest, "no certificate provided in the request")
	}
	return &response{data: map[string]any{
		"imported_issuers": imported, "imported_keys": nil, "existing_issuers": existing, "existing_keys": nil, "mapping": mapping,
	}}, nil
}

func parseCSR(text string) (*x509.CertificateRequest, error) {
	if text == "" {
		return nil, fail(http.StatusBadRequest, "\"csr\" is empty")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fail(http.StatusBadRequest, "csr contains no data")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "certificate request could not be parsed: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fail(http.StatusBadRequest, "request signature invalid")
	}
	return csr, nil
}

func beyondIssuer(tmpl *x509.Certificate, is *pkiIssuer) error {
	return fail(http.StatusBadRequest, "cannot satisfy request, as TTL would result in notAfter of %s that is beyond the expiration of the CA certificate at %s",
		tmpl.NotAfter.UTC().Format(time.RFC3339Nano), is.cert.NotAfter.UTC().Format(time.RFC3339Nano))
}

func signCertificate(tmpl, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "error drawing a serial number")
	}
	tmpl.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, key)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "error signing the certificate")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "error parsing the certificate")
	}
	return cert, nil
}
