// Package errs is the one vocabulary of errors of the suite. An Error has a public half, which a caller may read, and a private
// half, the cause, which only the log sees. Handlers never build a gRPC status; they return an Error, and everything that nobody
// classified becomes an internal error that discloses nothing.
package errs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// Domain is the domain of every google.rpc.ErrorInfo that the suite sends.
const Domain = "samvirke.dev"

// Keys of the metadata in google.rpc.ErrorInfo.
const (
	MetaActor   = "actor"    // who must act, an Actor
	MetaAction  = "action"   // what they must do
	MetaTraceID = "trace_id" // trace of the call, 32 hexadecimal digits
	MetaEventID = "event_id" // audit record of the call
	MetaReasons = "reasons"  // all reasons of a refusal, separated by commas, where there are several
)

// Error is an error of the suite. It is immutable once made, so one value may be returned to many callers.
type Error struct {
	reason     Reason
	row        Row
	detail     string
	also       []Reason
	violations []Violation
	retryAfter time.Duration
	traceID    string
	eventID    string
	cause      error
}

// Violation names one field of a request and what is wrong with it. Neither holds a value of the request.
type Violation struct {
	Field       string // path in the request, such as subject.national_id
	Description string // what is wanted
}

// Option adds something to an Error while it is made.
type Option func(*Error)

// Cause keeps err as the private reason; it is found by errors.Is and errors.As and never shown to the caller.
func Cause(err error) Option { return func(e *Error) { e.cause = err } }

// Field adds a field violation. It may be given many times; the order is kept. The description must not repeat the value.
func Field(path, description string) Option {
	return func(e *Error) { e.violations = append(e.violations, Violation{Field: path, Description: description}) }
}

// Also names further reasons of the same refusal, so that the caller sees all of them at once.
func Also(reasons ...Reason) Option { return func(e *Error) { e.also = append(e.also, reasons...) } }

// RetryAfter tells the caller to wait for d before the next try; it is rounded up to full seconds over HTTP by the gateway.
func RetryAfter(d time.Duration) Option { return func(e *Error) { e.retryAfter = d } }

// Detail adds a public sentence to that of the reason. It must not hold personal data or anything copied from the request.
func Detail(publicText string) Option { return func(e *Error) { e.detail = publicText } }

// New returns an error with the given reason. The reason alone decides kind, public sentence and who must act.
func New(reason Reason, opts ...Option) *Error {
	e := &Error{reason: reason, row: Lookup(reason)}
	for _, opt := range opts {
		opt(e)
	}
	return e
}

// From returns err in the vocabulary of the suite: nil for nil; an Error in its chain as it is (with the outer text kept as cause
// when it was wrapped); an ended context as DEADLINE_EXCEEDED or CANCELLED; and anything else, also a status of another gRPC
// service, as INTERNAL with the cause kept for the log. What another service said is never passed on by accident.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // the unwrapped value itself is asked for: it is passed through as it is
		return e
	}
	if inner, ok := errors.AsType[*Error](err); ok {
		e := *inner
		e.cause = err
		return &e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return New(commonv1.Reason_REASON_DEADLINE_EXCEEDED, Cause(err))
	case errors.Is(err, context.Canceled):
		return New(commonv1.Reason_REASON_CANCELLED, Cause(err))
	default:
		return New(commonv1.Reason_REASON_INTERNAL, Cause(err))
	}
}

// ReasonOf returns the reason of an error of this suite, whether made in this process or received over gRPC from another of its
// services, and REASON_UNSPECIFIED for every other error.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.reason
	}
	st, ok := status.FromError(err)
	if !ok {
		return commonv1.Reason_REASON_UNSPECIFIED
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == Domain {
			return Reason(commonv1.Reason_value[prefix+info.GetReason()])
		}
	}
	return commonv1.Reason_REASON_UNSPECIFIED
}

// WithTrace returns a copy of the error that names the trace and the audit record of the call; empty ids are left out.
func (e *Error) WithTrace(traceID, eventID string) *Error {
	c := *e
	c.traceID, c.eventID = traceID, eventID
	return &c
}

// Reason returns the reason.
func (e *Error) Reason() Reason { return e.reason }

// Kind returns the kind that the table gives to the reason.
func (e *Error) Kind() Kind { return e.row.Kind }

// Violations returns the field violations in the order in which they were added.
func (e *Error) Violations() []Violation { return slices.Clone(e.violations) }

// RetryAfter returns how long the caller should wait, or 0 if nothing was said.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Public returns the sentence for the caller. It never holds anything of the cause.
func (e *Error) Public() string {
	if e.detail == "" {
		return e.row.Public
	}
	return e.row.Public + " " + e.detail
}

// Error returns the text for the log, cause included.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.names())
	if e.detail != "" {
		b.WriteString(" (" + e.detail + ")")
	}
	for _, v := range e.violations {
		b.WriteString("; " + v.Field + ": " + v.Description)
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an Error with the same reason, so that errors.Is(err, errs.New(reason)) asks for the reason.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error) // Is must look at the target itself
	return ok && t.reason == e.reason
}

// GRPCStatus returns the status that a caller receives: code, public sentence and the details of google.rpc. It is found by
// status.FromError, so nothing else in the suite builds a status.
func (e *Error) GRPCStatus() *status.Status {
	st := status.New(e.row.Kind.Code(), e.Public())
	full, err := st.WithDetails(e.details()...)
	if err != nil {
		return st // details are an addition; the code must reach the caller without them as well
	}
	return full
}

// names are the names of all reasons, the first one first.
func (e *Error) names() string {
	names := make([]string, 0, 1+len(e.also))
	names = append(names, Name(e.reason))
	for _, r := range e.also {
		names = append(names, Name(r))
	}
	return strings.Join(names, ",")
}

func (e *Error) details() []protoadapt.MessageV1 {
	info := &errdetails.ErrorInfo{Reason: Name(e.reason), Domain: Domain, Metadata: map[string]string{
		MetaActor:  string(e.row.Actor),
		MetaAction: e.row.Action,
	}}
	details := []protoadapt.MessageV1{info}
	if e.eventID != "" {
		info.Metadata[MetaEventID] = e.eventID
	}
	if len(e.also) > 0 {
		info.Metadata[MetaReasons] = e.names()
	}
	if len(e.violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range e.violations {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
		}
		details = append(details, bad)
	}
	if e.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryAfter)})
	}
	if e.traceID != "" {
		info.Metadata[MetaTraceID] = e.traceID
		details = append(details, &errdetails.RequestInfo{RequestId: e.traceID})
	}
	return details
}

var _ error = (*Error)(nil)
