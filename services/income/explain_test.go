package income_test

import (
	"slices"
	"strings"
	"testing"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
)

// explained reads a decision's explanation and looks for sentences in it.
func (c *client) explained(t *testing.T, d *incomev1.Decision, want map[incomev1.Language][]string) {
	t.Helper()
	for lang, sentences := range want {
		out, err := c.rpc.GetDecision(t.Context(), &incomev1.GetDecisionRequest{Context: c.why(), DecisionId: d.GetDecisionId(), Explain: true, Language: lang})
		must(t, err)
		var told []string
		for _, s := range out.GetExplanation() {
			told = append(told, s.GetText())
		}
		for _, s := range sentences {
			if !slices.Contains(told, s) {
				t.Errorf("%v: %q is missing in\n%s", lang, s, strings.Join(told, "\n"))
			}
		}
	}
}

const (
	danish  = incomev1.Language_LANGUAGE_DA
	english = incomev1.Language_LANGUAGE_EN
)

// Each step of a waiting day in words and figures: rows K01, K02, K03, K09 and K12 of domain B.2.
//
// covers: DFH-36
func TestWaitingDayIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	w.clock.Set("2026-12-01T09:00:00Z")
	c := w.as(fund, "")
	ask := func(i int, hours []int64, edit func([]*incomev1.BenefitMonth)) []*incomev1.Decision {
		t.Helper()
		months := benefitMonths("2026-03", len(hours))
		for n, h := range hours {
			months[n].RegisterHours, months[n].CardHours = h, h
		}
		if edit != nil {
			edit(months)
		}
		out, err := c.rpc.AssessWaitingDay(t.Context(), &incomev1.AssessWaitingDayRequest{Context: c.why(), Handle: handleOf(i), Months: months})
		must(t, err)
		return out.GetDecisions()
	}
	c.explained(t, ask(1, []int64{4000, 4000, 4000, 2800}, nil)[0], map[incomev1.Language][]string{
		danish: {
			"Perioden er 2026-03 til 2026-06: 40,00 + 40,00 + 40,00 + 28,00 = 148,00 timer.",
			"Som fuldtidsforsikret er man fri for karensdagen med mere end 148,00 timer.",
			"Én dags dagpenge er 7,40 timer × 20359,00 kr. / 160,33 timer = 939,67 kr. før skat; den trækkes i udbetalingen for 2026-06.",
		},
		english: {
			"The block is 2026-03 to 2026-06: 40.00 + 40.00 + 40.00 + 28.00 = 148.00 hours.",
			"With full-time insurance more than 148.00 hours free from the waiting day.",
			"One day's benefit is 7.40 hours × 20359.00 kr / 160.33 hours = 939.67 kr before tax; it is deducted from the payment for 2026-06.",
		},
	})
	c.explained(t, ask(2, []int64{4000, 4000, 4000, 2801}, nil)[0], map[incomev1.Language][]string{
		danish:  {"Perioden er 2026-03 til 2026-06: 40,00 + 40,00 + 40,00 + 28,01 = 148,01 timer.", "Der trækkes ingen karensdag."},
		english: {"No waiting day is deducted."},
	})
	partTime := ask(3, []int64{9700, 0, 0, 0}, func(months []*incomev1.BenefitMonth) {
		for _, m := range months {
			m.Status, m.MonthlyRate = incomev1.InsuranceStatus_INSURANCE_STATUS_PART_TIME, 1_357_300
		}
	})
	c.explained(t, partTime[0], map[incomev1.Language][]string{
		danish: {
			"Som deltidsforsikret er man fri for karensdagen med mere end 97,00 timer.",
			"Én dags dagpenge er 6,00 timer × 13573,00 kr. / 130,00 timer = 626,45 kr. før skat; den trækkes i udbetalingen for 2026-06.",
		},
		english: {"With part-time insurance more than 97.00 hours free from the waiting day."},
	})
	without := ask(4, []int64{0, 0, 0, 0}, func(months []*incomev1.BenefitMonth) { months[3].Benefit = false })
	c.explained(t, without[0], map[incomev1.Language][]string{
		danish:  {"Der er ingen dagpenge i den sidste måned, og karensdagen udskydes ikke."},
		english: {"There is no benefit in the last month, and the waiting day is not carried forward."},
	})
	provisional := ask(5, []int64{4000, 4000, 4000, 2800}, func(months []*incomev1.BenefitMonth) {
		months[3].RegisterHours, months[3].RegisterComplete = 0, false
	})
	c.explained(t, provisional[0], map[incomev1.Language][]string{
		danish: {
			"Registeret er ikke komplet; kortets timer er brugt foreløbig.",
			"Perioden er 2026-03 til 2026-06: 40,00 + 40,00 + 40,00 + 28,00 = 148,00 timer.",
		},
		english: {"The register is not complete; the card's hours are used for the time being."},
	})
	reversed := ask(5, []int64{4000, 4000, 4000, 2850}, nil)
	c.explained(t, reversed[0], map[incomev1.Language][]string{
		danish:  {"Karensdagen tilbageføres med 939,67 kr. før skat."},
		english: {"The waiting day is reversed: 939.67 kr before tax are paid back."},
	})
}

// Each step of a shortening in words and figures: rows S01, S02, S03 and S07 of domain B.3.
//
// covers: DFH-37
func TestShorteningIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	ask := func(i, months int, hours int64, month string, status incomev1.InsuranceStatus, left int64) *incomev1.Decision {
		t.Helper()
		for source := range incomev1.ConsumptionSource(2) {
			in := &incomev1.RecordConsumptionRequest{Context: c.why(), Handle: handleOf(i), Source: source + 1}
			if source == 0 {
				for _, m := range benefitMonths("2020-01", months) {
					in.Months = append(in.Months, &incomev1.ConsumptionMonth{Month: m.GetMonth(), Hours: hours})
				}
			}
			_, err := c.rpc.RecordConsumption(t.Context(), in)
			must(t, err)
		}
		out, err := c.rpc.AssessShortening(t.Context(), &incomev1.AssessShorteningRequest{
			Context: c.why(), Handle: handleOf(i), Month: month, Status: status, Period: incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY, LeftHours: left,
		})
		must(t, err)
		return out.GetDecision()
	}
	const full, part = incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME, incomev1.InsuranceStatus_INSURANCE_STATUS_PART_TIME
	c.explained(t, ask(1, 48, 16_033, "2023-12", full, 100_000), map[incomev1.Language][]string{
		danish: {
			"Fra 2016-01 til 2023-12 er der udbetalt 7695,84 timer, som ikke er brugt før. Grænsen er 7696,00 timer for fuldtidsforsikret.",
			"Grænsen er ikke nået; perioden forkortes ikke.",
		},
		english: {"The threshold is not reached; the period is not shortened."},
	})
	c.explained(t, ask(2, 49, 16_033, "2024-01", full, 100_000), map[incomev1.Language][]string{
		danish: {"Perioden forkortes: 1000,00 − 160,33 = 839,67 timer er tilbage."},
		english: {
			"From 2016-02 to 2024-01 7856.17 hours were paid that were not used before. The threshold is 7696.00 hours with full-time insurance.",
			"The period is shortened: 1000.00 − 160.33 = 839.67 hours are left.",
		},
	})
	c.explained(t, ask(3, 48, 13_000, "2023-12", part, 100_000), map[incomev1.Language][]string{
		danish:  {"Fra 2016-01 til 2023-12 er der udbetalt 6240,00 timer, som ikke er brugt før. Grænsen er 6240,00 timer for deltidsforsikret."},
		english: {"The period is shortened: 1000.00 − 130.00 = 870.00 hours are left."},
	})
	c.explained(t, ask(4, 49, 16_033, "2024-01", full, 16_032), map[incomev1.Language][]string{
		danish:  {"Der er for lidt tilbage at forkorte; det udskydes til en ny dagpengeperiode."},
		english: {"Too little is left to be shortened; it waits for a new benefit period."},
	})
}

// The Swedish condition, where it is switched on: the second and third examples of domain B.12.
func TestIncomeConditionIsExplained(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle, s.cfg.SE.IncomeCondition, s.cfg.Automation.Areas = true, true, []string{"se"} })
	c := w.as(fund, "")
	ask := func(i, months int, income int64) *incomev1.Decision {
		t.Helper()
		incomes := make([]int64, 12)
		for n := range months {
			incomes[n] = income
		}
		out, err := c.rpc.AssessIncomeCondition(t.Context(), &incomev1.AssessIncomeConditionRequest{
			Context: c.why(), Handle: handleOf(i), Month: "2026-03", Incomes: incomes,
		})
		must(t, err)
		return out.GetDecision()
	}
	c.explained(t, ask(1, 10, 12_000_00), map[incomev1.Language][]string{
		english: {
			"The twelve months up to 2026-03 come to 120000.00 kr, and in 10 of them income is high enough (at most 10 in a row).",
			"The main rule is met: 200 days; the benefit's base is 120000.00 kr.",
		},
		danish: {"Hovedreglen er opfyldt: 200 dage; grundlaget er 120000,00 kr."},
	})
	c.explained(t, ask(2, 9, 13_000_00), map[incomev1.Language][]string{
		english: {"The alternative rule is met: 66 days; the benefit's base is 117000.00 kr."},
	})
	c.explained(t, ask(3, 3, 40_000_00), map[incomev1.Language][]string{english: {"Neither rule is met."}})
}
