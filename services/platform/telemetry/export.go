package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// dial prepares one connection for all signals; it connects when first used.
func dial(cfg Config, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return nil, errors.New("telemetry: Endpoint must be https://host:port or http://host:port")
	}
	creds, err := transport(cfg, u)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(u.Host, append(opts, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: endpoint: %w", err)
	}
	return conn, nil
}

func transport(cfg Config, u *url.URL) (credentials.TransportCredentials, error) {
	switch u.Scheme {
	case "http":
		if !loopback(u.Hostname()) {
			return nil, errors.New("telemetry: plaintext is allowed on loopback only; use https")
		}
		if cfg.CAFile != "" || cfg.CertFile != "" {
			return nil, errors.New("telemetry: TLS files with a plaintext Endpoint")
		}
		return insecure.NewCredentials(), nil
	case "https":
		return tlsCredentials(cfg)
	default:
		return nil, fmt.Errorf("telemetry: Endpoint scheme %q is neither http nor https", u.Scheme)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func tlsCredentials(cfg Config) (credentials.TransportCredentials, error) {
	tc := &tls.Config{MinVersion: tls.VersionTLS13}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("telemetry: CA file: %w", err)
		}
		tc.RootCAs = x509.NewCertPool()
		if !tc.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("telemetry: CA file %s holds no certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		// Read for every handshake, so that a renewed pair is picked up.
		tc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("telemetry: client certificate: %w", err)
			}
			return &pair, nil
		}
	}
	return credentials.NewTLS(tc), nil
}

// reporter logs the first failure of a row and the recovery. Exporters hand their errors here because OpenTelemetry
// would print them through a global handler, unredacted.
type reporter struct {
	log     *slog.Logger
	failing atomic.Bool
}

func (r *reporter) done(ctx context.Context, err error) {
	switch {
	case err != nil && !r.failing.Swap(true):
		r.log.LogAttrs(ctx, slog.LevelWarn, "telemetry export failed; further failures are not logged until it works again",
			slog.Any("error", err))
	case err == nil && r.failing.Swap(false):
		r.log.LogAttrs(ctx, slog.LevelInfo, "telemetry export works again")
	}
}

// spanExporter lets out only what the guard allows. It works on the batch goroutine, so the hot path pays nothing.
type spanExporter struct {
	next   sdktrace.SpanExporter
	guard  *guard
	res    *resource.Resource
	report *reporter
}

var _ sdktrace.SpanExporter = (*spanExporter)(nil)

// ExportSpans implements sdktrace.SpanExporter. It never fails: see reporter.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		clean[i] = e.guard.span(s, e.res)
	}
	e.report.done(ctx, e.next.ExportSpans(ctx, clean))
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (e *spanExporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }

// cleanSpan is a span as it may be exported. What it does not override (ids, times, kind) holds no text.
type cleanSpan struct {
	sdktrace.ReadOnlySpan
	name   string
	attrs  []attribute.KeyValue
	events []sdktrace.Event
	links  []sdktrace.Link
	status sdktrace.Status
	ctx    trace.SpanContext
	parent trace.SpanContext
	res    *resource.Resource
}

func (g *guard) span(s sdktrace.ReadOnlySpan, res *resource.Resource) *cleanSpan {
	// The description is an error's text, which may quote a name that no pattern knows. The code says enough; the text
	// stands, redacted, in the log line with the same span id.
	st := sdktrace.Status{Code: s.Status().Code}
	return &cleanSpan{
		ReadOnlySpan: s,
		name:         g.spanName(s.Name()),
		attrs:        g.spanAttributes(s.Attributes()),
		events:       g.spanEvents(s.Events()),
		links:        g.spanLinks(s.Links()),
		status:       st,
		ctx:          s.SpanContext().WithTraceState(trace.TraceState{}),
		parent:       s.Parent().WithTraceState(trace.TraceState{}),
		res:          res,
	}
}

// spanEvents keeps the name and time of exceptions and drops their message and stack, which quote values. Any other
// event must have a declared name.
func (g *guard) spanEvents(in []sdktrace.Event) []sdktrace.Event {
	var out []sdktrace.Event
	for _, ev := range in {
		if ev.Name != "exception" && !g.knows(ev.Name) {
			g.spans.Add(1)
			continue
		}
		ev.Attributes = g.spanAttributes(ev.Attributes)
		out = append(out, ev)
	}
	return out
}

func (g *guard) spanLinks(in []sdktrace.Link) []sdktrace.Link {
	out := make([]sdktrace.Link, 0, len(in))
	for _, l := range in {
		l.SpanContext = l.SpanContext.WithTraceState(trace.TraceState{})
		l.Attributes = g.spanAttributes(l.Attributes)
		out = append(out, l)
	}
	return out
}

// Name returns the declared name.
func (s *cleanSpan) Name() string { return s.name }

// SpanContext returns the ids without tracestate.
func (s *cleanSpan) SpanContext() trace.SpanContext { return s.ctx }

// Parent returns the parent's ids without tracestate.
func (s *cleanSpan) Parent() trace.SpanContext { return s.parent }

// Attributes returns the allowed attributes.
func (s *cleanSpan) Attributes() []attribute.KeyValue { return s.attrs }

// Events returns the allowed events.
func (s *cleanSpan) Events() []sdktrace.Event { return s.events }

// Links returns the links with allowed attributes.
func (s *cleanSpan) Links() []sdktrace.Link { return s.links }

// Status returns the status without its description.
func (s *cleanSpan) Status() sdktrace.Status { return s.status }

// Resource returns our own resource: the SDK would add what it finds in the environment.
func (s *cleanSpan) Resource() *resource.Resource { return s.res }

// metricExporter replaces the resource and keeps errors from the global handler; the view has done the rest.
type metricExporter struct {
	next   metric.Exporter
	res    *resource.Resource
	report *reporter
}

var _ metric.Exporter = (*metricExporter)(nil)

// Temporality implements metric.Exporter.
func (e *metricExporter) Temporality(k metric.InstrumentKind) metricdata.Temporality {
	return e.next.Temporality(k)
}

// Aggregation implements metric.Exporter.
func (e *metricExporter) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return e.next.Aggregation(k)
}

// Export implements metric.Exporter. It never fails: see reporter.
func (e *metricExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	// A copy of the head only: the reader keeps rm for the next round.
	out := metricdata.ResourceMetrics{Resource: e.res, ScopeMetrics: rm.ScopeMetrics}
	e.report.done(ctx, e.next.Export(ctx, &out))
	return nil
}

// ForceFlush implements metric.Exporter.
func (e *metricExporter) ForceFlush(ctx context.Context) error { return e.next.ForceFlush(ctx) }

// Shutdown implements metric.Exporter.
func (e *metricExporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }
