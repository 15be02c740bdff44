package chassis

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

// Dial connects to another of our services, such as identity, at host:port, with this service's own certificate; the other side must
// have that service's. Nothing is sent before the first call. It is closed with the chassis.
func (c *Chassis) Dial(address, service string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	id, err := workload.Service(c.cfg.TrustDomain, service)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	config, err := mtls.ClientConfig(c.pki, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	conn, err := grpc.NewClient(address, append(opts, grpc.WithTransportCredentials(credentials.NewTLS(config)))...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	c.onClose(func(context.Context) error { return conn.Close() })
	return conn, nil
}
