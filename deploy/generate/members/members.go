// Package members makes test persons with known outcomes, deterministically: member i is the same person with the same month on every
// machine (domain.md, D.2 and D.3). The expected results are the table's. No code of any service takes part, so that a mistake of
// a service is not in what it is compared with.
//
// Numbers are such as no real person has. Employers' numbers break the control digit that every real one obeys.
package members

import (
	"fmt"
	"time"
)

// Countries.
const (
	Denmark = "DK"
	Sweden  = "SE"
)

// Member is a person with a month.
type Member struct {
	Index   int
	Country string
	Number  string // DK: ten digits; SE: twelve
	Born    string // YYYY-MM-DD
	// Danish members.
	PartTime   bool
	Scenario   Scenario
	Wage       int64       // øre an hour
	Karens     *Karens     // row of B.2 that the member lives through as well, or nil
	Shortening *Shortening // row of B.3, or nil
	// Swedish members.
	Income *Income // row of B.12
	// Members of both countries.
	Transfer   *Transfer // row of B.9, or nil
	Protection string    // level of B.10, or ""
	OptedOut   string    // day of an opt-out, or ""
	Consented  string    // day of a consent, or ""
}

// Report is what an employer reported.
type Report struct {
	Employer string // SE number, 8 digits
	Hours    int64  // centihours
	Income   int64  // øre
}

// Expected is what must come of the month. Amounts are øre.
type Expected struct {
	Outcome   string
	Hours     int64
	Amount    int64
	Automatic bool // false: a person decides
}

// Generator makes members one after the other.
type Generator struct {
	next     int
	register register
}

// New returns a generator that begins with member 0.
func New() *Generator { return &Generator{register: register{used: map[string]bool{}}} }

// First returns the first n members.
func First(n int) []Member {
	g := New()
	all := make([]Member, 0, n)
	for range n {
		all = append(all, g.Next())
	}
	return all
}

// Next returns the next member.
func (g *Generator) Next() Member {
	i := g.next
	g.next++
	draws := splitMix(0x5EED0000 + uint64(i)) //nolint:gosec // i counts from 0
	born := birth(draws.next())
	m := Member{Index: i, Country: Denmark}
	if i%2 == 0 {
		m.Number = g.register.dane(born, draws.next(), i)
		m.dane(i)
	} else {
		m.Country = Sweden
		m.Number, born = g.register.swede(born, &draws, i%25 == 19)
		m.swede(i)
	}
	m.cohorts(i)
	m.Born = born.Format(time.DateOnly)
	m.Wage = 180_00 + int64(draws.next()%12_001)
	return m
}

// pay is the income of so many hours, half up to whole øre.
func (m *Member) pay(hours int64) int64 {
	const hour = 100
	return (hours*m.Wage + hour/2) / hour
}

// Rate is the monthly rate of a Danish member, in øre: the highest of 2024.
func (m *Member) Rate() int64 {
	if m.PartTime {
		return RatePart
	}
	return RateFull
}

// DeclaredIncome is what the card says, in øre.
func (m *Member) DeclaredIncome() int64 { return m.pay(m.Scenario.Declared) }

// Reports are what employers reported first.
func (m *Member) Reports() []Report { return m.reports(m.Scenario.Register) }

// Corrections are what they report instead later on; empty for nothing.
func (m *Member) Corrections() []Report { return m.reports(m.Scenario.Corrected) }

func (m *Member) reports(hours []int64) []Report {
	out := make([]Report, 0, len(hours))
	for n, h := range hours {
		out = append(out, Report{Employer: Employer(m.Index + n), Hours: h, Income: m.pay(h) + m.Scenario.ExtraIncome})
	}
	return out
}

// employers is how many employers there are.
const employers = 40

// Employer returns the SE number of an employer. Its control digit is one too high.
func Employer(n int) string {
	seven := fmt.Sprintf("%07d", 9_000_000+n%employers)
	sum := 0
	for i, weight := range []int{2, 7, 6, 5, 4, 3, 2} {
		sum += weight * int(seven[i]-'0')
	}
	return fmt.Sprintf("%s%d", seven, ((11-sum%11)%11+1)%10)
}

// Protected says whether name and address are, by the month's scenario or the cohort.
func (m *Member) Protected() bool { return m.Scenario.Protected || m.Protection != "" }

// Expected is the outcome of the first matching.
func (m *Member) Expected() Expected {
	return m.expected(m.Scenario.Outcome, m.Scenario.Hours)
}

// ExpectedAfter is the outcome of the matching after the correction; false if there is none.
func (m *Member) ExpectedAfter() (Expected, bool) {
	if m.Scenario.After != "" && m.Protected() {
		// Nobody has decided the first one yet, so it is not in force: the whole difference is to be regulated.
		return m.expected(Recover, m.Scenario.Corrected[0]-m.Scenario.Declared), true
	}
	return m.expected(m.Scenario.After, m.Scenario.AfterHours), m.Scenario.After != ""
}

func (m *Member) expected(outcome string, hours int64) Expected {
	human := m.Protected() && outcome != Incomplete || m.Scenario.Remark || outcome == IncomeOnly
	return Expected{Outcome: outcome, Hours: hours, Amount: Amount(hours, m.PartTime), Automatic: !human}
}
