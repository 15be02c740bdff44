package insurance

import (
	"context"

	"samvirke.dev/services/insurance/internal/api"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
)

// notes writes what the use cases find out into the audit record.
type notes struct{}

// Subject implements core.Notes.
func (notes) Subject(ctx context.Context, handle string, protected bool) {
	audit.Subject(ctx, handle, protected)
}

// Deny implements core.Notes.
func (notes) Deny(ctx context.Context, reasons core.Reasons) {
	audit.Deny(ctx, api.ReasonsOf(reasons)...)
}

// EventID implements core.Notes.
func (notes) EventID(ctx context.Context) string { return eventID(ctx) }

// eventID names the running call's records.
func eventID(ctx context.Context) string { return audit.From(ctx).EventID }

// caller tells the use cases who asks and for what, from the decision that let the call through.
func caller(ctx context.Context) core.Caller {
	d := authz.From(ctx)
	if d == nil {
		return core.Caller{}
	}
	return core.Caller{
		Organisation: d.Organisation, Controller: d.Controller, Purpose: api.PurposeOf(d.Context.GetPurpose()),
		Basis: api.BasisOf(d.Context.GetLegalBasis()), Special: api.SpecialOf(d.Context.GetSpecialBasis()),
	}
}
