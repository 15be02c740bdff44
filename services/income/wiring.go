package income

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/ids"
)

// notes writes what the use cases find out into the audit record.
type notes struct{}

// Subject implements core.Notes.
func (notes) Subject(ctx context.Context, id string, protected bool) {
	audit.Subject(ctx, id, protected)
}

// Retrieved implements core.Notes.
func (notes) Retrieved(ctx context.Context, at time.Time) {
	if !at.IsZero() {
		audit.Source(ctx, vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, at)
	}
}

// Decided implements core.Notes.
func (notes) Decided(ctx context.Context, d *core.Decision) { audit.Rule(ctx, ruleDecision(d)) }

// ruleDecision is a decision as audit records have it (domain C.3).
func ruleDecision(d *core.Decision) *auditv1.RuleDecision {
	id, _ := d.Kind.Rule()
	out := &auditv1.RuleDecision{
		RuleId: id, RuleVersion: d.Version, Outcome: d.Outcome, Automatic: d.Automatic(), DecisionId: d.ID.String(), InputsDigest: d.Digest,
		Answers: []bool{d.Answers.DataPresent, d.Answers.NoEnquiry, d.Answers.NoDiscretion, d.Answers.NoRemarks},
	}
	for _, c := range d.Codes {
		out.Codes = append(out.Codes, string(c))
	}
	for _, c := range d.Against {
		out.Codes = append(out.Codes, string(c))
	}
	return out
}

// records writes the records of work that no call asked for.
type records struct{ recorder *audit.Recorder }

// Seal implements core.Records.
func (r records) Seal(w core.Work, items []core.Record) (core.SealedRecords, error) {
	_, law := w.Kind.Rule()
	work := audit.Work{
		EventID: ids.NewEventID(), Name: w.Name, Operation: vocabularyv1.Operation_OPERATION_MATCH, Controller: w.Controller,
		Purpose: vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_OFFICIAL_AUTHORITY,
		LegalReference: law, Started: w.Started,
	}
	out := make([]audit.WorkItem, len(items))
	for i := range items {
		item := &items[i]
		out[i] = audit.WorkItem{Subject: item.Subject, Protected: item.Protected, Retrieved: item.Retrieved}
		if !item.Retrieved.IsZero() {
			out[i].Source = vocabularyv1.Source_SOURCE_PUBLIC_REGISTER
		}
		if item.Decision != nil {
			out[i].Rule = ruleDecision(item.Decision)
			out[i].CaseReference = out[i].Rule.GetDecisionId()
		}
	}
	return r.recorder.SealWork(work, out)
}

var errSealed = errors.New("income: not records that were sealed here")

// Write implements core.Records.
func (r records) Write(ctx context.Context, sealed core.SealedRecords) error {
	rows, ok := sealed.(*audit.Sealed)
	if !ok {
		return errSealed
	}
	return r.recorder.WriteWork(ctx, rows)
}

// eventID names the running call's records.
func eventID(ctx context.Context) string { return audit.From(ctx).EventID }

// organisation is the caller's.
func organisation(ctx context.Context) string {
	if d := authz.From(ctx); d != nil {
		return d.Organisation
	}
	return ""
}

// caller tells the use cases who asks, from the decision that let the call through.
func caller(ctx context.Context) core.Caller {
	d := authz.From(ctx)
	if d == nil {
		return core.Caller{}
	}
	return core.Caller{
		Controller: d.Controller, Person: d.Context.GetActorId(), Case: d.Context.GetCaseReference(), Trace: traceID(ctx),
	}
}

// traceID names the running call's trace; "" outside of one.
func traceID(ctx context.Context) string {
	id := audit.From(ctx).Trace.ID
	if id == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(id[:])
}
