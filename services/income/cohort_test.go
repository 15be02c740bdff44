package income_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
)

// cohort reads members of the generator (deploy/generate) with what must come of them: made from the tables of domain.md, by other code
// than the service's.
func cohort[T any](t *testing.T, name string) (out []T) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "deploy", "generate", "testdata", "cohorts", name))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one T
		must(t, json.Unmarshal(lines.Bytes(), &one))
		out = append(out, one)
	}
	must(t, lines.Err())
	if len(out) == 0 {
		t.Fatal(errors.New("nobody is in the cohort"))
	}
	return out
}

func statusOf(partTime bool) incomev1.InsuranceStatus {
	if partTime {
		return incomev1.InsuranceStatus_INSURANCE_STATUS_PART_TIME
	}
	return incomev1.InsuranceStatus_INSURANCE_STATUS_FULL_TIME
}

func codesOf(d *incomev1.Decision) (out []string) {
	for _, c := range d.GetReasonCodes() {
		out = append(out, strings.TrimPrefix(c.String(), "REASON_CODE_"))
	}
	return out
}

func outcomeOf(d *incomev1.Decision) string {
	return strings.TrimPrefix(d.GetOutcome().String(), "OUTCOME_")
}

type benefitMonth struct {
	Month     string `json:"month"`
	Register  int64  `json:"register_centi"`
	Card      int64  `json:"card_centi"`
	Complete  bool   `json:"register_complete"`
	Benefit   bool   `json:"benefit"`
	Relief    bool   `json:"relief"`
	Excused   bool   `json:"excused"`
	NewPeriod bool   `json:"new_period"`
}

type waitingDay struct {
	Outcome  string   `json:"outcome"`
	Codes    []string `json:"codes"`
	Waiting  string   `json:"waiting_month"`
	Deducted string   `json:"deducted_month"`
	Amount   int64    `json:"amount_ore"`
}

// The § 56a cohort: every row of B.2 over the wire, and again with what is known later. A protected member's are for a person.
//
// covers: DFH-36 MIN-15 MIN-16
func TestWaitingDayCohort(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	w.clock.Set("2027-03-15T09:00:00Z")
	c := w.as(fund, "")
	rows := map[string]int{}
	for _, m := range cohort[struct {
		Index     int            `json:"index"`
		Protected bool           `json:"protected"`
		Row       string         `json:"row"`
		PartTime  bool           `json:"part_time"`
		Rate      int64          `json:"monthly_rate_ore"`
		Months    []benefitMonth `json:"months"`
		Expected  []waitingDay   `json:"expected"`
		Later     []benefitMonth `json:"later"`
		After     []waitingDay   `json:"expected_later"`
	}](t, "waiting-days.jsonl") {
		rows[m.Row]++
		ask := func(months []benefitMonth, wants []waitingDay) {
			in := &incomev1.AssessWaitingDayRequest{Context: c.why(), Handle: handleOf(m.Index), Protected: m.Protected}
			for _, b := range months {
				in.Months = append(in.Months, &incomev1.BenefitMonth{
					Month: b.Month, Status: statusOf(m.PartTime), MonthlyRate: m.Rate, RegisterHours: b.Register, CardHours: b.Card, RegisterComplete: b.Complete,
					Benefit: b.Benefit, Relief: b.Relief, Excused: b.Excused, NewPeriod: b.NewPeriod,
				})
			}
			out, err := c.rpc.AssessWaitingDay(t.Context(), in)
			must(t, err)
			var got []waitingDay
			for _, d := range out.GetDecisions() {
				got = append(got, waitingDay{outcomeOf(d), codesOf(d), d.GetMonth(), d.GetFigures().GetDeductedMonth(), d.GetFigures().GetAmount()})
				if state := d.GetState(); (state == manual) != m.Protected || (state == byMachine) == m.Protected {
					t.Errorf("%s, member %d: %s", m.Row, m.Index, state)
				}
			}
			if !slices.EqualFunc(got, wants, func(a, b waitingDay) bool {
				return a.Outcome == b.Outcome && slices.Equal(a.Codes, b.Codes) && a.Waiting == b.Waiting && a.Deducted == b.Deducted && a.Amount == b.Amount
			}) {
				t.Errorf("%s, member %d: %+v, want %+v", m.Row, m.Index, got, wants)
			}
			again, err := c.rpc.AssessWaitingDay(t.Context(), in)
			must(t, err)
			if len(again.GetDecisions()) != 0 {
				t.Errorf("%s: asked again, something is new: %v", m.Row, again.GetDecisions())
			}
		}
		ask(m.Months, m.Expected)
		if len(m.Later) > 0 {
			ask(m.Later, m.After)
		}
	}
	if len(rows) != 14 {
		t.Errorf("%d rows of B.2", len(rows))
	}
}

type shortened struct {
	Outcome string   `json:"outcome"`
	Codes   []string `json:"codes"`
	Hours   int64    `json:"hours_centi"`
	Left    int64    `json:"left_centi"`
}

// The § 56b cohort: every row of B.3 over the wire, from a ledger with sources, on the day on which it is determined; what waits is applied
// or lapses at the new period. A protected member's are for a person.
//
// covers: DFH-37 REG-04 REG-05 REG-06 MIN-15
func TestShorteningCohort(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	rows := map[string]int{}
	for _, m := range cohort[struct {
		Index     int      `json:"index"`
		Protected bool     `json:"protected"`
		Row       string   `json:"row"`
		PartTime  bool     `json:"part_time"`
		Decided   string   `json:"decided_on"`
		Paid      string   `json:"paid_month"`
		Former    bool     `json:"former_fund"`
		Extended  bool     `json:"extended_period"`
		Left      int64    `json:"left_centi"`
		Answered  []string `json:"answered"`
		Months    []struct {
			Source string `json:"source"`
			Month  string `json:"month"`
			Hours  int64  `json:"hours_centi"`
			Used   bool   `json:"used"`
		} `json:"months"`
		Expected shortened  `json:"expected"`
		Begins   string     `json:"new_period_from"`
		Then     *shortened `json:"expected_then"`
	}](t, "shortenings.jsonl") {
		rows[m.Row]++
		w.clock.Set(m.Decided + "T09:00:00Z")
		for _, source := range m.Answered {
			in := &incomev1.RecordConsumptionRequest{
				Context: c.why(), Handle: handleOf(m.Index), Source: incomev1.ConsumptionSource(incomev1.ConsumptionSource_value["CONSUMPTION_SOURCE_"+source]),
			}
			for _, e := range m.Months {
				if e.Source == source {
					in.Months = append(in.Months, &incomev1.ConsumptionMonth{Month: e.Month, Hours: e.Hours, Used: e.Used})
				}
			}
			_, err := c.rpc.RecordConsumption(t.Context(), in)
			must(t, err)
		}
		ask := func(in *incomev1.AssessShorteningRequest, want shortened) {
			in.Context, in.Handle, in.Status, in.Protected = c.why(), handleOf(m.Index), statusOf(m.PartTime), m.Protected
			in.FormerFund, in.Period = m.Former, incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY
			if m.Extended {
				in.Period = incomev1.BenefitPeriod_BENEFIT_PERIOD_EXTENDED
			}
			out, err := c.rpc.AssessShortening(t.Context(), in)
			must(t, err)
			d := out.GetDecision()
			got := shortened{outcomeOf(d), codesOf(d), d.GetFigures().GetHours(), d.GetFigures().GetLeftHours()}
			if got.Outcome != want.Outcome || !slices.Equal(got.Codes, want.Codes) || got.Hours != want.Hours || got.Left != want.Left {
				t.Errorf("%s, member %d: %+v, want %+v", m.Row, m.Index, got, want)
			}
			if open := want.Outcome == "INCOMPLETE"; !open && (d.GetState() == manual) != m.Protected {
				t.Errorf("%s, member %d: %s", m.Row, m.Index, d.GetState())
			}
		}
		ask(&incomev1.AssessShorteningRequest{Month: m.Paid, LeftHours: m.Left}, m.Expected)
		if m.Then != nil {
			w.clock.Set(m.Begins + "T09:00:00Z")
			const plenty = 1000_00
			ask(&incomev1.AssessShorteningRequest{Month: m.Begins[:7], LeftHours: plenty, NewPeriodFrom: date(m.Begins)}, *m.Then)
		}
	}
	if len(rows) != 17 {
		t.Errorf("%d rows of B.3", len(rows))
	}
}
