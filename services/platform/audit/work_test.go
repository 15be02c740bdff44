package audit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Work without a call leaves a record a person, in the transaction of the work or not at all.
//
// covers: SEC-07 MIN-15
func TestWorkLeavesARecordAPerson(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		k := open(t, db)
		rule := &auditv1.RuleDecision{RuleId: "DK-ALF-46", RuleVersion: "DK-2023-10", Outcome: "RECOVER", Answers: []bool{true, true, true, false}, DecisionId: "d-1"}
		sealed, err := k.SealWork(audit.Work{
			EventID: "work-1", Name: "income.match", Operation: vocabularyv1.Operation_OPERATION_MATCH, Controller: "DK:20000018",
			Purpose: vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§46",
			Started: time.Unix(1, 0),
		}, []audit.WorkItem{
			{Subject: "DK:7403851013", CaseReference: "d-1", Rule: rule, Source: vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, Retrieved: time.Unix(2, 0)},
			{Subject: "DK:7403851021", Protected: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		giveUp := errors.New("given up")
		err = db.InTx(t.Context(), func(ctx context.Context) error { return errors.Join(k.WriteWork(ctx, sealed), giveUp) })
		if !errors.Is(err, giveUp) {
			t.Fatal(err)
		}
		if _, err := k.reader.Get(t.Context(), "work-1"); !errors.Is(err, audit.ErrNotFound) {
			t.Fatalf("records of work that was given up: %v", err)
		}
		if err := k.WriteWork(t.Context(), sealed); err != nil {
			t.Fatal(err)
		}
		got, err := k.reader.Get(t.Context(), "work-1")
		if err != nil || len(got) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		one, two := got[0], got[1]
		if one.GetItem() != 1 || one.GetRpc() != "income.match" || one.GetRuleDecision().GetOutcome() != "RECOVER" || one.GetCaseReference() != "d-1" ||
			one.GetControllerId() != "DK:20000018" || one.GetRetrievedAt().GetSeconds() != 2 || one.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_NORMAL {
			t.Errorf("%v", one)
		}
		if two.GetItem() != 2 || two.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH || two.GetSubjectRef() == one.GetSubjectRef() || two.GetRuleDecision() != nil {
			t.Errorf("%v", two)
		}
	})
}
