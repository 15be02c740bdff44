package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/gateway/internal/caller"
)

// SpanName is the name of every span of the gateway; the route is an attribute.
const SpanName = "HTTP POST"

// Instruments are the metrics of the gateway, named as OpenTelemetry names them. None has a label that could tell a person.
type Instruments struct {
	duration metric.Float64Histogram
	options  sync.Map // of answerKey to metric.MeasurementOption: attribute sets are dear to make
	routes   sync.Map // of the paths that are a route's pattern: patterns write themselves anew every time
}

// answerKey is what is told of an answer; there are few of them.
type answerKey struct {
	method, route string
	status        int
}

func (k answerKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("http.request.method", k.method), attribute.String("http.route", k.route), attribute.Int("http.response.status_code", k.status),
	}
}

func (i *Instruments) record(ctx context.Context, k answerKey, took time.Duration) {
	option, ok := i.options.Load(k)
	if !ok {
		option, _ = i.options.LoadOrStore(k, metric.WithAttributeSet(attribute.NewSet(k.attributes()...)))
	}
	if o, ok := option.(metric.MeasurementOption); ok {
		i.duration.Record(ctx, took.Seconds(), o)
	}
}

// pattern is the route that matched a path. Routes take nothing from their paths, so the two are the same and there are as many as routes;
// one that differed would not be kept.
func (i *Instruments) pattern(ctx context.Context, path string) string {
	if _, ok := i.routes.Load(path); ok {
		return path
	}
	pattern, ok := runtime.HTTPPattern(ctx)
	if !ok {
		return ""
	}
	text := pattern.String()
	if text == path {
		i.routes.Store(path, true)
	}
	return text
}

// NewInstruments makes them.
func NewInstruments(meter metric.Meter) (*Instruments, error) {
	duration, err := meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"), metric.WithDescription("Time from request to answer"))
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return &Instruments{duration: duration}, nil
}

// observed gives the call a span in its caller's trace, a measurement and a line in the log.
func (e *Edge) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := e.Clock.Now()
		ctx := e.Propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := e.Tracer.Start(ctx, SpanName, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		seen := &seen{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r.WithContext(caller.With(ctx, &seen.caller)))
		told := answerKey{method: methodOf(r), route: seen.route, status: seen.status}
		if span.IsRecording() {
			span.SetAttributes(told.attributes()...)
			if seen.status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
		}
		took := e.Clock.Now().Sub(began)
		e.Instruments.record(ctx, told, took)
		e.logged(ctx, seen, took)
	})
}

func (e *Edge) logged(ctx context.Context, s *seen, took time.Duration) {
	level := slog.LevelDebug
	switch {
	case s.quiet:
	case s.status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case s.status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if e.Log.Enabled(ctx, level) {
		e.Log.LogAttrs(ctx, level, "request", slog.String("route", s.route), slog.Int("http_status", s.status),
			slog.Float64("duration_ms", float64(took)/float64(time.Millisecond)), slog.String("caller", s.caller.Name))
	}
}

// methodOf is the method as metrics may show it: what a stranger invents is not repeated.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
		return r.Method
	default:
		return "_OTHER"
	}
}

// seen remembers what is told of an answer.
type seen struct {
	http.ResponseWriter
	status int
	route  string // pattern, never the path
	caller caller.Caller
	quota  spentKey // from which the call is taken
	probe  bool     // the call finds out whether the quota is still used up
	quiet  bool     // the answer is worth no line in the log
}

// WriteHeader implements http.ResponseWriter.
func (s *seen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the original, as for flushing streams.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Flush implements http.Flusher, which grpc-gateway asks for where it streams.
func (s *seen) Flush() {
	if f, ok := s.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Routed is a middleware of the mux: it notes the pattern that matched.
func (e *Edge) Routed(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if s, ok := w.(*seen); ok {
			s.route = e.Instruments.pattern(r.Context(), r.URL.Path)
		}
		next(w, r, params)
	}
}
