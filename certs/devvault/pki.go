package devvault

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pki serves one PKI mount.
type pki struct {
	mount   *mount
	roles   map[string]*pkiRole
	issuers map[string]*pkiIssuer
	order   []string
	chosen  string
	// keys are private keys by id; an intermediate's key waits here for its certificate.
	keys map[string]crypto.Signer
	// stored are certificates by serial, in Vault's spelling with colons; revoked holds when each was withdrawn.
	stored  map[string]*x509.Certificate
	revoked map[string]time.Time
	crl     crlConfig
	urls    map[string][]string
}

// pkiIssuer is a certificate that may have signed others, with the list of what was withdrawn.
type pkiIssuer struct {
	id, name, keyID string
	cert            *x509.Certificate
	list            []byte
	number          int64
}

type crlConfig struct {
	expiry      time.Duration
	disable     bool
	autoRebuild bool
	grace       time.Duration
}

func newPKI(m *mount) *pki {
	return &pki{
		mount: m, roles: map[string]*pkiRole{}, issuers: map[string]*pkiIssuer{}, keys: map[string]crypto.Signer{},
		stored: map[string]*x509.Certificate{}, revoked: map[string]time.Time{}, urls: map[string][]string{},
		crl: crlConfig{expiry: 72 * time.Hour, grace: 12 * time.Hour},
	}
}

func (p *pki) exists(string) (known, exists bool) { return false, false }

// open lists what Vault gives to anybody: certificates and lists are public.
func (p *pki) open(op operation, path string) bool {
	switch op {
	case opList:
		return path == "issuers"
	case opRead:
		seg := strings.Split(path, "/")
		if seg[0] == "issuer" && len(seg) >= 3 {
			return slices.Contains([]string{"json", "pem", "der", "crl", "crl/pem", "crl/der"}, strings.Join(seg[2:], "/"))
		}
		return seg[0] == "cert" || slices.Contains([]string{"ca", "ca/pem", "ca_chain", "crl", "crl/pem"}, path)
	case opCreate, opUpdate, opDelete:
		return false
	default:
		return false
	}
}

func (p *pki) handle(req *request) (*response, error) {
	head, rest, _ := strings.Cut(req.path, "/")
	switch head {
	case "roles":
		return p.role(req, rest)
	case "issuer":
		return p.issuer(req, rest)
	case "cert", "ca", "ca_chain", "crl", "certs", "issuers":
		return p.read(req, head, rest)
	case "config":
		return p.config(req, rest)
	}
	if req.op != opUpdate {
		return nil, errUnsupported()
	}
	switch head {
	case "root", "intermediate":
		return p.authority(req)
	case "sign":
		return p.sign(req, rest)
	case "issue":
		return p.issue(req, rest)
	case "revoke":
		return p.revoke(req)
	default:
		return nil, errUnknownPath()
	}
}

// issuerOf finds an issuer by id, name or the word "default".
func (p *pki) issuerOf(ref string) (*pkiIssuer, error) {
	if ref == "default" || ref == "" {
		ref = p.chosen
	}
	if is, ok := p.issuers[ref]; ok {
		return is, nil
	}
	for _, is := range p.issuers {
		if is.name != "" && is.name == ref {
			return is, nil
		}
	}
	if len(p.issuers) == 0 {
		return nil, fail(http.StatusInternalServerError, "no default issuer currently configured")
	}
	return nil, fail(http.StatusInternalServerError, "unable to find PKI issuer for reference: %s", ref)
}

func (p *pki) signer() (*pkiIssuer, crypto.Signer, error) {
	is, err := p.issuerOf("default")
	if err != nil {
		return nil, nil, err
	}
	key, ok := p.keys[is.keyID]
	if !ok {
		return nil, nil, fail(http.StatusInternalServerError, "unable to fetch corresponding key for issuer %s; unable to use this issuer for signing", is.id)
	}
	return is, key, nil
}

// adopt keeps a certificate as issuer; one that is already there keeps its id.
func (p *pki) adopt(cert *x509.Certificate, name string) (is *pkiIssuer, fresh bool) {
	for _, have := range p.issuers {
		if bytes.Equal(have.cert.Raw, cert.Raw) {
			return have, false
		}
	}
	is = &pkiIssuer{id: newUUID(), name: name, cert: cert}
	for id, key := range p.keys {
		if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && pub.Equal(cert.PublicKey) {
			is.keyID = id
		}
	}
	p.issuers[is.id] = is
	p.order = append(p.order, is.id)
	p.stored[serialText(cert.SerialNumber)] = cert
	if p.chosen == "" {
		p.chosen = is.id
	}
	return is, true
}

// chain is the certificate and its parents, as far as they lie in this mount.
func (p *pki) chain(cert *x509.Certificate) []string {
	out := []string{certText(cert)}
	for !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		parent := p.parent(cert)
		if parent == nil {
			break
		}
		out = append(out, certText(parent))
		cert = parent
	}
	return out
}

func (p *pki) parent(cert *x509.Certificate) *x509.Certificate {
	for _, is := range p.issuers {
		if bytes.Equal(is.cert.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(is.cert) == nil {
			return is.cert
		}
	}
	return nil
}

func (p *pki) issuer(req *request, rest string) (*response, error) {
	if req.op != opRead {
		return nil, errUnsupported()
	}
	ref, what, _ := strings.Cut(rest, "/")
	is, err := p.issuerOf(ref)
	if err != nil {
		return nil, err
	}
	switch what {
	case "", "json":
		return &response{data: map[string]any{
			"certificate": certText(is.cert), "ca_chain": p.chain(is.cert), "issuer_id": is.id, "issuer_name": is.name, "key_id": is.keyID,
		}}, nil
	case "pem":
		return &response{plain: []byte(certText(is.cert)), plainType: "application/pem-certificate-chain"}, nil
	case "crl":
		list, err := p.current(is)
		if err != nil {
			return nil, err
		}
		return &response{data: map[string]any{"crl": list}}, nil
	case "crl/pem":
		list, err := p.current(is)
		if err != nil {
			return nil, err
		}
		return &response{plain: []byte(list), plainType: "application/x-pem-file"}, nil
	default:
		return nil, errUnknownPath()
	}
}

func (p *pki) read(req *request, head, rest string) (*response, error) {
	switch {
	case head == "issuers" && req.op == opList:
		if len(p.order) == 0 {
			return nil, errNotFound()
		}
		info := map[string]any{}
		for _, is := range p.issuers {
			info[is.id] = map[string]any{"issuer_name": is.name, "is_default": is.id == p.chosen, "key_id": is.keyID, "serial_number": serialText(is.cert.SerialNumber)}
		}
		return &response{data: map[string]any{"keys": p.order, "key_info": info}}, nil
	case head == "certs" && req.op == opList:
		return &response{data: map[string]any{"keys": slices.Sorted(maps.Keys(p.stored))}}, nil
	case req.op != opRead:
		return nil, errUnsupported()
	case head == "ca" && (rest == "pem" || rest == ""), head == "ca_chain", head == "crl" && (rest == "pem" || rest == ""):
		return p.raw(head, rest)
	case head == "crl" && rest == "rotate":
		return p.rotate()
	case head == "cert":
		return p.cert(rest)
	default:
		return nil, errUnknownPath()
	}
}

// raw serves the old paths that answer with the bare file.
func (p *pki) raw(head, rest string) (*response, error) {
	is, err := p.issuerOf("default")
	if err != nil {
		return nil, err
	}
	if head == "ca_chain" {
		return &response{plain: []byte(strings.Join(p.chain(is.cert), "\n")), plainType: "application/pem-certificate-chain"}, nil
	}
	if head == "ca" {
		if rest == "pem" {
			return &response{plain: []byte(certText(is.cert)), plainType: "application/pem-certificate-chain"}, nil
		}
		return &response{plain: is.cert.Raw, plainType: "application/pkix-cert"}, nil
	}
	list, err := p.current(is)
	if err != nil {
		return nil, err
	}
	if rest == "pem" {
		return &response{plain: []byte(list), plainType: "application/x-pem-file"}, nil
	}
	return &response{plain: is.list, plainType: "application/pkix-crl"}, nil
}

func (p *pki) cert(ref string) (*response, error) {
	if ref == "ca" || ref == "ca_chain" || ref == "crl" {
		is, err := p.issuerOf("default")
		if err != nil {
			return nil, err
		}
		data := map[string]any{"certificate": certText(is.cert), "revocation_time": 0}
		switch ref {
		case "ca_chain":
			data["ca_chain"] = strings.Join(p.chain(is.cert), "\n")
			data["certificate"] = data["ca_chain"]
		case "crl":
			if data["certificate"], err = p.current(is); err != nil {
				return nil, err
			}
		}
		return &response{data: data}, nil
	}
	serial := strings.ToLower(strings.ReplaceAll(ref, "-", ":"))
	cert, ok := p.stored[serial]
	if !ok {
		return nil, errNotFound()
	}
	data := map[string]any{"certificate": certText(cert), "revocation_time": 0, "revocation_time_rfc3339": "", "issuer_id": ""}
	if at, ok := p.revoked[serial]; ok {
		data["revocation_time"] = at.Unix()
		data["revocation_time_rfc3339"] = at.UTC().Format(time.RFC3339Nano)
	}
	return &response{data: data}, nil
}

func (p *pki) config(req *request, what string) (*response, error) {
	if req.op != opUpdate && req.op != opRead {
		return nil, errUnsupported()
	}
	set, show := p.setCRL, p.showCRL
	switch what {
	case "crl":
	case "urls":
		set, show = p.setURLs, p.showURLs
	case "issuers":
		set, show = p.setDefault, p.showDefault
	default:
		return nil, errUnknownPath()
	}
	if req.op == opUpdate {
		if err := set(req.body); err != nil {
			return nil, err
		}
	}
	return &response{data: show()}, nil
}

func (p *pki) showCRL() map[string]any {
	return map[string]any{
		"expiry": p.crl.expiry.String(), "disable": p.crl.disable, "auto_rebuild": p.crl.autoRebuild,
		"auto_rebuild_grace_period": p.crl.grace.String(), "enable_delta": false, "ocsp_disable": false,
	}
}

func (p *pki) setURLs(b params) error {
	if err := b.only("config/urls", "issuing_certificates", "crl_distribution_points", "ocsp_servers"); err != nil {
		return err
	}
	for k := range b {
		p.urls[k] = b.list(k)
	}
	return nil
}

func (p *pki) showURLs() map[string]any {
	data := map[string]any{"issuing_certificates": []string{}, "crl_distribution_points": []string{}, "ocsp_servers": []string{}}
	for k, v := range p.urls {
		data[k] = v
	}
	return data
}

func (p *pki) setDefault(b params) error {
	is, err := p.issuerOf(b.text("default"))
	if err != nil || b.text("default") == "" {
		return fail(http.StatusBadRequest, "Invalid issuer specification; must be non-empty and can't be 'default'.")
	}
	p.chosen = is.id
	return nil
}

func (p *pki) showDefault() map[string]any {
	return map[string]any{"default": p.chosen, "default_follows_latest_issuer": false}
}

func (p *pki) setCRL(b params) error {
	if err := b.only("config/crl", "expiry", "disable", "auto_rebuild", "auto_rebuild_grace_period", "enable_delta", "ocsp_disable"); err != nil {
		return err
	}
	next := p.crl
	var err error
	if next.expiry, err = b.duration("expiry", next.expiry); err != nil {
		return err
	}
	if next.grace, err = b.duration("auto_rebuild_grace_period", next.grace); err != nil {
		return err
	}
	if next.disable, err = b.flag("disable", next.disable); err != nil {
		return err
	}
	if next.autoRebuild, err = b.flag("auto_rebuild", next.autoRebuild); err != nil {
		return err
	}
	if next.disable {
		return errNotOffered("disabled revocation lists")
	}
	if delta, err := b.flag("enable_delta", false); err != nil || delta {
		return errNotOffered("delta revocation lists")
	}
	if next.autoRebuild && next.grace >= next.expiry {
		return fail(http.StatusBadRequest, "CRL auto-rebuilding grace period (%s) must be strictly shorter than CRL expiry (%s) value when auto-rebuilding of CRLs is enabled", next.grace, next.expiry)
	}
	p.crl = next
	return nil
}

func certText(c *x509.Certificate) string {
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
}

// serialText is Vault's spelling: pairs of lower-case hexadecimal digits joined by colons.
func serialText(n *big.Int) string {
	parts := make([]string, 0, 20)
	for _, b := range n.Bytes() {
		parts = append(parts, fmt.Sprintf("%02x", b))
	}
	return strings.Join(parts, ":")
}
