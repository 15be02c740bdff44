package workload

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ErrUnverified is returned by FromState for a connection whose peer showed no certificate or whose chain was not verified.
var ErrUnverified = errors.New("connection has no verified certificate chain")

// FromCertificate reads the identity from a leaf: exactly one URI SAN, following the grammar of this package. It does not
// verify the certificate; only call it on one that has been verified. Errors wrap ErrMalformed.
func FromCertificate(leaf *x509.Certificate) (ID, error) {
	if leaf == nil {
		return ID{}, fmt.Errorf("%w: no certificate", ErrMalformed)
	}
	if len(leaf.URIs) != 1 {
		return ID{}, fmt.Errorf("%w: want exactly one URI SAN, have %d", ErrMalformed, len(leaf.URIs))
	}
	return Parse(leaf.URIs[0].String())
}

// FromState reads the peer's identity from a connection's verified chain, never from the certificates as sent. It works on
// the server's side, where the handshake fills the chain; a client of package mtls has proved its server's identity during the
// handshake and needs no such call. Errors are ErrUnverified or wrap ErrMalformed.
func FromState(cs tls.ConnectionState) (ID, error) {
	if len(cs.VerifiedChains) == 0 || len(cs.VerifiedChains[0]) == 0 {
		return ID{}, ErrUnverified
	}
	return FromCertificate(cs.VerifiedChains[0][0])
}
