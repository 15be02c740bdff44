package telemetry_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"samvirke.dev/services/platform/redact"
	"samvirke.dev/services/platform/redact/canary"
	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// leaky answers every call with an error that holds the caller's input, as careless code would.
type leaky struct {
	healthpb.UnimplementedHealthServer
	tel *telemetry.Telemetry
}

func (l leaky) Check(ctx context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	err := status.Error(codes.Internal, "no row for "+r.GetService())
	l.tel.Logger().ErrorContext(ctx, "refused "+r.GetService(), //nolint:sloglint // carelessness is the point
		"error", err, "subject", r.GetService())
	return nil, err
}

// covers: SEC-06
func TestNoCanaryGetsOutOfRealCalls(t *testing.T) {
	t.Parallel()
	people := canary.People(300)
	tel, col, log := start(t)
	conn := serve(t, tel)
	for i, p := range people {
		if i%50 == 0 {
			flush(t, tel) // the queue of spans is bounded, and a full one drops
		}
		for _, text := range []string{p.ID, p.Email, p.Phone, canary.IDForms(p.Country, p.ID)[1]} {
			_, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: text})
			if status.Code(err) != codes.Internal {
				t.Fatal(err)
			}
		}
		// A method that nobody declared, with a name made of personal data.
		err := conn.Invoke(t.Context(), fmt.Sprintf("/%s.Person/%s", p.GivenName, p.ID), &healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
	}
	ctx, cancel := limit(t.Context())
	defer cancel()
	// Client and server each have a span for the four calls; of the undeclared method the server's library keeps none.
	// The server's span ends after its answer has been read, so the last ones may still be on their way.
	flushUntil(ctx, t, tel, col, len(people)*(4*2+1))
	assertClean(t, people, col, log)
}

func flushUntil(ctx context.Context, t *testing.T, tel *telemetry.Telemetry, col *oteltest.Collector, n int) {
	t.Helper()
	for len(col.Spans()) < n {
		if err := tel.Flush(ctx); err != nil {
			t.Fatalf("%d spans of %d arrived: %v", len(col.Spans()), n, err)
		}
	}
}

func assertClean(t *testing.T, people []canary.Person, col *oteltest.Collector, log *buffer) {
	t.Helper()
	corpus, err := canary.NewCorpus(people)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := col.Raw()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"export": raw, "log": []byte(log.String())} {
		if hits := corpus.Scan(b); len(hits) > 0 || len(b) == 0 {
			t.Errorf("%s of %d bytes holds %d canaries, such as %v", name, len(b), len(hits), hits[:min(3, len(hits))])
		}
	}
	for _, s := range col.Spans() {
		for k, v := range s.Attributes {
			if f := redact.Find(v); len(f) > 0 {
				t.Errorf("%s = %q", k, v)
			}
		}
	}
}

func serve(t *testing.T, tel *telemetry.Telemetry) *grpc.ClientConn {
	t.Helper()
	opts := []otelgrpc.Option{
		otelgrpc.WithTracerProvider(tel.TracerProvider()), otelgrpc.WithMeterProvider(tel.MeterProvider()), otelgrpc.WithPropagators(tel.Propagator()),
	}
	srv := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler(opts...)))
	healthpb.RegisterHealthServer(srv, leaky{tel: tel})
	l := bufconn.Listen(1 << 20)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///bufnet", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(opts...)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		srv.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func TestOneTraceAcrossClientAndServer(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	conn := serve(t, tel)
	_, _ = healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	ctx, cancel := limit(t.Context())
	defer cancel()
	flushUntil(ctx, t, tel, col, 2)
	byID := map[string]oteltest.Span{}
	for _, s := range col.Spans() {
		byID[s.SpanID] = s
	}
	joined := 0
	for _, s := range byID {
		if p, ok := byID[s.ParentID]; ok && p.TraceID == s.TraceID {
			joined++
		}
		if s.Name != "grpc.health.v1.Health/Check" || s.Attributes["rpc.response.status_code"] != "INTERNAL" {
			t.Errorf("span %+v", s)
		}
	}
	if joined != 1 {
		t.Errorf("spans %+v", byID)
	}
}
