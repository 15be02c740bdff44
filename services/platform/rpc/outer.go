package rpc

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/telemetry"
)

// trace puts the call into the W3C trace of its caller, as a span of its own. Health checks and reflection have none. It is a step
// and not the stats handler of the instrumentation library, which costs as much as a look-up in the database.
func (s *Server) trace(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() {
			return next(ctx, x)
		}
		parent := s.propagator.Extract(ctx, incoming{ctx})
		x.parent = trace.SpanContextFromContext(parent)
		ctx, span := s.tracer.Start(parent, x.name(), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		err := next(ctx, x)
		if span.IsRecording() {
			describe(span, x, err)
		}
		return err
	}
}

func describe(span trace.Span, x *Exchange, err error) {
	attrs := []attribute.KeyValue{
		attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", x.name()),
		attribute.String("rpc.response.status_code", codeOf(err).String()), telemetry.KeyEventID.String(x.EventID),
	}
	if d := x.Decision; d != nil {
		attrs = append(attrs, telemetry.KeyRecipient.String(d.Organisation), telemetry.KeyRole.String(d.Role.String()),
			telemetry.KeyPurpose.String(d.Context.GetPurpose().String()), telemetry.KeyLegalBasis.String(d.Context.GetLegalBasis().String()))
		if d.Agreement != nil { // without one the controller is the caller's word alone, which may be anything (SEC-06)
			attrs = append(attrs, telemetry.KeyController.String(d.Controller), telemetry.KeyAgreementID.String(d.Agreement.GetId()),
				telemetry.KeyProcessingActivity.String(telemetry.ProcessingActivity(d.Agreement.GetId(), d.Context.GetPurpose().String())))
		}
	}
	if err != nil {
		attrs = append(attrs, telemetry.KeyReason.String(errs.Name(errs.ReasonOf(err))))
		span.SetStatus(otelcodes.Error, "")
	}
	span.SetAttributes(attrs...)
}

// incoming lets the propagator read the call's metadata, without a copy of all of it.
type incoming struct{ ctx context.Context }

// Get implements propagation.TextMapCarrier.
func (c incoming) Get(key string) string {
	if v := metadata.ValueFromIncomingContext(c.ctx, key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier; what came in is not changed.
func (c incoming) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (c incoming) Keys() []string {
	md, _ := metadata.FromIncomingContext(c.ctx)
	return slices.Collect(maps.Keys(md))
}

// recoverOuter turns a panic of a step into INTERNAL.
func (s *Server) recoverOuter(next handler) handler {
	return func(ctx context.Context, x *Exchange) (err error) {
		defer func() {
			if p := recover(); p != nil {
				x.Response = nil
				s.log.ErrorContext(ctx, "a step panicked", "rpc", x.name(), "stack", string(debug.Stack()))
				err = errs.New(commonv1.Reason_REASON_INTERNAL).WithTrace(traceID(ctx), x.EventID)
			}
		}()
		return next(ctx, x)
	}
}

// panicError is the cause of a handler's panic; what it said may hold personal data, so only the stack goes to the log.
type panicError struct{ stack []byte }

// Error implements error.
func (e *panicError) Error() string { return "handler panicked:\n" + string(e.stack) }

// recoverInner turns a panic of the handler into INTERNAL, so that metrics, log and audit still see it.
func recoverInner(next handler) handler {
	return func(ctx context.Context, x *Exchange) (err error) {
		defer func() {
			if p := recover(); p != nil {
				x.Response = nil
				err = errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(&panicError{debug.Stack()}))
			}
		}()
		return next(ctx, x)
	}
}

// requestID gives the call its event id. It is ours: a caller's own id can't be trusted to be unique.
func (s *Server) requestID(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		x.EventID = ids.NewEventID()
		return next(telemetry.WithEventID(ctx, x.EventID), x)
	}
}

func (s *Server) metrics(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		began := s.clock.Now()
		err := next(ctx, x)
		s.instruments.call(ctx, x.name(), codeOf(err), s.clock.Now().Sub(began))
		return err
	}
}

// name is the RPC as metrics may show it: what a stranger calls that does not exist is not repeated.
func (x *Exchange) name() string {
	if x.Method == nil {
		return "unknown"
	}
	return x.Method.Name
}

// accessLog writes failures with their private cause. Calls that went well are told at debug level: the record of them is
// the audit's.
func (s *Server) accessLog(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		err := next(ctx, x)
		level := slog.LevelDebug
		if err != nil {
			level = levelOf(codeOf(err))
		}
		if s.log.Enabled(ctx, level) {
			attrs := []slog.Attr{slog.String("rpc", x.name()), slog.String("code", codeOf(err).String()), slog.String("caller", x.Caller.String())}
			if e, ok := errors.AsType[*errs.Error](err); ok {
				attrs = append(attrs, slog.String("reason", errs.Name(e.Reason())), slog.String("error", e.Error()))
			}
			s.log.LogAttrs(ctx, level, "call", attrs...)
		}
		return err
	}
}

// levelOf tells our faults from the callers'.
func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// final is an error that already names its event and trace.
type final struct{ e *errs.Error }

// Error implements error.
func (f final) Error() string { return f.e.Error() }

// Unwrap leads to the error itself.
func (f final) Unwrap() error { return f.e }

// GRPCStatus is found by gRPC.
func (f final) GRPCStatus() *status.Status { return f.e.GRPCStatus() }

// mapErrors makes every error one of our vocabulary and adds trace and event id.
func (s *Server) mapErrors(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		err := next(ctx, x)
		if err == nil {
			return nil
		}
		x.Response = nil
		if f, ok := errors.AsType[final](err); ok {
			return f
		}
		return s.finish(ctx, x, err)
	}
}

func (s *Server) finish(ctx context.Context, x *Exchange, err error) error {
	return final{errs.From(err).WithTrace(traceID(ctx), x.EventID)}
}

func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	return errs.From(err).GRPCStatus().Code()
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
