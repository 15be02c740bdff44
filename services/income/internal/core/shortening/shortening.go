// Package shortening is § 56b: after four years of benefit within eight the benefit period is shortened by a month (domain B.3). It is
// pure; months of benefit come with the source that says so, and sources that disagree are a matter for a person.
package shortening

import (
	"slices"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// ID and LegalReference name the rule in decisions.
const (
	ID             = "DK-ALF-56B"
	LegalReference = "DK:ALF§56b"
)

// Outcome is what came of an assessment.
type Outcome string

// The outcomes.
const (
	Invalid        Outcome = "INVALID"
	Incomplete     Outcome = "INCOMPLETE"      // S1
	Conflict       Outcome = "CONFLICT"        // S2
	None           Outcome = "NONE"            // S3
	Shorten        Outcome = "SHORTEN"         // S4
	ShortenAccount Outcome = "SHORTEN_ACCOUNT" // S5
	Deferred       Outcome = "DEFERRED"        // S6
	Applied        Outcome = "APPLIED"         // a deferred shortening at a new period
	Lapsed         Outcome = "LAPSED"          // S7
)

// Source says who reports hours of benefit (REG-04 to REG-06).
type Source uint8

// The sources, in the order in which missing ones are named.
const (
	Own        Source = iota + 1 // the fund's own payments
	DFDG                         // the joint data basis of the employment field
	FormerFund                   // a fund of which the person was a member
)

// Code returns the source as a reason code.
func (s Source) Code() rule.Code {
	switch s {
	case Own:
		return rule.CodeOwn
	case DFDG:
		return rule.CodeDFDG
	case FormerFund:
		return rule.CodeFormerFund
	default:
		return rule.CodeDataMissing
	}
}

// Entry is a month of benefit as one source reports it.
type Entry struct {
	Month  civil.Month
	Hours  rule.Hours
	Source Source
	Used   bool // basis of an earlier shortening, so not counted again (S8)
}

// Period is the benefit period that runs when the month is paid.
type Period uint8

// The periods.
const (
	NoPeriod Period = iota
	Ordinary
	Extended
)

// Input is all that decides an assessment.
type Input struct {
	Paid     civil.Month // the month paid
	Status   rule.Status // the current one
	Entries  []Entry
	Answered []Source // the sources that have answered
	Former   bool     // membership history shows another fund
	Period   Period
	Left     rule.Hours // remaining hours of the ordinary period, or the account of the extended one
}

// Result is the outcome with its figures.
type Result struct {
	Outcome Outcome
	Codes   []rule.Code
	From    civil.Month // first month of the window
	Sum     rule.Hours
	Limit   rule.Hours
	Hours   rule.Hours    // by which is shortened
	Left    rule.Hours    // after that
	Max     rule.Hours    // longest extended period after that; 0 unless SHORTEN_ACCOUNT
	Used    []civil.Month // months that are marked used now (S8)
	Sources []Source      // that the sum came from
}

// Evaluate applies the decision table; the first row that holds decides.
func Evaluate(set *rule.Set, in *Input) Result {
	r := Result{Limit: rule.Hours(set.ConsumptionLimit.Of(in.Status)), From: in.Paid - civil.Month(set.ConsumptionWindow.F) + 1, Left: in.Left} //nolint:gosec // a number of months
	if r.Codes = invalid(set, in); len(r.Codes) > 0 {
		r.Outcome = Invalid
		return r
	}
	if r.Codes = missing(in); len(r.Codes) > 0 {
		r.Outcome = Incomplete
		return r
	}
	if !r.add(in) {
		r.Outcome, r.Codes = Conflict, []rule.Code{rule.CodeConflict}
		return r
	}
	month, account := set.NormOf(in.Status), rule.Hours(set.ShortenAccount.Of(in.Status))
	switch {
	case r.Sum < r.Limit:
		r.Outcome, r.Used = None, nil
	case in.Period == Ordinary && in.Left >= month:
		r.Outcome, r.Hours, r.Left = Shorten, month, in.Left-month
	case in.Period == Extended && in.Left >= account:
		r.Outcome, r.Hours, r.Left, r.Max = ShortenAccount, account, in.Left-account, rule.Hours(set.ExtendedMax.Of(in.Status))
	default:
		r.Outcome = Deferred
	}
	return r
}

func invalid(set *rule.Set, in *Input) (codes []rule.Code) {
	if !in.Status.Known() {
		codes = append(codes, rule.CodeStatusUnknown)
	}
	negative, absurd := in.Left < 0, false
	for i := range in.Entries {
		negative = negative || in.Entries[i].Hours < 0
		absurd = absurd || in.Entries[i].Hours > rule.Hours(set.AbsurdHours.F)
	}
	if negative {
		codes = append(codes, rule.CodeHoursNegative)
	}
	if absurd {
		codes = append(codes, rule.CodeHoursAbsurd)
	}
	return codes
}

// missing is S1: every source that has not answered, in order.
func missing(in *Input) (codes []rule.Code) {
	for _, s := range []Source{Own, DFDG, FormerFund} {
		if (s != FormerFund || in.Former) && !slices.Contains(in.Answered, s) {
			codes = append(codes, s.Code())
		}
	}
	return codes
}

// add sums the window up, each month once, and says whether the sources agree on every month.
func (r *Result) add(in *Input) bool {
	months := map[civil.Month]Entry{}
	for _, e := range in.Entries {
		if e.Month < r.From || e.Month > in.Paid {
			continue
		}
		have, twice := months[e.Month]
		if twice && have.Hours != e.Hours {
			return false
		}
		e.Used = e.Used || have.Used
		months[e.Month] = e
		if !slices.Contains(r.Sources, e.Source) {
			r.Sources = append(r.Sources, e.Source)
		}
	}
	slices.Sort(r.Sources)
	for m, e := range months {
		if !e.Used {
			r.Sum += e.Hours
			r.Used = append(r.Used, m)
		}
	}
	slices.Sort(r.Used)
	return true
}

// LapsesAfter is the last day on which a shortening deferred on a day can be applied (S7).
func LapsesAfter(set *rule.Set, determined civil.Date) civil.Date {
	return determined.AddMonths(int(set.DeferredMonths.F))
}

// NewPeriod says what becomes of a deferred shortening when the right to a new benefit period begins (S6, S7).
func NewPeriod(set *rule.Set, determined, begins civil.Date) Outcome {
	if begins > LapsesAfter(set, determined) {
		return Lapsed
	}
	return Applied
}
