package transfer

import (
	"context"
	"errors"

	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/transfer/internal/core"
)

// notes writes what the use cases find out into the audit record.
type notes struct{}

// Subject implements core.Notes.
func (notes) Subject(ctx context.Context, id string, protected bool) {
	audit.Subject(ctx, id, protected)
}

// eventID names the running call's records.
func eventID(ctx context.Context) string { return audit.From(ctx).EventID }

// caller is the fund on whose responsibility the call is made, and the employee behind it.
func caller(ctx context.Context) core.Caller {
	d := authz.From(ctx)
	if d == nil {
		return core.Caller{}
	}
	return core.Caller{Fund: d.Controller, Actor: d.Context.GetActorId()}
}

// organisation is the one whose certificate the call came with.
func organisation(ctx context.Context) string {
	if d := authz.From(ctx); d != nil {
		return d.Organisation
	}
	return ""
}

// subjectIndex makes the keyed index of a person.
type subjectIndex struct{ prf *keys.PRF }

// Subject implements core.Index.
func (s subjectIndex) Subject(canonical string) ([]byte, error) {
	text, err := s.prf.Pseudonym(canonical)
	if err != nil {
		return nil, errors.Join(core.ErrKeys, err)
	}
	parsed, err := keys.ParsePseudonym(text)
	return parsed.Sum[:], err
}
