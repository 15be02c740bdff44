// Package oteltest is an OpenTelemetry collector for tests: an OTLP/gRPC receiver in the test's own process that keeps
// everything that arrives, for assertions on spans and metrics and for canary scans (domain.md C.4).
package oteltest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logs1 "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Span is one received span in the terms that assertions are written in.
type Span struct {
	// Service is service.name of the resource.
	Service string
	Name    string
	// TraceID, SpanID and ParentID are lower-case hexadecimal; ParentID is empty for a root.
	TraceID, SpanID, ParentID string
	Kind                      trace1.Span_SpanKind
	Status                    trace1.Status_StatusCode
	StatusText                string
	// Attributes are rendered as text whatever their type.
	Attributes map[string]string
	// Events are the names of the span's events.
	Events     []string
	Start, End time.Time
}

// Collector receives OTLP. All methods are safe for concurrent use.
type Collector struct {
	endpoint string
	server   *grpc.Server
	done     chan error

	mu      sync.Mutex
	traces  []*tracepb.ExportTraceServiceRequest
	metrics []*metricspb.ExportMetricsServiceRequest
	logs    []*logspb.ExportLogsServiceRequest
	reject  int64
	arrived chan struct{} // closed and replaced at each arrival
}

// Start runs a plaintext collector on loopback for the length of the test.
func Start(tb testing.TB) *Collector {
	tb.Helper()
	c, err := New(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// New runs a collector on loopback until Close, plaintext unless opts bring credentials.
func New(ctx context.Context, opts ...grpc.ServerOption) (*Collector, error) {
	return NewAt(ctx, "127.0.0.1:0", opts...)
}

// NewAt is New at a given address, such as that of a collector that was closed.
func NewAt(ctx context.Context, address string, opts ...grpc.ServerOption) (*Collector, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("oteltest: %w", err)
	}
	c := &Collector{
		endpoint: l.Addr().String(), server: grpc.NewServer(opts...), done: make(chan error, 1), arrived: make(chan struct{}),
	}
	tracepb.RegisterTraceServiceServer(c.server, traceService{c: c})
	metricspb.RegisterMetricsServiceServer(c.server, metricsService{c: c})
	logspb.RegisterLogsServiceServer(c.server, logsService{c: c})
	go func() { c.done <- c.server.Serve(l) }()
	return c, nil
}

// Endpoint returns the URL for telemetry.Config.Endpoint of a plaintext collector.
func (c *Collector) Endpoint() string { return "http://" + c.endpoint }

// Address returns host:port.
func (c *Collector) Address() string { return c.endpoint }

// Close stops the collector and its goroutines.
func (c *Collector) Close() error {
	c.server.Stop()
	if err := <-c.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("oteltest: %w", err)
	}
	return nil
}

// Spans returns what has arrived so far, in order of arrival.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Span
	for _, req := range c.traces {
		for _, rs := range req.GetResourceSpans() {
			service := attributes(rs.GetResource().GetAttributes())["service.name"]
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					out = append(out, spanOf(service, s))
				}
			}
		}
	}
	return out
}

// Metrics returns the metrics of every export so far, oldest first; a metric appears once per export.
func (c *Collector) Metrics() []*metrics1.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*metrics1.Metric
	for _, req := range c.metrics {
		for _, rm := range req.GetResourceMetrics() {
			for _, sm := range rm.GetScopeMetrics() {
				out = append(out, sm.GetMetrics()...)
			}
		}
	}
	return out
}

// Logs returns the log records that have arrived so far.
func (c *Collector) Logs() []*logs1.LogRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*logs1.LogRecord
	for _, req := range c.logs {
		for _, rl := range req.GetResourceLogs() {
			for _, sl := range rl.GetScopeLogs() {
				out = append(out, sl.GetLogRecords()...)
			}
		}
	}
	return out
}

// Raw returns everything that has arrived, once as it was on the wire (strings stand in it as they are) and once as
// JSON (numbers stand in it as text), for canary scans.
func (c *Collector) Raw() ([]byte, error) {
	var out []byte
	for _, m := range c.requests() {
		var err error
		if out, err = (proto.MarshalOptions{}).MarshalAppend(out, m); err != nil {
			return nil, fmt.Errorf("oteltest: %w", err)
		}
		// A separator keeps the end of one request and the start of the next from forming a word.
		out = append(out, '\n')
		if out, err = (protojson.MarshalOptions{}).MarshalAppend(out, m); err != nil {
			return nil, fmt.Errorf("oteltest: %w", err)
		}
		out = append(out, '\n')
	}
	return out, nil
}

func (c *Collector) requests() []proto.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []proto.Message
	for _, r := range c.traces {
		all = append(all, r)
	}
	for _, r := range c.metrics {
		all = append(all, r)
	}
	for _, r := range c.logs {
		all = append(all, r)
	}
	return all
}

// RejectLogs makes the collector answer that it refused n log records of each request.
func (c *Collector) RejectLogs(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reject = n
}

// Reset forgets what has arrived.
func (c *Collector) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces, c.metrics, c.logs = nil, nil, nil
}

// Wait returns when cond holds, looking again at each arrival, or with ctx's error.
func (c *Collector) Wait(ctx context.Context, cond func(*Collector) bool) error {
	for {
		c.mu.Lock()
		next := c.arrived
		c.mu.Unlock()
		if cond(c) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("oteltest: %d spans and %d metrics arrived: %w", len(c.Spans()), len(c.Metrics()), ctx.Err())
		case <-next:
		}
	}
}

// WaitSpans returns the spans once at least n have arrived.
func (c *Collector) WaitSpans(ctx context.Context, n int) ([]Span, error) {
	err := c.Wait(ctx, func(c *Collector) bool { return len(c.Spans()) >= n })
	return c.Spans(), err
}

func (c *Collector) keep(add func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add()
	close(c.arrived)
	c.arrived = make(chan struct{})
}

func spanOf(service string, s *trace1.Span) Span {
	out := Span{
		Service: service, Name: s.GetName(), Kind: s.GetKind(),
		TraceID: hex.EncodeToString(s.GetTraceId()), SpanID: hex.EncodeToString(s.GetSpanId()),
		ParentID: hex.EncodeToString(s.GetParentSpanId()),
		Status:   s.GetStatus().GetCode(), StatusText: s.GetStatus().GetMessage(),
		Attributes: attributes(s.GetAttributes()),
		Start:      time.Unix(0, int64(s.GetStartTimeUnixNano())).UTC(),
		End:        time.Unix(0, int64(s.GetEndTimeUnixNano())).UTC(),
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, e.GetName())
	}
	return out
}

func attributes(in []*commonpb.KeyValue) map[string]string {
	out := make(map[string]string, len(in))
	for _, kv := range in {
		out[kv.GetKey()] = text(kv.GetValue())
	}
	return out
}

func text(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_ArrayValue:
		parts := make([]string, 0, len(v.ArrayValue.GetValues()))
		for _, e := range v.ArrayValue.GetValues() {
			parts = append(parts, text(e))
		}
		return strings.Join(parts, ",")
	default:
		return ""
	}
}
