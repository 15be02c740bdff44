package members

import "math/big"

// The month that everybody lives through, and when it is run (domain.md, D.3).
const (
	Month   = "2026-03"
	RunDate = "2026-04-11"
)

// Outcomes, as the matching rule names them.
const (
	NoDifference   = "NO_DIFFERENCE"
	Recover        = "RECOVER"
	PayOut         = "PAY_OUT"
	WithinRounding = "WITHIN_ROUNDING"
	Incomplete     = "INCOMPLETE(REGISTER)"
	Skipped        = "SKIPPED(PLACEMENT)"
	IncomeOnly     = "INCOME_ONLY"
)

// Scenario is a row of the table: what the card and the register say, and what must come of it. Hours are centihours.
type Scenario struct {
	Row      int
	Name     string
	Declared int64
	// Register holds hours by employer; Corrected what they are after a correction, if there is one.
	Register, Corrected []int64
	Count, Precision    int   // entries on the card, and minutes to which they are rounded
	ExtraIncome         int64 // øre in the register beyond hours times wage
	Ended, Placement    bool  // the employer has ended; the month is that of the placement
	Protected           bool  // name and address are protected: no automatic decision
	Remark              bool  // the member objects on the third day
	Outcome             string
	Hours               int64 // to regulate
	// After is the outcome and hours of the second matching, after the correction.
	After      string
	AfterHours int64
}

// Scenarios are the rows by number, for a member insured full-time or part-time. Nothing in them is computed: they are the table.
func Scenarios(partTime bool) []Scenario {
	capped := Scenario{Row: 8, Name: "CAP", Declared: 15000, Register: []int64{17000}, Count: 20, Precision: 15, Outcome: Recover, Hours: 1033}
	if partTime {
		capped.Declared, capped.Register, capped.Hours = 12000, []int64{14000}, 1000
	}
	under := Scenario{Declared: 4000, Register: []int64{5250}, Count: 5, Precision: 15, Outcome: Recover, Hours: 1250}
	named := func(row int, name string, bend func(*Scenario)) Scenario {
		s := under
		s.Row, s.Name = row, name
		bend(&s)
		return s
	}
	return []Scenario{
		{Row: 0, Name: "EQUAL", Declared: 4000, Register: []int64{4000}, Outcome: NoDifference},
		named(1, "UNDER", func(*Scenario) {}),
		{Row: 2, Name: "OVER", Declared: 6000, Register: []int64{3700}, Count: 8, Precision: 15, Outcome: PayOut, Hours: 2300},
		{Row: 3, Name: "ROUND_OK", Declared: 4025, Register: []int64{4075}, Count: 4, Precision: 15, Outcome: WithinRounding},
		{Row: 4, Name: "ROUND_MAX", Declared: 4000, Register: []int64{4100}, Count: 8, Precision: 15, Outcome: WithinRounding},
		{Row: 5, Name: "ROUND_OVER", Declared: 4000, Register: []int64{4101}, Count: 20, Precision: 15, Outcome: Recover, Hours: 101},
		{Row: 6, Name: "NOT_ROUND", Declared: 4000, Register: []int64{4050}, Count: 1, Precision: 15, Outcome: Recover, Hours: 50},
		{Row: 7, Name: "NO_REPORT", Declared: 2000, Outcome: Incomplete},
		capped,
		{Row: 9, Name: "TWO_EMP", Declared: 5000, Register: []int64{3000, 3500}, Count: 9, Precision: 15, Outcome: Recover, Hours: 1500},
		named(10, "CORRECT", func(s *Scenario) { s.Corrected, s.After, s.AfterHours = []int64{5000}, PayOut, 250 }),
		{Row: 11, Name: "PLACEMENT", Register: []int64{8000}, Ended: true, Placement: true, Outcome: Skipped},
		{Row: 12, Name: "INCOME_ONLY", Declared: 3700, Register: []int64{3700}, ExtraIncome: 500_00, Outcome: IncomeOnly},
		named(13, "PROTECTED", func(s *Scenario) { s.Protected = true }),
		named(14, "REMARK", func(s *Scenario) { s.Remark = true }),
	}
}

// Rates and norm hours of 2024, by which the table's amounts are (domain.md, B.0): øre a month, centihours.
const (
	RateFull = 20_359_00
	RatePart = 13_573_00
	NormFull = 160_33
	NormPart = 130_00
)

// Amount is hours times the hourly rate, half up to whole øre. It is the table's own arithmetic, in fractions of any size.
func Amount(centihours int64, partTime bool) int64 {
	rate, norm := int64(RateFull), int64(NormFull)
	if partTime {
		rate, norm = RatePart, NormPart
	}
	exact := big.NewRat(centihours*rate, norm)
	exact.Add(exact, big.NewRat(1, 2))
	return new(big.Int).Div(exact.Num(), exact.Denom()).Int64()
}
