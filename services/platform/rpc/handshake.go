package rpc

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"samvirke.dev/certs/workload"
)

// transport is mutual TLS that counts and logs refused handshakes and reads the caller's workload once a connection, not once
// a call.
type transport struct {
	credentials.TransportCredentials
	log         *slog.Logger
	instruments *instruments
}

func newTransport(cfg *tls.Config, log *slog.Logger, i *instruments) credentials.TransportCredentials {
	return &transport{TransportCredentials: credentials.NewTLS(cfg), log: log, instruments: i}
}

// caller is what a verified connection says of who calls.
type caller struct {
	credentials.TLSInfo
	id workload.ID
}

// ServerHandshake implements credentials.TransportCredentials.
func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := t.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		// The address of a stranger may be a person's; only what was wrong is logged.
		t.instruments.refusedHandshake()
		t.log.Info("handshake refused", "error", err.Error())
		return nil, nil, err
	}
	out := caller{}
	if known, ok := info.(credentials.TLSInfo); ok {
		out.TLSInfo = known
		if id, err := workload.FromState(known.State); err == nil {
			out.id = id
		}
	}
	return conn, out, nil
}

// Clone implements credentials.TransportCredentials.
func (t *transport) Clone() credentials.TransportCredentials {
	return &transport{TransportCredentials: t.TransportCredentials.Clone(), log: t.log, instruments: t.instruments}
}

// callerOf returns the workload of a verified connection, or the zero ID.
func callerOf(ctx context.Context) workload.ID {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return workload.ID{}
	}
	info, _ := p.AuthInfo.(caller)
	return info.id
}
