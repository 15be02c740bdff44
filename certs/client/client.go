// Package client connects to Samvirke's services over mutual TLS, for agencies and funds that call over gRPC from Go: with the certificate
// files of the caller's system, one identity expected of the service, deadlines for calls that bring none, and retries where they can do
// no harm. The schemas' clients lie in samvirke.dev/proto/gen/go.
//
// Certificates are read anew when their files change, so a renewal needs no restart.
package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
)

// DefaultDeadline is that of a unary call whose context has none.
const DefaultDeadline = 10 * time.Second

// policy retries what the service did not begin, and what said that it was starting, stopping or out of reach: UNAVAILABLE. A change is
// sent again as well, and is done once, because it carries its request id; give one to every change. Calls are spread over all addresses
// that a name resolves to.
const policy = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
}`

// Config says whom to call and as whom.
type Config struct {
	// Addr is the service's address: host:port, or a gRPC target such as dns:///identity.example:443.
	Addr string
	// Service is the SPIFFE id that the service must prove, such as spiffe://samvirke.example/svc/identity.
	Service string
	// CertFile, KeyFile and CAFile are PEM files: the certificate with its intermediates, its key, and the trust anchors.
	CertFile, KeyFile, CAFile string
	// CRLFiles are revocation lists of the issuers; none where the operator publishes none.
	CRLFiles []string
	// Deadline is that of unary calls whose context has none; DefaultDeadline when zero.
	Deadline time.Duration
}

// Conn is a connection to a service. It is safe for concurrent use; one is enough.
type Conn struct {
	*grpc.ClientConn
	source *mtls.FileSource
}

// Dial prepares a connection, which is made at the first call. Errors name what is missing or wrong in the configuration and its files.
func Dial(cfg Config, opts ...grpc.DialOption) (*Conn, error) {
	id, err := workload.Parse(cfg.Service)
	if err != nil {
		return nil, fmt.Errorf("client: service: %w", err)
	}
	if cfg.Addr == "" {
		return nil, errors.New("client: address is missing")
	}
	source, err := mtls.Files(cfg.CertFile, cfg.KeyFile, cfg.CAFile, cfg.CRLFiles...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	conf, err := mtls.ClientConfig(source, id)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("client: %w", err), source.Close())
	}
	if cfg.Deadline <= 0 {
		cfg.Deadline = DefaultDeadline
	}
	conn, err := grpc.NewClient(cfg.Addr, append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(conf)), grpc.WithDefaultServiceConfig(policy), grpc.WithChainUnaryInterceptor(within(cfg.Deadline)),
	}, opts...)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("client: %w", err), source.Close())
	}
	return &Conn{ClientConn: conn, source: source}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return errors.Join(c.ClientConn.Close(), c.source.Close()) }

// within gives a deadline to calls that have none.
func within(d time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); ok {
			return invoke(ctx, method, req, reply, conn, opts...)
		}
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return invoke(ctx, method, req, reply, conn, opts...)
	}
}

// Pages goes through a list page by page (AIP-158). list fetches the page of a token, "" for the first, and returns its items and the token
// of the next, "" after the last. An error ends the sequence and is its last element.
func Pages[T any](ctx context.Context, list func(ctx context.Context, token string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		token := ""
		for {
			items, next, err := list(ctx, token)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}
