package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/errs"
)

// TestLedgerVaultAway takes away the Vault that signs checkpoints, by ending it and by sealing it: records come in and are kept, their
// receipts wait, and when Vault is back every exchange stands in the ledger, once, by itself.
//
// covers: SEC-07
func TestLedgerVaultAway(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		vault      option
		away, back func(*testing.T, *stack.Vault)
	}{
		"ended": {func(*testing.T, *setup) {},
			func(t *testing.T, v *stack.Vault) { must(t, v.Dev.Down()) }, func(t *testing.T, v *stack.Vault) { must(t, v.Dev.Up()) }},
		"sealed": {func(*testing.T, *setup) {},
			func(_ *testing.T, v *stack.Vault) { v.Dev.Seal() }, func(_ *testing.T, v *stack.Vault) { v.Dev.Unseal() }},
		"real server, sealed": {realVault,
			func(t *testing.T, v *stack.Vault) { must(t, v.Real.Seal(t.Context())) }, func(t *testing.T, v *stack.Vault) { must(t, v.Real.Unseal(t.Context())) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, tc.vault, audited)
			l, evidence := newLoad(f), f.evidence(t)
			f.calls(t, l, 60)
			eventually(t, "a receipt", func() bool { return evidence.receipt(t, l.events[0]) == proved })

			tc.away(t, f.vault)
			f.calls(t, l, 60)
			last := l.events[len(l.events)-1]
			eventually(t, "the ledger service keeps the records", func() bool { return evidence.lists(t, last) })
			if got := evidence.receipt(t, last); got != "RECEIPT_PENDING" {
				t.Errorf("receipt without a signature: %s", got)
			}

			tc.back(t, f.vault)
			eventually(t, "the receipt", func() bool { return evidence.receipt(t, last) == proved })
			f.stands(t, l.events)
		})
	}
}

// calls makes so many calls that must be answered.
func (f *fixture) calls(t *testing.T, l *load, n int) {
	t.Helper()
	conn, err := f.Dial(stack.IdentityName, f.scene.Cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	must(t, l.calls(t.Context(), identityv1.NewIdentityServiceClient(conn), 0, n))
}

// complains says whether a service has written the words into its log.
func (f *fixture) complains(service, words string) bool {
	return slices.ContainsFunc(f.Service(service).Log.All(), func(line string) bool { return strings.Contains(line, words) })
}

// evidence is the Danish fund's way to the ledger.
type evidence struct {
	client auditv1.LedgerServiceClient
	why    *commonv1.RequestContext
}

func (f *fixture) evidence(t *testing.T) *evidence {
	t.Helper()
	fund := f.scene.Cast.DanishFund
	conn, err := f.Dial(stack.AuditName, fund)
	must(t, err)
	t.Cleanup(func() { hangUp(t, conn) })
	return &evidence{client: auditv1.NewLedgerServiceClient(conn), why: &commonv1.RequestContext{
		ControllerId: fund.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_AUDIT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:GDPR-5-2", CaseReference: "evidence-1",
	}}
}

// proved is what receipt says when there is one.
const proved = "proved"

// receipt asks for a receipt and returns proved, or why there is none.
func (e *evidence) receipt(t *testing.T, event string) string {
	t.Helper()
	got, err := e.client.GetReceipt(t.Context(), &auditv1.GetReceiptRequest{Context: e.why, EventId: event})
	switch {
	case err == nil && got.GetReceipt().GetEventId() != event:
		return "of another event"
	case err == nil:
		return proved
	case errs.ReasonOf(err) == commonv1.Reason_REASON_UNSPECIFIED:
		return err.Error()
	default:
		return errs.Name(errs.ReasonOf(err))
	}
}

// lists says whether an event is among the fund's latest exchanges.
func (e *evidence) lists(t *testing.T, event string) bool {
	t.Helper()
	got, err := e.client.ListExchanges(t.Context(), &auditv1.ListExchangesRequest{Context: e.why})
	must(t, err)
	return slices.ContainsFunc(got.GetExchanges(), func(r *auditv1.Record) bool { return r.GetEventId() == event })
}
