package rpc

import (
	"context"
	"crypto/x509"

	"google.golang.org/grpc/peer"
)

// PeerCertificate returns the verified certificate that the running call's connection showed, or nil outside of a call.
func PeerCertificate(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(caller)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}
