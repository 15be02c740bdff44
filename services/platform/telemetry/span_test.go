package telemetry_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	_ "samvirke.dev/proto/gen/go/samvirke/identity/v1" // links the schema whose names are known

	"samvirke.dev/services/platform/telemetry"
)

const verify = "samvirke.identity.v1.IdentityService/VerifyIdentity"

// covers: SEC-06
func TestSpansHoldDeclaredThingsOnly(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	token := telemetry.NewSubjectToken()
	_, span := tel.TracerProvider().Tracer("test").Start(t.Context(), verify, trace.WithAttributes(
		attribute.String("rpc.method", verify), attribute.String("rpc.system.name", "grpc"),
		attribute.String("rpc.response.status_code", "OK"),
		telemetry.KeyProcessingActivity.String("https://samvirke.test/purpose/verify"),
		telemetry.KeyDataSubject.String("k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		telemetry.KeySubjectToken.String(token), telemetry.KeyRetries.Int(2), telemetry.KeyController.String("DK:12345678"),
		// What follows must not arrive.
		attribute.String("person.name", "SECRET"), attribute.String("url.full", "https://x/SECRET"),
		attribute.String("http.request.header.authorization", "SECRET"), attribute.String("client.address", "10.9.8.7"),
		attribute.String("rpc.service", "samvirke.SECRET"), telemetry.KeyForeignTraceID.String("SECRET"),
		telemetry.KeyAgreementID.Int(70), attribute.StringSlice("names", []string{"SECRET"}),
		telemetry.KeyOutcome.String(strings.Repeat("SECRET", 100)),
	))
	span.SetStatus(codes.Error, "no person SECRET")
	span.RecordError(errors.New("SECRET"), trace.WithStackTrace(true))
	span.AddEvent("step done")
	span.AddEvent("found SECRET")
	span.AddLink(trace.Link{SpanContext: span.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("x", "SECRET")}})
	span.End()
	flush(t, tel)

	spans := col.Spans()
	if len(spans) != 1 {
		t.Fatalf("spans %+v", spans)
	}
	want := map[string]string{
		"rpc.method": verify, "rpc.system.name": "grpc", "rpc.response.status_code": "OK",
		"dpl.core.processing_activity_id": "https://samvirke.test/purpose/verify",
		"dpl.core.data_subject_id":        "k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"app.subject.token":               token, "samvirke.retries": "2", "samvirke.controller": "DK:12345678",
	}
	if diff := cmp.Diff(want, maps.Clone(spans[0].Attributes)); diff != "" {
		t.Errorf("attributes: %s", diff)
	}
	if spans[0].Name != verify || spans[0].Service != "identity" || spans[0].StatusText != "" || spans[0].Status != tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("span %+v", spans[0])
	}
	if diff := cmp.Diff([]string{"exception", "step done"}, spans[0].Events); diff != "" {
		t.Errorf("events: %s", diff)
	}
	raw, err := col.Raw()
	if err != nil || strings.Contains(string(raw), "SECRET") || strings.Contains(string(raw), "10.9.8.7") {
		t.Errorf("something undeclared arrived: %q, %v", raw, err)
	}
	if d := tel.Dropped(); d.Spans < 8 || d.Metrics != 0 || d.Logs != 0 {
		t.Errorf("Dropped = %+v", d)
	}
}

func TestSpanNamesMustBeDeclared(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	tel.DeclareSpans("late")
	tracer := tel.TracerProvider().Tracer("test")
	for _, name := range []string{"job", "late", "/" + verify, "grpc.health.v1.Health/Check850314-9802", "for Anna"} {
		_, s := tracer.Start(t.Context(), name)
		s.End()
	}
	flush(t, tel)
	var got []string
	for _, s := range col.Spans() {
		got = append(got, s.Name)
	}
	if diff := cmp.Diff([]string{"job", "late", "/" + verify, "undeclared", "undeclared"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutEndpointIDsAreStillMade(t *testing.T) {
	t.Parallel()
	tel, log := startWith(t)
	ctx, span := tel.TracerProvider().Tracer("test").Start(t.Context(), "job")
	defer span.End()
	sc := span.SpanContext()
	if !sc.IsValid() || sc.IsSampled() || span.IsRecording() {
		t.Errorf("span context %+v", sc)
	}
	carrier := propagation.MapCarrier{}
	tel.Propagator().Inject(ctx, carrier)
	if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-00"; carrier["traceparent"] != want {
		t.Errorf("carrier %v", carrier)
	}
	tel.Logger().InfoContext(ctx, "x")
	if l := log.lines(t)[0]; l["trace_id"] != sc.TraceID().String() {
		t.Errorf("line %v", l)
	}
}

// Neither baggage nor tracestate of other parties may come in or go on.
func TestPropagationIsTraceparentOnly(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t)
	in := propagation.MapCarrier{
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"tracestate":  "vendor=850314-9802", "baggage": "id=850314-9802",
	}
	ctx := tel.Propagator().Extract(t.Context(), in)
	if baggage.FromContext(ctx).Len() != 0 || trace.SpanContextFromContext(ctx).TraceState().Len() != 0 {
		t.Error("something came in")
	}
	state, err := trace.ParseTraceState("vendor=850314-9802")
	if err != nil {
		t.Fatal(err)
	}
	ctx = trace.ContextWithRemoteSpanContext(ctx, trace.SpanContextFromContext(ctx).WithTraceState(state))
	ctx, span := tel.TracerProvider().Tracer("test").Start(ctx, "job")
	out := propagation.MapCarrier{}
	tel.Propagator().Inject(ctx, out)
	span.End()
	if len(out) != 1 || !strings.HasPrefix(out["traceparent"], "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
		t.Errorf("carrier %v", out)
	}
	flush(t, tel)
	if raw, err := col.Raw(); err != nil || strings.Contains(string(raw), "850314") {
		t.Errorf("tracestate was exported: %v", err)
	}
	if s := col.Spans()[0]; s.ParentID != "00f067aa0ba902b7" {
		t.Errorf("parent %q", s.ParentID)
	}
	if diff := cmp.Diff([]string{"traceparent"}, tel.Propagator().Fields()); diff != "" {
		t.Error(diff)
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	remote := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{0xff, 1, 2, 3, 4, 5, 6, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SpanID: trace.SpanID{1}, TraceFlags: flags,
		}))
	}
	for name, tc := range map[string]struct {
		ratio float64
		ctx   context.Context
		want  bool
	}{
		"all": {1, t.Context(), true}, "none": {0, t.Context(), false},
		"caller asks not to":                   {1, remote(0), false},
		"caller asks, we record all":           {1, remote(trace.FlagsSampled), true},
		"caller asks, but it is not our share": {0.1, remote(trace.FlagsSampled), false},
	} {
		tel, _, _ := start(t, func(c *telemetry.Config) { c.SampleRatio = tc.ratio })
		ctx, span := tel.TracerProvider().Tracer("test").Start(tc.ctx, "job")
		_, child := tel.TracerProvider().Tracer("test").Start(ctx, "job")
		if span.IsRecording() != tc.want || child.IsRecording() != tc.want || !span.SpanContext().IsValid() {
			t.Errorf("%s: recording %v, child %v", name, span.IsRecording(), child.IsRecording())
		}
		child.End()
		span.End()
	}
}

func TestContextValues(t *testing.T) {
	t.Parallel()
	ctx := telemetry.WithSubjectToken(telemetry.WithEventID(t.Context(), "e1"), "t1")
	if telemetry.EventID(ctx) != "e1" || telemetry.SubjectToken(ctx) != "t1" || telemetry.EventID(t.Context())+telemetry.SubjectToken(t.Context()) != "" {
		t.Error("context values")
	}
	if a, b := telemetry.NewSubjectToken(), telemetry.NewSubjectToken(); a == b || len(a) != 16 {
		t.Errorf("tokens %q, %q", a, b)
	}
}
