package members

import (
	"slices"
	"time"
)

// Karens is a row of § 56a (domain.md, B.2): a benefit period month by month, and the waiting days that must come of it.
type Karens struct {
	Row      string        `json:"row"`
	PartTime bool          `json:"part_time,omitempty"` // the row's own insurance status (E.2)
	Placed   string        `json:"placed"`
	Months   []KarensMonth `json:"months"`
	Expected []WaitingDay  `json:"expected"`
	// Later is what the register says when it is complete, and After what that changes; nil for no change.
	Later []KarensMonth `json:"later,omitempty"`
	After []WaitingDay  `json:"after,omitempty"`
}

// KarensMonth is a month of a benefit period. Hours are centihours.
type KarensMonth struct {
	Month      string `json:"month"`
	Hours      int64  `json:"register_hours"`
	Card       int64  `json:"card_hours"`
	Incomplete bool   `json:"register_incomplete,omitempty"`
	Benefit    bool   `json:"benefit"`              // unemployment benefit for any part
	Relief     bool   `json:"relief,omitempty"`     // sickness or parental benefit or care support for any part
	Excused    bool   `json:"excused,omitempty"`    // none because of a job with wage subsidy, a pension or a quarantine
	NewPeriod  bool   `json:"new_period,omitempty"` // a new benefit period starts
}

// WaitingDay is what comes of a block. Amounts are øre; Deducted is the month in which the day is deducted, empty for none.
type WaitingDay struct {
	Outcome     string `json:"outcome"` // DEDUCT, NO_DEDUCTION, LAPSED or REVERSED
	Month       string `json:"month"`   // the waiting month
	Deducted    string `json:"deducted,omitempty"`
	Amount      int64  `json:"amount"`
	Provisional bool   `json:"provisional,omitempty"`
}

// Amounts of one day's benefit at the highest rate of 2024 (domain.md, B.2), in øre.
const (
	dayFull = 939_67
	dayPart = 626_45
)

// addMonths adds months to one written as 2026-03; none stays none.
func addMonths(month string, n int) string {
	t, err := time.Parse("2006-01", month)
	if err != nil {
		return ""
	}
	return t.AddDate(0, n, 0).Format("2006-01") // of a first day no month end gets in the way
}

// benefitPeriod has benefit in every month, and the same hours on the card as in the register.
func benefitPeriod(from string, hours ...int64) []KarensMonth {
	out := make([]KarensMonth, len(hours))
	for i, h := range hours {
		out[i] = KarensMonth{Month: addMonths(from, i), Hours: h, Card: h, Benefit: true}
	}
	return out
}

// bend changes one month of a period.
func bend(period []KarensMonth, n int, change func(*KarensMonth)) []KarensMonth {
	change(&period[n])
	return period
}

// Shifted is the row so many months later, with everything that it holds: results depend on the distance between months alone.
func (k Karens) Shifted(months int) Karens {
	shift := func(in []KarensMonth) []KarensMonth {
		out := slices.Clone(in)
		for i := range out {
			out[i].Month = addMonths(out[i].Month, months)
		}
		return out
	}
	days := func(in []WaitingDay) []WaitingDay {
		out := slices.Clone(in)
		for i := range out {
			out[i].Month, out[i].Deducted = addMonths(out[i].Month, months), addMonths(out[i].Deducted, months)
		}
		return out
	}
	k.Placed = addMonths(k.Placed[:7], months) + k.Placed[7:]
	k.Months, k.Later, k.Expected, k.After = shift(k.Months), shift(k.Later), days(k.Expected), days(k.After)
	return k
}

// KarensRows are the rows K01 to K14. Nothing of the results is computed: they are the table.
func KarensRows() []Karens {
	const march = "2026-03"
	deduct := func(month, in string) WaitingDay {
		return WaitingDay{Outcome: "DEDUCT", Month: month, Deducted: in, Amount: dayFull}
	}
	free := func(month string) WaitingDay { return WaitingDay{Outcome: "NO_DEDUCTION", Month: month} }
	june := []WaitingDay{deduct("2026-06", "2026-06")}
	subsidy := func(m *KarensMonth) { m.Benefit, m.Excused = false, true }
	subsidised := func(months int) []KarensMonth {
		return bend(bend(benefitPeriod(march, make([]int64, months)...), 3, subsidy), 4, subsidy)
	}
	provisional := deduct("2026-06", "2026-06")
	provisional.Provisional = true
	partly := deduct("2026-06", "2026-06")
	partly.Amount = dayPart
	return []Karens{
		{Row: "K01", Placed: "2026-03-02", Months: benefitPeriod(march, 4000, 4000, 4000, 2800), Expected: june},
		{Row: "K02", Placed: "2026-03-02", Months: benefitPeriod(march, 4000, 4000, 4000, 2801), Expected: []WaitingDay{free("2026-06")}},
		{Row: "K03", PartTime: true, Placed: "2026-03-02", Months: benefitPeriod(march, 4000, 4000, 1700, 0), Expected: []WaitingDay{partly}},
		{Row: "K04", PartTime: true, Placed: "2026-03-02", Months: benefitPeriod(march, 4000, 4000, 1701, 0), Expected: []WaitingDay{free("2026-06")}},
		{Row: "K05", Placed: "2026-03-31", Months: benefitPeriod(march, 0, 0, 0, 0), Expected: june},
		{Row: "K06", Placed: "2025-08-01", Months: benefitPeriod("2025-08", 0, 0, 0, 0), Expected: []WaitingDay{deduct("2025-11", "2025-11")}},
		{
			Row: "K07", Placed: "2026-03-02", Expected: []WaitingDay{deduct("2026-07", "2026-07")},
			Months: bend(benefitPeriod(march, 0, 0, 0, 0, 0), 1, func(m *KarensMonth) { m.Benefit, m.Relief = false, true }),
		},
		{
			Row: "K08", Placed: "2026-03-02", Expected: june,
			Months: bend(benefitPeriod(march, 0, 0, 0, 0), 1, func(m *KarensMonth) { m.Relief = true }),
		},
		{
			Row: "K09", Placed: "2026-03-02", Expected: []WaitingDay{free("2026-06"), deduct("2026-10", "2026-10")},
			Months: bend(benefitPeriod(march, 0, 0, 0, 0, 0, 0, 0, 0), 3, func(m *KarensMonth) { m.Benefit = false }),
		},
		{
			Row: "K10", Placed: "2026-03-02", Expected: []WaitingDay{deduct("2026-06", "2026-08"), deduct("2026-10", "2026-10")},
			Months: subsidised(8),
		},
		{
			Row: "K11", Placed: "2026-03-02", Expected: []WaitingDay{{Outcome: "LAPSED", Month: "2026-06"}},
			Months: bend(subsidised(6), 5, func(m *KarensMonth) { m.NewPeriod = true }),
		},
		{
			Row: "K12", Placed: "2026-03-02", Expected: []WaitingDay{provisional},
			Months: bend(benefitPeriod(march, 4000, 4000, 4000, 2800), 3, func(m *KarensMonth) { m.Hours, m.Incomplete = 0, true }),
			Later:  benefitPeriod(march, 4000, 4000, 4000, 2850),
			After:  []WaitingDay{{Outcome: "REVERSED", Month: "2026-06", Deducted: "2026-06", Amount: dayFull}, free("2026-06")},
		},
		{Row: "K13", Placed: "2026-11-10", Months: benefitPeriod("2026-11", 0, 0, 0, 0), Expected: []WaitingDay{deduct("2027-02", "2027-02")}},
		{Row: "K14", Placed: "2026-03-02", Months: benefitPeriod(march, 200_00, 0, 0, 0), Expected: []WaitingDay{free("2026-06")}},
	}
}
