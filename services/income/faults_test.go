package income_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

// moody is a register with moods, by member: it answers, gives nothing, or does not know the member.
type moody struct {
	mu      sync.Mutex
	numbers core.Numbers
	asked   map[facts.Handle]int
	silent  map[facts.Handle]bool
	hours   map[facts.Handle]rule.Hours
}

func newMoody() *moody {
	return &moody{asked: map[facts.Handle]int{}, silent: map[facts.Handle]bool{}, hours: map[facts.Handle]rule.Hours{}}
}

func (m *moody) set(i int, silent bool, h rule.Hours) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent[facts.Handle(handleOf(i))], m.hours[facts.Handle(handleOf(i))] = silent, h
}

// Month implements core.Register.
func (m *moody) Month(ctx context.Context, q core.Question) (facts.Answer, error) {
	if _, err := m.numbers.Number(ctx, q.Controller, q.Handle); err != nil {
		return facts.Answer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[q.Handle]++
	if m.silent[q.Handle] {
		return facts.Answer{}, fmt.Errorf("half an answer: %w", core.ErrRegisterUnavailable)
	}
	h := m.hours[q.Handle]
	return facts.Answer{Retrieved: time.Date(2026, 4, 11, 3, 0, 0, 0, time.UTC), Records: []facts.Record{
		{Employer: "A", Hours: h, Income: rule.Money(h) * 200, From: q.Month.First(), To: q.Month.Last()},
	}}, nil
}

func (m *moody) open(numbers core.Numbers) (core.Register, error) {
	m.numbers = numbers
	return m, nil
}

func (c *client) enrol(members ...int) error {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	defer cancel()
	in := &incomev1.EnrolMembersRequest{Context: c.why()}
	for _, i := range members {
		in.Items = append(in.Items, &incomev1.Enrolment{Handle: handleOf(i), NationalId: &commonv1.NationalId{
			Country: vocabularyv1.Country_COUNTRY_DK, Value: fmt.Sprintf("740385%04d", 1000+i),
		}})
	}
	s, err := c.rpc.EnrolMembers(ctx)
	_, err = stream(s, err, in)
	return err
}

// A register that answers in part, then nothing, then twice: who got no answer is incomplete and is tried again, nobody is told twice,
// and each retrieval stands in the records with its time and case.
//
// covers: REG-03 DFH-34 DFH-38
func TestRegisterInParts(t *testing.T) {
	t.Parallel()
	register := newMoody()
	w := start(t, func(s *setup) { s.register = register.open })
	c := w.as(fund, "")
	must(t, c.enrol(1, 2))
	c.upload("2026-03", card(1, 4000, 5, 15), card(2, 4000, 5, 15), card(3, 4000, 5, 15)) // nobody knows the number of the third
	register.set(1, false, 5250)
	register.set(2, true, 5250)
	run := c.run("2026-03")
	if got := counts(run); got["RECOVER"] != 1 || got["INCOMPLETE"] != 2 {
		t.Fatalf("%v", got)
	}
	open := c.list(incomev1.DecisionState_DECISION_STATE_OPEN)
	if len(open) != 2 {
		t.Fatalf("%v", open)
	}
	if d := c.decision(open[handleOf(2)][0].GetDecisionId()); len(d.GetReasonCodes()) != 1 || d.GetReasonCodes()[0] != incomev1.ReasonCode_REASON_CODE_REGISTER {
		t.Errorf("%v", d)
	}
	if again := c.run("2026-03"); notices(again) != 0 { // nothing more is known
		t.Errorf("%v", again)
	}
	register.set(2, false, 5250)
	if again := c.run("2026-03"); notices(again) != 1 {
		t.Errorf("%v", again)
	}
	if again := c.run("2026-03"); notices(again) != 0 {
		t.Errorf("%v", again)
	}
	register.mu.Lock()
	if register.asked[facts.Handle(handleOf(1))] != 1 {
		t.Errorf("the register was asked %d times about who was known", register.asked[facts.Handle(handleOf(1))])
	}
	register.mu.Unlock()
	retrieved := 0
	for _, r := range w.AllRecords() {
		if r.GetRpc() == "income.match" && r.GetRetrievedAt() != nil && r.GetSource() == vocabularyv1.Source_SOURCE_PUBLIC_REGISTER && r.GetCaseReference() != "" {
			retrieved++
		}
	}
	if retrieved < 2 {
		t.Errorf("%d records tell of a retrieval", retrieved)
	}
}

// A single month asks the register before its transaction; when it is away, nothing is concluded.
func TestMatchMonthAsksTheRegister(t *testing.T) {
	t.Parallel()
	register := newMoody()
	w := start(t, func(s *setup) { s.register, s.idle = register.open, true })
	c := w.as(fund, "")
	must(t, c.enrol(1))
	register.set(1, true, 0)
	if d := c.match("2026-03", card(1, 0, 0, 0)); d.GetOutcome() != incomev1.Outcome_OUTCOME_INCOMPLETE {
		t.Errorf("silence was taken for no work: %v", d)
	}
	register.set(1, false, 0)
	if d := c.match("2026-03", card(1, 0, 0, 0)); d.GetOutcome() != incomev1.Outcome_OUTCOME_NO_DIFFERENCE {
		t.Errorf("%v", d)
	}
}

// Bad input: absurd months are INVALID with all reasons and wait for a person, others are refused with the field; nothing panics, and the
// good members of the same upload are matched.
//
// covers: DFH-34 DFH-38
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.as(fund, "")
	bad := card(1, -100, 0, 0)
	bad.Status, bad.MonthlyRate = incomev1.InsuranceStatus_INSURANCE_STATUS_UNSPECIFIED, 0
	absurd, twice, missing := card(2, 80_000, 0, 0), card(4, 9900, 0, 0), card(5, 0, 0, 0)
	missing.Card = nil
	c.upload("2026-03", bad, absurd, card(3, 4000, 5, 15), twice, card(4, 4000, 5, 15), missing) // of the fourth the last card holds
	c.deliver("2026-03", registered(1, 1000), registered(2, 1000), registered(3, 5250), registered(4, 4000), registered(5, 1000))
	run := c.run("2026-03")
	if got := counts(run); got["INVALID"] != 2 || got["RECOVER"] != 1 || got["NO_DIFFERENCE"] != 1 || got["INCOMPLETE"] != 1 || run.GetTotal() != 5 {
		t.Fatalf("%v", got)
	}
	waiting := c.list(manual)
	d := c.decision(waiting[handleOf(1)][0].GetDecisionId())
	if len(d.GetReasonCodes()) != 3 || d.GetReasonCodes()[0] != incomev1.ReasonCode_REASON_CODE_STATUS_UNKNOWN || d.GetReasonCodes()[1] != incomev1.ReasonCode_REASON_CODE_RATE_MISSING {
		t.Errorf("%v", d.GetReasonCodes())
	}
	_, err := c.rpc.StartMatchingRun(t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: "2026-05"})
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	_, err = c.rpc.StartMatchingRun(t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: "2026-13"})
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
	early := c.run("2026-04") // its register month is not over
	if early.GetTotal() != 0 {
		t.Errorf("%v", early)
	}
	if d := c.match("2026-04", card(9, 100, 0, 0)); d.GetOutcome() != incomev1.Outcome_OUTCOME_TOO_EARLY || d.GetFigures().GetRetryFrom().GetDay() != 11 {
		t.Errorf("%v", d)
	}
	_, err = c.rpc.GetDecision(t.Context(), &incomev1.GetDecisionRequest{Context: c.why(), DecisionId: core.NewID().String()})
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
	_, err = c.rpc.MatchMonth(t.Context(), &incomev1.MatchMonthRequest{Context: c.why(), Handle: handleOf(77), Month: "2026-03"})
	want(t, err, codes.NotFound, "SUBJECT_NOT_FOUND")
	_, err = c.rpc.ListDecisions(t.Context(), &incomev1.ListDecisionsRequest{Context: c.why(), State: manual, PageToken: "made up"})
	want(t, err, codes.InvalidArgument, "PAGE_TOKEN_INVALID")
	_, err = c.rpc.ListDecisions(t.Context(), &incomev1.ListDecisionsRequest{Context: c.why(), State: incomev1.DecisionState_DECISION_STATE_SUPERSEDED})
	want(t, err, codes.InvalidArgument, "INVALID_REQUEST")
}

// Numbers of real persons have no place outside production (SEC-09), and what is no number is none.
//
// covers: SEC-09
func TestEnrolmentGuard(t *testing.T) {
	t.Parallel()
	outside, production := core.Numbering{Published: []string{"DK:0107529039"}}, core.Numbering{Production: true, Published: []string{"DK:0107529039"}}
	for number, wants := range map[string][2]error{
		"DK 7403851013": {nil, core.ErrEnvironment}, "DK 740385-1013": {nil, core.ErrEnvironment}, "DK 1403851013": {core.ErrEnvironment, nil},
		"DK 0107529039": {nil, core.ErrEnvironment}, "SE 198503149802": {nil, core.ErrEnvironment}, "SE 198503141234": {core.ErrEnvironment, nil},
		"DK 740385101": {core.ErrNumber, core.ErrNumber}, "NO 7403851013": {core.ErrNumber, core.ErrNumber}, "DK 74038510x3": {core.ErrNumber, core.ErrNumber},
	} {
		country, value, _ := strings.Cut(number, " ")
		_, err1 := outside.Canonical(country, value)
		_, err2 := production.Canonical(country, value)
		if err1 != wants[0] || err2 != wants[1] { //nolint:errorlint // the very errors
			t.Errorf("%s: %v outside production, %v in it; want %v", number, err1, err2, wants)
		}
	}
}

// A cancelled run ends; what was decided stays decided, and it can be started anew.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	fill(c, 30)
	started, err := c.rpc.StartMatchingRun(t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: "2026-03"})
	must(t, err)
	same, err := c.rpc.StartMatchingRun(t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: "2026-03"})
	must(t, err)
	if same.GetRun().GetRunId() != started.GetRun().GetRunId() {
		t.Error("two runs at a time")
	}
	cancelled, err := c.rpc.CancelMatchingRun(t.Context(), &incomev1.CancelMatchingRunRequest{Context: c.why(), RunId: started.GetRun().GetRunId()})
	must(t, err)
	if cancelled.GetRun().GetState() != incomev1.RunState_RUN_STATE_CANCELLED || cancelled.GetRun().GetEndedAt() == nil {
		t.Errorf("%v", cancelled)
	}
	id, err := core.ParseID(started.GetRun().GetRunId())
	must(t, err)
	must(t, w.parts.UseCases().WorkRun(t.Context(), id, fund))
	if got := c.await(started.GetRun().GetRunId()); got.GetDone() != 0 {
		t.Errorf("worked on after it was cancelled: %v", got)
	}
	next, err := c.rpc.StartMatchingRun(t.Context(), &incomev1.StartMatchingRunRequest{Context: c.why(), Month: "2026-03"})
	must(t, err)
	id, err = core.ParseID(next.GetRun().GetRunId())
	must(t, err)
	must(t, w.parts.UseCases().WorkRun(t.Context(), id, fund))
	if got := c.await(next.GetRun().GetRunId()); got.GetDone() != 30 || got.GetState() != incomev1.RunState_RUN_STATE_DONE {
		t.Errorf("%v", got)
	}
}

// Nothing personal reaches the database in clear, the log, or an audit record: handles are pseudonyms, numbers, hours and texts are
// encrypted.
//
// covers: SEC-03 SEC-06
func TestNothingPersonalInClear(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "emp-7")
	must(t, c.enrol(13))
	d := c.notice(13)
	_, err := c.rpc.SubmitRemark(t.Context(), &incomev1.SubmitRemarkRequest{Context: c.why(), DecisionId: d.GetDecisionId(), Remark: "canary-remark 7403851013"})
	must(t, err)
	canaries := []string{"canary-remark", "7403851013", "2035900"}
	rows, err := w.DB.Query(t.Context(), `SELECT sealed FROM decision UNION ALL SELECT sealed FROM member_month UNION ALL SELECT sealed FROM register_month UNION ALL SELECT number FROM member WHERE number IS NOT NULL`)
	must(t, err)
	seen := 0
	for rows.Next() {
		var sealed []byte
		must(t, rows.Scan(&sealed))
		seen++
		for _, canary := range canaries {
			if strings.Contains(string(sealed), canary) {
				t.Errorf("%q stands in clear", canary)
			}
		}
	}
	must(t, rows.Close())
	if seen != 4 {
		t.Errorf("%d encrypted values seen", seen)
	}
	for _, r := range w.AllRecords() {
		for _, canary := range append(canaries, handleOf(13)) {
			if strings.Contains(r.String(), canary) {
				t.Errorf("%q in the record of %s", canary, r.GetRpc())
			}
		}
	}
	for _, canary := range append(canaries, handleOf(13)) {
		if strings.Contains(w.Logs.String(), canary) {
			t.Errorf("%q in the log", canary)
		}
	}
}
