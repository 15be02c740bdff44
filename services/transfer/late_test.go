package transfer_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
)

// timed are the audit records that timers left in a service, by the fund whose record they are about.
func (n *node) timed(t *testing.T, name string) map[string][]*auditv1.Record {
	t.Helper()
	out, position := map[string][]*auditv1.Record{}, int64(0)
	for {
		page, next, err := n.Records.After(t.Context(), position, 500)
		must(t, err)
		if len(page) == 0 {
			return out
		}
		for _, r := range page {
			if r.GetRpc() == name {
				out[r.GetControllerId()] = append(out[r.GetControllerId()], r)
			}
		}
		position = next
	}
}

// A request that nobody acknowledges: both funds watch the deadline pass, reminder by reminder, until a person must look at it; a step
// forward clears it. Each missed deadline leaves an audit record in each fund.
//
// covers: DFH-05
func TestOverdueIsWatched(t *testing.T) {
	t.Parallel()
	worlds(t, func(t *testing.T, w *world) {
		t.Helper()
		m := w.move(nord, syd, dane)
		m.asked()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 3 { // each is five working days, at most nine days with a weekend and two holidays
			w.later(12)
			m.sweep()
		}
		for _, c := range []*client{m.to, m.from} {
			watching, err := c.WatchTransfer(ctx, &transferv1.WatchTransferRequest{Context: c.why(), TransferId: m.id})
			must(t, err)
			var missed []*transferv1.TransferEvent
			for len(missed) < 3 {
				got, err := watching.Recv()
				must(t, err)
				for _, e := range got.GetEvents() {
					if e.GetKind() == transferv1.TransferEventKind_TRANSFER_EVENT_KIND_DEADLINE_MISSED {
						missed = append(missed, e)
					} else if requested := e.GetState() == transferv1.TransferState_TRANSFER_STATE_REQUESTED; e.GetOverdue() || (e.GetDueOn() != nil) != requested {
						t.Errorf("%s, before any deadline: %v", c.fund, e)
					}
				}
			}
			for i, e := range missed {
				last := i == len(missed)-1
				if !e.GetOverdue() || e.GetActor() != transferv1.TransferActor_TRANSFER_ACTOR_SYSTEM || e.GetManual() != last || (e.GetDueOn() == nil) != last {
					t.Errorf("%s, miss %d: %v", c.fund, i+1, e)
				}
			}
			list, err := c.ListTransfers(ctx, &transferv1.ListTransfersRequest{Context: c.why(), OverdueOnly: true, ManualOnly: true})
			must(t, err)
			if len(list.GetTransfers()) != 1 || list.GetTransfers()[0].GetReminders() != 3 {
				t.Errorf("%s: %v", c.fund, list)
			}
			records := c.node.timed(t, "transfer.deadline_missed")[c.fund]
			if len(records) != 3 || records[0].GetCaseReference() != m.id || len(records[0].GetSubjectRef()) == 0 || records[0].GetLegalReference() == "" {
				t.Errorf("%s: %d records of missed deadlines: %v", c.fund, len(records), records)
			}
		}
		must(t, m.acknowledge())
		for _, c := range []*client{m.to, m.from} {
			if got := m.is(c, transferv1.TransferState_TRANSFER_STATE_ACKNOWLEDGED).GetTransfer(); got.GetOverdue() || got.GetReminders() != 0 || len(got.GetManual()) != 0 {
				t.Errorf("%s: progress clears it: %v", c.fund, got)
			}
		}
	})
}

// The member withdraws by telephone after the exit was confirmed, and an employee of the releasing fund undoes it: both funds see how, and
// by whose word.
//
// covers: SEK-24
func TestExitIsUndone(t *testing.T) {
	t.Parallel()
	worlds(t, func(t *testing.T, w *world) {
		t.Helper()
		m := w.move(nord, syd, dane)
		m.asked()
		must(t, m.acknowledge())
		must(t, m.deliver(1, danish(w.clk.Now())[0]))
		_, err := m.confirm()
		must(t, err)
		m.is(m.to, transferv1.TransferState_TRANSFER_STATE_EXIT_CONFIRMED)
		_, err = m.to.WithdrawPowerOfAttorney(t.Context(), &transferv1.WithdrawPowerOfAttorneyRequest{
			Context: m.to.why(), TransferId: m.id, Channel: transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_PHONE,
		})
		must(t, err)
		within(t, "the releasing fund knows", func() bool {
			got, err := m.get(m.from)
			return err == nil && len(got.GetTransfer().GetManual()) == 1
		})
		undo := &transferv1.DecideWithdrawalRequest{Context: m.from.why(), TransferId: m.id, Decision: transferv1.ExitDecision_EXIT_DECISION_UNDO}
		undo.Context.ActorId = ""
		_, err = m.from.DecideWithdrawal(t.Context(), undo)
		refused(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION", "HUMAN_NEEDED")
		_, err = m.to.DecideWithdrawal(t.Context(), &transferv1.DecideWithdrawalRequest{Context: m.to.why(), TransferId: m.id, Decision: undo.GetDecision()})
		refused(t, err, codes.PermissionDenied, "WRONG_PARTY", "")
		undo.Context = m.from.why()
		out, err := m.from.DecideWithdrawal(t.Context(), undo)
		must(t, err)
		if !out.GetTransfer().GetUndoPending() && out.GetTransfer().GetState() != transferv1.TransferState_TRANSFER_STATE_WITHDRAWN {
			t.Errorf("%v", out)
		}
		for _, c := range []*client{m.to, m.from} {
			got := m.is(c, transferv1.TransferState_TRANSFER_STATE_WITHDRAWN)
			x := got.GetTransfer()
			if x.GetWithdrawalChannel() != transferv1.WithdrawalChannel_WITHDRAWAL_CHANNEL_PHONE || x.GetEffectiveOn() != nil || got.GetErasure() == nil || len(x.GetManual()) != 0 {
				t.Errorf("%s: %v", c.fund, got)
			}
		}
		// The member may move again: nothing of the first attempt is in the way.
		m.asked()
	})
}

// A delivery that breaks after two parts goes on with the third; a part that was there already is refused, so none is doubled.
//
// covers: DFH-05
func TestDeliveryGoesOnAfterABreak(t *testing.T) {
	t.Parallel()
	w := start(t, nil, []string{nord}, []string{syd})
	m := w.move(nord, syd, dane)
	m.asked()
	must(t, m.acknowledge())
	all := danish(w.clk.Now())
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := m.from.DeliverPackage(ctx)
	must(t, err)
	for i := range 2 {
		must(t, stream.Send(&transferv1.DeliverPackageRequest{Context: m.from.why(), TransferId: m.id, Part: int32(i + 1), Package: all[i]}))
		_, err := stream.Recv()
		must(t, err)
	}
	cancel() // and the line is dead
	got := m.is(m.from, transferv1.TransferState_TRANSFER_STATE_DATA_PARTIAL).GetTransfer()
	if got.GetParts() != 2 {
		t.Fatalf("%d parts", got.GetParts())
	}
	refused(t, m.deliver(2, all[1]), codes.FailedPrecondition, "FAILED_PRECONDITION", "PART_OUT_OF_ORDER")
	must(t, m.deliver(int(got.GetParts())+1, all[2:]...))
	n := m.is(m.to, transferv1.TransferState_TRANSFER_STATE_DATA_DELIVERED)
	if len(n.GetReceipts()) != len(all) {
		t.Errorf("%d receipts of %d", len(n.GetReceipts()), len(all))
	}
}
