package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/idem"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/quota"
	"samvirke.dev/services/platform/sqlkit"
)

// streamWorkers is how many goroutines wait for calls; when all are busy, gRPC starts more.
const streamWorkers = 64

// Bytes that a caller may send before the service has read them, on a stream and on a connection.
const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
)

// EventIDTrailer carries the id of the call's audit record.
const EventIDTrailer = "samvirke-event-id"

// Config holds the limits of a server.
type Config struct {
	DefaultTimeout time.Duration // for callers without a deadline
	MaxMessage     int           // bytes of a request
	MaxStreams     uint32        // calls under way on one connection
	MaxAge         time.Duration // of a connection: bounds how long a revoked certificate goes on
	Reflection     bool
	ActFor         ActFor // which of our own services may call in the name of organisations
	Maintenance    []maintenance.Window
}

// DefaultConfig returns the limits that suit a service between organisations.
func DefaultConfig() Config {
	return Config{DefaultTimeout: 10 * time.Second, MaxMessage: 256 << 10, MaxStreams: 256, MaxAge: 30 * time.Minute}
}

// Deps is what a server is made of; everything is needed.
type Deps struct {
	TLS            *tls.Config
	Log            *slog.Logger
	Clock          clock.Clock
	DB             *sqlkit.DB
	Recorder       *audit.Recorder
	Seal           *keys.AEAD // encrypts answers kept for idempotency
	RequestIDs     *keys.PRF  // digests the request ids under which they are kept
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator
}

// Server is a gRPC server whose calls all pass the chain.
type Server struct {
	cfg         Config
	log         *slog.Logger
	clock       clock.Clock
	db          *sqlkit.DB
	recorder    *audit.Recorder
	seal        *keys.AEAD
	requestIDs  *keys.PRF
	idem        *idem.Store
	quotas      *quota.Limiter
	validator   protovalidate.Validator
	instruments *instruments
	tracer      trace.Tracer
	propagator  propagation.TextMapPropagator
	methods     authz.Methods
	agreements  func() authz.Agreements
	grpc        *grpc.Server
	health      *health.Server
	unary       handler // all steps
	stream      handler // steps once a stream
	message     handler // steps once a message of a stream
	fetches     map[string]Fetch
	stopping    chan struct{} // closed when calls should end
	stopOnce    sync.Once
}

// New builds the server without services. Register adds them, Use puts the agreements in force; Serve refuses to begin without.
func New(cfg Config, d Deps) (*Server, error) {
	if d.TLS == nil || d.TLS.ClientAuth != tls.RequireAndVerifyClientCert {
		return nil, errors.New("rpc: mutual TLS is not configured")
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	i, err := newInstruments(d.MeterProvider.Meter("samvirke.dev/services/platform/rpc"))
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: d.Log, clock: d.Clock, db: d.DB, recorder: d.Recorder, seal: d.Seal, requestIDs: d.RequestIDs, validator: validator, instruments: i,
		tracer: d.TracerProvider.Tracer("samvirke.dev/services/platform/rpc"), propagator: d.Propagator,
		idem: idem.NewStore(d.DB, d.Clock, 0), quotas: quota.New(d.DB, d.Clock), health: health.NewServer(),
		fetches: map[string]Fetch{}, stopping: make(chan struct{}),
	}
	s.grpc = grpc.NewServer(s.options(d.TLS)...)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	s.unary = compose(s.steps(), invoke, perCall, perMessage)
	s.message = compose(s.steps(), invoke, perMessage)
	s.stream = compose(s.steps(), invoke, perCall)
	return s, nil
}

func (s *Server) options(tlsConfig *tls.Config) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(newTransport(tlsConfig, s.log, s.instruments)),
		grpc.UnaryInterceptor(s.interceptUnary),
		grpc.StreamInterceptor(s.interceptStream),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return errs.New(commonv1.Reason_REASON_UNIMPLEMENTED) }),
		grpc.ForceServerCodecV2(newCodec(s.cfg.MaxMessage)),
		grpc.MaxRecvMsgSize(4 * s.cfg.MaxMessage), // between the two limits the refusal says who must do what
		grpc.MaxConcurrentStreams(s.cfg.MaxStreams),
		// Windows that are given make gRPC stop measuring the line with pings; they hold several of our longest messages.
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.NumStreamWorkers(streamWorkers), // the chain is deep: goroutines that last keep their grown stacks
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 20 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: s.cfg.MaxAge, MaxConnectionAgeGrace: time.Minute, Time: time.Minute, Timeout: 20 * time.Second,
		}),
	}
}

// Registrar takes services; *Server hides the rest of grpc.Server, so that nothing gets around the chain.
func (s *Server) Registrar() grpc.ServiceRegistrar { return registrar{s.grpc} }

// Cover checks that every exposed RPC has a rule, and returns the rules. Call it when all services are registered; an error
// must stop the boot.
func (s *Server) Cover() (authz.Methods, error) {
	if s.cfg.Reflection {
		reflection.Register(s.grpc)
	}
	methods, err := authz.Cover(s.grpc.GetServiceInfo())
	s.methods = methods
	return methods, err
}

// Fetch gets what a change needs from outside, such as a register's answer, before the change's transaction begins: a transaction must
// not wait for others. It hands it on in the context that it returns.
type Fetch func(ctx context.Context, request proto.Message) context.Context

// Unchanging is what a Fetch returns when it has found out that this call of a changing RPC has nothing to change, such as a look into a
// mailbox that is empty: the call is then answered without a transaction, and recorded as a read is. The handler must hold to it.
func Unchanging(ctx context.Context) context.Context {
	return context.WithValue(ctx, unchangingKey{}, true)
}

type unchangingKey struct{}

func unchanging(ctx context.Context) bool { return ctx.Value(unchangingKey{}) != nil }

// FetchFirst sets the fetch of an RPC, by full name. Call it before Serve.
func (s *Server) FetchFirst(method string, f Fetch) { s.fetches[method] = f }

// Use puts the agreements in force.
func (s *Server) Use(current func() authz.Agreements) { s.agreements = current }

// Serve answers on the listener until Stop.
func (s *Server) Serve(l net.Listener) error {
	if s.methods == nil || s.agreements == nil {
		return errors.New("rpc: no rules or no agreements")
	}
	return s.grpc.Serve(l)
}

// SetServing tells health checks whether traffic can pass.
func (s *Server) SetServing(serving bool) {
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		state = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	for service := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(service, state)
	}
}

// Serving says what health checks are told.
func (s *Server) Serving(ctx context.Context) bool {
	state, err := s.health.Check(ctx, &healthpb.HealthCheckRequest{})
	return err == nil && state.GetStatus() == healthpb.HealthCheckResponse_SERVING
}

// Stop lets calls end until ctx does, then cuts them.
func (s *Server) Stop(ctx context.Context) error {
	s.health.Shutdown()
	s.stopOnce.Do(func() { close(s.stopping) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
		return ctx.Err()
	}
}

func (s *Server) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	request, _ := req.(proto.Message)
	x := &Exchange{RPC: info.FullMethod, Method: s.methods[info.FullMethod], Request: request}
	x.handle = func(ctx context.Context) (proto.Message, error) {
		out, err := handle(ctx, req)
		response, _ := out.(proto.Message)
		return response, err
	}
	err := s.unary(ctx, x)
	if !x.open() {
		// An error means that the stream is gone already.
		_ = grpc.SetTrailer(ctx, metadata.MD{EventIDTrailer: []string{x.EventID}})
	}
	if err != nil {
		return nil, err
	}
	return x.Response, nil
}

func (s *Server) interceptStream(srv any, raw grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx := raw.Context()
	x := &Exchange{RPC: info.FullMethod, Method: s.methods[info.FullMethod]}
	a := &around{server: s, call: x, raw: raw}
	x.handle = func(ctx context.Context) (proto.Message, error) {
		if x.open() {
			return nil, handle(srv, raw)
		}
		if x.Method == nil {
			return a.exchange(ctx, nil, nil) // leaves the record of a call to what does not exist
		}
		ctx = context.WithValue(ctx, exchangeKey{}, a)
		return nil, handle(srv, &sealedStream{raw, ctx, !info.IsClientStream})
	}
	return s.stream(ctx, x)
}
