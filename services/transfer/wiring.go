package transfer

import (
	"context"
	"errors"
	"strings"
	"time"

	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// notes writes what the use cases find out into the audit record.
type notes struct{}

// Subject implements core.Notes.
func (notes) Subject(ctx context.Context, id string, protected bool) {
	audit.Subject(ctx, id, protected)
}

// records writes the records of what timers do.
type records struct {
	recorder *audit.Recorder
	legal    map[string]string // legal reference by country
}

// Timed implements core.Records.
func (r records) Timed(ctx context.Context, event cases.Event, started time.Time, items []core.Timed) error {
	byFund := map[string][]audit.WorkItem{}
	for _, i := range items {
		byFund[i.Fund] = append(byFund[i.Fund], audit.WorkItem{Subject: i.Subject, Protected: i.Protected, CaseReference: i.TransferID})
	}
	for fund, people := range byFund {
		basis := vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C
		if fund[:2] == rules.Sweden {
			basis = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST
		}
		sealed, err := r.recorder.SealWork(audit.Work{
			EventID: ids.NewEventID(), Name: name + "." + strings.ToLower(event.String()), Operation: vocabularyv1.Operation_OPERATION_RECORD,
			Controller: fund, Purpose: vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, LegalBasis: basis, LegalReference: r.legal[fund[:2]], Started: started,
		}, people)
		if err != nil {
			return err
		}
		if err := r.recorder.WriteWork(ctx, sealed); err != nil {
			return err
		}
	}
	return nil
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
