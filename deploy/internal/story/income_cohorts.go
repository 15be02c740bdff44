package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/deploy/generate/members"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/clock"
)

// Laws of the two cohorts.
const (
	lawWaiting    = "DK:ALF§56a"
	lawShortening = "DK:ALF§56b"

	benefitAssessment = vocabularyv1.Purpose_PURPOSE_BENEFIT_ASSESSMENT
)

// because says why a member of a cohort is looked at.
func (m *month) because(law string) *commonv1.RequestContext {
	why := because(m.fund, benefitAssessment, "2026-cohort")
	why.LegalReference, why.ActorId = law, caseworker
	return why
}

// cohort does something for every member who lives through a row of a table, and says how many there were.
func (m *month) cohort(ctx context.Context, row func(*members.Member) string, do func(ctx context.Context, handle string) error) error {
	var handles []string
	for i := range m.members {
		if row(&m.members[i]) != "" {
			handles = append(handles, m.handleOf(i))
		}
	}
	err := eachOf(ctx, handles, func(ctx context.Context, handle string) error {
		if err := do(ctx, handle); err != nil {
			return fmt.Errorf("member %d (%s): %w", m.handle[handle].Index, row(m.handle[handle]), err)
		}
		return nil
	})
	m.t.line("answer", "%d members, each compared with what the table says must come", len(handles))
	return err
}

// waitingDays asks about the benefit periods of B.2, and again when the register has become complete.
func (m *month) waitingDays(ctx context.Context, cl incomev1.IncomeServiceClient) error {
	row := func(one *members.Member) string {
		if one.Karens == nil {
			return ""
		}
		return one.Karens.Row
	}
	return m.cohort(ctx, row, func(ctx context.Context, handle string) error {
		one := m.handle[handle]
		k := *one.Karens
		k = k.Shifted(past(k.Months[len(k.Months)-1].Month))
		ask := func(months []members.KarensMonth, want []members.WaitingDay) error {
			got, err := cl.AssessWaitingDay(ctx, &incomev1.AssessWaitingDayRequest{
				Context: m.because(lawWaiting), Handle: handle, Months: benefitMonths(k.PartTime, months), Protected: one.Protected(),
			})
			if err != nil {
				return err
			}
			return sameDays(got.GetDecisions(), want)
		}
		err := ask(k.Months, k.Expected)
		if err == nil && k.Later != nil {
			err = ask(k.Later, k.After)
		}
		return err
	})
}

// past is by how many months a row has to be moved so that its last month has begun: the service decides nothing about months to come.
func past(last string) (months int) {
	at, err := time.Parse("2006-01", last)
	for err == nil && at.AddDate(0, months, 0).After(clock.System().Now()) {
		months -= 12
	}
	return months
}

func benefitMonths(partTime bool, months []members.KarensMonth) []*incomev1.BenefitMonth {
	status, rate := insured(partTime), int64(members.RateFull)
	if partTime {
		rate = members.RatePart
	}
	out := make([]*incomev1.BenefitMonth, 0, len(months))
	for _, one := range months {
		out = append(out, &incomev1.BenefitMonth{
			Month: one.Month, Status: status, MonthlyRate: rate, RegisterHours: one.Hours, CardHours: one.Card, RegisterComplete: !one.Incomplete,
			Benefit: one.Benefit, Relief: one.Relief, Excused: one.Excused, NewPeriod: one.NewPeriod,
		})
	}
	return out
}

func insured(partTime bool) incomev1.InsuranceStatus {
	if partTime {
		return incomev1.InsuranceStatus_INSURANCE_STATUS_PART_TIME
	}
	return incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME
}

func sameDays(got []*incomev1.Decision, want []members.WaitingDay) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d decisions, want %d", len(got), len(want))
	}
	var errs []error
	for i, w := range want {
		d := got[i]
		errs = append(errs, expect("outcome", short(d.GetOutcome().String(), "OUTCOME_"), w.Outcome), expect("waiting month", d.GetMonth(), w.Month),
			expect("deducted in", d.GetFigures().GetDeductedMonth(), w.Deducted), expect("amount", d.GetFigures().GetAmount(), w.Amount),
			expect("provisional", d.GetProvisional(), w.Provisional))
	}
	return errors.Join(errs...)
}

// shortenings records the ledgers of B.3, asks, and asks again at a new benefit period about what was deferred.
func (m *month) shortenings(ctx context.Context, cl incomev1.IncomeServiceClient) error {
	row := func(one *members.Member) string {
		if one.Shortening == nil {
			return ""
		}
		return one.Shortening.Row
	}
	return m.cohort(ctx, row, func(ctx context.Context, handle string) error {
		one := m.handle[handle]
		s := one.Shortening.Shifted(past(one.Shortening.Paid))
		err := errors.Join(
			m.consumed(ctx, cl, handle, incomev1.ConsumptionSource_CONSUMPTION_SOURCE_OWN, s.Own),
			m.consumed(ctx, cl, handle, incomev1.ConsumptionSource_CONSUMPTION_SOURCE_DFDG, s.DFDG),
		)
		if err != nil {
			return err
		}
		in := &incomev1.AssessShorteningRequest{
			Context: m.because(lawShortening), Handle: handle, Month: s.Paid, Status: insured(s.PartTime), FormerFund: s.Former,
			Period: incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY, LeftHours: s.Left, Protected: one.Protected(),
		}
		if s.Extended {
			in.Period = incomev1.BenefitPeriod_BENEFIT_PERIOD_EXTENDED
		}
		got, err := cl.AssessShortening(ctx, in)
		if err != nil {
			return err
		}
		if err := shortened(got.GetDecision(), s.Expected); err != nil || s.Years == 0 {
			return err
		}
		begins, err := yearsAfter(got.GetDecision().GetCreatedAt().AsTime(), s.Years)
		if err != nil {
			return err
		}
		in.Month, in.NewPeriodFrom = "2026-01", dateOf(begins.AddDate(0, 0, s.Days))
		if got, err = cl.AssessShortening(ctx, in); err != nil {
			return err
		}
		return shortened(got.GetDecision(), s.After)
	})
}

// consumed records what a source says.
func (m *month) consumed(
	ctx context.Context, cl incomev1.IncomeServiceClient, handle string, by incomev1.ConsumptionSource, months []members.Consumption,
) error {
	in := &incomev1.RecordConsumptionRequest{Context: m.because(lawShortening), Handle: handle, Source: by}
	for _, c := range months {
		in.Months = append(in.Months, &incomev1.ConsumptionMonth{Month: c.Month, Hours: c.Hours, Used: c.Used})
	}
	_, err := cl.RecordConsumption(ctx, in)
	return err
}

func shortened(d *incomev1.Decision, want members.Shortened) error {
	return errors.Join(expect("outcome", short(d.GetOutcome().String(), "OUTCOME_"), want.Outcome), expect("hours", d.GetFigures().GetHours(), want.Hours),
		expect("left", d.GetFigures().GetLeftHours(), want.Left))
}

// yearsAfter is the same day so many years later, in Denmark: of 29 February, the last day of the month.
func yearsAfter(t time.Time, years int) (time.Time, error) {
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		return t, err
	}
	t = t.In(zone)
	later := t.AddDate(years, 0, 0)
	if later.Day() != t.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later, nil
}

func dateOf(t time.Time) *commonv1.Date {
	return &commonv1.Date{Year: int32(t.Year()), Month: int32(t.Month()), Day: int32(t.Day())} //nolint:gosec // a calendar's numbers
}
