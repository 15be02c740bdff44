// Package mtls turns a source of certificates into TLS configurations that leave nothing to choose: TLS 1.3, both sides
// verified, identity from the one SPIFFE URI SAN, revocation honoured also on resumed sessions. Whatever is missing (source, trust
// anchors, accepted identities, fresh revocation list) closes the door instead of opening it.
//
// Configurations ask the source at every handshake, so a rotated certificate, a new trust anchor and a revocation take
// effect on the next connection without a restart; connections that stand are not cut.
package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"samvirke.dev/certs/workload"
)

// Source hands out the current leaf, trust anchors and revocation knowledge. Implementations are safe for concurrent use and
// answer from memory: they are called inside handshakes.
type Source interface {
	// Certificate is the current leaf with its intermediates and key, or an error when there is none that is still valid.
	// Callers must not change what it points to.
	Certificate() (*tls.Certificate, error)
	// Roots are the current trust anchors; nil or an empty pool means that nobody is trusted. Callers must not change it.
	Roots() *x509.CertPool
	// Revoked reports whether a certificate that chains to Roots has been revoked. When the source can't tell (no list of
	// this issuer, list out of date) it returns an error, and the peer is refused.
	Revoked(cert *x509.Certificate) (bool, error)
}

// Voucher is what a Source may be as well, when it knows which authority speaks for whom. It is asked after a chain was verified,
// and its error refuses the peer: an intermediate for partners then can't bring forth a service of ours, whatever it signs.
type Voucher interface {
	// Vouches returns an error unless the issuer may speak for the identity.
	Vouches(id workload.ID, issuer *x509.Certificate) error
}

// ErrRefused is wrapped by every error with which a handshake of this package refuses its peer's identity.
var ErrRefused = errors.New("peer refused")

// Accept says whom a listener lets in. Empty lists let nobody in and are refused at construction.
type Accept struct {
	// TrustDomains are the accepted trust domains. At least one.
	TrustDomains []string
	// Kinds are the accepted kinds of workload. At least one.
	Kinds []workload.Kind
	// IDs, where set, narrows the above to these exact identities.
	IDs []workload.ID
	// NextProtos are the ALPN protocols offered; nil means "h2" alone.
	NextProtos []string
}

func (a Accept) validate() error {
	var errs []error
	if len(a.TrustDomains) == 0 {
		errs = append(errs, errors.New("no trust domain accepted"))
	}
	if slices.Contains(a.TrustDomains, "") {
		errs = append(errs, errors.New("empty trust domain"))
	}
	if len(a.Kinds) == 0 {
		errs = append(errs, errors.New("no kind of workload accepted"))
	}
	for _, k := range a.Kinds {
		if k != workload.KindService && k != workload.KindOrganisation {
			errs = append(errs, fmt.Errorf("unknown kind of workload %d", k))
		}
	}
	return errors.Join(errs...)
}

// clone cuts the ties to the caller's slices: a list changed later must not change who is let in.
func (a Accept) clone() Accept {
	a.TrustDomains = slices.Clone(a.TrustDomains)
	a.Kinds = slices.Clone(a.Kinds)
	a.IDs = slices.Clone(a.IDs)
	if a.NextProtos == nil {
		a.NextProtos = []string{"h2"}
	}
	a.NextProtos = slices.Clone(a.NextProtos)
	return a
}

func (a Accept) permits(id workload.ID) error {
	switch {
	case !slices.Contains(a.TrustDomains, id.TrustDomain()):
		return fmt.Errorf("%w: trust domain %q is not accepted here", ErrRefused, id.TrustDomain())
	case !slices.Contains(a.Kinds, id.Kind()):
		return fmt.Errorf("%w: a workload of kind %s is not accepted here", ErrRefused, id.Kind())
	case len(a.IDs) > 0 && !slices.Contains(a.IDs, id):
		return fmt.Errorf("%w: %s is not accepted here", ErrRefused, id)
	}
	return nil
}

// ServerConfig is the configuration of a listener. It fails on a nil source, a source without usable leaf or trust anchors,
// and an Accept that would let nobody in. Proves SEC-01.
func ServerConfig(src Source, accept Accept) (*tls.Config, error) {
	if err := usable(src); err != nil {
		return nil, fmt.Errorf("server TLS: %w", err)
	}
	if err := accept.validate(); err != nil {
		return nil, fmt.Errorf("server TLS: %w", err)
	}
	accept = accept.clone()
	perHandshake := func() (*tls.Config, error) {
		roots := src.Roots()
		if isEmpty(roots) {
			// crypto/tls reads a nil pool as "the system's roots", which would let the public web's clients in.
			return nil, errNoRoots
		}
		return &tls.Config{
			MinVersion: tls.VersionTLS13,
			NextProtos: accept.NextProtos,
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  roots,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return src.Certificate()
			},
			VerifyConnection: func(cs tls.ConnectionState) error {
				return verifyClient(src, accept, cs)
			},
		}, nil
	}
	cfg, err := perHandshake()
	if err != nil {
		return nil, fmt.Errorf("server TLS: %w", err)
	}
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return perHandshake() }
	return cfg, nil
}

// ClientConfig is the configuration of a caller that talks to one of the expected identities and to nobody else. The host
// name is not consulted: where a connection leads is proved by the SPIFFE id. It fails on an unusable source and on an empty
// or zero expectation.
func ClientConfig(src Source, expect ...workload.ID) (*tls.Config, error) {
	if err := usable(src); err != nil {
		return nil, fmt.Errorf("client TLS: %w", err)
	}
	if len(expect) == 0 {
		return nil, errors.New("client TLS: no server identity expected")
	}
	if slices.ContainsFunc(expect, workload.ID.IsZero) {
		return nil, errors.New("client TLS: an expected server identity is empty")
	}
	expect = slices.Clone(expect)
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return src.Certificate()
		},
		// The library's own check is tied to the host name and to a pool fixed at dial time. verifyServer does all of it
		// (chain, validity, usage, identity, revocation) against the current anchors, on fresh and resumed sessions alike.
		InsecureSkipVerify: true, //nolint:gosec // see the comment above
		VerifyConnection: func(cs tls.ConnectionState) error {
			return verifyServer(src, expect, cs)
		},
	}, nil
}
