package devvault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ryanuber/go-glob"

	"samvirke.dev/certs/internal/clock"
)

// pkiRole says what may be signed through it. Only fields that are enforced here can be set.
type pkiRole struct {
	fields  params
	uris    []string
	domains []string
	usages  []x509.ExtKeyUsage
	keyUse  x509.KeyUsage
	ttl     time.Duration
	maxTTL  time.Duration
	back    time.Duration
	keyType string
	keyBits int
	flags   map[string]bool
}

// roleFlags are the switches of a role with Vault's defaults.
var roleFlags = map[string]bool{ //nolint:gochecknoglobals // a constant table
	"allow_localhost": true, "allow_bare_domains": false, "allow_subdomains": false, "allow_any_name": false, "enforce_hostnames": true,
	"allow_ip_sans": true, "server_flag": true, "client_flag": true, "use_csr_common_name": true, "use_csr_sans": true, "require_cn": true,
	"no_store": false, "generate_lease": false, "basic_constraints_valid_for_non_ca": false, "allow_glob_domains": false,
	"allow_wildcard_certificates": true, "code_signing_flag": false, "email_protection_flag": false,
}

func (p *pki) role(req *request, name string) (*response, error) {
	r, ok := p.roles[name]
	switch {
	case name == "" && req.op == opList:
		if len(p.roles) == 0 {
			return nil, errNotFound()
		}
		return &response{data: map[string]any{"keys": slices.Sorted(maps.Keys(p.roles))}}, nil
	case name == "":
		return nil, errUnsupported()
	case req.op == opRead:
		if !ok {
			return nil, errNotFound()
		}
		return &response{data: r.describe()}, nil
	case req.op == opDelete:
		delete(p.roles, name)
		return nil, nil
	case req.op == opUpdate:
		fresh, err := parseRole(req.body)
		if err != nil {
			return nil, err
		}
		p.roles[name] = fresh
		return &response{data: fresh.describe()}, nil
	default:
		return nil, errUnsupported()
	}
}

func parseRole(b params) (*pkiRole, error) {
	known := slices.Collect(maps.Keys(roleFlags))
	known = append(known, "allowed_uri_sans", "allowed_domains", "ext_key_usage", "key_usage", "ttl", "max_ttl", "not_before_duration",
		"key_type", "key_bits", "issuer_ref", "organization", "ou")
	if err := b.only("a PKI role", known...); err != nil {
		return nil, err
	}
	r := &pkiRole{fields: b, uris: b.list("allowed_uri_sans"), domains: b.list("allowed_domains"), flags: map[string]bool{}}
	var err error
	for name, fallback := range roleFlags {
		if r.flags[name], err = b.flag(name, fallback); err != nil {
			return nil, err
		}
	}
	if r.flags["allow_any_name"] || r.flags["allow_subdomains"] || r.flags["allow_glob_domains"] || r.flags["generate_lease"] {
		return nil, errNotOffered("roles for any name, subdomains, globs of names or with leases")
	}
	for name, into := range map[string]*time.Duration{"ttl": &r.ttl, "max_ttl": &r.maxTTL} {
		if *into, err = b.duration(name, 0); err != nil {
			return nil, err
		}
	}
	if r.back, err = b.duration("not_before_duration", 30*time.Second); err != nil {
		return nil, err
	}
	if r.maxTTL > 0 && r.ttl > r.maxTTL {
		return nil, fail(http.StatusBadRequest, "\"ttl\" value must be less than \"max_ttl\" value")
	}
	r.keyType = b.textOr("key_type", "rsa")
	if r.keyBits, err = b.number("key_bits", 0); err != nil {
		return nil, err
	}
	return r, r.parseUsages(b)
}

func (r *pkiRole) parseUsages(b params) error {
	if r.flags["server_flag"] {
		r.usages = append(r.usages, x509.ExtKeyUsageServerAuth)
	}
	if r.flags["client_flag"] {
		r.usages = append(r.usages, x509.ExtKeyUsageClientAuth)
	}
	for _, name := range b.list("ext_key_usage") {
		switch strings.TrimPrefix(strings.ToLower(name), "extkeyusage") {
		case "serverauth":
			r.usages = append(r.usages, x509.ExtKeyUsageServerAuth)
		case "clientauth":
			r.usages = append(r.usages, x509.ExtKeyUsageClientAuth)
		default:
			return errNotOffered("extended key usage " + name)
		}
	}
	slices.Sort(r.usages)
	r.usages = slices.Compact(r.usages)
	names := map[string]x509.KeyUsage{
		"digitalsignature": x509.KeyUsageDigitalSignature, "keyagreement": x509.KeyUsageKeyAgreement, "keyencipherment": x509.KeyUsageKeyEncipherment,
	}
	for _, name := range b.listOr("key_usage", []string{"DigitalSignature", "KeyAgreement", "KeyEncipherment"}) {
		use, ok := names[strings.TrimPrefix(strings.ToLower(name), "keyusage")]
		if !ok {
			return errNotOffered("key usage " + name)
		}
		r.keyUse |= use
	}
	return nil
}

func (r *pkiRole) describe() map[string]any {
	data := map[string]any{
		"allowed_uri_sans": r.uris, "allowed_domains": r.domains, "ttl": seconds(r.ttl), "max_ttl": seconds(r.maxTTL),
		"not_before_duration": seconds(r.back), "key_type": r.keyType, "key_bits": r.keyBits, "issuer_ref": "default",
		"key_usage": r.fields.listOr("key_usage", []string{"DigitalSignature", "KeyAgreement", "KeyEncipherment"}), "ext_key_usage": r.fields.list("ext_key_usage"),
	}
	for k, v := range r.flags {
		data[k] = v
	}
	return data
}

// names are the subject and the alternative names of a certificate to be.
type names struct {
	cn   string
	dns  []string
	uris []*url.URL
	ips  []net.IP
}

func (p *pki) sign(req *request, name string) (*response, error) {
	r, ok := p.roles[name]
	if !ok {
		return nil, fail(http.StatusBadRequest, "unknown role: %s", name)
	}
	csr, err := parseCSR(req.body.text("csr"))
	if err != nil {
		return nil, err
	}
	if err := r.checkKey(csr.PublicKey); err != nil {
		return nil, err
	}
	n, err := requested(req.body)
	if err != nil {
		return nil, err
	}
	if r.flags["use_csr_common_name"] && csr.Subject.CommonName != "" {
		n.cn = csr.Subject.CommonName
	}
	if r.flags["use_csr_sans"] {
		n.dns, n.uris, n.ips = csr.DNSNames, csr.URIs, csr.IPAddresses
		if len(csr.EmailAddresses) > 0 {
			return nil, fail(http.StatusBadRequest, "email address %s not allowed by this role", csr.EmailAddresses[0])
		}
	}
	return p.certify(r, n, req.body, csr.PublicKey)
}

func (p *pki) issue(req *request, name string) (*response, error) {
	r, ok := p.roles[name]
	if !ok {
		return nil, fail(http.StatusBadRequest, "unknown role: %s", name)
	}
	n, err := requested(req.body)
	if err != nil {
		return nil, err
	}
	key, err := newKey(r.keyType, r.keyBits)
	if err != nil {
		return nil, err
	}
	resp, err := p.certify(r, n, req.body, key.Public())
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fail(http.StatusInternalServerError, "error encoding the key")
	}
	resp.data["private_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	resp.data["private_key_type"] = r.keyType
	return resp, nil
}

// requested reads the names of the request's own fields.
func requested(b params) (names, error) {
	if err := b.only("a certificate", "csr", "common_name", "alt_names", "ip_sans", "uri_sans", "ttl", "format", "exclude_cn_from_sans", "private_key_format"); err != nil {
		return names{}, err
	}
	n := names{cn: b.text("common_name"), dns: b.list("alt_names")}
	for _, s := range b.list("uri_sans") {
		u, err := url.Parse(s)
		if err != nil {
			return names{}, fail(http.StatusBadRequest, "the provided URI Subject Alternative Name %q is not a valid URI", s)
		}
		n.uris = append(n.uris, u)
	}
	for _, s := range b.list("ip_sans") {
		ip := net.ParseIP(s)
		if ip == nil {
			return names{}, fail(http.StatusBadRequest, "the value %q is not a valid IP address", s)
		}
		n.ips = append(n.ips, ip)
	}
	return n, nil
}

func (r *pkiRole) checkKey(pub crypto.PublicKey) error {
	kind, bits := "", 0
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		kind, bits = "ec", k.Params().BitSize
	case *rsa.PublicKey:
		kind, bits = "rsa", k.N.BitLen()
	case ed25519.PublicKey:
		kind = "ed25519"
	}
	want := r.keyBits
	if want == 0 {
		want = map[string]int{"rsa": 2048, "ec": 256}[r.keyType]
	}
	switch {
	case r.keyType == "any":
		return nil
	case kind != r.keyType:
		return fail(http.StatusBadRequest, "role requires keys of type %s", r.keyType)
	case kind != "ed25519" && bits < want:
		return fail(http.StatusBadRequest, "role requires a minimum of a %d-bit key, but CSR's key is %d bits", want, bits)
	}
	return nil
}

// permit refuses every name that the role does not allow.
func (r *pkiRole) permit(n names) error {
	if n.cn == "" && r.flags["require_cn"] {
		return fail(http.StatusBadRequest, "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false")
	}
	if n.cn != "" && !r.allowsName(n.cn) {
		return fail(http.StatusBadRequest, "common name %s not allowed by this role", n.cn)
	}
	for _, d := range n.dns {
		if !r.allowsName(d) {
			return fail(http.StatusBadRequest, "subject alternate name %s not allowed by this role", d)
		}
	}
	if len(n.ips) > 0 && !r.flags["allow_ip_sans"] {
		return fail(http.StatusBadRequest, "IP Subject Alternative Names are not allowed in this role")
	}
	for _, u := range n.uris {
		if !slices.ContainsFunc(r.uris, func(pattern string) bool { return glob.Glob(pattern, u.String()) }) {
			return fail(http.StatusBadRequest, "URI Subject Alternative Name %s not allowed by this role", u)
		}
	}
	return nil
}

func (r *pkiRole) allowsName(name string) bool {
	if r.flags["allow_localhost"] && (name == "localhost" || name == "localdomain") {
		return true
	}
	return r.flags["allow_bare_domains"] && slices.ContainsFunc(r.domains, func(d string) bool { return strings.EqualFold(d, name) })
}

// certify signs what the role permits.
func (p *pki) certify(r *pkiRole, n names, b params, pub crypto.PublicKey) (*response, error) {
	if err := r.permit(n); err != nil {
		return nil, err
	}
	is, key, err := p.signer()
	if err != nil {
		return nil, err
	}
	life, warnings, err := p.life(r, b)
	if err != nil {
		return nil, err
	}
	if n.cn != "" && !slices.Contains(n.dns, n.cn) {
		n.dns = append([]string{n.cn}, n.dns...)
	}
	now := clock.Now()
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: n.cn}, NotBefore: now.Add(-r.back), NotAfter: now.Add(life), KeyUsage: r.keyUse, ExtKeyUsage: r.usages,
		DNSNames: n.dns, URIs: n.uris, IPAddresses: n.ips, BasicConstraintsValid: r.flags["basic_constraints_valid_for_non_ca"],
		CRLDistributionPoints: p.urls["crl_distribution_points"], IssuingCertificateURL: p.urls["issuing_certificates"], OCSPServer: p.urls["ocsp_servers"],
	}
	if tmpl.NotAfter.After(is.cert.NotAfter) {
		return nil, beyondIssuer(tmpl, is)
	}
	cert, err := signCertificate(tmpl, is.cert, pub, key)
	if err != nil {
		return nil, err
	}
	if err := within(cert, is.cert); err != nil {
		return nil, failList(http.StatusInternalServerError, err.Error())
	}
	if !r.flags["no_store"] {
		p.stored[serialText(cert.SerialNumber)] = cert
	}
	return &response{warnings: warnings, data: map[string]any{
		"certificate": certText(cert), "issuing_ca": certText(is.cert), "ca_chain": p.chain(is.cert),
		"serial_number": serialText(cert.SerialNumber), "expiration": cert.NotAfter.Unix(),
	}}, nil
}

// within refuses what the issuer's own constraints forbid, which Vault notices after signing.
func within(cert, issuer *x509.Certificate) error {
	pool := x509.NewCertPool()
	pool.AddCert(issuer)
	_, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: cert.NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
		return err
	}
	return nil
}

// life is the wished life, else the role's, else the mount's, clipped to the role's and the mount's longest.
func (p *pki) life(r *pkiRole, b params) (time.Duration, []string, error) {
	wish, err := b.duration("ttl", 0)
	if err != nil {
		return 0, nil, err
	}
	if wish == 0 {
		wish = r.ttl
	}
	if wish == 0 {
		wish = p.mount.defaultLease
	}
	longest := p.mount.maxLease
	if r.maxTTL > 0 {
		longest = min(longest, r.maxTTL)
	}
	if wish > longest {
		return longest, []string{"TTL is longer than permitted maximum TTL; it was capped"}, nil
	}
	return wish, nil, nil
}
