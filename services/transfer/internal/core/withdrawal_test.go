package core_test

import (
	"errors"
	"testing"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/store"
)

// Withdrawn before the exit the case ends and the data are erased; after it a person decides; once effective nothing changes. The
// membership in the releasing fund is untouched.
//
// covers: SEK-24
func TestWithdrawal(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		for name, by := range map[string]*samvirke{"via the receiving fund": s.n, "via the releasing fund": s.o} {
			fund := map[*samvirke]string{s.n: syd, s.o: nord}[by]
			s.request()
			s.acknowledge()
			s.deliver(1, cases.PackageA, true)
			_, err := by.Withdraw(t.Context(), caller(fund), s.id, phone)
			must(t, err)
			settle(t.Context(), t, s.n, s.o)
			n, o := s.both(cases.Withdrawn)
			line, err := s.o.store.Timeline(t.Context(), n.Subject)
			must(t, err)
			if len(line) != 1 || line[0].Fund != nord || line[0].Last != store.Forever {
				t.Errorf("%s: %+v", name, line)
			}
			view, err := s.n.Get(t.Context(), caller(syd), s.id)
			must(t, err)
			if view.Erasure == nil || view.Erasure.Parts != 1 || n.PoAHash == nil || o.PoAHash == nil {
				t.Errorf("%s: %+v", name, view)
			}
			s.again()
		}
		s.request()
		s.confirm()
		_, err := s.n.Withdraw(t.Context(), caller(syd), s.id, phone)
		must(t, err)
		settle(t.Context(), t, s.n, s.o)
		n, o := s.both(cases.ExitConfirmed)
		if n.Manual&cases.ManualWithdrawal == 0 || o.Manual&cases.ManualWithdrawal == 0 || n.Withdrawing {
			t.Errorf("a person must decide: %+v, %+v", n, o)
		}
		s.clk.Set(at(t, "2026-04-01"))
		s.sweep()
		s.both(cases.Effective)
		if _, err := s.n.Withdraw(t.Context(), caller(syd), s.id, phone); !errors.Is(err, cases.ErrState) {
			t.Errorf("after the move: %v", err)
		}
	})
}

// late brings a case to a withdrawal after the exit was confirmed.
func (s *stage) late() {
	s.t.Helper()
	s.request()
	s.confirm()
	_, err := s.n.Withdraw(s.t.Context(), caller(syd), s.id, phone)
	must(s.t, err)
	settle(s.t.Context(), s.t, s.n, s.o)
}

// decides is the releasing fund's employee.
func (s *stage) decides(undo bool) {
	s.t.Helper()
	_, err := s.o.Decide(s.t.Context(), caller(nord), s.id, undo)
	must(s.t, err)
}

// An employee of the releasing fund decides about a withdrawal that came after the exit was confirmed: keeping it the move goes on, undoing
// it the member stays, the data are erased, and nobody else may decide.
//
// covers: DFH-05 SEK-24
func TestDecisionAfterExit(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		s.request()
		s.confirm()
		var guard cases.GuardError
		if _, err := s.o.Decide(t.Context(), caller(nord), s.id, true); !errors.As(err, &guard) || guard.Guard != cases.GuardNoWithdrawal {
			t.Errorf("nobody withdrew: %v", err)
		}
		s.again()
		s.late()
		if n, o := s.both(cases.ExitConfirmed); n.Channel != phone || o.Channel != phone {
			t.Errorf("channels %d and %d", n.Channel, o.Channel)
		}
		if _, err := s.n.Decide(t.Context(), caller(syd), s.id, true); !errors.Is(err, cases.ErrWrongActor) {
			t.Errorf("the receiving fund decided: %v", err)
		}
		if _, err := s.o.Decide(t.Context(), core.Caller{Fund: nord}, s.id, true); !errors.As(err, &guard) || guard.Guard != cases.GuardHuman {
			t.Errorf("a system decided: %v", err)
		}
		s.decides(false)
		settle(t.Context(), t, s.n, s.o)
		if n, o := s.both(cases.ExitConfirmed); n.Manual != 0 || o.Manual != 0 {
			t.Errorf("kept, and still for a person: %v, %v", n.Manual, o.Manual)
		}
		s.again()
		s.late()
		s.decides(true)
		if _, err := s.o.Decide(t.Context(), caller(nord), s.id, false); !errors.As(err, &guard) || guard.Guard != cases.GuardUndoing {
			t.Errorf("decided twice: %v", err)
		}
		settle(t.Context(), t, s.n, s.o)
		n, o := s.both(cases.Withdrawn)
		for side, fund := range map[*samvirke]string{s.n: syd, s.o: nord} {
			line, err := side.store.Timeline(t.Context(), n.Subject)
			must(t, err)
			if len(line) != 1 || line[0].Fund != nord || line[0].Last != store.Forever {
				t.Errorf("%s: %+v", fund, line)
			}
			view, err := side.Get(t.Context(), caller(fund), s.id)
			must(t, err)
			if view.Erasure == nil || view.Receipts[0].Content != nil || o.Effective != 0 {
				t.Errorf("%s: %+v", fund, view)
			}
		}
	})
}

// Undoing an exit waits for the receiving fund. Cut off from it, the releasing fund does not become effective; where the day has come
// meanwhile, the receiving fund says no and the move stands.
func TestUndoComesTooLate(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		s.late()
		s.decides(true) // and the funds are parted
		s.clk.Set(at(t, "2026-04-02"))
		for _, side := range []*samvirke{s.n, s.o} {
			_, err := side.ReachDays(t.Context())
			must(t, err)
		}
		if o, err := s.o.store.Get(t.Context(), s.id, nord); err != nil || o.State != cases.ExitConfirmed || !o.Undoing {
			t.Errorf("%+v, %v", o, err)
		}
		settle(t.Context(), t, s.n, s.o)
		s.sweep()
		if n, o := s.both(cases.Effective); n.Manual != 0 || o.Manual != 0 {
			t.Errorf("%v, %v", n.Manual, o.Manual)
		}
		if _, err := s.o.Decide(t.Context(), caller(nord), s.id, true); !errors.Is(err, cases.ErrState) {
			t.Errorf("after the move: %v", err)
		}
	})
}

// What the other fund refuses for good is no longer sent: it waits for an employee, whose act sends it again.
func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg func(testing.TB) sqlkit.Config) {
		t.Helper()
		s := enter(t, cfg, nord, syd, "2026-03-15")
		s.request()
		_, err := s.o.Acknowledge(t.Context(), caller(nord), s.id, core.Acknowledgement{Membership: "m-0"})
		must(t, err)
		waiting := func() []store.Message {
			out, err := s.o.store.Unsent(t.Context(), nord, syd, core.LaneOf(s.id), s.clk.Now(), 10)
			must(t, err)
			return out
		}
		must(t, s.o.Refused(t.Context(), waiting()[0]))
		lanes, err := s.o.store.Lanes(t.Context())
		must(t, err)
		o, err := s.o.store.Get(t.Context(), s.id, nord)
		if err != nil || o.Manual&cases.ManualRefused == 0 || len(waiting()) != 0 || len(lanes) != 0 {
			t.Errorf("%+v, %d waiting, %v, %v", o, len(waiting()), lanes, err)
		}
		if len(s.o.timed.items[cases.ManualSet]) != 1 {
			t.Errorf("audit records: %v", s.o.timed.items)
		}
		var guard cases.GuardError
		if _, err := s.o.Resume(t.Context(), core.Caller{Fund: nord}, s.id); !errors.As(err, &guard) || guard.Guard != cases.GuardHuman {
			t.Errorf("a system sent it again: %v", err)
		}
		o, err = s.o.Resume(t.Context(), caller(nord), s.id)
		if err != nil || o.Manual != 0 || len(waiting()) != 1 {
			t.Errorf("%+v, %v", o, err)
		}
		settle(t.Context(), t, s.n, s.o)
		s.both(cases.Acknowledged)
		if _, err := s.o.Resume(t.Context(), caller(nord), s.id); !errors.As(err, &guard) || guard.Guard != cases.GuardNotRefused {
			t.Errorf("nothing was refused: %v", err)
		}
	})
}

// What timers do leaves an audit record for each person: deadlines, the end of a power of attorney, the day of the move.
func TestTimersLeaveRecords(t *testing.T) {
	t.Parallel()
	s := enter(t, sqltest.MemoryConfig, nord, syd, "2026-03-15")
	s.request()
	s.confirm()
	moved := s.id
	s.clk.Set(at(t, "2026-04-01"))
	s.sweep()
	s.again()
	s.request()
	s.clk.Set(at(t, "2026-12-01"))
	s.sweep()
	s.both(cases.Expired)
	for name, side := range map[string]*samvirke{"receiving": s.n, "releasing": s.o} {
		got := side.timed.items
		if len(got[cases.DayReached]) != 1 || got[cases.DayReached][0].TransferID != moved || got[cases.DayReached][0].Subject == "" {
			t.Errorf("%s: %v", name, got)
		}
		if len(got[cases.MissDeadline]) == 0 || got[cases.MissDeadline][0].TransferID != s.id {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(s.o.timed.items[cases.ExpirePoA]) != 1 || len(s.n.timed.items[cases.ExpirePoA]) != 0 { // the receiving fund is told, by a call
		t.Errorf("%v, %v", s.n.timed.items, s.o.timed.items)
	}
}
