package mtls

import (
	"crypto/tls"
	"fmt"
)

// OutsideConfig is the configuration of a caller that talks to a service outside of ours, such as a population register, which
// knows no SPIFFE: the other side is verified by its host name against the source's anchors, and revoked certificates are refused as the
// source says. TLS 1.2 is spoken where the other side knows nothing newer. A replaced certificate of ours takes effect on the next
// connection; replaced anchors after a restart. It fails on an unusable source.
func OutsideConfig(src Source) (*tls.Config, error) {
	if err := usable(src); err != nil {
		return nil, fmt.Errorf("outside TLS: %w", err)
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              src.Roots(),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return src.Certificate() },
		VerifyConnection: func(cs tls.ConnectionState) error {
			last := fmt.Errorf("%w: no chain", ErrRefused)
			for _, chain := range cs.VerifiedChains {
				if last = unrevoked(src, chain); last == nil {
					return nil
				}
			}
			return last
		},
	}, nil
}
