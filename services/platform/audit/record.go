package audit

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/redact"
)

// retention is the rule by which records are kept (domain rule RET-13).
const retention = "RET-13"

// record makes the published form of an entry for one of its persons.
func (r *Recorder) record(e *Entry, about subject, number int, ended time.Time, d digests) (*auditv1.Record, error) {
	out := &auditv1.Record{
		EventId: e.EventID, StartedAt: timestamppb.New(e.Started), EndedAt: timestamppb.New(ended),
		Writer: r.writer, Actor: actor(e), Rpc: e.RPC, Decision: e.decision(), Reasons: e.Reasons, Fields: e.Fields,
		StatusCode: e.Status, ResultCount: e.Count, DigestKey: d.key, RequestDigest: d.request, ResponseDigest: d.response,
		TraceId: e.Trace.ID[:], SpanId: e.Trace.Span[:], RetentionClass: retention, ApproverId: e.approver, Item: uint32(number), //nolint:gosec // bounded by the schema's 100 items
	}
	if e.Trace.Parent != [8]byte{} {
		out.ParentSpanId = e.Trace.Parent[:]
	}
	if e.Method != nil {
		out.Operation = e.Method.Rule.GetOperation()
	}
	out.RuleDecision = about.rule
	describeDecision(out, e)
	if len(about.denied) > 0 {
		out.Decision, out.Reasons, out.Fields = auditv1.Decision_DECISION_DENY, about.denied, nil
	}
	return out, r.describeSubject(out, about)
}

func actor(e *Entry) *auditv1.Actor {
	a := &auditv1.Actor{Via: e.Via.String()}
	if !e.Caller.IsZero() {
		a.Workload, a.Organisation = e.Caller.String(), e.Caller.Org()
		a.Kind = auditv1.ActorKind_ACTOR_KIND_SYSTEM
		if e.Caller.Kind() == workload.KindService {
			a.Kind = auditv1.ActorKind_ACTOR_KIND_SERVICE
		}
	}
	if e.Decision != nil && e.bounded(e.Decision.Context.GetActorId()) != "" {
		a.Kind, a.Employee = auditv1.ActorKind_ACTOR_KIND_HUMAN, e.Decision.Context.GetActorId()
	}
	return a
}

func describeDecision(out *auditv1.Record, e *Entry) {
	d := e.Decision
	if d == nil {
		return
	}
	out.Agreement = d.Agreement
	out.Recipient = &auditv1.Recipient{Id: d.Organisation, Role: d.Role, TransferBasis: d.Transfer}
	c := d.Context
	out.Purpose, out.LegalBasis, out.SpecialBasis = c.GetPurpose(), c.GetLegalBasis(), c.GetSpecialBasis()
	out.ControllerId = e.bounded(c.GetControllerId())
	out.LegalReference = e.bounded(c.GetLegalReference())
	out.CaseReference = e.bounded(c.GetCaseReference())
}

func (r *Recorder) describeSubject(out *auditv1.Record, about subject) error {
	if !about.known {
		return nil
	}
	out.SubjectClass = auditv1.SubjectClass_SUBJECT_CLASS_NORMAL
	if about.protected {
		out.SubjectClass = auditv1.SubjectClass_SUBJECT_CLASS_HIGH
	}
	out.Source = about.source
	if !about.retrieved.IsZero() {
		out.RetrievedAt = timestamppb.New(about.retrieved)
	}
	if about.id == "" {
		return nil
	}
	ref, err := r.subjects.Pseudonym(about.id)
	out.SubjectRef = ref
	return err
}

// maxFree bounds what an unvalidated request can put into a record; the schema allows 64 characters.
const maxFree = 64

// bounded drops a context value that can't be one. A refused request has not been validated yet, and what a caller puts into
// a reference field by mistake, such as a national number, must not reach the record (SEC-06).
func (e *Entry) bounded(s string) string {
	if e.Validated {
		return s
	}
	if utf8.RuneCountInString(s) > maxFree || !utf8.ValidString(s) || redact.Text(s) != s {
		return ""
	}
	return s
}
