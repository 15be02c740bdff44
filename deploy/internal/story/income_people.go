package story

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"

	"samvirke.dev/deploy/generate/members"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/platform/clock"
)

// Who decides at the fund.
const (
	caseworker = "caseworker-7"
	colleague  = "caseworker-9"
)

// first is the handle of the first full-time member of a row.
func (m *month) first(row string) string {
	for i := range m.members {
		if one := &m.members[i]; one.Scenario.Name == row && !one.PartTime && one.Protection == "" {
			return m.handleOf(i)
		}
	}
	return ""
}

// people is what members and employees do about decisions.
func (m *month) people() []step {
	under, remark := m.first("UNDER"), m.first("REMARK")
	var complaint string
	why, review := m.by(caseworker, "2026-03-1"), m.by(caseworker, "2026-03-2")
	post := m.step("A notice is posted to a member, who has a week to answer", "RecordPosting", review,
		func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
			got, err := cl.RecordPosting(ctx, &incomev1.RecordPostingRequest{Context: review, DecisionId: m.decided[remark], PostedOn: today()}, trailer)
			d := got.GetDecision()
			return "answer until " + day(d.GetAnswerUntil()), "", errors.Join(err, expect("state", d.GetState(), incomev1.DecisionState_DECISION_STATE_NOTICED))
		})
	object := m.step("The member objects, so nothing is decided by a machine", "SubmitRemark", review,
		func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
			got, err := cl.SubmitRemark(ctx, &incomev1.SubmitRemarkRequest{
				Context: review, DecisionId: m.decided[remark], Remark: "Min arbejdsgiver har indberettet timer, som jeg har afspadseret.",
			}, trailer)
			d := got.GetDecision()
			return m.state(d), "", errors.Join(err, expect("state", d.GetState(), incomev1.DecisionState_DECISION_STATE_MANUAL),
				expect("codes", fmt.Sprint(d.GetAutomationCodes()), fmt.Sprint([]incomev1.ReasonCode{incomev1.ReasonCode_REASON_CODE_MEMBER_REMARKS})))
		})
	decide := m.ruling("A caseworker reads it and lets the decision stand", review, func() string { return m.decided[remark] },
		incomev1.DecisionState_DECISION_STATE_DECIDED_HUMAN)
	complain := m.step("The member complains", "FileComplaint", review,
		func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
			got, err := cl.FileComplaint(ctx, &incomev1.FileComplaintRequest{
				Context: review, DecisionId: m.decided[remark], Complaint: "Jeg er ikke enig.", ReceivedOn: today(),
			}, trailer)
			d := got.GetDecision()
			complaint = d.GetDecisionId()
			return m.state(d), "", errors.Join(err, expect("state", d.GetState(), incomev1.DecisionState_DECISION_STATE_MANUAL))
		})
	same := m.ruling("Whoever decided before may not decide the complaint", review, func() string { return complaint }, 0)
	same.refused, same.granted = commonv1.Reason_REASON_OTHER_PERSON_REQUIRED, true
	other := m.ruling("A colleague decides; what is not upheld goes to the national complaints centre", m.by(colleague, "2026-03-2"),
		func() string { return complaint }, incomev1.DecisionState_DECISION_STATE_FORWARDED)
	return []step{m.explain(under, why), post, object, decide, complain, same, other}
}

// explain shows how a decision came about, as the member may read it.
func (m *month) explain(handle string, why *commonv1.RequestContext) step {
	return m.step("One decision explained to the member, step by step", "GetDecision", why,
		func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
			got, err := cl.GetDecision(ctx, &incomev1.GetDecisionRequest{
				Context: why, DecisionId: m.decided[handle], Explain: true, Language: incomev1.Language_LANGUAGE_DA,
			}, trailer)
			if err != nil {
				return "", "", err
			}
			d := got.GetDecision()
			lines := []string{m.state(d)}
			for _, s := range got.GetExplanation() {
				lines = append(lines, s.GetText())
			}
			lines = append(lines, fmt.Sprintf("rule %s version %s, inputs %x", d.GetRuleId(), d.GetRuleVersion(), d.GetInputsDigest()))
			if len(got.GetExplanation()) == 0 || d.GetRuleVersion() == "" || len(d.GetInputsDigest()) == 0 {
				err = errors.New("no explanation, version or digest")
			}
			return strings.Join(lines, "\n"+strings.Repeat(" ", indent)), "", err
		})
}

// indent is where the text of an answer begins.
const indent = 14

// ruling is a decision by a person, who lets stand what was decided.
func (m *month) ruling(title string, why *commonv1.RequestContext, decision func() string, want incomev1.DecisionState) step {
	return m.step(title, "DecideHuman", why, func(ctx context.Context, cl incomev1.IncomeServiceClient, trailer grpc.CallOption) (string, string, error) {
		got, err := cl.DecideHuman(ctx, &incomev1.DecideHumanRequest{
			Context: why, DecisionId: decision(), Verdict: incomev1.HumanVerdict_HUMAN_VERDICT_UPHOLD, Grounds: "Lønsedlen viser timerne.",
		}, trailer)
		if err != nil {
			return "", "", err
		}
		d := got.GetDecision()
		answer := m.state(d) + ", by " + d.GetDecidedBy() + "\n" + strings.Repeat(" ", indent) + d.GetComplaintGuidance()
		return answer, "", errors.Join(expect("state", d.GetState(), want), expect("guidance is missing", d.GetComplaintGuidance() == "", false))
	})
}

// state is a decision in a line.
func (m *month) state(d *incomev1.Decision) string {
	codes := make([]string, 0, len(d.GetAutomationCodes()))
	for _, c := range d.GetAutomationCodes() {
		codes = append(codes, short(c.String(), "REASON_CODE_"))
	}
	line := fmt.Sprintf("%s %s: %s, %s", short(d.GetOutcome().String(), "OUTCOME_"), hundredths(d.GetFigures().GetHours())+" h",
		hundredths(d.GetFigures().GetAmount())+" kr", short(d.GetState().String(), "DECISION_STATE_"))
	if len(codes) > 0 {
		line += " (" + strings.Join(codes, ", ") + ")"
	}
	return line
}

func hundredths(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// correct has the corrections reported and the months matched again.
func (m *month) correct(ctx context.Context, cl incomev1.IncomeServiceClient) error {
	if err := m.report(members.UploadedCorrections(m.members)); err != nil {
		return err
	}
	begun := clock.System().Now()
	var handles []string
	for i := range m.members {
		if _, ok := m.members[i].ExpectedAfter(); ok {
			handles = append(handles, m.handleOf(i))
		}
	}
	err := eachOf(ctx, handles, func(ctx context.Context, handle string) error {
		got, err := cl.MatchMonth(ctx, &incomev1.MatchMonthRequest{Context: m.why("2026-03-again"), Handle: handle, Month: members.Month})
		if err != nil {
			return err
		}
		want, _ := m.handle[handle].ExpectedAfter()
		return compared(m.handle[handle], got.GetDecision(), want)
	})
	m.t.line("answer", "%d months, each of which must be PAY_OUT 2.50 h, or RECOVER 10.00 h where nobody has decided yet; %.1f s", len(handles), clock.System().Now().Sub(begun).Seconds())
	return err
}
