package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/idem"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// audit opens the record before anything is decided and makes it durable before the answer leaves (SEC-07).
func (s *Server) audit(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() {
			return next(ctx, x)
		}
		if x.unrecorded() {
			x.Entry = &audit.Entry{Caller: x.Caller, Started: s.clock.Now()} // takes the notes of the steps below and is never written
			return next(audit.With(ctx, x.Entry), x)
		}
		x.Entry = &audit.Entry{
			EventID: x.EventID, Method: x.Method, RPC: x.recordedName(), Started: s.clock.Now(), Caller: x.Caller, Via: x.Via,
			Trace: traceOf(ctx, x.parent), Request: x.Request,
		}
		err := next(audit.With(ctx, x.Entry), x)
		if x.Entry.Written() {
			return err
		}
		return s.close(ctx, x, err)
	}
}

func (s *Server) close(ctx context.Context, x *Exchange, err error) error {
	if err != nil {
		e := errs.From(err)
		x.Entry.Status = uint32(e.GRPCStatus().Code())
		if len(x.Entry.Reasons) == 0 {
			x.Entry.Reasons = []commonv1.Reason{e.Reason()}
		}
		x.Response, x.Entry.Response, x.Entry.Fields, x.Entry.Count = nil, nil, nil, 0
	}
	failure := s.recorder.CloseRead(ctx, x.Entry)
	switch {
	case failure == nil:
		return err
	case errors.Is(failure, sqlkit.ErrUnique):
		// The change's own transaction was committed after all, although its outcome was not told: the record stands.
		return err
	default:
		x.Response = nil
		return errs.New(commonv1.Reason_REASON_AUDIT_UNAVAILABLE, errs.Cause(errors.Join(failure, err)))
	}
}

// recordedName keeps what a stranger calls out of the records when it does not exist.
func (x *Exchange) recordedName() string {
	if x.Method == nil {
		return "unknown"
	}
	return x.Method.Name
}

func traceOf(ctx context.Context, parent trace.SpanContext) audit.Trace {
	sc := trace.SpanContextFromContext(ctx)
	out := audit.Trace{ID: sc.TraceID(), Span: sc.SpanID()}
	if parent.TraceID() == sc.TraceID() {
		out.Parent = parent.SpanID()
	}
	return out
}

// readable refuses what the codec could not decode, with its record.
func (s *Server) readable(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.Method == nil {
			return errs.New(commonv1.Reason_REASON_UNIMPLEMENTED)
		}
		if reason := unreadable(x.Request); reason != commonv1.Reason_REASON_UNSPECIFIED {
			x.Entry.Request = nil
			return errs.New(reason)
		}
		return next(ctx, x)
	}
}

// authorise decides by the schema's rule and the agreements (domain rule B.11).
func (s *Server) authorise(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() {
			return next(ctx, x)
		}
		if x.Caller.IsZero() {
			return errs.New(commonv1.Reason_REASON_CALLER_UNKNOWN)
		}
		if x.misnamed {
			return errs.New(commonv1.Reason_REASON_ACTING_NOT_ALLOWED)
		}
		d := authz.Decide(s.agreements(), authz.Request{
			Method: x.Method, Caller: x.Caller, Context: authz.ContextOf(x.Request), Wanted: authz.WantedOf(x.Request), At: x.Entry.Started,
		})
		x.Decision, x.Entry.Decision = d, d
		if !d.Allowed() {
			x.Entry.Reasons = d.Reasons
			return errs.New(d.Reasons[0], violations(d.Reasons)...)
		}
		return next(authz.With(ctx, d), x)
	}
}

// violations names the fields behind those refusals that the caller mends in the request.
func violations(reasons []commonv1.Reason) []errs.Option {
	var out []errs.Option
	for _, r := range reasons {
		switch r {
		case commonv1.Reason_REASON_INVALID_REQUEST:
			out = append(out, errs.Field("context.controller_id", "must name the controller"))
		case commonv1.Reason_REASON_PURPOSE_MISSING:
			out = append(out, errs.Field("context.purpose", "must name the purpose"))
		case commonv1.Reason_REASON_BASIS_MISSING:
			out = append(out, errs.Field("context.legal_basis", "must name the legal basis"))
		case commonv1.Reason_REASON_LEGAL_REFERENCE_MISSING:
			out = append(out, errs.Field("context.legal_reference", "must name the law or agreement relied on"))
		case commonv1.Reason_REASON_CASE_REFERENCE_MISSING:
			out = append(out, errs.Field("context.case_reference", "must name the case"))
		default:
			// The others are no matter of one field.
		}
	}
	return out
}

const (
	// reserve is kept back from the caller's deadline, so that the inner time-out is the one reported.
	reserve = 20 * time.Millisecond
	// least is too little time to begin anything.
	least = 5 * time.Millisecond
)

// budget spends the caller's deadline on purpose, and gives those a deadline who have none.
func (s *Server) budget(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		deadline, ok := ctx.Deadline()
		if !ok && x.open() {
			return next(ctx, x) // a health watch lasts as long as its caller
		}
		allowed := s.cfg.DefaultTimeout
		if ok {
			// Deadlines are of the real time, whatever the service's clock says.
			left := time.Until(deadline)
			if left < least {
				return errs.New(commonv1.Reason_REASON_DEADLINE_EXCEEDED)
			}
			allowed = left - min(reserve, left/4)
		}
		ctx, cancel := context.WithTimeout(ctx, allowed)
		defer cancel()
		return next(ctx, x)
	}
}

// fetch gets what the handler needs from outside.
func (s *Server) fetch(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if f := s.fetches[x.RPC]; f != nil {
			ctx = f(ctx, x.Request)
		}
		return next(ctx, x)
	}
}

// transact runs a change, its idempotency and its record in one transaction.
func (s *Server) transact(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() || !x.Method.Rule.GetChange() || unchanging(ctx) {
			return next(ctx, x)
		}
		err := s.db.InTx(ctx, func(ctx context.Context) error {
			if err := next(ctx, x); err != nil {
				return err
			}
			return s.recorder.CloseChange(ctx, x.Entry)
		})
		if err != nil {
			return storeError(err)
		}
		x.Entry.MarkWritten()
		return nil
	}
}

// storeError gives a database error that a use case passed on its reason.
func storeError(err error) error {
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, audit.ErrUnavailable):
		return errs.New(commonv1.Reason_REASON_AUDIT_UNAVAILABLE, errs.Cause(err))
	case errors.Is(err, keys.ErrExpired), errors.Is(err, keys.ErrUnknownVersion):
		return errs.New(commonv1.Reason_REASON_KEYS_UNAVAILABLE, errs.Cause(err))
	case errors.Is(err, sqlkit.ErrBusy):
		return errs.New(commonv1.Reason_REASON_CONFLICT, errs.Cause(err))
	case errors.Is(err, sqlkit.ErrUnavailable), errors.Is(err, sqlkit.ErrFull), errors.Is(err, sqlkit.ErrReadOnly):
		return errs.New(commonv1.Reason_REASON_STORE_UNAVAILABLE, errs.Cause(err))
	default:
		return err
	}
}

// guard stops a response that holds more than was granted: an internal error with an alert, never a disclosure.
func (s *Server) guard(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if err := next(ctx, x); err != nil || x.open() {
			return err
		}
		c := x.Decision.Context
		found := x.Decision.Grant.Release.Inspect(x.Response, c.GetPurpose(), c.GetSpecialBasis())
		if len(found.Blocked) > 0 {
			x.Response = nil
			s.instruments.blocked.Add(ctx, 1)
			return errs.New(commonv1.Reason_REASON_EGRESS_BLOCKED, errs.Cause(fmt.Errorf("fields not released: %v", found.Blocked)))
		}
		x.Entry.Response, x.Entry.Fields = x.Response, found.Fields
		x.Entry.Count = uint32(x.Method.Cost(x.Request)) //nolint:gosec // bounded by the schema
		return nil
	}
}

// requested is a request that carries an idempotency key (AIP-155).
type requested interface{ GetRequestId() string }

// kept is what is stored, sealed, of the first answer.
type kept struct {
	Subject   string `json:"subject"`
	Protected bool   `json:"protected"`
	Response  []byte `json:"response"`
}

// idempotency gives a repeated change the answer of the first. The stored answer is encrypted; whom it was about is stored with
// it, so that the repetition's record names the person as well.
func (s *Server) idempotency(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		r, ok := x.Request.(requested)
		if !ok || r.GetRequestId() == "" || x.open() || !x.Method.Rule.GetChange() {
			return next(ctx, x)
		}
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(x.Request)
		if err != nil {
			return err
		}
		// The caller chooses the id and may put anything into it, so it is kept as a keyed digest only (SEC-06).
		id, err := s.requestIDs.Digest([]byte(r.GetRequestId()))
		if err != nil {
			return err
		}
		key := idem.Key{Organisation: x.Decision.Organisation, Method: x.Method.Name, RequestID: hex.EncodeToString(id.Sum[:])}
		sealed, replayed, err := s.idem.Do(ctx, key, body, func(ctx context.Context) ([]byte, error) {
			if err := next(ctx, x); err != nil {
				return nil, err
			}
			return s.keep(x)
		})
		if err != nil || !replayed {
			return err
		}
		return s.replay(ctx, x, sealed)
	}
}

func (s *Server) keep(x *Exchange) ([]byte, error) {
	response, err := proto.Marshal(x.Response)
	if err != nil {
		return nil, err
	}
	subject, protected := x.Entry.About()
	plain, err := json.Marshal(kept{Subject: subject, Protected: protected, Response: response})
	if err != nil {
		return nil, err
	}
	return s.seal.Encrypt(plain, []byte(x.Method.Name))
}

func (s *Server) replay(ctx context.Context, x *Exchange, sealed []byte) error {
	plain, err := s.seal.Decrypt(sealed, []byte(x.Method.Name))
	if err != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(plain, &k); err != nil {
		return err
	}
	response := x.Method.NewResponse()
	if err := proto.Unmarshal(k.Response, response); err != nil {
		return err
	}
	if k.Subject != "" {
		audit.Subject(ctx, k.Subject, k.Protected)
	}
	x.Response = response
	return nil
}
