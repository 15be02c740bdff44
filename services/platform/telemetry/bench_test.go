package telemetry_test

import (
	"errors"
	"io"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/services/platform/telemetry"
)

func benchSpan(b *testing.B, ratio float64) {
	b.Helper()
	tel, _, _ := start(b, func(c *telemetry.Config) { c.SampleRatio, c.LogWriter = ratio, io.Discard })
	tracer := tel.TracerProvider().Tracer("bench")
	attrs := trace.WithAttributes(attribute.String("rpc.method", verify), attribute.String("rpc.system.name", "grpc"))
	b.ReportAllocs()
	for b.Loop() {
		_, s := tracer.Start(b.Context(), verify, attrs)
		s.End()
	}
}

func BenchmarkSpanUnsampled(b *testing.B) { benchSpan(b, 0) }

func BenchmarkSpanSampled(b *testing.B) { benchSpan(b, 1) }

func BenchmarkHistogram(b *testing.B) {
	tel, _, _ := start(b)
	h, err := tel.MeterProvider().Meter("bench").Float64Histogram("rpc.server.call.duration", metric.WithUnit("s"))
	if err != nil {
		b.Fatal(err)
	}
	set := metric.WithAttributeSet(attribute.NewSet(attribute.String("rpc.method", verify), attribute.String("rpc.response.status_code", "OK")))
	b.ReportAllocs()
	for b.Loop() {
		h.Record(b.Context(), 0.001, set)
	}
}

func BenchmarkLogLine(b *testing.B) {
	tel, _ := startWith(b, func(c *telemetry.Config) { c.LogWriter = io.Discard })
	err := errors.New("rpc error: code = Unavailable")
	b.ReportAllocs()
	for b.Loop() {
		tel.Logger().InfoContext(b.Context(), "call", "rpc", verify, "code", "OK", "duration_ms", 3, "error", err)
	}
}
