package stack

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/deploy/internal/localca"
)

// healthPoll is how often a service that does not serve yet is asked again.
const healthPoll = 10 * time.Millisecond

// Dial connects to a service with the certificate of a caller. The connection is made at the first call.
func (s *Stack) Dial(service string, c Caller, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	return s.DialAs(service, s.files[c], opts...)
}

// DialAs is Dial with any certificate.
func (s *Stack) DialAs(service string, files localca.Files, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	conf, err := clientConfig(s.known(service), files)
	if err != nil {
		return nil, err
	}
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(conf))}, opts...)
	conn, err := grpc.NewClient("passthrough:///"+s.Addr(service), opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", service, err)
	}
	return conn, nil
}

// Healthy asks a service for its health over gRPC, as an orchestrator would, until it serves or ctx ends.
func (s *Stack) Healthy(ctx context.Context, service string, c Caller) error {
	if service == GatewayName {
		return s.restHealthy(ctx, c)
	}
	conn, err := s.Dial(service, c)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(healthPoll)
	defer tick.Stop()
	for {
		// Waiting for the connection covers a service that listens and does not answer yet.
		resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
		if err != nil {
			return fmt.Errorf("health of %s: %w", service, err)
		}
		if resp.GetStatus() == healthv1.HealthCheckResponse_SERVING {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("health of %s: %s: %w", service, resp.GetStatus(), context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// Handshake makes a TLS handshake with a service and reads on until the service has judged the certificate: with TLS
// 1.3 the client is done before it is. It returns the service's refusal, or nil when the connection stands.
func (s *Stack) Handshake(ctx context.Context, service string, files localca.Files) error {
	conf, err := clientConfig(s.known(service), files)
	if err != nil {
		return err
	}
	raw, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", s.Addr(service))
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	defer raw.Close() //nolint:errcheck // nothing is in flight any more
	if deadline, ok := ctx.Deadline(); ok {
		if err := raw.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
	// A server that takes the connection speaks first: HTTP/2 begins with its settings.
	if _, err := raw.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	return nil
}

func clientConfig(service string, files localca.Files) (*tls.Config, error) {
	id, err := ServiceID(service)
	if err != nil {
		return nil, err
	}
	src, err := mtls.Files(files.Cert, files.Key, files.CA)
	if err != nil {
		return nil, err
	}
	return mtls.ClientConfig(src, id)
}
