package api

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

func suffix(name, prefix string) string { return strings.TrimPrefix(name, prefix) }

func toOutcome(o string) incomev1.Outcome {
	return incomev1.Outcome(incomev1.Outcome_value["OUTCOME_"+o])
}

func toCodes(in []rule.Code) []incomev1.ReasonCode {
	out := make([]incomev1.ReasonCode, len(in))
	for i, c := range in {
		out[i] = incomev1.ReasonCode(incomev1.ReasonCode_value["REASON_CODE_"+string(c)])
	}
	return out
}

// moment reads a time; absent is the zero time.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func toTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func fromDay(d civil.Date) *commonv1.Date {
	if d == 0 {
		return nil
	}
	y, m, day := d.YMD()
	return &commonv1.Date{Year: int32(y), Month: int32(m), Day: int32(day)} //nolint:gosec // a civil date
}

// toDay reads a complete date; absent is no date.
func toDay(field string, d *commonv1.Date) (civil.Date, error) {
	if d == nil {
		return 0, nil
	}
	out, err := civil.New(int(d.GetYear()), int(d.GetMonth()), int(d.GetDay()))
	if err != nil {
		return 0, invalid(field, "is no day of the calendar")
	}
	return out, nil
}

func toEmployers(in []string) []facts.Employer {
	out := make([]facts.Employer, len(in))
	for i, e := range in {
		out[i] = facts.Employer(e)
	}
	return out
}

func toMonth(in *incomev1.MemberMonth) core.MemberMonth {
	m := core.MemberMonth{
		Status: rule.Status(in.GetStatus()), Rate: rule.Money(in.GetMonthlyRate()), Other: rule.Hours(in.GetOtherDeductionHours()), //nolint:gosec // a defined value of the schema
		Placement: in.GetPlacementMonth(), Ended: toEmployers(in.GetEndedEmployers()), Absent: toEmployers(in.GetAbsentEmployers()),
		Protected: in.GetProtected(), Restricted: in.GetRestricted(), Objection: in.GetObjectionOpen(), Benefit: int(in.GetBenefitType()),
	}
	if c := in.GetCard(); c != nil {
		m.Document = int(c.GetDocumentKind())
		m.Card = &facts.Card{
			Declared: rule.Hours(c.GetDeclaredHours()), Income: rule.Money(c.GetDeclaredIncome()), Count: int(c.GetEntryCount()),
			Precision: int(c.GetPrecisionMinutes()), Submitted: moment(c.GetSubmittedAt()),
		}
		for _, e := range c.GetEntries() {
			m.Card.Entries = append(m.Card.Entries, facts.CardEntry{Day: int(e.GetDay()), Hours: rule.Hours(e.GetHours()), Employer: facts.Employer(e.GetEmployer())})
		}
	}
	return m
}

func toDeliveries(in []*incomev1.RegisterMonth) ([]core.Delivery, error) {
	out := make([]core.Delivery, len(in))
	for i, item := range in {
		out[i] = core.Delivery{Handle: facts.Handle(item.GetHandle()), Answer: facts.Answer{Retrieved: moment(item.GetRetrievedAt())}}
		for j, r := range item.GetRecords() {
			field := "items[" + strconv.Itoa(i) + "].records[" + strconv.Itoa(j) + "]."
			from, err := toDay(field+"period_from", r.GetPeriodFrom())
			if err != nil {
				return nil, err
			}
			to, err := toDay(field+"period_to", r.GetPeriodTo())
			if err != nil {
				return nil, err
			}
			if from > to {
				return nil, invalid(field+"period_to", "is before period_from")
			}
			out[i].Answer.Records = append(out[i].Answer.Records, facts.Record{
				Employer: facts.Employer(r.GetEmployer()), Hours: rule.Hours(r.GetHours()), Income: rule.Money(r.GetIncome()), From: from, To: to,
				Reported: moment(r.GetReportedAt()), NoHours: r.GetNoHours(),
			})
		}
	}
	return out, nil
}

func (s *Server) enrolments(in []*incomev1.Enrolment) ([]core.Enrolment, error) {
	out := make([]core.Enrolment, len(in))
	for i, e := range in {
		country := suffix(e.GetNationalId().GetCountry().String(), "COUNTRY_")
		number, err := s.d.Number(country, e.GetNationalId().GetValue())
		if err != nil {
			return nil, numberFailure(err, "items["+strconv.Itoa(i)+"].national_id.value")
		}
		out[i] = core.Enrolment{Handle: facts.Handle(e.GetHandle()), Number: number}
	}
	return out, nil
}

// decision is the view that the fund and the member may have.
func (s *Server) decision(d *core.Decision) *incomev1.Decision {
	ruleID, law := d.Kind.Rule()
	out := &incomev1.Decision{
		DecisionId: d.ID.String(), Kind: incomev1.RuleKind(d.Kind), Month: d.Month.String(), State: incomev1.DecisionState(d.State),
		Outcome: toOutcome(d.Outcome), ReasonCodes: toCodes(d.Codes), RuleId: ruleID, RuleVersion: d.Version, LegalReference: law,
		InputsDigest: d.Digest, Automation: automationOf(d), DecidedBy: d.DecidedBy, DecidedAt: toTime(d.DecidedAt),
		Answers: &incomev1.Answers{
			DataPresent: d.Answers.DataPresent, NoEnquiry: d.Answers.NoEnquiry, NoDiscretion: d.Answers.NoDiscretion, NoRemarks: d.Answers.NoRemarks,
		},
		ComplaintGuidance: s.d.Service.Guidance(d), ComplaintUntil: fromDay(s.d.Service.ComplaintUntil(d)), TraceId: d.Trace,
		CreatedAt: toTime(d.CreatedAt), PostedOn: fromDay(d.Posted), AnswerUntil: fromDay(d.AnswerBy), EarlierDecisionId: d.Earlier.String(),
		LaterDecisionId: d.Later.String(), Provisional: d.Provision, LateComplaint: d.Late, AutomationCodes: toCodes(d.Against),
	}
	out.Figures = &incomev1.Figures{
		Hours: int64(d.Hours), Amount: int64(d.Amount), Currency: "DKK", DeclaredHours: int64(d.Declared), RegisterHours: int64(d.Register),
		Difference: int64(d.Register - d.Declared), NetHours: int64(d.Net), LimitHours: int64(d.Limit), SumHours: int64(d.Sum),
		LeftHours: int64(d.Left), Days: int32(d.Days), Partial: d.Partial, RetryFrom: fromDay(d.Retry), DeductedMonth: d.Deducted.String(), //nolint:gosec // at most 300
		FirstMonth: d.First.String(),
	}
	if d.Kind == core.IncomeCondition {
		out.Figures.Currency = "SEK"
	}
	return out
}

func automationOf(d *core.Decision) incomev1.Automation {
	switch d.State {
	case core.DecidedAuto:
		return incomev1.Automation_AUTOMATION_FULL
	case core.Manual, core.DecidedHuman, core.Withdrawn, core.Forwarded:
		return incomev1.Automation_AUTOMATION_NONE
	case core.Superseded:
		if d.DecidedBy != "" && d.Verdict == "" {
			return incomev1.Automation_AUTOMATION_FULL
		}
		return incomev1.Automation_AUTOMATION_NONE
	default:
		return incomev1.Automation_AUTOMATION_UNSPECIFIED
	}
}
