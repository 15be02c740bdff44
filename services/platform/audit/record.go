package audit

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/redact"
)

// retention is the rule by which records are kept (domain rule RET-13).
const retention = "RET-13"

// desk is what records are written on, one entry at a time: the messages and the room for their encoding are used again and again.
type desk struct {
	record, person            auditv1.Record // what the records of an entry share, and what is one person's
	actor                     auditv1.Actor
	recipient                 auditv1.Recipient
	started, ended, retrieved timestamppb.Timestamp
	encoded                   []byte
}

// clear forgets everything: it may be personal.
func (k *desk) clear() {
	k.record.Reset()
	k.person.Reset()
	k.actor.Reset()
	k.recipient.Reset()
	k.forget()
}

// forget clears the encoding.
func (k *desk) forget() {
	clear(k.encoded[:cap(k.encoded)])
	k.encoded = k.encoded[:0]
}

// add encodes a message behind what is there: of protocol buffers, two encodings in a row are that of the merged message.
func (k *desk) add(m proto.Message, deterministic bool) (err error) {
	k.encoded, err = proto.MarshalOptions{Deterministic: deterministic}.MarshalAppend(k.encoded, m)
	return err
}

// describe fills in the published form of an entry, without what is one person's.
func (k *desk) describe(e *Entry, writer *auditv1.Writer, ended time.Time, d digests) {
	out := &k.record
	out.EventId, out.Writer, out.Rpc, out.RetentionClass, out.ApproverId = e.EventID, writer, e.RPC, retention, e.approver
	out.StartedAt, out.EndedAt = stamp(&k.started, e.Started), stamp(&k.ended, ended)
	out.Decision, out.StatusCode, out.ResultCount = e.decision(), e.Status, e.Count
	out.DigestKey, out.RequestDigest, out.ResponseDigest = d.key, d.request, d.response
	out.TraceId, out.SpanId = e.Trace.ID[:], e.Trace.Span[:]
	if e.Trace.Parent != [8]byte{} {
		out.ParentSpanId = e.Trace.Parent[:]
	}
	if e.Method != nil {
		out.Operation = e.Method.Rule.GetOperation()
	}
	out.Actor = &k.actor
	describeActor(&k.actor, e)
	if e.Decision != nil {
		out.Recipient = &k.recipient
		describeDecision(out, e)
	}
}

func stamp(to *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	to.Seconds, to.Nanos = t.Unix(), int32(t.Nanosecond()) //nolint:gosec // below a billion
	return to
}

func describeActor(a *auditv1.Actor, e *Entry) {
	a.Via = e.Via.String()
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
}

func describeDecision(out *auditv1.Record, e *Entry) {
	d := e.Decision
	out.Agreement = d.Agreement
	out.Recipient.Id, out.Recipient.Role, out.Recipient.TransferBasis = d.Organisation, d.Role, d.Transfer
	c := d.Context
	out.Purpose, out.LegalBasis, out.SpecialBasis = c.GetPurpose(), c.GetLegalBasis(), c.GetSpecialBasis()
	out.ControllerId = e.bounded(c.GetControllerId())
	out.LegalReference = e.bounded(c.GetLegalReference())
	out.CaseReference = e.bounded(c.GetCaseReference())
}

// describePerson fills in what is one person's: the one of a plain call, or number i of a batch, counted from 1.
func (k *desk) describePerson(e *Entry, about subject, i int, subjects *keys.PRF) (err error) {
	k.person.Reset()
	out := &k.person
	out.Item = uint32(i) //nolint:gosec // bounded by the schema's 100 items
	out.RuleDecision, out.Reasons, out.Fields = about.rule, e.Reasons, about.disclosed(e.Fields)
	if len(about.denied) > 0 {
		out.Decision, out.Reasons, out.Fields = auditv1.Decision_DECISION_DENY, about.denied, nil
	}
	if !about.known {
		return nil
	}
	out.SubjectClass = auditv1.SubjectClass_SUBJECT_CLASS_NORMAL
	if about.protected {
		out.SubjectClass = auditv1.SubjectClass_SUBJECT_CLASS_HIGH
	}
	out.Source = about.source
	if !about.retrieved.IsZero() {
		out.RetrievedAt = stamp(&k.retrieved, about.retrieved)
	}
	if about.id != "" {
		out.SubjectRef, err = subjects.Pseudonym(about.id)
	}
	return err
}

// disclosed are the fields of the answer that tell something of the person.
func (s *subject) disclosed(fields []string) []string {
	if len(s.without) == 0 {
		return fields
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		return slices.ContainsFunc(s.without, func(w string) bool { return f == w || strings.HasPrefix(f, w+".") })
	})
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
