// Package audit writes the record of each exchange: opened before the decision, so that refusals and malformed requests
// leave one too, and durable before the response leaves. If a record can't be written nothing is disclosed (SEC-07).
package audit

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/authz"
)

// Entry is an open record. It belongs to one call and is not for concurrent use.
type Entry struct {
	EventID  string
	Method   *authz.Method // nil for an RPC that does not exist here
	RPC      string        // full name as called
	Started  time.Time
	Caller   workload.ID
	Via      workload.ID // our own service that called in the caller's name; zero when the caller called itself
	Trace    Trace
	Decision *authz.Decision // nil when the call ended before one was made
	Request  proto.Message   // nil when it could not be read
	Response proto.Message   // nil unless disclosed
	Fields   []string        // paths of the fields disclosed
	Reasons  []commonv1.Reason
	Status   uint32 // canonical gRPC code
	Count    uint32 // persons or rows in the answer
	// Validated says that the request keeps its schema, so that its reference fields hold what they should.
	Validated bool

	about    subject
	items    []subject
	approver string
	done     bool
}

// Trace is where the call stands in its W3C trace.
type Trace struct {
	ID     [16]byte
	Span   [8]byte
	Parent [8]byte // zero for the first span of a trace
}

// subject is what the use case found out about the person.
type subject struct {
	id        string // canonical number or another stable id; pseudonymised before it is written
	protected bool
	known     bool // whether the use case said anything
	source    vocabularyv1.Source
	retrieved time.Time
	denied    []commonv1.Reason // why this person's data were withheld by the use case
	without   []string          // paths of the answer that tell nothing of this person
	rule      *auditv1.RuleDecision
}

type key struct{}

// With puts the entry into the context.
func With(ctx context.Context, e *Entry) context.Context { return context.WithValue(ctx, key{}, e) }

// From returns the entry of the running call. Outside of a call it returns one that is never written, so that use cases
// need not ask.
func From(ctx context.Context) *Entry {
	switch v := ctx.Value(key{}).(type) {
	case *Entry:
		return v
	case *item:
		return v.entry
	default:
		return &Entry{}
	}
}

// item is the part of an entry that a use case notes about one person of a batch.
type item struct {
	entry *Entry
	at    int
}

// WithItem returns a context in which notes go to person i of a batch, counted from 0. Each person gets a record of its own.
func WithItem(ctx context.Context, i int) context.Context {
	e := From(ctx)
	for len(e.items) <= i {
		e.items = append(e.items, subject{})
	}
	return context.WithValue(ctx, key{}, &item{entry: e, at: i})
}

func noted(ctx context.Context) *subject {
	if v, ok := ctx.Value(key{}).(*item); ok {
		return &v.entry.items[v.at]
	}
	return &From(ctx).about
}

// Subject notes whom the call is about: any stable id of the person, which is pseudonymised with the audit's own key before it
// is written (SEC-04). A protected person makes the record HIGH (domain rule B.10, 6).
func Subject(ctx context.Context, id string, protected bool) {
	s := noted(ctx)
	s.id, s.protected, s.known = id, protected, true
}

// Source notes where the facts came from and when (proof of receipt).
func Source(ctx context.Context, source vocabularyv1.Source, at time.Time) {
	s := noted(ctx)
	s.source, s.retrieved = source, at
}

// Deny notes that the rules of the use case withhold the data of the person, and why: the record then says DENY and names no
// fields, whatever the caller is told.
func Deny(ctx context.Context, reasons ...commonv1.Reason) { noted(ctx).denied = reasons }

// Without notes that these paths of the answer, and what lies below them, tell nothing of the person: the persons of a batch share an answer,
// and the record of each names the fields that were disclosed about that one.
func Without(ctx context.Context, paths ...string) { noted(ctx).without = paths }

// Approver notes the second person who approved a break-glass access (SEC-08), by the caller's pseudonym.
func Approver(ctx context.Context, employee string) { From(ctx).approver = employee }

// Written says whether the record is already durable.
func (e *Entry) Written() bool { return e.done }

// About returns whom a plain call is about, as noted by the use case.
func (e *Entry) About() (id string, protected bool) { return e.about.id, e.about.protected }

// subjects returns the persons that the entry is about: those of a batch, or the one of a plain call.
func (e *Entry) subjects() []subject {
	if len(e.items) > 0 {
		return e.items
	}
	return []subject{e.about}
}

// decision is DENY for a refusal by the rules, ALLOW for what went through, and unspecified when neither was reached.
func (e *Entry) decision() auditv1.Decision {
	switch {
	case e.Decision == nil:
		return auditv1.Decision_DECISION_UNSPECIFIED
	case !e.Decision.Allowed():
		return auditv1.Decision_DECISION_DENY
	default:
		return auditv1.Decision_DECISION_ALLOW
	}
}
