// Package telemetry gives a process its logger, tracer and meter, and makes sure that no personal data leaves through
// them (domain.md C.4).
//
// Three rules hold whatever the callers do. Attribute keys and span names that are not declared in otel.go are dropped
// and counted. Free text is dropped from spans (status descriptions, exception messages) and passes through redact.Text
// in log lines. Propagation is W3C trace context alone: no baggage, and no tracestate from other parties.
//
// Nothing is registered globally; everything is reached through the Telemetry value. Without an endpoint nothing is
// exported, but trace ids are still made and propagated, because audit records carry them. Audit records themselves
// are no spans and are never sampled.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Config says what to record and where to send it. ServiceName and LogWriter are required.
type Config struct {
	// Endpoint is an OTLP/gRPC URL: https://host:port, or http://host:port on loopback only. Empty: no export.
	Endpoint string
	// CAFile is a PEM file with the roots that the endpoint's certificate must chain to. Empty: the system's roots.
	CAFile string
	// CertFile and KeyFile are our client certificate, both or neither.
	CertFile, KeyFile string
	// SampleRatio is the share of traces whose spans are recorded, 0 to 1. Audit is not affected.
	SampleRatio float64
	// ServiceName, ServiceVersion and InstanceID describe the process; nothing else is sent about it.
	ServiceName, ServiceVersion, InstanceID string
	// LogLevel is the least level that is written; nil means Info.
	LogLevel slog.Leveler //nolint:misspell // the standard library spells it so
	// LogWriter receives one JSON object per line.
	LogWriter io.Writer
	// SpanNames are names of spans besides RPC methods, such as those of jobs. Constants only.
	SpanNames []string
	// Files is where the names of RPC methods are read from; nil means every schema linked into the binary.
	Files *protoregistry.Files
	// MetricInterval is the time between metric exports; 0 means a minute.
	MetricInterval time.Duration
	// QueueDir is a folder of this process alone, in which spans and metrics wait while the endpoint is away. Empty: they are lost.
	QueueDir string
	// QueueLimit bounds that folder, in bytes; when it is full the oldest are given up. 0 means 64 MiB.
	QueueLimit int64
	// QueueRetry is the time after which an endpoint that was away is first tried again; it doubles up to 30 s. 0 means a second.
	QueueRetry time.Duration
}

func (c Config) validate() error {
	var errs []error
	if c.ServiceName == "" {
		errs = append(errs, errors.New("ServiceName is missing"))
	}
	if c.LogWriter == nil {
		errs = append(errs, errors.New("LogWriter is missing"))
	}
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		errs = append(errs, errors.New("SampleRatio must lie between 0 and 1"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("CertFile and KeyFile belong together"))
	}
	if c.QueueLimit < 0 || c.QueueRetry < 0 {
		errs = append(errs, errors.New("QueueLimit and QueueRetry must not be negative"))
	}
	if c.Endpoint == "" && (c.CAFile != "" || c.CertFile != "") {
		errs = append(errs, errors.New("TLS files without an Endpoint"))
	}
	if c.MetricInterval < 0 {
		errs = append(errs, errors.New("MetricInterval must not be negative"))
	}
	return errors.Join(errs...)
}

// Telemetry is what New made. All methods are safe for concurrent use.
type Telemetry struct {
	guard  *guard
	logger *slog.Logger
	tp     *sdktrace.TracerProvider
	mp     *sdkmetric.MeterProvider
	conn   *grpc.ClientConn // nil without an endpoint
	res    *resource.Resource
	queue  *queue // nil without a folder for it
	stop   func() // ends the queue's goroutine and waits for it

	stopped atomic.Bool
}

// New builds logger, tracer and meter. It does not wait for the endpoint: a collector that is away costs spans, never
// a start. It refuses a plaintext endpoint that is not on loopback.
func New(ctx context.Context, cfg Config) (*Telemetry, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("telemetry: configuration: %w", err)
	}
	files := cfg.Files
	if files == nil {
		files = protoregistry.GlobalFiles
	}
	t := &Telemetry{
		guard: newGuard(files, cfg.SpanNames), res: resource.NewSchemaless(resourceAttributes(cfg)...), stop: func() {},
	}
	t.logger = newLogger(cfg, t.guard)
	if cfg.Endpoint == "" {
		t.tp = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
		t.mp = sdkmetric.NewMeterProvider()
		return t, nil
	}
	if err := t.export(ctx, cfg); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, t.observeSelf()
}

func resourceAttributes(cfg Config) []attribute.KeyValue {
	out := []attribute.KeyValue{attribute.String("service.name", cfg.ServiceName)}
	if cfg.ServiceVersion != "" {
		out = append(out, attribute.String("service.version", cfg.ServiceVersion))
	}
	if cfg.InstanceID != "" {
		out = append(out, attribute.String("service.instance.id", cfg.InstanceID))
	}
	return out
}

func (t *Telemetry) export(ctx context.Context, cfg Config) error {
	if err := t.connect(ctx, cfg); err != nil {
		return err
	}
	conn, res := t.conn, t.res
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn))
	if err != nil {
		return fmt.Errorf("telemetry: span exporter: %w", err)
	}
	quiet := &reporter{log: t.logger}
	t.tp = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler(cfg.SampleRatio)),
		sdktrace.WithBatcher(&spanExporter{next: spans, guard: t.guard, res: res, report: quiet}),
	)
	metrics, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn))
	if err != nil {
		return fmt.Errorf("telemetry: metric exporter: %w", err)
	}
	opts := []sdkmetric.PeriodicReaderOption{}
	if cfg.MetricInterval > 0 {
		opts = append(opts, sdkmetric.WithInterval(cfg.MetricInterval))
	}
	t.mp = sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(&metricExporter{next: metrics, res: res, report: quiet}, opts...)),
		sdkmetric.WithView(t.guard.view),
		// Exemplars would carry the very attributes that the view filters out.
		sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
	)
	return nil
}

// connect prepares the connection and the queue in front of it.
func (t *Telemetry) connect(ctx context.Context, cfg Config) error {
	var opts []grpc.DialOption
	if cfg.QueueDir != "" {
		q, err := openQueue(cfg.QueueDir, cfg.QueueLimit, cfg.QueueRetry, t.logger)
		if err != nil {
			return err
		}
		t.queue = q
		opts = append(opts, grpc.WithUnaryInterceptor(q.intercept))
	}
	conn, err := dial(cfg, opts...)
	if err != nil {
		return err
	}
	t.conn = conn
	if t.queue == nil {
		return nil
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.queue.run(running, conn)
	}()
	t.stop = func() {
		cancel()
		<-done
	}
	return nil
}

// sampler follows the decision of a local parent. What another process says is followed only downwards: a caller may
// ask us not to record, but can't make us record more than our share. Ratios go by trace id, so services with the
// same ratio choose the same traces.
func sampler(ratio float64) sdktrace.Sampler {
	byID := sdktrace.TraceIDRatioBased(ratio)
	return sdktrace.ParentBased(byID, sdktrace.WithRemoteParentSampled(byID))
}

// Logger returns the process's logger. Lines carry trace_id, span_id and event_id of their context.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// TracerProvider returns the source of tracers, to be handed to instrumentation; it is not registered globally.
func (t *Telemetry) TracerProvider() trace.TracerProvider { return t.tp }

// MeterProvider returns the source of meters, to be handed to instrumentation; it is not registered globally.
func (t *Telemetry) MeterProvider() metric.MeterProvider { return t.mp }

// Propagator returns the W3C trace-context propagator: traceparent only, no tracestate, no baggage.
func (t *Telemetry) Propagator() propagation.TextMapPropagator { return propagator{} }

// DeclareSpans adds names of spans that are known only after New. Constants only: a name must never hold data.
func (t *Telemetry) DeclareSpans(names ...string) { t.guard.declare(names...) }

// Dropped returns how many attributes, names and texts were dropped since the start, per signal. Tests assert on it;
// operators see it as samvirke.telemetry.dropped_attributes.
func (t *Telemetry) Dropped() Drops { return t.guard.drops() }

// Queue returns how much waits on disk for the endpoint; zero without a QueueDir.
func (t *Telemetry) Queue() QueueState {
	if t.queue == nil {
		return QueueState{}
	}
	return t.queue.state()
}

// Flush exports what is waiting.
func (t *Telemetry) Flush(ctx context.Context) error {
	return errors.Join(t.tp.ForceFlush(ctx), t.mp.ForceFlush(ctx))
}

// lastExport bounds the export at the end: a collector that is away must not hold up a stop.
const lastExport = 3 * time.Second

// Shutdown exports what is waiting, for three seconds at most, and stops every goroutine. The logger goes on working.
// It is the last thing to stop in a process. What could not be exported in time is lost and logged, not an error. A second call does nothing.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.stopped.Swap(true) {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, lastExport)
	defer cancel()
	var errs []error
	if t.tp != nil {
		errs = append(errs, t.tp.Shutdown(limited))
	}
	if t.mp != nil {
		errs = append(errs, t.mp.Shutdown(limited))
	}
	if err := errors.Join(errs...); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		t.logger.LogAttrs(ctx, slog.LevelWarn, "telemetry of the last moments was not exported", slog.Any("error", err))
		errs = nil
	}
	t.stop()
	if t.conn != nil {
		errs = append(errs, t.conn.Close())
	}
	return errors.Join(errs...)
}
