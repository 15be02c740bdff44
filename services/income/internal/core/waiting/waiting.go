// Package waiting is § 56a: the waiting day (karensdag) of every block of four months (domain B.2). It is pure and looks at the whole
// benefit period at once, so that a month that is corrected later gives the new result, and Reconcile says what has to be reversed
// or added.
package waiting

import (
	"cmp"
	"slices"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// ID and LegalReference name the rule in decisions.
const (
	ID             = "DK-ALF-56A"
	LegalReference = "DK:ALF§56a"
)

// Outcome is what came of a block.
type Outcome string

// The outcomes.
const (
	Deduct      Outcome = "DEDUCT"
	NoDeduction Outcome = "NO_DEDUCTION"
	Postponed   Outcome = "POSTPONED" // waits for a month with benefit
	Lapsed      Outcome = "LAPSED"    // a new benefit period began before
	Reversed    Outcome = "REVERSED"  // an earlier deduction is paid back; only from Reconcile
	Invalid     Outcome = "INVALID"
)

// Month is what is known about one month of the benefit period.
type Month struct {
	Month    civil.Month
	Status   rule.Status
	Rate     rule.Money
	Hours    rule.Hours // in the register; hours that do not count, of subsidised jobs, left out by the caller
	Card     rule.Hours // on the card, likewise
	Complete bool       // the register's data for the month are complete
	Benefit  bool       // unemployment benefit for any part of the month
	// Relief says sickness benefit, parental benefit or care support for all or part of the month (K1).
	Relief bool
	// Education says vocational education under the education-lift scheme for the whole month (K2).
	Education bool
	// Excused says that there is no benefit because of early, senior or disability pension, a job with wage subsidy, or a quarantine (K6).
	Excused bool
	// NewPeriod says that a new benefit period starts in this month (K7).
	NewPeriod bool
}

// Decision is about one block.
type Decision struct {
	Outcome  Outcome
	Codes    []rule.Code
	First    civil.Month // of the block
	Waiting  civil.Month // its last month
	Deducted civil.Month // whose payment is reduced; 0 for none
	Hours    rule.Hours  // in the block
	Limit    rule.Hours  // the threshold that they must exceed
	Amount   rule.Money  // of the deduction; that of a reversal is paid back
	// What the amounts come from: hours month by month, and the status and monthly rate by which a day is paid.
	Months []rule.Hours
	Status rule.Status
	Rate   rule.Money // 0 where nothing is deducted
	// Provisional says that a month counted with the card's hours (K8).
	Provisional bool
}

// Evaluate decides all blocks that end within the months given, in order of their waiting months. months are consecutive; the first is that
// of placement. A gap, an unknown status, a missing rate or negative or absurd hours make one INVALID decision and nothing else.
func Evaluate(set *rule.Set, months []Month) []Decision {
	if codes := invalid(set, months); len(codes) > 0 {
		return []Decision{{Outcome: Invalid, Codes: codes}}
	}
	w := &walk{set: set, months: months}
	for i := range months {
		w.month(i)
	}
	slices.SortStableFunc(w.out, func(a, b Decision) int { return cmp.Compare(a.Waiting, b.Waiting) })
	return w.out
}

func invalid(set *rule.Set, months []Month) (codes []rule.Code) {
	fail := func(failed bool, code rule.Code) {
		if failed && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	absurd := rule.Hours(set.AbsurdHours.F)
	for i := range months {
		m := &months[i]
		fail(!m.Status.Known(), rule.CodeStatusUnknown)
		fail(m.Rate <= 0, rule.CodeRateMissing)
		fail(m.Hours < 0 || m.Card < 0, rule.CodeHoursNegative)
		fail(m.Hours > absurd || m.Card > absurd, rule.CodeHoursAbsurd)
		fail(i > 0 && m.Month != months[i-1].Month+1, rule.CodeDataMissing)
	}
	return codes
}

// walk goes through the period month by month.
type walk struct {
	set    *rule.Set
	months []Month
	start  int   // index of the block's first month
	extra  int   // months by which it is longer
	open   []int // postponed decisions in out
	out    []Decision
}

func (w *walk) month(i int) {
	m := &w.months[i]
	if m.NewPeriod && i > 0 { // K7: also what would be deducted in this month lapses, and the running block ends undecided
		for _, at := range w.open {
			w.out[at].Outcome = Lapsed
		}
		w.open, w.start, w.extra = nil, i, 0
	}
	if m.Benefit {
		w.deductOpen(m)
	}
	if (m.Relief && !m.Benefit) || (m.Education && w.set.ExtendEducation) { // K1, K2
		w.extra++
	}
	if i-w.start+1 == int(w.set.WaitingBlock.F)+w.extra {
		w.block(w.start, i)
		w.start, w.extra = i+1, 0
	}
}

// deductOpen deducts what was postponed, at the rate of the month in which it is deducted (E.2).
func (w *walk) deductOpen(m *Month) {
	for _, at := range w.open {
		d := &w.out[at]
		status := w.months[d.Waiting-w.months[0].Month].Status
		d.Outcome, d.Deducted, d.Amount, d.Rate = Deduct, m.Month, w.day(m.Rate, status), m.Rate
	}
	w.open = nil
}

// day is one day's benefit.
func (w *walk) day(rate rule.Money, st rule.Status) rule.Money {
	return w.set.AmountOf(rule.Hours(w.set.Day.Of(st)), rate, st)
}

// block decides the block that ends with month last; the status is that of the waiting month.
func (w *walk) block(first, last int) {
	m := &w.months[last]
	d := Decision{First: w.months[first].Month, Waiting: m.Month, Limit: rule.Hours(w.set.WaitingThreshold.Of(m.Status)), Status: m.Status}
	for i := first; i <= last; i++ {
		hours := w.months[i].Hours
		if !w.months[i].Complete {
			hours, d.Provisional = w.months[i].Card, true
		}
		d.Hours += hours
		d.Months = append(d.Months, hours)
	}
	switch {
	case d.Hours > d.Limit:
		d.Outcome, d.Codes = NoDeduction, []rule.Code{rule.CodeHours}
	case m.Benefit:
		d.Outcome, d.Deducted, d.Amount, d.Rate = Deduct, m.Month, w.day(m.Rate, m.Status), m.Rate
	case m.Excused:
		d.Outcome, d.Codes = Postponed, []rule.Code{rule.CodePostponed}
		w.open = append(w.open, len(w.out))
	default:
		d.Outcome, d.Codes = NoDeduction, []rule.Code{rule.CodeNoBenefit}
	}
	if w.extra > 0 {
		d.Codes = append(d.Codes, rule.CodeExtended)
	}
	if d.Provisional {
		d.Codes = append(d.Codes, rule.CodeProvisional)
	}
	w.out = append(w.out, d)
}

// Same says whether two decisions about a block come to the same for the member.
func (d Decision) Same(o Decision) bool {
	return d.Outcome == o.Outcome && d.First == o.First && d.Waiting == o.Waiting && d.Deducted == o.Deducted && d.Amount == o.Amount &&
		d.Provisional == o.Provisional && d.Hours == o.Hours && slices.Equal(d.Codes, o.Codes)
}

// Reconcile compares what was decided before with what holds now, by waiting month, and returns what is new: a reversal of each deduction
// that does not hold any more or is of another size, then each decision that differs from the earlier one.
func Reconcile(before, now []Decision) (changes []Decision) {
	find := func(in []Decision, d Decision) *Decision {
		if i := slices.IndexFunc(in, func(o Decision) bool { return o.Waiting == d.Waiting }); i >= 0 {
			return &in[i]
		}
		return nil
	}
	for _, old := range before {
		if old.Outcome != Deduct {
			continue
		}
		again := find(now, old)
		if again == nil || again.Outcome != Deduct || again.Amount != old.Amount || again.Deducted != old.Deducted {
			back := old
			back.Outcome, back.Provisional = Reversed, false
			if again != nil {
				back.Hours, back.Months, back.Provisional = again.Hours, again.Months, again.Provisional
			}
			changes = append(changes, back)
		}
	}
	for _, d := range now {
		if old := find(before, d); old == nil || !old.Same(d) {
			changes = append(changes, d)
		}
	}
	return changes
}
