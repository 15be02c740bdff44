package income_test

import (
	"sync"
	"testing"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Months of different members that are matched at once on PostgreSQL are not in each other's way: no caller has to try again.
func TestMatchMonthAtOnce(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	c := start(t, func(s *setup) { s.DB = db }).as(fund, "")
	const callers = 32
	var answers []*incomev1.RegisterMonth
	for i := range callers {
		answers = append(answers, registered(i, 5250))
	}
	c.deliver("2026-03", answers...)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			out, err := c.rpc.MatchMonth(t.Context(), &incomev1.MatchMonthRequest{
				Context: c.why(), Handle: handleOf(i), Month: "2026-03", MemberMonth: card(i, 4000, 5, 15),
			})
			if d := out.GetDecision(); err != nil || d.GetOutcome() != incomev1.Outcome_OUTCOME_RECOVER {
				t.Errorf("member %d: %v %v", i, d.GetOutcome(), err)
			}
		})
	}
	wg.Wait()
	if notices := c.list(incomev1.DecisionState_DECISION_STATE_NOTICED); len(notices) != callers {
		t.Errorf("%d members noticed, want %d", len(notices), callers)
	}
}
