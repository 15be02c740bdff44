package income_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
)

const (
	noticed    = incomev1.DecisionState_DECISION_STATE_NOTICED
	manual     = incomev1.DecisionState_DECISION_STATE_MANUAL
	byMachine  = incomev1.DecisionState_DECISION_STATE_DECIDED_AUTO
	byPerson   = incomev1.DecisionState_DECISION_STATE_DECIDED_HUMAN
	withdrawn  = incomev1.DecisionState_DECISION_STATE_WITHDRAWN
	superseded = incomev1.DecisionState_DECISION_STATE_SUPERSEDED
	forwarded  = incomev1.DecisionState_DECISION_STATE_FORWARDED
)

// notice makes a member's notice: 12.50 hours to recover.
func (c *client) notice(i int) *incomev1.Decision {
	c.w.t.Helper()
	c.deliver("2026-03", registered(i, 5250))
	return c.match("2026-03", card(i, 4000, 5, 15))
}

func (c *client) posted(id, day string) (*incomev1.Decision, error) {
	out, err := c.rpc.RecordPosting(c.w.t.Context(), &incomev1.RecordPostingRequest{Context: c.why(), DecisionId: id, PostedOn: date(day)})
	return out.GetDecision(), err
}

func (c *client) remark(id string) (*incomev1.Decision, error) {
	out, err := c.rpc.SubmitRemark(c.w.t.Context(), &incomev1.SubmitRemarkRequest{Context: c.why(), DecisionId: id, Remark: "I was ill"})
	return out.GetDecision(), err
}

func (c *client) review(id string) *incomev1.Decision {
	c.w.t.Helper()
	out, err := c.rpc.RequestManualReview(c.w.t.Context(), &incomev1.RequestManualReviewRequest{Context: c.why(), DecisionId: id})
	must(c.w.t, err)
	return out.GetDecision()
}

func (c *client) complain(id string) *incomev1.Decision {
	c.w.t.Helper()
	out, err := c.rpc.FileComplaint(c.w.t.Context(), &incomev1.FileComplaintRequest{Context: c.why(), DecisionId: id, Complaint: "That is wrong"})
	must(c.w.t, err)
	return out.GetDecision()
}

func (c *client) decide(id string, v incomev1.HumanVerdict, hours int64) (*incomev1.Decision, error) {
	out, err := c.rpc.DecideHuman(c.w.t.Context(), &incomev1.DecideHumanRequest{Context: c.why(), DecisionId: id, Verdict: v, Hours: hours, Grounds: "looked at"})
	return out.GetDecision(), err
}

const (
	uphold   = incomev1.HumanVerdict_HUMAN_VERDICT_UPHOLD
	change   = incomev1.HumanVerdict_HUMAN_VERDICT_CHANGE
	withdraw = incomev1.HumanVerdict_HUMAN_VERDICT_WITHDRAW
)

// due decides what is due, as the job does.
func (w *world) due() {
	w.t.Helper()
	_, err := w.parts.UseCases().DecideDue(w.t.Context())
	must(w.t, err)
}

func stateOf(t *testing.T, what string, d *incomev1.Decision, want incomev1.DecisionState) {
	t.Helper()
	if d.GetState() != want {
		t.Errorf("%s: %s, want %s", what, d.GetState(), want)
	}
}

// The timing of domain B.1: posted on 14 April, no answer by the 21st, decided from the 22nd; with the four answers, the guidance in
// Danish, and a record of the decision.
//
// covers: MIN-15 MIN-17 DFH-38
func TestSilenceDecidesOnTheEighthDay(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	d := c.notice(1)
	w.clock.Set("2026-04-14T09:00:00Z")
	_, err := c.posted(d.GetDecisionId(), "2026-04-15")
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION") // tomorrow
	told, err := c.posted(d.GetDecisionId(), "2026-04-14")
	must(t, err)
	if until := told.GetAnswerUntil(); until.GetMonth() != 4 || until.GetDay() != 21 {
		t.Errorf("answer until %v", until)
	}
	_, err = c.posted(d.GetDecisionId(), "2026-04-14") // again: nothing changes
	must(t, err)
	_, err = c.posted(d.GetDecisionId(), "2026-04-13")
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	w.clock.Set("2026-04-21T21:59:00Z") // 23:59 in Copenhagen
	w.due()
	stateOf(t, "on the last day", c.decision(d.GetDecisionId()), noticed)
	w.clock.Set("2026-04-21T22:01:00Z")
	w.due()
	got := c.decision(d.GetDecisionId())
	stateOf(t, "on the day after", got, byMachine)
	if got.GetAutomation() != incomev1.Automation_AUTOMATION_FULL || got.GetDecidedBy() != "income" || got.GetDecidedAt() == nil ||
		!strings.Contains(got.GetComplaintGuidance(), "senest den 20. maj 2026") || !strings.Contains(got.GetComplaintGuidance(), "automatisk") {
		t.Errorf("%v", got)
	}
	records := w.AllRecords()
	at := slices.IndexFunc(records, func(r *auditv1.Record) bool { return r.GetRpc() == "income.decide" })
	if at < 0 || !records[at].GetRuleDecision().GetAutomatic() || len(records[at].GetRuleDecision().GetAnswers()) != 4 {
		t.Errorf("no record of the automatic decision with its answers")
	}
	if _, err := c.remark(d.GetDecisionId()); err == nil {
		t.Error("a remark about what is decided")
	}
}

// A notice that was not posted is never decided, and one about which a restriction or an objection came in goes to a person.
func TestSilenceDecidesNothingElse(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	unposted, objected := c.notice(1), c.notice(2)
	w.clock.Set("2026-04-14T09:00:00Z")
	_, err := c.posted(objected.GetDecisionId(), "2026-04-14")
	must(t, err)
	m := card(2, 4000, 5, 15)
	m.ObjectionOpen, m.Restricted = true, true
	c.upload("2026-03", m)
	w.clock.Set("2026-06-01T09:00:00Z")
	w.due()
	stateOf(t, "never posted", c.decision(unposted.GetDecisionId()), noticed)
	got := c.decision(objected.GetDecisionId())
	stateOf(t, "objection", got, manual)
	if !slices.Equal(got.GetAutomationCodes(), []incomev1.ReasonCode{incomev1.ReasonCode_REASON_CODE_RESTRICTED, incomev1.ReasonCode_REASON_CODE_OBJECTION_OPEN}) {
		t.Errorf("%v", got.GetAutomationCodes())
	}
}

// A remark takes the case to a person (C4); only a person decides it, and what the person says counts from then on.
//
// covers: MIN-15 DFH-38
func TestRemarkGoesToAPerson(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c, system := w.as(fund, "emp-7"), w.as(fund, "")
	d := c.notice(1)
	got, err := c.remark(d.GetDecisionId())
	must(t, err)
	stateOf(t, "remark", got, manual)
	if got.GetAnswers().GetNoRemarks() || !slices.Equal(got.GetAutomationCodes(), []incomev1.ReasonCode{incomev1.ReasonCode_REASON_CODE_MEMBER_REMARKS}) {
		t.Errorf("%v", got)
	}
	_, err = system.decide(d.GetDecisionId(), uphold, 0)
	want(t, err, codes.PermissionDenied, "HUMAN_REQUIRED")
	_, err = c.decide(d.GetDecisionId(), change, 999_999)
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	got, err = c.decide(d.GetDecisionId(), change, 1000)
	must(t, err)
	if got.GetState() != byPerson || got.GetDecidedBy() != "emp-7" || got.GetAutomation() != incomev1.Automation_AUTOMATION_NONE ||
		got.GetFigures().GetAmount() != 126_982 || got.GetFigures().GetNetHours() != 1000 {
		t.Errorf("%v", got)
	}
	_, err = c.decide(d.GetDecisionId(), withdraw, 0)
	want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
	// The same data do not match a person's decision away, and a correction goes on from it.
	if again := c.match("2026-03", card(1, 4000, 5, 15)); again.GetDecisionId() != d.GetDecisionId() {
		t.Errorf("matched again: %v", again)
	}
	c.deliver("2026-03", registered(1, 5100))
	if next := c.match("2026-03", card(1, 4000, 5, 15)); next.GetFigures().GetHours() != 100 || next.GetFigures().GetNetHours() != 1100 || next.GetState() != noticed {
		t.Errorf("after a correction: %v", next)
	}
}

// A remark is not lost when the register corrects before a person has looked.
func TestRemarkSurvivesACorrection(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "emp-7")
	d := c.notice(1)
	_, err := c.remark(d.GetDecisionId())
	must(t, err)
	c.deliver("2026-03", registered(1, 5000))
	next := c.match("2026-03", card(1, 4000, 5, 15))
	stateOf(t, "after the correction", next, manual)
	if next.GetFigures().GetHours() != 1000 || next.GetAnswers().GetNoRemarks() {
		t.Errorf("%v", next)
	}
	old := c.decision(d.GetDecisionId())
	stateOf(t, "the case before", old, superseded)
	if old.GetLaterDecisionId() != next.GetDecisionId() {
		t.Errorf("%v", old)
	}
}

// A manual review is never refused, in no state; it makes a new decision, and the automatic one stays readable.
//
// covers: MIN-15 MIN-18
func TestManualReviewIsNeverRefused(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "emp-7")
	c.deliver("2026-03", registered(1, 4000))
	automatic := c.match("2026-03", card(1, 4000, 0, 0))
	stateOf(t, "no difference", automatic, byMachine)
	review := c.review(automatic.GetDecisionId())
	stateOf(t, "review", review, manual)
	if review.GetEarlierDecisionId() != automatic.GetDecisionId() || !slices.Contains(review.GetAutomationCodes(), incomev1.ReasonCode_REASON_CODE_HUMAN_ONLY) {
		t.Errorf("%v", review)
	}
	if again := c.review(automatic.GetDecisionId()); again.GetDecisionId() != review.GetDecisionId() {
		t.Error("asked again: another review")
	}
	got, err := c.decide(review.GetDecisionId(), change, -500)
	must(t, err)
	if got.GetState() != byPerson || got.GetOutcome() != incomev1.Outcome_OUTCOME_PAY_OUT || got.GetFigures().GetNetHours() != -500 {
		t.Errorf("%v", got)
	}
	stateOf(t, "the automatic one, still readable", c.decision(automatic.GetDecisionId()), superseded)
	stateOf(t, "a review of the review", c.review(review.GetDecisionId()), manual)
	incomplete := c.match("2026-03", card(2, 2000, 0, 0))
	stateOf(t, "review of what is incomplete", c.review(incomplete.GetDecisionId()), manual)
	pending := c.notice(3)
	stateOf(t, "review of a notice", c.review(pending.GetDecisionId()), manual)
	stateOf(t, "the notice waits for the person", c.decision(pending.GetDecisionId()), superseded)
}

// A complaint is decided by a person, another than the one before; what is not fully upheld is forwarded; a late one is received, too; the
// decision stays in force meanwhile.
//
// covers: MIN-15 DFH-39
func TestComplaint(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	seven, eight, system := w.as(fund, "emp-7"), w.as(fund, "emp-8"), w.as(fund, "")
	d := seven.notice(1)
	_, err := seven.remark(d.GetDecisionId())
	must(t, err)
	decided, err := seven.decide(d.GetDecisionId(), uphold, 0)
	must(t, err)
	if !strings.Contains(decided.GetComplaintGuidance(), "senest den 9. maj 2026") {
		t.Errorf("guidance: %s", decided.GetComplaintGuidance())
	}
	complaint := seven.complain(d.GetDecisionId())
	stateOf(t, "complaint", complaint, manual)
	if again := seven.complain(d.GetDecisionId()); again.GetDecisionId() != complaint.GetDecisionId() {
		t.Error("a second complaint while the first is open")
	}
	stateOf(t, "in force meanwhile", seven.decision(d.GetDecisionId()), byPerson)
	_, err = system.decide(complaint.GetDecisionId(), uphold, 0)
	want(t, err, codes.PermissionDenied, "HUMAN_REQUIRED")
	_, err = seven.decide(complaint.GetDecisionId(), uphold, 0)
	want(t, err, codes.PermissionDenied, "OTHER_PERSON_REQUIRED")
	got, err := eight.decide(complaint.GetDecisionId(), uphold, 0)
	must(t, err)
	stateOf(t, "not upheld", got, forwarded)
	stateOf(t, "the decision stands", seven.decision(d.GetDecisionId()), byPerson)

	w.clock.Set("2026-07-01T09:00:00Z")
	late := seven.complain(d.GetDecisionId())
	if !late.GetLateComplaint() || late.GetState() != manual {
		t.Errorf("late complaint: %v", late)
	}
	got, err = eight.decide(late.GetDecisionId(), withdraw, 0)
	must(t, err)
	stateOf(t, "fully upheld", got, withdrawn)
	if got.GetFigures().GetNetHours() != 0 {
		t.Errorf("still regulated: %v", got.GetFigures())
	}
	stateOf(t, "the decision", seven.decision(d.GetDecisionId()), superseded)
}

// Protected members are never decided automatically, with the same figures (D.3 PROTECTED); a person decides.
func TestProtected(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "emp-7")
	c.deliver("2026-03", registered(1, 5250))
	m := card(1, 4000, 5, 15)
	m.Protected = true
	d := c.match("2026-03", m)
	if d.GetState() != manual || d.GetFigures().GetAmount() != 158_727 || !slices.Equal(d.GetAutomationCodes(), []incomev1.ReasonCode{incomev1.ReasonCode_REASON_CODE_PROTECTED}) {
		t.Errorf("%v", d)
	}
	got, err := c.decide(d.GetDecisionId(), withdraw, 0)
	must(t, err)
	if got.GetState() != withdrawn || got.GetFigures().GetNetHours() != 0 {
		t.Errorf("%v", got)
	}
	found := false
	for _, r := range w.AllRecords() {
		found = found || r.GetSubjectClass() == auditv1.SubjectClass_SUBJECT_CLASS_HIGH
	}
	if !found {
		t.Error("no record says that the member needs care")
	}
}

// Waiting days over the wire: K12 with its reversal, and asked again nothing is new.
//
// covers: DFH-36
func TestWaitingDay(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	w.clock.Set("2026-08-01T09:00:00Z")
	c := w.as(fund, "")
	months := benefitMonths("2026-03", 4)
	for i := range 3 {
		months[i].RegisterHours, months[i].CardHours = 4000, 4000
	}
	months[3].CardHours, months[3].RegisterComplete = 2800, false
	ask := func() []*incomev1.Decision {
		out, err := c.rpc.AssessWaitingDay(t.Context(), &incomev1.AssessWaitingDayRequest{Context: c.why(), Handle: handleOf(1), Months: months})
		must(t, err)
		return out.GetDecisions()
	}
	got := ask()
	if len(got) != 1 || got[0].GetOutcome() != incomev1.Outcome_OUTCOME_DEDUCT || !got[0].GetProvisional() || got[0].GetFigures().GetAmount() != 93_967 ||
		got[0].GetState() != byMachine || got[0].GetFigures().GetDeductedMonth() != "2026-06" {
		t.Fatalf("%v", got)
	}
	if again := ask(); len(again) != 0 {
		t.Errorf("asked again: %v", again)
	}
	months[3].RegisterHours, months[3].RegisterComplete = 2850, true
	got = ask()
	if len(got) != 2 || got[0].GetOutcome() != incomev1.Outcome_OUTCOME_REVERSED || got[0].GetFigures().GetAmount() != 93_967 ||
		got[1].GetOutcome() != incomev1.Outcome_OUTCOME_NO_DEDUCTION {
		t.Fatalf("%v", got)
	}
	if again := ask(); len(again) != 0 {
		t.Errorf("asked again: %v", again)
	}
}

// The consumption ledger: sources by label, conflicts to a person, hours used up, a deferred shortening at the next period.
//
// covers: DFH-37 REG-04 REG-05 REG-06
func TestShortening(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	record := func(i int, source incomev1.ConsumptionSource, from string, n int, hours int64) int32 {
		var months []*incomev1.ConsumptionMonth
		for _, m := range benefitMonths(from, n) {
			months = append(months, &incomev1.ConsumptionMonth{Month: m.GetMonth(), Hours: hours})
		}
		out, err := c.rpc.RecordConsumption(t.Context(), &incomev1.RecordConsumptionRequest{Context: c.why(), Handle: handleOf(i), Source: source, Months: months})
		must(t, err)
		return out.GetConflicts()
	}
	ask := func(i int, month string, left int64, edit func(*incomev1.AssessShorteningRequest)) *incomev1.Decision {
		in := &incomev1.AssessShorteningRequest{
			Context: c.why(), Handle: handleOf(i), Month: month, Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME,
			Period: incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY, LeftHours: left,
		}
		if edit != nil {
			edit(in)
		}
		out, err := c.rpc.AssessShortening(t.Context(), in)
		must(t, err)
		return out.GetDecision()
	}
	const own, dfdg, former = 1, 2, 3
	if d := ask(1, "2024-01", 100_000, func(in *incomev1.AssessShorteningRequest) { in.FormerFund = true }); d.GetOutcome() != incomev1.Outcome_OUTCOME_INCOMPLETE ||
		len(d.GetReasonCodes()) != 3 {
		t.Errorf("nobody has answered: %v", d)
	}
	record(1, own, "2020-01", 49, 16_033)
	record(1, dfdg, "2020-01", 1, 16_033)
	d := ask(1, "2024-01", 100_000, nil)
	if d.GetOutcome() != incomev1.Outcome_OUTCOME_SHORTEN || d.GetFigures().GetLeftHours() != 83_967 || d.GetState() != noticed {
		t.Errorf("S02: %v", d)
	}
	if again := ask(1, "2024-02", 83_967, nil); again.GetOutcome() != incomev1.Outcome_OUTCOME_NONE || again.GetFigures().GetSumHours() != 0 {
		t.Errorf("the same hours again: %v", again)
	}
	if again := ask(1, "2024-01", 100_000, nil); again.GetDecisionId() != d.GetDecisionId() {
		t.Errorf("asked again about the same month: %v", again)
	}
	if n := record(1, former, "2020-02", 1, 1); n != 1 {
		t.Errorf("%d conflicts", n)
	}
	if d := ask(1, "2024-03", 83_967, nil); d.GetOutcome() != incomev1.Outcome_OUTCOME_CONFLICT || d.GetState() != manual {
		t.Errorf("conflict: %v", d)
	}
	record(2, own, "2020-01", 49, 16_033)
	record(2, dfdg, "2020-01", 0, 0)
	if d := ask(2, "2024-01", 10, nil); d.GetOutcome() != incomev1.Outcome_OUTCOME_DEFERRED {
		t.Errorf("S07: %v", d)
	}
	next := ask(2, "2026-04", 100_000, func(in *incomev1.AssessShorteningRequest) { in.NewPeriodFrom = date("2026-05-01") })
	if next.GetOutcome() != incomev1.Outcome_OUTCOME_APPLIED || next.GetFigures().GetLeftHours() != 83_967 {
		t.Errorf("S08: %v", next)
	}
	if again := ask(2, "2026-04", 83_967, func(in *incomev1.AssessShorteningRequest) { in.NewPeriodFrom = date("2026-05-01") }); again.GetOutcome() != incomev1.Outcome_OUTCOME_NONE {
		t.Errorf("applied twice: %v", again)
	}
}

// A shortening that a person withdraws gives back the hours that it used; asked again, the person's word stands, and the next month counts
// them anew. One that waits for a person is decided anew when the ledger has changed, from all hours.
//
// covers: DFH-37
func TestWithdrawnShorteningGivesItsHoursBack(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "caseworker-1")
	record := func(source incomev1.ConsumptionSource, months ...*incomev1.ConsumptionMonth) {
		_, err := c.rpc.RecordConsumption(t.Context(), &incomev1.RecordConsumptionRequest{Context: c.why(), Handle: handleOf(1), Source: source, Months: months})
		must(t, err)
	}
	ask := func(month string) *incomev1.Decision {
		out, err := c.rpc.AssessShortening(t.Context(), &incomev1.AssessShorteningRequest{
			Context: c.why(), Handle: handleOf(1), Month: month, Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME,
			Period: incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY, LeftHours: 100_000, Protected: true,
		})
		must(t, err)
		return out.GetDecision()
	}
	var months []*incomev1.ConsumptionMonth
	for _, m := range benefitMonths("2020-01", 49) {
		months = append(months, &incomev1.ConsumptionMonth{Month: m.GetMonth(), Hours: 16_033})
	}
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, months...)
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_DFDG)
	first := ask("2024-01")
	if first.GetOutcome() != incomev1.Outcome_OUTCOME_SHORTEN || first.GetState() != manual {
		t.Fatalf("%v", first)
	}
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, &incomev1.ConsumptionMonth{Month: "2019-12", Hours: 100})
	second := ask("2024-01")
	if second.GetOutcome() != incomev1.Outcome_OUTCOME_SHORTEN || second.GetFigures().GetSumHours() != first.GetFigures().GetSumHours()+100 {
		t.Errorf("the ledger has changed: %v", second)
	}
	if next := ask("2024-02"); next.GetOutcome() != incomev1.Outcome_OUTCOME_NONE || next.GetFigures().GetSumHours() != 0 {
		t.Errorf("hours in use: %v", next)
	}
	if _, err := c.decide(second.GetDecisionId(), withdraw, 0); err != nil {
		t.Fatal(err)
	}
	if again := ask("2024-01"); again.GetDecisionId() != second.GetDecisionId() {
		t.Errorf("a person has decided: %v", again)
	}
	if later := ask("2024-03"); later.GetOutcome() != incomev1.Outcome_OUTCOME_SHORTEN || later.GetFigures().GetSumHours() != second.GetFigures().GetSumHours() {
		t.Errorf("hours given back: %v", later)
	}
}

// While a review waits for its person, new data neither decide it away nor free the hours of what it is about.
//
// covers: DFH-37
func TestShorteningUnderReviewWaitsForItsPerson(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "caseworker-1")
	record := func(source incomev1.ConsumptionSource, months ...*incomev1.ConsumptionMonth) {
		_, err := c.rpc.RecordConsumption(t.Context(), &incomev1.RecordConsumptionRequest{Context: c.why(), Handle: handleOf(1), Source: source, Months: months})
		must(t, err)
	}
	ask := func(month string) *incomev1.Decision {
		out, err := c.rpc.AssessShortening(t.Context(), &incomev1.AssessShorteningRequest{
			Context: c.why(), Handle: handleOf(1), Month: month, Status: incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME,
			Period: incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY, LeftHours: 100_000,
		})
		must(t, err)
		return out.GetDecision()
	}
	var months []*incomev1.ConsumptionMonth
	for _, m := range benefitMonths("2020-01", 49) {
		months = append(months, &incomev1.ConsumptionMonth{Month: m.GetMonth(), Hours: 16_033})
	}
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, months...)
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_DFDG)
	review := c.review(ask("2024-01").GetDecisionId())
	record(incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, &incomev1.ConsumptionMonth{Month: "2019-12", Hours: 100})
	if again := ask("2024-01"); again.GetDecisionId() != review.GetDecisionId() || again.GetState() != manual {
		t.Errorf("the review was decided away: %v", again)
	}
	if next := ask("2024-02"); next.GetFigures().GetSumHours() != 100 {
		t.Errorf("hours under review count again: %v", next)
	}
}

// The Swedish income condition is off unless the operator switches it on.
func TestIncomeConditionIsOff(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		w := start(t, func(s *setup) { s.idle, s.cfg.SE.IncomeCondition, s.cfg.Automation.Areas = true, on, []string{"se"} })
		c := w.as(fund, "")
		incomes := make([]int64, 12)
		for i := range incomes {
			incomes[i] = 1_100_000
		}
		out, err := c.rpc.AssessIncomeCondition(t.Context(), &incomev1.AssessIncomeConditionRequest{Context: c.why(), Handle: handleOf(1), Month: "2026-03", Incomes: incomes})
		if !on {
			want(t, err, codes.FailedPrecondition, "FAILED_PRECONDITION")
			continue
		}
		must(t, err)
		if d := out.GetDecision(); d.GetOutcome() != incomev1.Outcome_OUTCOME_MAIN || d.GetFigures().GetDays() != 300 || d.GetFigures().GetCurrency() != "SEK" || d.GetState() != byMachine {
			t.Errorf("%v", d)
		}
	}
}
