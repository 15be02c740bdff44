package income_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// What was decided by machine is listed by run, by month and by when it was decided, page by page, each once: the fund has to tell members.
//
// covers: DFH-34
func TestDecidedByMachineIsListed(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		w := start(t, func(s *setup) { s.DB = db })
		c := w.as(fund, "")
		pages := func(in *incomev1.ListDecisionsRequest) map[string]*incomev1.ListedDecision {
			t.Helper()
			out := map[string]*incomev1.ListedDecision{}
			in.Context, in.State, in.PageSize = c.why(), byMachine, 3
			last := time.Time{}
			for {
				page, err := c.rpc.ListDecisions(t.Context(), in)
				must(t, err)
				for _, d := range page.GetDecisions() {
					if out[d.GetHandle()] != nil || d.GetDecidedAt().AsTime().Before(last) || d.GetDecidedAt() == nil {
						t.Errorf("%v comes twice, out of order or undecided", d)
					}
					out[d.GetHandle()], last = d, d.GetDecidedAt().AsTime()
				}
				if in.PageToken = page.GetNextPageToken(); in.PageToken == "" {
					return out
				}
			}
		}
		count := func(what string, in *incomev1.ListDecisionsRequest, n int) {
			t.Helper()
			if got := pages(in); len(got) != n {
				t.Errorf("%s: %d decisions, want %d", what, len(got), n)
			}
		}
		// Of the fifteen scenarios four are decided at once: no difference, twice within rounding, skipped.
		const per, auto = 5, 4
		fill(c, per*len(scenarios()))
		march := c.run("2026-03")
		count("by run", &incomev1.ListDecisionsRequest{RunId: march.GetRunId()}, per*auto)
		count("by month", &incomev1.ListDecisionsRequest{Month: "2026-03"}, per*auto)
		count("by another month", &incomev1.ListDecisionsRequest{Month: "2026-02"}, 0)
		since := w.clock.Advance(time.Hour)
		count("since later", &incomev1.ListDecisionsRequest{DecidedSince: timestamppb.New(since)}, 0)
		c.match("2026-03", card(900, 0, 0, 0))
		c.deliver("2026-03", registered(901))
		c.match("2026-03", card(901, 0, 0, 0))
		if got := pages(&incomev1.ListDecisionsRequest{DecidedSince: timestamppb.New(since)}); len(got) != 1 || got[handleOf(901)] == nil {
			t.Errorf("since later: %v, want the one that was matched by itself", got)
		}
		count("by run", &incomev1.ListDecisionsRequest{RunId: march.GetRunId()}, per*auto)
		count("all", &incomev1.ListDecisionsRequest{}, per*auto+1)

		why := c.why()
		first, err := c.rpc.ListDecisions(t.Context(), &incomev1.ListDecisionsRequest{Context: why, State: byMachine, PageSize: 2})
		must(t, err)
		for what, in := range map[string]*incomev1.ListDecisionsRequest{
			"another query's token": {Context: why, State: byMachine, Month: "2026-03", PageToken: first.GetNextPageToken()},
			"since without a moment of decision": {
				Context: why, State: incomev1.DecisionState_DECISION_STATE_NOTICED, DecidedSince: timestamppb.New(since),
			},
		} {
			if _, err := c.rpc.ListDecisions(t.Context(), in); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = c.rpc.ListDecisions(t.Context(), &incomev1.ListDecisionsRequest{Context: why, State: byMachine, RunId: first.GetDecisions()[0].GetDecisionId()})
		if status.Code(err) != codes.NotFound {
			t.Errorf("a run that is not there: %v", err)
		}
	})
}
