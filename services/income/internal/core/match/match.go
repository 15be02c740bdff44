// Package match is § 46: a month's hours on the benefit card against those in the income register (domain B.1). It is pure: the same
// input gives the same result, whatever the day or the machine, and the day on which the rule runs is part of the input.
package match

import (
	"slices"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

// ID and LegalReference name the rule in decisions.
const (
	ID             = "DK-ALF-46"
	LegalReference = "DK:ALF§46"
)

// Outcome is what came of a month.
type Outcome string

// The outcomes, in the order of the decision table.
const (
	Invalid        Outcome = "INVALID"         // R1
	TooEarly       Outcome = "TOO_EARLY"       // R2
	Incomplete     Outcome = "INCOMPLETE"      // R3, R6
	Skipped        Outcome = "SKIPPED"         // R4, R5
	Manual         Outcome = "MANUAL"          // a person must look; nothing is regulated
	IncomeOnly     Outcome = "INCOME_ONLY"     // R8
	NoDifference   Outcome = "NO_DIFFERENCE"   // R9
	WithinRounding Outcome = "WITHIN_ROUNDING" // R10
	NoChange       Outcome = "NO_CHANGE"       // R11
	Recover        Outcome = "RECOVER"         // R12
	PayOut         Outcome = "PAY_OUT"         // R13
)

// Notice says whether the member is told before anything is regulated.
func (o Outcome) Notice() bool { return o == Recover || o == PayOut }

// Input is all that decides a month. The hot path keeps no pointer into it.
type Input struct {
	Month    civil.Month
	Today    civil.Date
	Status   rule.Status // as on the first of the month
	Rate     rule.Money  // the member's own monthly rate
	Other    rule.Hours  // other deductions: sickness, holiday
	Card     *facts.Card // nil when there is none
	Answered bool        // the register has answered; without an answer nothing is concluded from silence
	Records  []facts.Record
	// Placement says that the member was placed in a benefit period in this month.
	Placement bool
	Ended     []facts.Employer // whose employment ended before the placement
	Absent    []facts.Employer // with fixed reduced hours and holiday or sickness in this month
	// Previous is the net regulation of the month so far, recovery positive, in hours.
	Previous rule.Hours
}

// Result is the outcome with every figure that led to it. Figures of steps that were not reached are 0.
type Result struct {
	Outcome Outcome
	Codes   []rule.Code // all failing conditions, in the order of the table
	Partial bool        // the register covers part of the month; the rest is matched later
	Retry   civil.Date  // when to match again; 0 for no need

	Declared rule.Hours // the card's hours that count
	Register rule.Hours // the register's, with the card's for days that no record covers
	Diff     rule.Hours // Register − Declared
	Count    int        // entries n that count for rounding
	Covered  rule.Hours // part of Register that the register itself says
	Dropped  int        // records left out by R4 and R5
	Net      rule.Hours // to regulate for the month in all
	Delta    rule.Hours // to regulate now: Net − previous
	Hours    rule.Hours // |Delta|
	Amount   rule.Money // for Hours
}

// Earliest is the first day on which the month may be matched: the 11th of the next month, the 18th when that is January.
func Earliest(set *rule.Set, m civil.Month) civil.Date {
	next := m + 1
	day := set.EarliestDay.F
	if _, month := next.YM(); month == 1 {
		day = set.EarliestJanuary.F
	}
	return next.First() + civil.Date(day) - 1 //nolint:gosec // a day of a month
}

// Evaluate applies the decision table; the first row that holds decides. It allocates nothing where neither codes nor more than a few
// employers are to be kept.
func Evaluate(set *rule.Set, in *Input) Result {
	var r Result
	var buffer [8]employer
	employers := net(buffer[:0], in)
	if invalid(set, in, employers, &r) {
		r.Outcome = Invalid
		return r
	}
	if in.Today < Earliest(set, in.Month) {
		r.Retry = Earliest(set, in.Month)
		return r.end(TooEarly, rule.CodeTooEarly)
	}
	if in.Card == nil {
		r.Retry = in.Today + 1
		return r.end(Incomplete, rule.CodeCard, rule.CodeMustProvide)
	}
	if !in.Answered {
		r.Retry = in.Today + 1
		return r.end(Incomplete, rule.CodeRegister)
	}
	if done := exclude(in, employers, &r); done {
		return r
	}
	if done := cover(set, in, employers, &r); done {
		return r
	}
	return decide(set, in, incomeOf(employers), r)
}

func (r *Result) end(o Outcome, codes ...rule.Code) Result {
	r.Outcome, r.Codes = o, codes
	return *r
}

// employer is what one employer's records for the month come to.
type employer struct {
	name    facts.Employer
	hours   rule.Hours
	income  rule.Money
	negated bool // a record was negative
	unknown bool // income without hours
	out     bool // a pay period with hours reaches out of the month
	dropped bool
}

// net adds the records of each employer up, corrections included, before anything is decided (E.2). Records of other months are
// left out. An employer whose reports were taken back altogether has reported nothing.
func net(out []employer, in *Input) []employer {
	first, last := in.Month.First(), in.Month.Last()
	for i := range in.Records {
		rec := &in.Records[i]
		if !overlaps(rec, first, last) {
			continue
		}
		at := slices.IndexFunc(out, func(e employer) bool { return e.name == rec.Employer })
		if at < 0 {
			at, out = len(out), append(out, employer{name: rec.Employer})
		}
		e := &out[at]
		e.hours += rec.Hours
		e.income += rec.Income
		e.negated = e.negated || rec.Hours < 0 || rec.Income < 0
		e.unknown = e.unknown || (rec.NoHours && rec.Income != 0)
		e.out = e.out || (rec.Hours != 0 && (rec.From < first || rec.To > last))
	}
	return slices.DeleteFunc(out, func(e employer) bool { return e.negated && e.hours == 0 && e.income == 0 })
}

func overlaps(rec *facts.Record, first, last civil.Date) bool {
	return rec.From <= last && rec.To >= first && rec.From <= rec.To
}

// incomeOf is the income of the employers that count.
func incomeOf(employers []employer) (sum rule.Money) {
	for i := range employers {
		if !employers[i].dropped {
			sum += employers[i].income
		}
	}
	return sum
}

// invalid is R1: it lists every condition that makes the month unusable.
func invalid(set *rule.Set, in *Input, employers []employer, r *Result) bool {
	fail := func(failed bool, code rule.Code) {
		if failed && !slices.Contains(r.Codes, code) {
			r.Codes = append(r.Codes, code)
		}
	}
	absurd := rule.Hours(set.AbsurdHours.F)
	fail(!in.Status.Known(), rule.CodeStatusUnknown)
	fail(in.Rate <= 0, rule.CodeRateMissing)
	fail(in.Other < 0 || (in.Card != nil && negativeCard(in.Card)), rule.CodeHoursNegative)
	var reg rule.Hours
	for i := range employers {
		fail(employers[i].hours < 0, rule.CodeRegisterNegative)
		reg += employers[i].hours
	}
	fail(reg > absurd || in.Other > absurd || (in.Card != nil && in.Card.Declared > absurd), rule.CodeHoursAbsurd)
	fail(in.Card != nil && !consistent(in.Card, in.Month), rule.CodeCardInconsistent)
	return len(r.Codes) > 0
}

func negativeCard(c *facts.Card) bool {
	if c.Declared < 0 || c.Count < 0 || c.Precision < 0 {
		return true
	}
	for i := range c.Entries {
		if c.Entries[i].Hours < 0 {
			return true
		}
	}
	return false
}

// consistent says whether the entries add up to what is declared and lie in the month.
func consistent(c *facts.Card, m civil.Month) bool {
	if len(c.Entries) == 0 {
		return true
	}
	var sum rule.Hours
	days := m.Days()
	for i := range c.Entries {
		if c.Entries[i].Day < 1 || c.Entries[i].Day > days {
			return false
		}
		sum += c.Entries[i].Hours
	}
	return sum == c.Declared
}

// exclude is R4 and R5: employers that ended before the placement, and those with fixed reduced hours and an absence.
func exclude(in *Input, employers []employer, r *Result) (done bool) {
	if in.Placement && drop(employers, in.Ended) && len(employers) > 0 {
		r.end(Skipped, rule.CodePlacement)
		return true
	}
	before := left(employers)
	all := drop(employers, in.Absent)
	switch {
	case before == 0 || left(employers) == before:
	case all:
		r.end(Skipped, rule.CodeAbsence)
		return true
	case !namesEmployers(in.Card):
		// The card's hours at that employer can't be told from the others (E.2).
		r.end(Manual, rule.CodeAbsencePart)
		return true
	}
	return false
}

// drop leaves out the employers that are listed, and says whether none remains.
func drop(employers []employer, listed []facts.Employer) (none bool) {
	none = true
	for i := range employers {
		employers[i].dropped = employers[i].dropped || slices.Contains(listed, employers[i].name)
		none = none && employers[i].dropped
	}
	return none
}

func left(employers []employer) (n int) {
	for i := range employers {
		if !employers[i].dropped {
			n++
		}
	}
	return n
}

// namesEmployers says whether every entry of the card names its employer.
func namesEmployers(c *facts.Card) bool {
	for i := range c.Entries {
		if c.Entries[i].Employer == "" && c.Entries[i].Hours != 0 {
			return false
		}
	}
	return len(c.Entries) > 0 || c.Declared == 0
}

// cover is R6 and R7: what the register says, and for days that no record covers what the card says.
func cover(set *rule.Set, in *Input, employers []employer, r *Result) (done bool) {
	r.Declared, r.Count = in.Card.Declared, in.Card.Count
	if len(in.Card.Entries) > 0 {
		r.Count = len(in.Card.Entries)
	}
	for i := range employers {
		if e := &employers[i]; !e.dropped {
			r.Covered += e.hours
			if e.unknown {
				r.end(Manual, rule.CodeHoursUnknown)
				return true
			}
			if e.out && !set.WholePeriods {
				// The same hours would count in two months; which of them lie in this one, nobody knows.
				r.end(Manual, rule.CodePeriodOut)
				return true
			}
			continue
		}
		r.Dropped++
		r.leaveOut(in, employers[i].name)
	}
	r.Register = r.Covered
	if len(employers) == 0 {
		if r.Declared > 0 {
			r.Retry = Earliest(set, in.Month+1)
			r.end(Incomplete, rule.CodeRegister, rule.CodeMustProvide)
		}
		return r.Declared > 0
	}
	days := coverage(in)
	if days == whole(in.Month) {
		return false
	}
	if len(in.Card.Entries) == 0 {
		if r.Declared > 0 {
			// Which of the hours lie on the days that no record covers, nobody knows.
			r.Retry = Earliest(set, in.Month+1)
			r.end(Manual, rule.CodeDaysUnknown)
		}
		return r.Declared > 0
	}
	r.uncovered(set, in, employers, days)
	return false
}

// leaveOut takes the card's hours at an employer with an absence away on this side too (E.2). Those at an ended employer stand on no
// card for the time after the placement.
func (r *Result) leaveOut(in *Input, name facts.Employer) {
	if !slices.Contains(in.Absent, name) {
		return
	}
	for i := range in.Card.Entries {
		if in.Card.Entries[i].Employer == name {
			r.Declared -= in.Card.Entries[i].Hours
			r.Count--
		}
	}
}

// uncovered counts the card's hours on days that no record covers as the register's.
func (r *Result) uncovered(set *rule.Set, in *Input, employers []employer, days uint32) {
	for i := range in.Card.Entries {
		e := &in.Card.Entries[i]
		if days&(1<<e.Day) != 0 || e.Hours == 0 || leftOut(in, employers, e.Employer) {
			continue
		}
		r.Register += e.Hours
		r.Count--
		r.Partial = true
	}
	if r.Partial {
		r.Codes = append(r.Codes, rule.CodePartial)
		r.Retry = Earliest(set, in.Month+1)
	}
}

// leftOut says whether the card's hours at an employer were taken away already.
func leftOut(in *Input, employers []employer, name facts.Employer) bool {
	return name != "" && slices.Contains(in.Absent, name) &&
		slices.ContainsFunc(employers, func(e employer) bool { return e.name == name && e.dropped })
}

// coverage is the set of days that records cover, those that were left out included; bit n is day n.
func coverage(in *Input) (days uint32) {
	first, last := in.Month.First(), in.Month.Last()
	for i := range in.Records {
		rec := &in.Records[i]
		if !overlaps(rec, first, last) {
			continue
		}
		from, to := max(rec.From, first)-first+1, min(rec.To, last)-first+1
		days |= 1<<(to+1) - 1<<from
	}
	return days
}

func whole(m civil.Month) uint32 { return 1<<(m.Days()+1) - 2 }

// decide is R8 to R13.
func decide(set *rule.Set, in *Input, income rule.Money, r Result) Result {
	r.Diff = r.Register - r.Declared
	small := r.Diff == 0 || rounded(set, r.Diff, r.Count, in.Card.Precision)
	switch {
	case in.Previous != 0:
	case r.Diff == 0 && in.Card.Income != income && !r.Partial && r.Dropped == 0:
		r.Outcome, r.Codes = IncomeOnly, append(r.Codes, rule.CodeIncomeDiffers)
		return r
	case r.Diff == 0:
		r.Outcome = NoDifference
		return r
	case small:
		r.Outcome = WithinRounding
		return r
	}
	if !small { // R10b: else an earlier regulation is undone
		r.Net = r.Diff
		if set.Cap {
			norm := set.NormOf(in.Status) - in.Other
			r.Net = max(0, norm-r.Declared) - max(0, norm-r.Register)
		}
	}
	r.Delta = r.Net - in.Previous
	r.Hours = r.Delta.Abs()
	r.Amount = set.AmountOf(r.Hours, in.Rate, in.Status)
	switch {
	case r.Delta == 0:
		r.Outcome = NoChange
	case r.Delta > 0:
		r.Outcome = Recover
	default:
		r.Outcome = PayOut
	}
	return r
}

// rounded says whether rounding on the card can explain the difference: at most one hour, and at most n entries times half the
// precision. diff is in 1/100 h and precision in minutes, so both sides are brought to 1/6000 h.
func rounded(set *rule.Set, diff rule.Hours, n, precision int) bool {
	d := diff.Abs()
	return d <= rule.Hours(set.RoundingLimit.F) && int64(d)*6 <= int64(n)*int64(precision)*5
}
