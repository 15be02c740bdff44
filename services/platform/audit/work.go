package audit

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Work is what a service does by itself, such as a job: no call, so no caller and no agreement. Each person it concerns still gets a
// record (domain C.3).
type Work struct {
	EventID        string // one for all records of a piece of work
	Name           string // stands where the RPC's name stands, such as income.match
	Operation      vocabularyv1.Operation
	Controller     string // on whose responsibility, as DK:12345678
	Purpose        vocabularyv1.Purpose
	LegalBasis     vocabularyv1.LegalBasis
	LegalReference string
	Started        time.Time
	Trace          Trace
}

// WorkItem is one person of a piece of work.
type WorkItem struct {
	Subject       string // any stable id; pseudonymised before it is written
	Protected     bool
	Source        vocabularyv1.Source
	Retrieved     time.Time // when a register gave the facts; zero for none
	CaseReference string    // opaque
	Rule          *auditv1.RuleDecision
}

// Sealed are records that are ready to be written.
type Sealed struct{ rows []row }

// SealWork makes the records of a piece of work, one an item, numbered from 1. It needs no transaction, so that it can be done before one
// begins: encrypting costs more than writing.
func (r *Recorder) SealWork(w Work, items []WorkItem) (*Sealed, error) {
	ended := r.clock.Now()
	base := &auditv1.Record{
		EventId: w.EventID, StartedAt: timestamppb.New(w.Started), EndedAt: timestamppb.New(ended), Writer: r.writer,
		Actor: &auditv1.Actor{Kind: auditv1.ActorKind_ACTOR_KIND_SERVICE}, ControllerId: w.Controller, Rpc: w.Name, Operation: w.Operation,
		Purpose: w.Purpose, LegalBasis: w.LegalBasis, LegalReference: w.LegalReference, Decision: auditv1.Decision_DECISION_ALLOW,
		ResultCount: 1, RetentionClass: retention,
	}
	if w.Trace.ID != [16]byte{} {
		base.TraceId, base.SpanId = w.Trace.ID[:], w.Trace.Span[:]
	}
	head, err := proto.Marshal(base)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	const usual = 256 // of what one item adds
	rest, plain := make([]byte, 0, usual), make([]byte, 0, len(items)*(len(head)+usual))
	for i := range items {
		// What all records share is encoded once: two encodings one after the other are one message with the fields of both.
		if rest, err = r.appendItem(rest[:0], i+1, &items[i]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		plain = appendRecord(plain, head, rest)
	}
	rows, err := sealGroups(r.seal, plain, ended.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	clear(plain)
	clear(rest)
	return &Sealed{rows: rows}, nil
}

func (r *Recorder) appendItem(buffer []byte, number int, item *WorkItem) ([]byte, error) {
	ref, err := r.subjects.Pseudonym(item.Subject)
	if err != nil {
		return nil, err
	}
	rest := auditv1.Record{
		SubjectRef: ref, SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_NORMAL, Source: item.Source, CaseReference: item.CaseReference,
		Item: uint32(number), RuleDecision: item.Rule, //nolint:gosec // a number of items in memory
	}
	if item.Protected {
		rest.SubjectClass = auditv1.SubjectClass_SUBJECT_CLASS_HIGH
	}
	if !item.Retrieved.IsZero() {
		rest.RetrievedAt = timestamppb.New(item.Retrieved)
	}
	return proto.MarshalOptions{}.MarshalAppend(buffer, &rest)
}

// WriteWork writes sealed records in the transaction that ctx carries, so that the work and its records stand or fall together. Without
// a transaction they are written durably at once.
func (r *Recorder) WriteWork(ctx context.Context, s *Sealed) error {
	if err := r.db.InTx(ctx, func(ctx context.Context) error { return insert(ctx, r.db, s.rows) }); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Rule notes what a rule came to about the person that the call, or the item of a batch, is about (domain C.3).
func Rule(ctx context.Context, decision *auditv1.RuleDecision) { noted(ctx).rule = decision }
