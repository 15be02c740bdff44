// Package backend holds the connections to the services behind the edge: mutual TLS, in the caller's name, inside the caller's token, with a
// deadline and the caller's idempotency key.
package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway/internal/caller"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
)

// requestIDField is the field of a request that makes its repetition harmless (AIP-155).
const requestIDField = "request_id"

// Bytes that a service may send before the gateway has read them, on a stream and on a connection.
const (
	streamWindow = 1 << 20
	connWindow   = 8 << 20
)

// Config says how to reach the services.
type Config struct {
	Source      mtls.Source
	TrustDomain string
	// Addrs are the services' addresses, host:port, by name.
	Addrs map[string]string
	// Deadline bounds every unary call.
	Deadline time.Duration
	// MaxMessage bounds an answer, in bytes.
	MaxMessage int
	Propagator propagation.TextMapPropagator
}

// Backends are the connections, one a service.
type Backends struct {
	cfg   Config
	conns map[string]*grpc.ClientConn
}

// Open makes the connections; they connect when they are first used. It fails for a configuration that could never work.
func Open(cfg Config) (*Backends, error) {
	b := &Backends{cfg: cfg, conns: map[string]*grpc.ClientConn{}}
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("no services to pass calls to")
	}
	for name, addr := range cfg.Addrs {
		conn, err := b.dial(name, addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("service %s: %w", name, err), b.Close())
		}
		b.conns[name] = conn
	}
	return b, nil
}

func (b *Backends) dial(name, addr string) (*grpc.ClientConn, error) {
	id, err := workload.Service(b.cfg.TrustDomain, name)
	if err != nil {
		return nil, err
	}
	conf, err := mtls.ClientConfig(b.cfg.Source, id)
	if err != nil {
		return nil, err
	}
	rules, err := serviceConfig(name, b.cfg.Deadline)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("dns:///"+addr,
		// Windows that are given make gRPC stop measuring the line with pings; they hold many of our longest answers.
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithTransportCredentials(credentials.NewTLS(conf)), grpc.WithDefaultServiceConfig(rules),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(b.cfg.MaxMessage)),
		grpc.WithUnaryInterceptor(b.unary), grpc.WithStreamInterceptor(b.stream))
}

// Conn is the connection to a service, or nil where it is not configured.
func (b *Backends) Conn(name string) *grpc.ClientConn { return b.conns[name] }

// Names are the configured services, sorted.
func (b *Backends) Names() []string {
	names := make([]string, 0, len(b.conns))
	for name := range b.conns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Close ends the connections.
func (b *Backends) Close() error {
	problems := make([]error, 0, len(b.conns))
	for _, c := range b.conns {
		problems = append(problems, c.Close())
	}
	return errors.Join(problems...)
}

// askLimit bounds the question to one service.
const askLimit = 1500 * time.Millisecond

// Serving asks every service at once whether it serves, and returns the answers by name.
func (b *Backends) Serving(ctx context.Context) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	out := map[string]bool{}
	for name, conn := range b.conns {
		all.Go(func() {
			resp, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
			mu.Lock()
			defer mu.Unlock()
			out[name] = err == nil && resp.GetStatus() == healthv1.HealthCheckResponse_SERVING
		})
	}
	all.Wait()
	return out
}

const healthCheck = "/grpc.health.v1.Health/Check"

// outgoing puts the caller's name, and the trace, into a call. Without a caller nothing but a health check leaves.
func (b *Backends) outgoing(ctx context.Context, method string, request any) (context.Context, error) {
	if method == healthCheck {
		return ctx, nil
	}
	who, ok := caller.From(ctx)
	if !ok {
		return nil, errs.New(commonv1.Reason_REASON_CALLER_UNKNOWN)
	}
	if !who.Within(method) {
		return nil, errs.New(commonv1.Reason_REASON_RPC_NOT_GRANTED, errs.Detail("The token's scope does not cover it."))
	}
	if err := keyed(who.RequestID, request); err != nil {
		return nil, err
	}
	// What grpc-gateway has put there, such as the client's address and its token, is none of a service's business.
	md := make(metadata.MD, 4)
	b.cfg.Propagator.Inject(ctx, carrier(md))
	md.Set(rpc.ActingForKey, who.Name)
	return metadata.NewOutgoingContext(ctx, md), nil
}

// keyed puts the header's idempotency key into a request that can take one. A body with another key is refused: nobody can say which of the
// two was meant.
func keyed(id string, request any) error {
	m, ok := request.(proto.Message)
	if id == "" || !ok {
		return nil
	}
	r := m.ProtoReflect()
	fd := r.Descriptor().Fields().ByName(requestIDField)
	if fd == nil || fd.Kind() != protoreflect.StringKind {
		return nil // repeating a read does no harm
	}
	if have := r.Get(fd).String(); have != "" && have != id {
		return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(requestIDField, "must be empty or the same as the header Idempotency-Key"))
	}
	r.Set(fd, protoreflect.ValueOfString(id))
	return nil
}

func (b *Backends) unary(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	ctx, err := b.outgoing(ctx, method, req)
	if err != nil {
		return err
	}
	return explained(invoke(ctx, method, req, reply, conn, opts...))
}

func (b *Backends) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, err := b.outgoing(ctx, method, nil)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, desc, conn, method, opts...)
	return s, explained(err)
}

// explained keeps what a service said, and turns what gRPC itself says, such as that nobody can be reached, into the vocabulary. The text
// of it stays in the log.
func explained(err error) error {
	if err == nil || errs.ReasonOf(err) != commonv1.Reason_REASON_UNSPECIFIED {
		return err
	}
	return errs.FromStatus(err)
}

// carrier lets the propagator write into metadata.
type carrier metadata.MD

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string {
	if v := metadata.MD(c).Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
