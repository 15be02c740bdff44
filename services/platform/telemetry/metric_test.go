package telemetry_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"

	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

func metricNamed(tb testing.TB, col *oteltest.Collector, name string) *metricspb.Metric {
	tb.Helper()
	for _, m := range col.Metrics() {
		if m.GetName() == name {
			return m
		}
	}
	tb.Fatalf("no metric %s", name)
	return nil
}

// covers: SEC-06
func TestMetricLabelsAreDeclaredOnly(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	// A sampled span makes the SDK keep exemplars, which would hold what the view filters out.
	ctx, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
	h, err := tel.MeterProvider().Meter("test").Float64Histogram("rpc.server.call.duration", metric.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.Record(ctx, 0.0007, metric.WithAttributes(
			attribute.String("rpc.method", verify), attribute.String("rpc.response.status_code", "OK"),
			attribute.String("person.name", "SECRET"), telemetry.KeyDataSubject.String("SECRET"),
			telemetry.KeySubjectToken.String("00f067aa0ba902b7"), telemetry.KeyReason.String("id 850314-9802"),
			attribute.String("client.address", "10.9.8.7"),
		))
	}
	h.Record(ctx, 0.0007, metric.WithAttributes(attribute.String("rpc.method", "made.up/SECRET")))
	span.End()
	flush(t, tel)
	hist := metricNamed(t, col, "rpc.server.call.duration").GetHistogram()
	if len(hist.GetDataPoints()) != 2 {
		t.Fatalf("data points %v", hist.GetDataPoints())
	}
	for _, p := range hist.GetDataPoints() {
		if n := len(p.GetAttributes()); n != 2 && n != 0 {
			t.Errorf("attributes %v", p.GetAttributes())
		}
		if b := p.GetExplicitBounds(); len(b) < 10 || b[0] > 0.0005 || len(p.GetExemplars()) > 0 {
			t.Errorf("bounds %v, exemplars %v", b, p.GetExemplars())
		}
	}
	raw, err := col.Raw()
	if err != nil || strings.Contains(string(raw), "SECRET") || strings.Contains(string(raw), "850314") || strings.Contains(string(raw), "10.9.8.7") {
		t.Errorf("something undeclared arrived (%v)", err)
	}
	if d := tel.Dropped(); d.Metrics != 3*4+1 {
		t.Errorf("Dropped = %+v", d)
	}
}

func TestDropsAreAMetric(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	tel.Logger().Info("x", "undeclared_key", 1)
	tel.Logger().Info("x", "undeclared_key", 1)
	flush(t, tel)
	got := map[string]int64{}
	for _, p := range metricNamed(t, col, "samvirke.telemetry.dropped_attributes").GetSum().GetDataPoints() {
		got[p.GetAttributes()[0].GetValue().GetStringValue()] = p.GetAsInt()
	}
	if got["log"] != 2 || got["span"] != 0 || len(got) != 3 {
		t.Errorf("drops %v", got)
	}
}

// The SDK merges OTEL_RESOURCE_ATTRIBUTES into every resource; what an operator's environment holds is nobody's business.
func TestResourceIsOursAlone(t *testing.T) { // not parallel: it sets the environment
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=SECRET")
	t.Setenv("OTEL_SERVICE_NAME", "SECRET")
	tel, col, _ := start(t)
	_, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
	span.End()
	flush(t, tel)
	raw, err := col.Raw()
	if err != nil || strings.Contains(string(raw), "SECRET") || !strings.Contains(string(raw), "service.instance.id") {
		t.Errorf("resource (%v): %q", err, raw)
	}
}
