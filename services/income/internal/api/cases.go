package api

import (
	"context"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
	"samvirke.dev/services/income/internal/core/waiting"
)

// about reads the id of a decision and runs a use case about it.
func (s *Server) about(ctx context.Context, id string, run func(context.Context, core.Caller, core.ID) (*core.Decision, error)) (*incomev1.Decision, error) {
	parsed, err := parseID("decision_id", id)
	if err != nil {
		return nil, err
	}
	d, err := run(ctx, s.d.Caller(ctx), parsed)
	if err != nil {
		return nil, failure(err)
	}
	return s.decision(d), nil
}

// GetDecision gives a decision and, if asked for, explains it.
func (s *Server) GetDecision(ctx context.Context, in *incomev1.GetDecisionRequest) (*incomev1.GetDecisionResponse, error) {
	out := &incomev1.GetDecisionResponse{}
	var err error
	out.Decision, err = s.about(ctx, in.GetDecisionId(), func(ctx context.Context, c core.Caller, id core.ID) (*core.Decision, error) {
		d, err := s.d.Service.Decision(ctx, c, id)
		if err == nil && in.GetExplain() {
			lang := core.Danish
			if in.GetLanguage() == incomev1.Language_LANGUAGE_EN {
				lang = core.English
			}
			for _, step := range s.d.Service.Explain(d, lang) {
				out.Explanation = append(out.Explanation, &incomev1.Step{Text: step.Text, Row: step.Row})
			}
		}
		return d, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// RecordPosting records when a notice was posted.
func (s *Server) RecordPosting(ctx context.Context, in *incomev1.RecordPostingRequest) (*incomev1.RecordPostingResponse, error) {
	day, err := toDay("posted_on", in.GetPostedOn())
	if err != nil {
		return nil, err
	}
	d, err := s.about(ctx, in.GetDecisionId(), func(ctx context.Context, c core.Caller, id core.ID) (*core.Decision, error) {
		return s.d.Service.Posted(ctx, c, id, day)
	})
	if err != nil {
		return nil, err
	}
	return &incomev1.RecordPostingResponse{Decision: d}, nil
}

// SubmitRemark records a member's objection to a notice.
func (s *Server) SubmitRemark(ctx context.Context, in *incomev1.SubmitRemarkRequest) (*incomev1.SubmitRemarkResponse, error) {
	d, err := s.about(ctx, in.GetDecisionId(), func(ctx context.Context, c core.Caller, id core.ID) (*core.Decision, error) {
		return s.d.Service.Remark(ctx, c, id, in.GetRemark())
	})
	if err != nil {
		return nil, err
	}
	return &incomev1.SubmitRemarkResponse{Decision: d}, nil
}

// RequestManualReview asks for a person to decide anew.
func (s *Server) RequestManualReview(ctx context.Context, in *incomev1.RequestManualReviewRequest) (*incomev1.RequestManualReviewResponse, error) {
	d, err := s.about(ctx, in.GetDecisionId(), s.d.Service.Review)
	if err != nil {
		return nil, err
	}
	return &incomev1.RequestManualReviewResponse{Decision: d}, nil
}

// FileComplaint records a complaint.
func (s *Server) FileComplaint(ctx context.Context, in *incomev1.FileComplaintRequest) (*incomev1.FileComplaintResponse, error) {
	received, err := toDay("received_on", in.GetReceivedOn())
	if err != nil {
		return nil, err
	}
	d, err := s.about(ctx, in.GetDecisionId(), func(ctx context.Context, c core.Caller, id core.ID) (*core.Decision, error) {
		return s.d.Service.Complain(ctx, c, id, in.GetComplaint(), received)
	})
	if err != nil {
		return nil, err
	}
	return &incomev1.FileComplaintResponse{Decision: d}, nil
}

// DecideHuman records what a person decided.
func (s *Server) DecideHuman(ctx context.Context, in *incomev1.DecideHumanRequest) (*incomev1.DecideHumanResponse, error) {
	d, err := s.about(ctx, in.GetDecisionId(), func(ctx context.Context, c core.Caller, id core.ID) (*core.Decision, error) {
		return s.d.Service.DecideHuman(ctx, c, id, core.Ruling{
			Verdict: core.Verdict(suffix(in.GetVerdict().String(), "HUMAN_VERDICT_")), Hours: rule.Hours(in.GetHours()), Grounds: in.GetGrounds(),
		})
	})
	if err != nil {
		return nil, err
	}
	return &incomev1.DecideHumanResponse{Decision: d}, nil
}

// AssessWaitingDay decides the waiting days of a benefit period.
func (s *Server) AssessWaitingDay(ctx context.Context, in *incomev1.AssessWaitingDayRequest) (*incomev1.AssessWaitingDayResponse, error) {
	months := make([]waiting.Month, len(in.GetMonths()))
	for i, m := range in.GetMonths() {
		month, err := s.past(m.GetMonth())
		if err != nil {
			return nil, err
		}
		months[i] = waiting.Month{
			Month: month, Status: rule.Status(m.GetStatus()), Rate: rule.Money(m.GetMonthlyRate()), Hours: rule.Hours(m.GetRegisterHours()), //nolint:gosec // a defined value of the schema
			Card: rule.Hours(m.GetCardHours()), Complete: m.GetRegisterComplete(), Benefit: m.GetBenefit(), Relief: m.GetRelief(),
			Education: m.GetEducation(), Excused: m.GetExcused(), NewPeriod: m.GetNewPeriod(),
		}
	}
	made, err := s.d.Service.WaitingDays(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), months, in.GetProtected())
	if err != nil {
		return nil, failure(err)
	}
	out := &incomev1.AssessWaitingDayResponse{}
	for _, d := range made {
		out.Decisions = append(out.Decisions, s.decision(d))
	}
	return out, nil
}

// RecordConsumption keeps hours of benefit as a source reports them.
func (s *Server) RecordConsumption(ctx context.Context, in *incomev1.RecordConsumptionRequest) (*incomev1.RecordConsumptionResponse, error) {
	months := make([]core.Consumption, len(in.GetMonths()))
	for i, m := range in.GetMonths() {
		month, err := s.past(m.GetMonth())
		if err != nil {
			return nil, err
		}
		months[i] = core.Consumption{Month: month, Hours: rule.Hours(m.GetHours()), Used: m.GetUsed()}
	}
	source := shortening.Source(in.GetSource()) //nolint:gosec // a defined value of the schema
	conflicts, err := s.d.Service.RecordConsumption(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), source, months)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.RecordConsumptionResponse{Recorded: int32(len(months)), Conflicts: int32(conflicts)}, nil //nolint:gosec // at most 240
}

// AssessShortening decides whether the benefit period is shortened.
func (s *Server) AssessShortening(ctx context.Context, in *incomev1.AssessShorteningRequest) (*incomev1.AssessShorteningResponse, error) {
	paid, err := s.past(in.GetMonth())
	if err != nil {
		return nil, err
	}
	begins, err := toDay("new_period_from", in.GetNewPeriodFrom())
	if err != nil {
		return nil, err
	}
	d, err := s.d.Service.Shortening(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), core.ShorteningQuestion{
		Paid: paid, Status: rule.Status(in.GetStatus()), Former: in.GetFormerFund(), Period: shortening.Period(in.GetPeriod()), //nolint:gosec // defined values of the schema
		Left: rule.Hours(in.GetLeftHours()), NewPeriod: begins, Protected: in.GetProtected(),
	})
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.AssessShorteningResponse{Decision: s.decision(d)}, nil
}

// AssessIncomeCondition decides the Swedish income condition.
func (s *Server) AssessIncomeCondition(
	ctx context.Context, in *incomev1.AssessIncomeConditionRequest,
) (*incomev1.AssessIncomeConditionResponse, error) {
	month, err := s.past(in.GetMonth())
	if err != nil {
		return nil, err
	}
	incomes := make([]rule.Money, len(in.GetIncomes()))
	for i, m := range in.GetIncomes() {
		incomes[i] = rule.Money(m)
	}
	d, err := s.d.Service.IncomeCondition(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), month, incomes)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.AssessIncomeConditionResponse{Decision: s.decision(d)}, nil
}
