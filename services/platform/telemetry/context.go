package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

type eventIDKey struct{}

// WithEventID returns a context whose log lines carry the id of the audit record.
func WithEventID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, eventIDKey{}, id)
}

// EventID returns the id of the audit record that the context belongs to, or "".
func EventID(ctx context.Context) string {
	id, _ := ctx.Value(eventIDKey{}).(string)
	return id
}

type subjectTokenKey struct{}

// subjectTokenBytes makes a token as long as a span id: enough to tell the subjects of one trace apart.
const subjectTokenBytes = 8

// NewSubjectToken returns a fresh random token for KeySubjectToken. It belongs to one subject within one trace and
// must not be derived from anything; only the audit store knows whose it is.
func NewSubjectToken() string {
	var b [subjectTokenBytes]byte
	// crypto/rand.Read does not fail: it ends the process rather than return short.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// WithSubjectToken returns a context that carries the token to everything below in this process.
func WithSubjectToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, subjectTokenKey{}, token)
}

// SubjectToken returns the token of the context, or "".
func SubjectToken(ctx context.Context) string {
	t, _ := ctx.Value(subjectTokenKey{}).(string)
	return t
}

// propagator is W3C trace context without tracestate: the state is free text of whoever called before us, and would
// travel on to parties that it was not meant for.
type propagator struct{}

var _ propagation.TextMapPropagator = propagator{}

// Inject writes traceparent.
func (propagator) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	sc := trace.SpanContextFromContext(ctx)
	if sc.TraceState().Len() > 0 {
		ctx = trace.ContextWithSpanContext(ctx, sc.WithTraceState(trace.TraceState{}))
	}
	propagation.TraceContext{}.Inject(ctx, c)
}

// Extract reads traceparent.
func (propagator) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, c)
	if sc := trace.SpanContextFromContext(ctx); sc.TraceState().Len() > 0 {
		return trace.ContextWithRemoteSpanContext(ctx, sc.WithTraceState(trace.TraceState{}))
	}
	return ctx
}

// Fields lists the header that is used.
func (propagator) Fields() []string { return []string{"traceparent"} }
