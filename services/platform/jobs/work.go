package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/telemetry"
)

// SpanName is the name of the span around each run of a job; its kind is an attribute.
const SpanName = "samvirke.job"

// runner stands around every worker: it measures, traces, logs, and keeps the cause of a failure out of the database.
type runner struct {
	river.MiddlewareDefaults
	deps   Deps
	meters *meters
}

// Work implements rivertype.WorkerMiddleware.
func (r *runner) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	ctx, span := r.deps.Tracer.Start(ctx, SpanName, trace.WithNewRoot(), trace.WithAttributes(telemetry.KeyJob.String(job.Kind)))
	defer span.End()
	start := r.deps.Clock.Now()
	err := guarded(ctx, work)
	_, snoozed := errors.AsType[*rivertype.JobSnoozeError](err)
	failed := err != nil && !snoozed
	r.meters.ran(ctx, job.Kind, r.deps.Clock.Now().Sub(start), failed)
	if !failed {
		return err
	}
	reason := errs.Name(reasonOf(err))
	span.SetAttributes(telemetry.KeyReason.String(reason))
	span.SetStatus(codes.Error, reason)
	r.log(ctx, job, err)
	text := reason
	if sc := span.SpanContext(); sc.HasTraceID() {
		text += " (trace " + sc.TraceID().String() + ")"
	}
	return &failure{text: text, cause: err}
}

func (r *runner) log(ctx context.Context, job *rivertype.JobRow, err error) {
	attrs := []slog.Attr{
		slog.String("job", job.Kind), slog.Int64("job_id", job.ID), slog.Int("attempt", job.Attempt), slog.Any("error", err),
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	if job.Attempt < job.MaxAttempts {
		r.deps.Logger.LogAttrs(ctx, slog.LevelWarn, "job failed", attrs...)
		return
	}
	r.deps.Logger.LogAttrs(ctx, slog.LevelError, "job failed for the last time", attrs...)
}

// failure is what River stores of an error: its reason and where to find the rest. River looks through it for its own errors.
type failure struct {
	text  string
	cause error
}

// Error returns the text for the database.
func (f *failure) Error() string { return f.text }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

func reasonOf(err error) errs.Reason {
	if reason := errs.ReasonOf(err); reason != commonv1.Reason_REASON_UNSPECIFIED {
		return reason
	}
	return errs.From(err).Reason()
}

// panicError is a panic of a worker. Its text does not show the value, which may hold data.
type panicError struct {
	value any
	stack []byte
}

// Error returns the text for the log, without the value.
func (p *panicError) Error() string { return fmt.Sprintf("worker panicked with a %T", p.value) }

// guarded turns a panic into an error: River would store its value.
func guarded(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return work(ctx)
}

// retryPolicy doubles the wait with every failure, up to a limit.
type retryPolicy struct {
	cfg   Config
	clock clock.Clock
}

// NextRetry implements river.ClientRetryPolicy.
func (p *retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	wait := p.cfg.RetryMax
	if shift := len(job.Errors); shift < 62 && p.cfg.RetryFirst <= p.cfg.RetryMax>>shift {
		wait = p.cfg.RetryFirst << shift
	}
	wait -= time.Duration(rand.Float64() * p.cfg.RetryJitter * float64(wait)) //nolint:gosec // spreads load; nothing secret
	return p.clock.Now().Add(wait)
}

var (
	_ rivertype.WorkerMiddleware = (*runner)(nil)
	_ river.ClientRetryPolicy    = (*retryPolicy)(nil)
	_ error                      = (*failure)(nil)
	_ error                      = (*panicError)(nil)
)
