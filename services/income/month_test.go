package income_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// scenario is a row of domain D.3: what is put in, and what must come out. Built by hand from the table, not by the rule.
type scenario struct {
	name    string
	month   func(i int) *incomev1.MemberMonth
	records []int64 // none: nothing delivered but an empty answer
	outcome incomev1.Outcome
	state   incomev1.DecisionState
	hours   int64
	amount  int64
}

func scenarios() []scenario {
	protected := func(i int) *incomev1.MemberMonth { m := card(i, 4000, 5, 15); m.Protected = true; return m }
	placement := func(i int) *incomev1.MemberMonth {
		m := card(i, 0, 0, 0)
		m.PlacementMonth, m.EndedEmployers = true, []string{"E0"}
		return m
	}
	income := func(i int) *incomev1.MemberMonth { m := card(i, 3700, 0, 0); m.Card.DeclaredIncome += 50_000; return m }
	plain := func(declared int64, n, p int32) func(int) *incomev1.MemberMonth {
		return func(i int) *incomev1.MemberMonth { return card(i, declared, n, p) }
	}
	const (
		auto    = incomev1.DecisionState_DECISION_STATE_DECIDED_AUTO
		noticed = incomev1.DecisionState_DECISION_STATE_NOTICED
		manual  = incomev1.DecisionState_DECISION_STATE_MANUAL
		open    = incomev1.DecisionState_DECISION_STATE_OPEN
		over    = incomev1.Outcome_OUTCOME_RECOVER
		under   = incomev1.Outcome_OUTCOME_PAY_OUT
	)
	return []scenario{
		{"EQUAL", plain(4000, 0, 0), []int64{4000}, incomev1.Outcome_OUTCOME_NO_DIFFERENCE, auto, 0, 0},
		{"UNDER", plain(4000, 5, 15), []int64{5250}, over, noticed, 1250, 158_727},
		{"OVER", plain(6000, 8, 15), []int64{3700}, under, noticed, 2300, 292_058},
		{"ROUND_OK", plain(4025, 4, 15), []int64{4075}, incomev1.Outcome_OUTCOME_WITHIN_ROUNDING, auto, 0, 0},
		{"ROUND_MAX", plain(4000, 8, 15), []int64{4100}, incomev1.Outcome_OUTCOME_WITHIN_ROUNDING, auto, 0, 0},
		{"ROUND_OVER", plain(4000, 20, 15), []int64{4101}, over, noticed, 101, 12_825},
		{"NOT_ROUND", plain(4000, 1, 15), []int64{4050}, over, noticed, 50, 6349},
		{"NO_REPORT", plain(2000, 0, 0), nil, incomev1.Outcome_OUTCOME_INCOMPLETE, open, 0, 0},
		{"CAP", plain(15_000, 20, 15), []int64{17_000}, over, noticed, 1033, 131_172},
		{"TWO_EMP", plain(5000, 9, 15), []int64{3000, 3500}, over, noticed, 1500, 190_473},
		{"CORRECT", plain(4000, 5, 15), []int64{5250}, over, noticed, 1250, 158_727},
		{"PLACEMENT", placement, []int64{8000}, incomev1.Outcome_OUTCOME_SKIPPED, auto, 0, 0},
		{"INCOME_ONLY", income, []int64{3700}, incomev1.Outcome_OUTCOME_INCOME_ONLY, manual, 0, 0},
		{"PROTECTED", protected, []int64{5250}, over, manual, 1250, 158_727},
		{"REMARK", plain(4000, 5, 15), []int64{5250}, over, noticed, 1250, 158_727},
	}
}

// fill uploads n members, a scenario each in turn, with register data.
func fill(c *client, n int) {
	c.w.t.Helper()
	all := scenarios()
	var months []*incomev1.MemberMonth
	var answers []*incomev1.RegisterMonth
	for i := range n {
		s := all[i%len(all)]
		months, answers = append(months, s.month(i)), append(answers, registered(i, s.records...))
	}
	c.upload("2026-03", months...)
	c.deliver("2026-03", answers...)
}

func counts(run *incomev1.MatchingRun) map[string]int64 {
	out := map[string]int64{}
	for _, o := range run.GetOutcomes() {
		out[o.GetOutcome().String()[len("OUTCOME_"):]] = o.GetMembers()
	}
	return out
}

func notices(run *incomev1.MatchingRun) (n int64) {
	for _, o := range run.GetOutcomes() {
		n += o.GetNotices()
	}
	return n
}

// The totals of domain D.3 through a run on every database: counts by outcome, one notice each, the figures of each scenario; matched again
// nothing changes and nobody is told twice.
//
// covers: DFH-38 DFH-07 MIN-20 DFH-06 DFH-34
func TestMonth(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		w := start(t, func(s *setup) { s.DB = db })
		c := w.as(fund, "")
		const per = 6
		all := scenarios()
		fill(c, per*len(all))
		run := c.run("2026-03")
		wants := map[string]int64{
			"NO_DIFFERENCE": per, "WITHIN_ROUNDING": 2 * per, "RECOVER": 8 * per, "PAY_OUT": per, "INCOMPLETE": per, "SKIPPED": per, "INCOME_ONLY": per,
		}
		if got := counts(run); !maps.Equal(got, wants) || run.GetDone() != int64(per*len(all)) || run.GetTotal() != run.GetDone() || notices(run) != 8*per {
			t.Fatalf("%v, %d of %d, %d notices; want %v", got, run.GetDone(), run.GetTotal(), notices(run), wants)
		}
		noticed := c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)
		for i, s := range all {
			found := c.list(s.state)[handleOf(i)]
			if len(found) != 1 {
				t.Errorf("%s: %d decisions wait", s.name, len(found))
				continue
			}
			d := c.decision(found[0].GetDecisionId())
			if d.GetOutcome() != s.outcome || d.GetState() != s.state || d.GetFigures().GetHours() != s.hours || d.GetFigures().GetAmount() != s.amount {
				t.Errorf("%s: %v", s.name, d)
			}
		}
		before := len(w.AllRecords())
		again := c.run("2026-03")
		if notices(again) != 0 || again.GetRunId() == run.GetRunId() {
			t.Errorf("matched again: %d notices", notices(again))
		}
		after := c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)
		if len(after) != len(noticed) || slices.ContainsFunc(slices.Collect(maps.Values(after)), func(d []*incomev1.ListedDecision) bool { return len(d) != 1 }) {
			t.Error("somebody was told twice")
		}
		// One record for each member of each run (domain C.3), and those of the calls.
		if got := len(w.AllRecords()) - before; got < per*len(all) {
			t.Errorf("%d records of the second run", got)
		}
	})
}

// A correction of the register is matched on its own, with what was regulated before (D.3 CORRECT); a late card, too.
//
// covers: DFH-38
func TestCorrectionAfterTheRun(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.as(fund, "")
	c.upload("2026-03", card(1, 4000, 5, 15), card(2, 4000, 5, 15))
	c.deliver("2026-03", registered(1, 5250), registered(2, 5250), registered(3, 1000))
	c.run("2026-03")
	if n := c.deliver("2026-03", registered(1, 5000)); n != 1 {
		t.Fatalf("%d matched again", n)
	}
	within(t, 20*time.Second, "the correction is matched", func() bool { return len(c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)[handleOf(1)]) == 2 })
	found := c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)[handleOf(1)]
	d := c.decision(found[1].GetDecisionId())
	if d.GetOutcome() != incomev1.Outcome_OUTCOME_PAY_OUT || d.GetFigures().GetHours() != 250 || d.GetFigures().GetAmount() != 31_745 || d.GetFigures().GetNetHours() != 1000 {
		t.Errorf("%v", d)
	}
	if n := c.deliver("2026-03", registered(1, 5000)); n != 1 { // the register answers twice
		t.Fatalf("%d matched again", n)
	}
	if n := c.upload("2026-03", card(3, 500, 1, 15)); n != 1 {
		t.Fatalf("late card: %d matched", n)
	}
	within(t, 20*time.Second, "the late card is matched", func() bool { return len(c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)[handleOf(3)]) == 1 })
	if got := len(c.list(incomev1.DecisionState_DECISION_STATE_NOTICED)[handleOf(1)]); got != 2 {
		t.Errorf("%d notices after the same answer came twice", got)
	}
}

// Two funds that share a database see nothing of each other, even under the same handle.
func TestFundsAreApart(t *testing.T) {
	t.Parallel()
	w := start(t)
	one, two := w.as(fund, ""), w.as(otherFund, "")
	for _, c := range []*client{one, two} {
		c.upload("2026-03", card(1, 4000, 5, 15))
		c.deliver("2026-03", registered(1, 5250))
	}
	if run := one.run("2026-03"); run.GetTotal() != 1 {
		t.Errorf("%d members", run.GetTotal())
	}
	if got := two.list(incomev1.DecisionState_DECISION_STATE_NOTICED); len(got) != 0 {
		t.Errorf("the other fund was matched, too: %v", got)
	}
	id := one.list(incomev1.DecisionState_DECISION_STATE_NOTICED)[handleOf(1)][0].GetDecisionId()
	_, err := two.rpc.GetDecision(t.Context(), &incomev1.GetDecisionRequest{Context: two.why(), DecisionId: id})
	want(t, err, 5, "SUBJECT_NOT_FOUND")
}

// The answer of MatchMonth has everything that domain B.0 demands, and an explanation in both languages.
//
// covers: MIN-15 DFH-38
func TestDecisionIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.as(fund, "")
	c.deliver("2026-03", registered(1, 5250))
	d := c.match("2026-03", card(1, 4000, 5, 15))
	if d.GetRuleId() != "DK-ALF-46" || d.GetRuleVersion() != "DK-2023-10" || d.GetLegalReference() != "DK:ALF§46" || len(d.GetInputsDigest()) != 36 ||
		d.GetTraceId() == "" || !d.GetAnswers().GetDataPresent() || d.GetState() != incomev1.DecisionState_DECISION_STATE_NOTICED {
		t.Errorf("%v", d)
	}
	for lang, wants := range map[incomev1.Language][]string{
		incomev1.Language_LANGUAGE_DA: {"Dagpengekortet viser 40,00 timer.", "Forskel: 52,50 − 40,00 = 12,50 timer.", "12,50 timer × 20359,00 kr. / 160,33 timer = 1587,27 kr."},
		incomev1.Language_LANGUAGE_EN: {"The benefit card shows 40.00 hours.", "Difference: 52.50 − 40.00 = 12.50 hours.", "12.50 hours × 20359.00 kr / 160.33 hours = 1587.27 kr"},
	} {
		out, err := c.rpc.GetDecision(t.Context(), &incomev1.GetDecisionRequest{Context: c.why(), DecisionId: d.GetDecisionId(), Explain: true, Language: lang})
		must(t, err)
		text := fmt.Sprint(out.GetExplanation())
		for _, want := range wants {
			if !slices.ContainsFunc(out.GetExplanation(), func(s *incomev1.Step) bool { return containsText(s.GetText(), want) }) {
				t.Errorf("%v: %q is missing in %s", lang, want, text)
			}
		}
		if !proto.Equal(out.GetDecision(), d) {
			t.Errorf("read back: %v, was %v", out.GetDecision(), d)
		}
	}
}
