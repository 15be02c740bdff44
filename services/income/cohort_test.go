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

// cohortMember is a member in a row of a cohort.
type cohortMember[T any] struct {
	Index     int    `json:"index"`
	Person    string `json:"number"`
	Protected bool   `json:"protected"`
	Row       T      `json:"row"`
}

// cohort reads members of the generator (deploy/generate) with what must come of them: made from the tables of domain.md, by other code
// than the service's.
func cohort[T any](t *testing.T, name string) (out []cohortMember[T]) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "deploy", "generate", "testdata", "cohorts", name))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one cohortMember[T]
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

func outcomeOf(d *incomev1.Decision) string {
	return strings.TrimPrefix(d.GetOutcome().String(), "OUTCOME_")
}

type benefitMonth struct {
	Month      string `json:"month"`
	Register   int64  `json:"register_hours"`
	Card       int64  `json:"card_hours"`
	Incomplete bool   `json:"register_incomplete"`
	Benefit    bool   `json:"benefit"`
	Relief     bool   `json:"relief"`
	Excused    bool   `json:"excused"`
	NewPeriod  bool   `json:"new_period"`
}

type waitingDay struct {
	Outcome     string `json:"outcome"`
	Month       string `json:"month"`
	Deducted    string `json:"deducted"`
	Amount      int64  `json:"amount"`
	Provisional bool   `json:"provisional"`
}

type karens struct {
	Row      string         `json:"row"`
	PartTime bool           `json:"part_time"`
	Months   []benefitMonth `json:"months"`
	Expected []waitingDay   `json:"expected"`
	Later    []benefitMonth `json:"later"`
	After    []waitingDay   `json:"after"`
}

func (k *karens) months(in []benefitMonth) (out []*incomev1.BenefitMonth) {
	rate := int64(20_359_00)
	if k.PartTime {
		rate = 13_573_00
	}
	for _, b := range in {
		out = append(out, &incomev1.BenefitMonth{
			Month: b.Month, Status: statusOf(k.PartTime), MonthlyRate: rate, RegisterHours: b.Register, CardHours: b.Card, RegisterComplete: !b.Incomplete,
			Benefit: b.Benefit, Relief: b.Relief, Excused: b.Excused, NewPeriod: b.NewPeriod,
		})
	}
	return out
}

// The § 56a cohort: every row of B.2 over the wire in its own months, and again with what is known later; asked again, nothing is new. A
// protected member's decisions are for a person.
//
// covers: DFH-36 MIN-15
func TestWaitingDayCohort(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	w.clock.Set("2027-03-15T09:00:00Z")
	c := w.as(fund, "")
	rows := map[string]bool{}
	for _, m := range cohort[karens](t, "karens.jsonl") {
		k := &m.Row
		rows[k.Row] = true
		ask := func(months []benefitMonth, wants []waitingDay) {
			in := &incomev1.AssessWaitingDayRequest{Context: c.why(), Handle: handleOf(m.Index), Protected: m.Protected, Months: k.months(months)}
			out, err := c.rpc.AssessWaitingDay(t.Context(), in)
			must(t, err)
			var got []waitingDay
			for _, d := range out.GetDecisions() {
				got = append(got, waitingDay{outcomeOf(d), d.GetMonth(), d.GetFigures().GetDeductedMonth(), d.GetFigures().GetAmount(), d.GetProvisional()})
				if state := d.GetState(); (state == manual) != m.Protected || (state == byMachine) == m.Protected {
					t.Errorf("%s, member %d: %s", k.Row, m.Index, state)
				}
			}
			if !slices.Equal(got, wants) {
				t.Errorf("%s, member %d: %+v, want %+v", k.Row, m.Index, got, wants)
			}
			again, err := c.rpc.AssessWaitingDay(t.Context(), in)
			must(t, err)
			if len(again.GetDecisions()) != 0 {
				t.Errorf("%s: asked again, something is new: %v", k.Row, again.GetDecisions())
			}
		}
		ask(k.Months, k.Expected)
		if len(k.Later) > 0 {
			ask(k.Later, k.After)
		}
	}
	if len(rows) != 14 {
		t.Errorf("%d rows of B.2", len(rows))
	}
}

type consumption struct {
	Month string `json:"month"`
	Hours int64  `json:"hours"`
	Used  bool   `json:"used"`
}

type shortened struct {
	Outcome string `json:"outcome"`
	Hours   int64  `json:"hours"`
	Left    int64  `json:"left"`
}

// The § 56b cohort: every row of B.3 over the wire, from a ledger with sources; what waits is applied or lapses at the new period, by the
// days of S08 to S10. A protected member's decisions are for a person.
//
// covers: DFH-37 REG-04 REG-05 REG-06 MIN-15
func TestShorteningCohort(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.idle = true })
	c := w.as(fund, "")
	// Determined on, and when the new period begins: on the last day, after it, and after the clamped one of a leap day.
	days := map[string][2]string{"S08": {"2026-06-30", "2031-06-30"}, "S09": {"2026-06-30", "2031-07-01"}, "S10": {"2028-02-29", "2033-03-01"}}
	rows := map[string]bool{}
	for _, m := range cohort[struct {
		Row      string        `json:"row"`
		PartTime bool          `json:"part_time"`
		Paid     string        `json:"paid"`
		Own      []consumption `json:"own"`
		DFDG     []consumption `json:"dfdg"`
		Former   bool          `json:"former_fund"`
		Extended bool          `json:"extended_period"`
		Left     int64         `json:"left"`
		Expected shortened     `json:"expected"`
		After    shortened     `json:"after"`
	}](t, "shortenings.jsonl") {
		s := m.Row
		rows[s.Row] = true
		w.clock.Set("2027-01-05T09:00:00Z")
		dates, waits := days[s.Row]
		if waits {
			w.clock.Set(dates[0] + "T09:00:00Z")
		}
		for source, months := range map[incomev1.ConsumptionSource][]consumption{1: s.Own, 2: s.DFDG} {
			in := &incomev1.RecordConsumptionRequest{Context: c.why(), Handle: handleOf(m.Index), Source: source}
			for _, e := range months {
				in.Months = append(in.Months, &incomev1.ConsumptionMonth{Month: e.Month, Hours: e.Hours, Used: e.Used})
			}
			_, err := c.rpc.RecordConsumption(t.Context(), in)
			must(t, err)
		}
		ask := func(want shortened, in *incomev1.AssessShorteningRequest) {
			in.Context, in.Handle, in.Status, in.Protected = c.why(), handleOf(m.Index), statusOf(s.PartTime), m.Protected
			in.FormerFund, in.LeftHours, in.Period = s.Former, s.Left, incomev1.BenefitPeriod_BENEFIT_PERIOD_ORDINARY
			if s.Extended {
				in.Period = incomev1.BenefitPeriod_BENEFIT_PERIOD_EXTENDED
			}
			out, err := c.rpc.AssessShortening(t.Context(), in)
			must(t, err)
			d := out.GetDecision()
			if got := (shortened{outcomeOf(d), d.GetFigures().GetHours(), d.GetFigures().GetLeftHours()}); got != want {
				t.Errorf("%s, member %d: %+v, want %+v", s.Row, m.Index, got, want)
			}
			if open := want.Outcome == "INCOMPLETE"; !open && (d.GetState() == manual) != m.Protected {
				t.Errorf("%s, member %d: %s", s.Row, m.Index, d.GetState())
			}
		}
		ask(s.Expected, &incomev1.AssessShorteningRequest{Month: s.Paid})
		if waits {
			w.clock.Set(dates[1] + "T09:00:00Z")
			ask(s.After, &incomev1.AssessShorteningRequest{Month: dates[1][:7], NewPeriodFrom: date(dates[1])})
		}
	}
	if len(rows) != 17 {
		t.Errorf("%d rows of B.3", len(rows))
	}
}
