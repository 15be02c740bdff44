package devvault

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"time"

	"samvirke.dev/certs/internal/clock"
)

// revoke withdraws a certificate. As in Vault, the list shows it at once only while automatic rebuilding is off; with it on,
// somebody must ask for crl/rotate or wait for the list's renewal.
func (p *pki) revoke(req *request) (*response, error) {
	if !req.body.has("serial_number") {
		return nil, fail(http.StatusBadRequest, "The serial number or certificate to revoke must be provided.")
	}
	serial := strings.ToLower(strings.ReplaceAll(req.body.text("serial_number"), "-", ":"))
	cert, ok := p.stored[serial]
	if !ok {
		return nil, fail(http.StatusBadRequest, "certificate with serial %s not found.", serial)
	}
	for _, is := range p.issuers {
		if bytes.Equal(is.cert.Raw, cert.Raw) {
			return nil, fail(http.StatusBadRequest, "adding issuer (id: %s) to its own CRL is not allowed", is.id)
		}
	}
	if clock.Now().After(cert.NotAfter) {
		return &response{warnings: []string{"certificate with serial " + serial + " already expired; refusing to add to CRL"}, data: map[string]any{}}, nil
	}
	at, again := p.revoked[serial]
	if !again {
		at = clock.Now()
		p.revoked[serial] = at
		if !p.crl.autoRebuild {
			if err := p.rebuild(); err != nil {
				return nil, err
			}
		}
	}
	return &response{data: map[string]any{
		"revocation_time": at.Unix(), "revocation_time_rfc3339": at.UTC().Format(time.RFC3339Nano), "state": "revoked",
	}}, nil
}

func (p *pki) rotate() (*response, error) {
	if err := p.rebuild(); err != nil {
		return nil, err
	}
	return &response{data: map[string]any{"success": true}}, nil
}

// rebuild signs a fresh list for every issuer whose key is here.
func (p *pki) rebuild() error {
	for _, is := range p.issuers {
		if is.keyID == "" {
			continue
		}
		if err := p.build(is); err != nil {
			return err
		}
	}
	return nil
}

func (p *pki) build(is *pkiIssuer) error {
	now := clock.Now()
	is.number++
	tmpl := &x509.RevocationList{Number: big.NewInt(is.number), ThisUpdate: now, NextUpdate: now.Add(p.crl.expiry)}
	for serial, at := range p.revoked {
		cert := p.stored[serial]
		if cert != nil && bytes.Equal(cert.RawIssuer, is.cert.RawSubject) && now.Before(cert.NotAfter) {
			tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: at})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, is.cert, p.keys[is.keyID])
	if err != nil {
		return fail(http.StatusInternalServerError, "error building the revocation list")
	}
	is.list = der
	return nil
}

// current is the issuer's list as PEM. With automatic rebuilding it is renewed when its end comes near; without, it is served
// for as long as somebody believes it.
func (p *pki) current(is *pkiIssuer) (string, error) {
	if is.keyID == "" {
		return "", nil
	}
	if p.due(is) {
		if err := p.build(is); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: is.list}))), nil
}

func (p *pki) due(is *pkiIssuer) bool {
	if is.list == nil {
		return true
	}
	list, err := x509.ParseRevocationList(is.list)
	return err != nil || p.crl.autoRebuild && clock.Now().After(list.NextUpdate.Add(-p.crl.grace))
}
