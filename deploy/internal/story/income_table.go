package story

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/deploy/generate/members"
	"samvirke.dev/deploy/internal/say"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/platform/clock"
)

// row is a line of the table of outcomes.
type row struct {
	scenario     members.Scenario
	members, met int
	hours, kroner,
	wantHours, wantKroner int64
}

// compare reads all decisions and prints what came beside what must come.
func (m *month) compare(ctx context.Context, cl incomev1.IncomeServiceClient) error {
	begun := clock.System().Now()
	if err := m.list(ctx, cl); err != nil {
		return err
	}
	waiting := len(m.decided)
	rows := make([]row, len(members.Scenarios(false)))
	for i, s := range members.Scenarios(false) {
		rows[i].scenario = s
	}
	handles := make([]string, 0, len(m.handle))
	for handle := range m.handle {
		handles = append(handles, handle)
	}
	var mu sync.Mutex
	err := eachOf(ctx, handles, func(ctx context.Context, handle string) error {
		one := m.handle[handle]
		d, err := m.read(ctx, cl, handle)
		if err != nil {
			return fmt.Errorf("member %d: %w", one.Index, err)
		}
		want := one.Expected()
		err = compared(one, d, want)
		mu.Lock()
		defer mu.Unlock()
		r := &rows[one.Scenario.Row]
		r.members++
		if err == nil {
			r.met++
		}
		r.hours, r.kroner = r.hours+d.GetFigures().GetHours(), r.kroner+d.GetFigures().GetAmount()
		r.wantHours, r.wantKroner = r.wantHours+want.Hours, r.wantKroner+want.Amount
		return err
	})
	m.print(rows)
	m.t.line("answer", "%d cases wait for somebody and are listed; the others are decided, and matching them again changes nothing; %.1f s", waiting,
		clock.System().Now().Sub(begun).Seconds())
	return err
}

// read returns the decision about a member. Where nobody is waited for the same month is matched again, which must find nothing new and return
// what was decided.
func (m *month) read(ctx context.Context, cl incomev1.IncomeServiceClient, handle string) (*incomev1.Decision, error) {
	if id := m.decided[handle]; id != "" {
		got, err := cl.GetDecision(ctx, &incomev1.GetDecisionRequest{Context: m.why("2026-03-table"), DecisionId: id})
		return got.GetDecision(), err
	}
	got, err := cl.MatchMonth(ctx, &incomev1.MatchMonthRequest{Context: m.why("2026-03-table"), Handle: handle, Month: members.Month})
	d := got.GetDecision()
	if err != nil {
		return nil, err
	}
	return d, errors.Join(expect("state", d.GetState(), incomev1.DecisionState_DECISION_STATE_DECIDED_AUTO),
		expect("decided anew", d.GetEarlierDecisionId() != "", false))
}

// list finds the decisions that wait for somebody.
func (m *month) list(ctx context.Context, cl incomev1.IncomeServiceClient) error {
	for _, state := range []incomev1.DecisionState{
		incomev1.DecisionState_DECISION_STATE_OPEN, incomev1.DecisionState_DECISION_STATE_NOTICED, incomev1.DecisionState_DECISION_STATE_MANUAL,
	} {
		for token := ""; ; {
			page, err := cl.ListDecisions(ctx, &incomev1.ListDecisionsRequest{Context: m.why("2026-03-list"), State: state, PageSize: incomeBatch, PageToken: token})
			if err != nil {
				return err
			}
			for _, d := range page.GetDecisions() {
				if m.handle[d.GetHandle()] == nil || m.decided[d.GetHandle()] != "" {
					return errors.New("a decision about nobody, or two about one member")
				}
				m.decided[d.GetHandle()] = d.GetDecisionId()
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
	}
	return nil
}

// outcomes are the service's words by those of the table.
func outcomes() map[string]incomev1.Outcome {
	return map[string]incomev1.Outcome{
		members.NoDifference: incomev1.Outcome_OUTCOME_NO_DIFFERENCE, members.Recover: incomev1.Outcome_OUTCOME_RECOVER,
		members.PayOut: incomev1.Outcome_OUTCOME_PAY_OUT, members.WithinRounding: incomev1.Outcome_OUTCOME_WITHIN_ROUNDING,
		members.Incomplete: incomev1.Outcome_OUTCOME_INCOMPLETE, members.Skipped: incomev1.Outcome_OUTCOME_SKIPPED,
		members.IncomeOnly: incomev1.Outcome_OUTCOME_INCOME_ONLY,
	}
}

// compared says how a decision differs from what must come.
func compared(one *members.Member, d *incomev1.Decision, want members.Expected) error {
	manual := d.GetState() == incomev1.DecisionState_DECISION_STATE_MANUAL
	// Who objects does so later on.
	must := !want.Automatic && (!one.Scenario.Remark || one.Protected())
	err := errors.Join(
		expect("outcome", d.GetOutcome(), outcomes()[want.Outcome]), expect("hours", d.GetFigures().GetHours(), want.Hours),
		expect("amount", d.GetFigures().GetAmount(), want.Amount), expect("for a person", manual, must),
	)
	if err != nil {
		return fmt.Errorf("member %d (%s): %w", one.Index, one.Scenario.Name, err)
	}
	return nil
}

// print shows the table.
func (m *month) print(rows []row) {
	say.F(m.t.out, "    %-12s %-22s %9s %9s   %21s   %21s\n", "scenario", "must come", "members", "as must", "hours: must / came", "kr: must / came")
	for _, r := range rows {
		say.F(m.t.out, "    %-12s %-22s %9d %9d   %10s %10s   %10s %10s\n", r.scenario.Name, r.scenario.Outcome, r.members, r.met,
			hundredths(r.wantHours), hundredths(r.hours), hundredths(r.wantKroner), hundredths(r.kroner))
	}
}

// together is how many calls of a step are under way at the same time.
const together = 8

// Tries of a call that met another one, and the wait between them.
const (
	tries = 10
	again = 50 * time.Millisecond
)

// patiently makes a call again when the service says that another one was in its way, as every client must: on PostgreSQL two transactions
// may touch the same pages, and one of them is asked to come back.
func patiently(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		code := status.Code(err)
		if err == nil || try == tries || code != codes.Aborted && code != codes.Unavailable {
			return err
		}
		timer := time.NewTimer(time.Duration(try) * again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// eachOf does something for each of many, several at a time, and reports the first few failures.
func eachOf(ctx context.Context, all []string, do func(context.Context, string) error) error {
	const few = 5
	next := make(chan string)
	var mu sync.Mutex
	var failures []error
	failed := 0
	var work sync.WaitGroup
	for range together {
		work.Go(func() {
			for one := range next {
				if err := patiently(ctx, func() error { return do(ctx, one) }); err != nil {
					mu.Lock()
					if failed++; failed <= few {
						failures = append(failures, err)
					}
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	work.Wait()
	if failed > few {
		failures = append(failures, fmt.Errorf("and %d more", failed-few))
	}
	return errors.Join(failures...)
}
