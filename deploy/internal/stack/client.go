package stack

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/deploy/internal/localca"
)

// Dial connects to the identity service with the certificate of a caller. The connection is made at the first call.
func (s *Stack) Dial(c Caller, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	return s.DialAs(s.files[c], opts...)
}

// DialAs is Dial with any certificate.
func (s *Stack) DialAs(files localca.Files, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	id, err := IdentityID()
	if err != nil {
		return nil, err
	}
	src, err := mtls.Files(files.Cert, files.Key, files.CA)
	if err != nil {
		return nil, err
	}
	conf, err := mtls.ClientConfig(src, id)
	if err != nil {
		return nil, err
	}
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(conf))}, opts...)
	conn, err := grpc.NewClient("passthrough:///"+s.identity.Addr, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to identityd: %w", err)
	}
	return conn, nil
}

// Healthy asks the identity service for its health over gRPC, as an orchestrator would.
func (s *Stack) Healthy(ctx context.Context, c Caller) error {
	conn, err := s.Dial(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("health of identityd: %w", err)
	}
	if resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health of identityd: %s", resp.GetStatus())
	}
	return nil
}
