package identity

import (
	"context"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/identity/internal/api"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
)

// notes writes what the use cases find out into the audit record.
type notes struct{}

// Subject implements core.Notes.
func (notes) Subject(ctx context.Context, canonical string, protected bool) {
	audit.Subject(ctx, canonical, protected)
}

// Source implements core.Notes.
func (notes) Source(ctx context.Context, source core.Source, registerTime time.Time) {
	audit.Source(ctx, api.SourceOf(source), registerTime)
}

// Withheld implements core.Notes.
func (notes) Withheld(ctx context.Context) { audit.Deny(ctx, commonv1.Reason_REASON_SUBJECT_NOT_FOUND) }

// NoAddress implements core.Notes.
func (notes) NoAddress(ctx context.Context) { audit.Without(ctx, api.AddressPaths()...) }

// secrecyTest is the rule under which secrecy tests stand in records.
const secrecyTest = "SE-OSL-SECRECY-TEST"

// Tested implements core.Notes.
func (notes) Tested(ctx context.Context, test core.SecrecyTest) {
	audit.Rule(ctx, &auditv1.RuleDecision{RuleId: secrecyTest, Outcome: test.Outcome, Codes: test.Fields})
}

// eventID names the running call's records.
func eventID(ctx context.Context) string { return audit.From(ctx).EventID }

// caller tells the use cases who asks, from the decision that let the call through.
func caller(ctx context.Context) core.Caller {
	d := authz.From(ctx)
	if d == nil {
		return core.Caller{}
	}
	return core.Caller{
		Organisation: d.Organisation, Controller: d.Controller, Role: api.RoleOf(d.Role),
		LegalReference: d.Context.GetLegalReference(), CaseReference: d.Context.GetCaseReference(),
		EndUser: endUser(d),
	}
}

// endUser is who asks, as a register logs it: the caller's own pseudonym for its employee, or else its organisation.
func endUser(d *authz.Decision) string {
	if actor := d.Context.GetActorId(); actor != "" {
		return actor
	}
	return d.Organisation
}
