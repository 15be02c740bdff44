// Package problem writes the errors of the REST edge as RFC 9457 problem details. They come from the closed vocabulary of
// services/platform/errs, so that a developer finds the same reason, the same sentence and the same advice behind both doors. Nothing of
// a request is ever repeated in one (SEC-06).
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// ContentType is the media type of RFC 9457.
const ContentType = "application/problem+json"

// TypePrefix begins the type of every problem; the reason follows. The documentation page lists them all.
const TypePrefix = "urn:samvirke:reason:"

// Problem is the body of an error.
type Problem struct {
	Type       string      `json:"type"`                 // TypePrefix and the reason
	Title      string      `json:"title"`                // the same for every problem of the type
	Status     int         `json:"status"`               // HTTP status
	Detail     string      `json:"detail,omitempty"`     // what is special about this one
	Reason     string      `json:"reason"`               // stable, for programs
	Reasons    []string    `json:"reasons,omitempty"`    // all reasons of a refusal, where there are several
	Actor      string      `json:"actor,omitempty"`      // who must act: caller, controller, operator, retry
	Action     string      `json:"action,omitempty"`     // what they must do
	TraceID    string      `json:"traceId,omitempty"`    // for support
	EventID    string      `json:"eventId,omitempty"`    // of the audit record
	RetryAfter int64       `json:"retryAfter,omitempty"` // seconds
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is a field of the request and what is wanted there.
type Violation struct {
	Field       string `json:"field"` // path of JSON names, such as context.caseReference
	Description string `json:"description"`
}

// Of makes the problem of an error. One that comes from a service keeps what the service said; one that does not, as a library's, is
// reduced to its kind: its text may repeat the request.
func Of(err error) Problem {
	e := errs.From(err)
	st := e.GRPCStatus()
	if own, ok := status.FromError(err); ok && errs.ReasonOf(err) != commonv1.Reason_REASON_UNSPECIFIED {
		st = own
	}
	p := Problem{Title: st.Message()}
	for _, d := range st.Details() {
		p.add(d)
	}
	if p.Reason == "" {
		return Of(errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(err)))
	}
	p.Type = TypePrefix + p.Reason
	known, ok := commonv1.Reason_value["REASON_"+p.Reason]
	if !ok { // of a service newer than this gateway
		p.Status = runtime.HTTPStatusFromCode(st.Code())
		return p
	}
	row := errs.Lookup(errs.Reason(known))
	p.Status = errs.HTTPStatus(row.Kind)
	if strings.HasPrefix(p.Title, row.Public) {
		p.Title, p.Detail = row.Public, strings.TrimSpace(strings.TrimPrefix(p.Title, row.Public))
	}
	return p
}

// As returns the problem with another status, for what HTTP tells apart and gRPC does not.
func (p Problem) As(status int) Problem {
	p.Status = status
	return p
}

func (p *Problem) add(detail any) {
	switch d := detail.(type) {
	case *errdetails.ErrorInfo:
		if d.GetDomain() == errs.Domain {
			m := d.GetMetadata()
			if all := m[errs.MetaReasons]; all != "" {
				p.Reasons = strings.Split(all, ",")
			}
			p.Reason, p.Actor, p.Action, p.TraceID, p.EventID = d.GetReason(), m[errs.MetaActor], m[errs.MetaAction], m[errs.MetaTraceID], m[errs.MetaEventID]
		}
	case *errdetails.BadRequest:
		for _, v := range d.GetFieldViolations() {
			p.Violations = append(p.Violations, Violation{Field: jsonPath(v.GetField()), Description: v.GetDescription()})
		}
	case *errdetails.RetryInfo:
		p.RetryAfter = seconds(d.GetRetryDelay().AsDuration())
	}
}

// seconds rounds up, so that who waits as long as told has waited long enough.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// jsonPath writes the path of a field in its JSON names: context.case_reference becomes context.caseReference.
func jsonPath(path string) string {
	var b strings.Builder
	upper := false
	for _, r := range path {
		switch {
		case r == '_':
			upper = true
		case upper:
			b.WriteString(strings.ToUpper(string(r)))
			upper = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Write answers with the problem of an error.
func Write(w http.ResponseWriter, err error) { Of(err).Write(w) }

// Write answers with the problem.
func (p Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers only
		body = []byte(`{"type":"about:blank","status":500}`)
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // whoever does not listen any more is told nothing
}
