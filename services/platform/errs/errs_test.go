package errs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	internal = commonv1.Reason_REASON_INTERNAL
	invalid  = commonv1.Reason_REASON_INVALID_REQUEST
	notFound = commonv1.Reason_REASON_SUBJECT_NOT_FOUND
	quota    = commonv1.Reason_REASON_QUOTA_EXCEEDED
)

func TestKinds(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind errs.Kind
		code codes.Code
		http int
	}{
		{errs.Internal, codes.Internal, 500},
		{errs.Invalid, codes.InvalidArgument, 400},
		{errs.NotFound, codes.NotFound, 404},
		{errs.AlreadyExists, codes.AlreadyExists, 409},
		{errs.Conflict, codes.Aborted, 409},
		{errs.Precondition, codes.FailedPrecondition, 400},
		{errs.Denied, codes.PermissionDenied, 403},
		{errs.Unauthenticated, codes.Unauthenticated, 401},
		{errs.Exhausted, codes.ResourceExhausted, 429},
		{errs.Unavailable, codes.Unavailable, 503},
		{errs.Deadline, codes.DeadlineExceeded, 504},
		{errs.Cancelled, codes.Canceled, 499},
		{errs.Unimplemented, codes.Unimplemented, 501},
		{errs.Kind(200), codes.Internal, 500},
	}
	for _, c := range cases {
		if c.kind.Code() != c.code || errs.HTTPStatus(c.kind) != c.http || c.kind.String() == "" {
			t.Errorf("%s: code %s, HTTP %d", c.kind, c.kind.Code(), errs.HTTPStatus(c.kind))
		}
	}
	var zero errs.Kind
	if zero != errs.Internal {
		t.Error("the zero kind is not Internal")
	}
}

func TestEveryReasonHasItsRow(t *testing.T) {
	t.Parallel()
	fallback := errs.Lookup(internal)
	for n, name := range commonv1.Reason_name {
		r := errs.Reason(n)
		row := errs.Lookup(r)
		if row.Public == "" || row.Action == "" || row.Actor == "" {
			t.Errorf("%s: incomplete row %+v", name, row)
		}
		if !strings.HasSuffix(row.Public, ".") || !strings.HasSuffix(row.Action, ".") {
			t.Errorf("%s: public text and action must be sentences", name)
		}
		if row == fallback && r != internal && r != commonv1.Reason_REASON_UNSPECIFIED {
			t.Errorf("%s: not in the table", name)
		}
	}
	if got := errs.Lookup(errs.Reason(99999)); got != fallback {
		t.Errorf("unknown reason: %+v", got)
	}
}

// The codes that the requirements name.
func TestCodesOfRequirements(t *testing.T) {
	t.Parallel()
	cases := map[errs.Reason]codes.Code{
		commonv1.Reason_REASON_CONTROLLER_MISMATCH:    codes.PermissionDenied,   // covers: SEC-02
		commonv1.Reason_REASON_PURPOSE_MISSING:        codes.InvalidArgument,    // covers: SEC-05
		commonv1.Reason_REASON_BASIS_MISSING:          codes.InvalidArgument,    // covers: SEC-05
		commonv1.Reason_REASON_CASE_REFERENCE_MISSING: codes.FailedPrecondition, // covers: SEK-04
		commonv1.Reason_REASON_CALLER_UNKNOWN:         codes.Unauthenticated,    // covers: SEK-03
		commonv1.Reason_REASON_AUDIT_UNAVAILABLE:      codes.Unavailable,        // covers: SEC-07
		commonv1.Reason_REASON_MAINTENANCE:            codes.Unavailable,
		commonv1.Reason_REASON_SECRECY_TEST_MISSING:   codes.PermissionDenied,
		commonv1.Reason_REASON_SUBJECT_NOT_FOUND:      codes.NotFound,
		commonv1.Reason_REASON_EGRESS_BLOCKED:         codes.Internal,
	}
	for r, want := range cases {
		if got := status.Code(errs.New(r)); got != want {
			t.Errorf("%s: %s, want %s", errs.Name(r), got, want)
		}
	}
}

func TestStatusCarriesAllDetails(t *testing.T) {
	t.Parallel()
	err := errs.New(quota, errs.Cause(errors.New("secret cause")), errs.Field("page_size", "too many"), errs.Field("b", "c"),
		errs.RetryAfter(3*time.Second), errs.Detail("Ask less often.")).WithTrace("4bf92f3577b34da6a3ce929d0e0e4736", "event-1")
	st := status.Convert(fmt.Errorf("outer: %w", err))
	if st.Code() != codes.ResourceExhausted {
		t.Errorf("code %s", st.Code())
	}
	got := map[string]any{}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			got["reason"], got["domain"] = d.GetReason(), d.GetDomain()
			for k, v := range d.GetMetadata() {
				got["meta "+k] = v
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				got["field "+v.GetField()] = v.GetDescription()
			}
		case *errdetails.RetryInfo:
			got["retry"] = d.GetRetryDelay().AsDuration()
		case *errdetails.RequestInfo:
			got["request"] = d.GetRequestId()
		}
	}
	want := map[string]any{
		"reason": "QUOTA_EXCEEDED", "domain": "samvirke.dev", "meta actor": "caller", "meta action": errs.Lookup(quota).Action,
		"meta trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "meta event_id": "event-1", "field page_size": "too many", "field b": "c",
		"retry": 3 * time.Second, "request": "4bf92f3577b34da6a3ce929d0e0e4736",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if strings.Contains(err.GRPCStatus().String(), "secret cause") || strings.Contains(err.Public(), "secret cause") {
		t.Error("the cause leaks")
	}
	if err.Public() != "The quota of the agreement is used up. Ask less often." {
		t.Errorf("public text %q", err.Public())
	}
}

func TestPlainStatusHasNoEmptyDetails(t *testing.T) {
	t.Parallel()
	details := errs.New(notFound).GRPCStatus().Details()
	if len(details) != 1 {
		t.Fatalf("%d details, want only ErrorInfo", len(details))
	}
	info, ok := details[0].(*errdetails.ErrorInfo)
	if !ok || len(info.GetMetadata()) != 2 {
		t.Errorf("details %v", details)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	if errs.From(nil) != nil {
		t.Error("nil is an error")
	}
	own := errs.New(notFound)
	if errs.From(own) != own {
		t.Error("an Error is not passed through")
	}
	wrapped := errs.From(fmt.Errorf("load person: %w", own))
	if wrapped.Reason() != notFound || !strings.Contains(wrapped.Error(), "load person") || !errors.Is(wrapped, own) {
		t.Errorf("wrapped: %v", wrapped)
	}
	cases := []struct {
		err  error
		want errs.Reason
	}{
		{context.DeadlineExceeded, commonv1.Reason_REASON_DEADLINE_EXCEEDED},
		{fmt.Errorf("query: %w", context.Canceled), commonv1.Reason_REASON_CANCELLED},
		{errors.New("person 198503149802 broke it"), internal},
		{status.Error(codes.NotFound, "from elsewhere"), internal},
		{errors.Join(errors.New("a"), errs.New(quota)), quota},
	}
	for _, c := range cases {
		got := errs.From(c.err)
		if got.Reason() != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v: %s", c.err, errs.Name(got.Reason()))
		}
		if st := got.GRPCStatus(); strings.Contains(st.String(), "198503149802") || strings.Contains(st.String(), "elsewhere") {
			t.Errorf("%v leaks into %v", c.err, st)
		}
	}
}

func TestIsComparesReasons(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := fmt.Errorf("outer: %w", errs.New(invalid, errs.Cause(cause)))
	if !errors.Is(err, errs.New(invalid)) || errors.Is(err, errs.New(notFound)) || !errors.Is(err, cause) {
		t.Error("errors.Is does not follow reason and cause")
	}
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	sent := errs.New(quota)
	received := status.ErrorProto(sent.GRPCStatus().Proto())
	foreign, err := status.New(codes.NotFound, "x").WithDetails(&errdetails.ErrorInfo{Reason: "QUOTA_EXCEEDED", Domain: "elsewhere.example"})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		err  error
		want errs.Reason
	}{
		"own":      {fmt.Errorf("x: %w", sent), quota},
		"received": {received, quota},
		"foreign":  {foreign.Err(), commonv1.Reason_REASON_UNSPECIFIED},
		"plain":    {errors.New("x"), commonv1.Reason_REASON_UNSPECIFIED},
		"nil":      {nil, commonv1.Reason_REASON_UNSPECIFIED},
	}
	for name, c := range cases {
		if got := errs.ReasonOf(c.err); got != c.want {
			t.Errorf("%s: %s", name, errs.Name(got))
		}
	}
}

func TestWithTraceLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	shared := errs.New(notFound)
	_ = shared.WithTrace("trace", "event")
	if n := len(shared.GRPCStatus().Details()); n != 1 {
		t.Errorf("the shared error now has %d details", n)
	}
}

func TestLogText(t *testing.T) {
	t.Parallel()
	err := errs.New(invalid, errs.Field("a.b", "is missing"), errs.Detail("More."), errs.Cause(errors.New("why")))
	if got, want := err.Error(), "INVALID_REQUEST (More.); a.b: is missing: why"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := err.Violations(); len(got) != 1 || got[0] != (errs.Violation{Field: "a.b", Description: "is missing"}) {
		t.Errorf("violations %v", got)
	}
	if err.Kind() != errs.Invalid || err.RetryAfter() != 0 {
		t.Errorf("kind %v, retry %v", err.Kind(), err.RetryAfter())
	}
}
