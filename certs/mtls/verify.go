package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"samvirke.dev/certs/internal/clock"
	"samvirke.dev/certs/workload"
)

var (
	errNoSource = errors.New("no certificate source")
	errNoRoots  = errors.New("no trust anchors")
)

// usable refuses a source that would make a configuration without teeth.
func usable(src Source) error {
	if src == nil {
		return errNoSource
	}
	if isEmpty(src.Roots()) {
		return errNoRoots
	}
	cert, err := src.Certificate()
	if err != nil {
		return fmt.Errorf("own certificate: %w", err)
	}
	if cert == nil || len(cert.Certificate) == 0 || cert.PrivateKey == nil {
		return errors.New("own certificate: source returned none")
	}
	return nil
}

func isEmpty(pool *x509.CertPool) bool {
	return pool == nil || pool.Equal(x509.NewCertPool())
}

// verifyClient runs after the library verified the chain against ClientCAs, and also on resumed sessions, where the library
// trusts the ticket: revocation and acceptance are judged anew on each connection.
func verifyClient(src Source, accept Accept, cs tls.ConnectionState) error {
	if len(cs.VerifiedChains) == 0 || len(cs.VerifiedChains[0]) == 0 {
		return fmt.Errorf("%w: %w", ErrRefused, workload.ErrUnverified)
	}
	leaf := cs.VerifiedChains[0][0]
	if err := checkLeaf(leaf, x509.ExtKeyUsageClientAuth); err != nil {
		return err
	}
	id, err := workload.FromCertificate(leaf)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := accept.permits(id); err != nil {
		return err
	}
	return soundChain(src, id, cs.VerifiedChains)
}

// verifyServer does on the client's side what the library would do, with a SPIFFE id in place of a host name.
func verifyServer(src Source, expect []workload.ID, cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return fmt.Errorf("%w: server sent no certificate", ErrRefused)
	}
	roots := src.Roots()
	if isEmpty(roots) {
		return fmt.Errorf("%w: %w", ErrRefused, errNoRoots)
	}
	leaf := cs.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   clock.Now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := checkLeaf(leaf, x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	id, err := workload.FromCertificate(leaf)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !slices.Contains(expect, id) {
		return fmt.Errorf("%w: server is %s, which was not expected", ErrRefused, id)
	}
	return soundChain(src, id, chains)
}

// checkLeaf demands what the library lets slip: an absent extended key usage counts as "any" there, and an authority's own
// certificate passes as a leaf.
func checkLeaf(leaf *x509.Certificate, usage x509.ExtKeyUsage) error {
	switch {
	case leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return fmt.Errorf("%w: an authority's certificate is no leaf", ErrRefused)
	case !slices.Contains(leaf.ExtKeyUsage, usage):
		return fmt.Errorf("%w: certificate lacks the extended key usage of its role", ErrRefused)
	}
	return nil
}

// soundChain wants one chain in which nothing below the anchor is revoked or of unknown standing, and whose issuer may speak for
// the identity. Anchors themselves are withdrawn by leaving Roots, not by a list that they sign.
func soundChain(src Source, id workload.ID, chains [][]*x509.Certificate) error {
	last := fmt.Errorf("%w: no chain", ErrRefused)
	for _, chain := range chains {
		if last = unrevoked(src, chain); last == nil {
			last = vouched(src, id, chain)
		}
		if last == nil {
			return nil
		}
	}
	return last
}

func vouched(src Source, id workload.ID, chain []*x509.Certificate) error {
	v, ok := src.(Voucher)
	if !ok {
		return nil
	}
	if len(chain) < 2 {
		return fmt.Errorf("%w: certificate is its own anchor", ErrRefused)
	}
	if err := v.Vouches(id, chain[1]); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

func unrevoked(src Source, chain []*x509.Certificate) error {
	for _, c := range chain[:max(len(chain)-1, 1)] {
		revoked, err := src.Revoked(c)
		if err != nil {
			return fmt.Errorf("%w: revocation unknown: %w", ErrRefused, err)
		}
		if revoked {
			return fmt.Errorf("%w: certificate %x of %q is revoked", ErrRefused, c.SerialNumber, c.Issuer)
		}
	}
	return nil
}
