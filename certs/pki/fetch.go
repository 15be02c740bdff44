package pki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/internal/crl"
	"samvirke.dev/certs/vault"
	"samvirke.dev/certs/workload"
)

// renew makes a fresh key, has it signed and swaps the leaf in. The old one stays in use until the new one has proved whole.
func (s *Source) renew(ctx context.Context) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate key: %w", err)
	}
	csr, err := s.request(key)
	if err != nil {
		return err
	}
	asked := clock.Now()
	sec, err := s.vault.Logical().WriteWithContext(ctx, path.Join(s.cfg.Mount, "sign", s.cfg.Role), map[string]any{
		"csr":       string(csr),
		"ttl":       fmt.Sprintf("%ds", int64(s.cfg.TTL/time.Second)),
		"uri_sans":  s.cfg.ID.String(),
		"alt_names": strings.Join(s.cfg.DNSNames, ","),
		"ip_sans":   s.ipSANs(),
	})
	if err != nil {
		return fmt.Errorf("sign certificate with role %s of %s: %w", s.cfg.Role, s.cfg.Mount, vault.Explain(err))
	}
	if sec == nil {
		return fmt.Errorf("sign certificate with role %s of %s: empty answer", s.cfg.Role, s.cfg.Mount)
	}
	cert, err := s.assemble(key, sec.Data)
	if err != nil {
		return fmt.Errorf("signed certificate of role %s of %s: %w", s.cfg.Role, s.cfg.Mount, err)
	}
	s.leaf.Store(&leaf{cert: cert, issued: asked})
	s.log.InfoContext(ctx, "certificate issued", "id", s.cfg.ID.String(), "serial", cert.Leaf.SerialNumber.Text(16), "expires", cert.Leaf.NotAfter)
	return nil
}

func (s *Source) request(key *ecdsa.PrivateKey) ([]byte, error) {
	uri, err := url.Parse(s.cfg.ID.String())
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		URIs:        []*url.URL{uri},
		DNSNames:    s.cfg.DNSNames,
		IPAddresses: s.cfg.IPs,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func (s *Source) ipSANs() string {
	out := make([]string, len(s.cfg.IPs))
	for i, ip := range s.cfg.IPs {
		out[i] = ip.String()
	}
	return strings.Join(out, ",")
}

// assemble checks what came back before it is served: our key, our identity, a chain to our anchors.
func (s *Source) assemble(key *ecdsa.PrivateKey, data map[string]any) (*tls.Certificate, error) {
	text, _ := data["certificate"].(string)
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("want one certificate, have %d", len(certs))
	}
	own := certs[0]
	if pub, ok := own.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return nil, errors.New("certificate is for another key")
	}
	if id, err := workload.FromCertificate(own); err != nil || id != s.cfg.ID {
		return nil, fmt.Errorf("certificate does not name %s", s.cfg.ID)
	}
	chain, err := issuersOf(data)
	if err != nil {
		return nil, err
	}
	cert := &tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: key, Leaf: own}
	pool := x509.NewCertPool()
	for _, c := range chain {
		pool.AddCert(c)
		if !selfSigned(c) {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
	}
	if _, err := own.Verify(x509.VerifyOptions{Roots: s.Roots(), Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, fmt.Errorf("certificate does not chain to our trust anchors: %w", err)
	}
	return cert, nil
}

func issuersOf(data map[string]any) ([]*x509.Certificate, error) {
	var texts []string
	if list, ok := data["ca_chain"].([]any); ok {
		for _, v := range list {
			if text, ok := v.(string); ok {
				texts = append(texts, text)
			}
		}
	}
	if text, ok := data["issuing_ca"].(string); ok && len(texts) == 0 {
		texts = append(texts, text)
	}
	return parseCertificates(strings.Join(texts, "\n"))
}

// refresh fetches anchors and lists of every trusted mount and swaps them in together, or changes nothing.
func (s *Source) refresh(ctx context.Context) error {
	roots := x509.NewCertPool()
	var issuers []*x509.Certificate
	var lists []*x509.RevocationList
	speaks := map[string]workload.Kind{}
	anchors := 0
	for _, mount := range s.mounts() {
		found, err := s.issuers(ctx, mount)
		if err != nil {
			return fmt.Errorf("read issuers of %s: %w", mount, err)
		}
		for _, is := range found {
			issuers = append(issuers, is.cert)
			lists = append(lists, is.lists...)
			if selfSigned(is.cert) && slices.Contains(s.cfg.RootMounts, mount) {
				roots.AddCert(is.cert)
				anchors++
			}
			speaks[string(is.cert.Raw)] = s.kindOf(mount)
		}
	}
	if anchors == 0 {
		return fmt.Errorf("no trust anchor in %s", strings.Join(s.cfg.RootMounts, ", "))
	}
	set, err := crl.New(lists, issuers, s.cfg.Grace)
	if err != nil {
		return err
	}
	s.trust.Store(&trust{roots: roots, lists: set, speaks: speaks})
	return nil
}

// kindOf is the kind of workload that a mount's issuers speak for.
func (s *Source) kindOf(mount string) workload.Kind {
	switch {
	case mount == s.cfg.Mount:
		return workload.KindService
	case slices.Contains(s.cfg.RootMounts, mount):
		return workload.KindUnknown
	default:
		return workload.KindOrganisation
	}
}

func (s *Source) mounts() []string {
	all := slices.Concat(s.cfg.RootMounts, []string{s.cfg.Mount}, s.cfg.TrustMounts)
	slices.Sort(all)
	return slices.Compact(all)
}

type issuer struct {
	cert  *x509.Certificate
	lists []*x509.RevocationList
}

// issuers reads every issuer of a mount with its own list: after an intermediate was replaced, both are there for a while.
func (s *Source) issuers(ctx context.Context, mount string) ([]issuer, error) {
	sec, err := s.vault.Logical().ListWithContext(ctx, path.Join(mount, "issuers"))
	if err != nil {
		return nil, vault.Explain(err)
	}
	if sec == nil {
		return nil, errors.New("the mount has no issuer")
	}
	keys, _ := sec.Data["keys"].([]any)
	out := make([]issuer, 0, len(keys))
	for _, k := range keys {
		ref, ok := k.(string)
		if !ok {
			return nil, errors.New("unexpected answer to a list of issuers")
		}
		is, err := s.issuer(ctx, path.Join(mount, "issuer", ref))
		if err != nil {
			return nil, err
		}
		out = append(out, is)
	}
	return out, nil
}

func (s *Source) issuer(ctx context.Context, at string) (issuer, error) {
	text, err := s.field(ctx, path.Join(at, "json"), "certificate")
	if err != nil {
		return issuer{}, err
	}
	certs, err := parseCertificates(text)
	if err != nil {
		return issuer{}, err
	}
	if len(certs) != 1 {
		return issuer{}, fmt.Errorf("%s: want one certificate, have %d", at, len(certs))
	}
	text, err = s.field(ctx, path.Join(at, "crl"), "crl")
	if err != nil {
		return issuer{}, err
	}
	lists, err := crl.ParsePEM([]byte(text))
	if err != nil {
		return issuer{}, fmt.Errorf("%s: %w", at, err)
	}
	// A mount may hold issuers without a key (a parent kept for its chain); Vault then answers with another issuer's list.
	lists = slices.DeleteFunc(lists, func(l *x509.RevocationList) bool { return !bytes.Equal(l.RawIssuer, certs[0].RawSubject) })
	return issuer{cert: certs[0], lists: lists}, nil
}

func (s *Source) field(ctx context.Context, at, name string) (string, error) {
	sec, err := s.vault.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", fmt.Errorf("%s: %w", at, vault.Explain(err))
	}
	if sec == nil {
		return "", fmt.Errorf("%s: not there", at)
	}
	text, ok := sec.Data[name].(string)
	if !ok {
		return "", fmt.Errorf("%s: answer has no %s", at, name)
	}
	return text, nil
}

func parseCertificates(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in the answer")
	}
	return out, nil
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil
}
