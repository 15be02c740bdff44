package members

import "time"

// BenefitMonth is a month of a benefit period, as the question about waiting days has it. Hours are centihours.
type BenefitMonth struct {
	Month    string `json:"month"`
	Register int64  `json:"register_centi"`
	Card     int64  `json:"card_centi"`
	Complete bool   `json:"register_complete"`
	Benefit  bool   `json:"benefit"`
	Relief   bool   `json:"relief,omitempty"`
	Excused  bool   `json:"excused,omitempty"`
	// NewPeriod says that a new benefit period starts in the month.
	NewPeriod bool `json:"new_period,omitempty"`
}

// WaitingDay is a decision that must come about a block of months. Amounts are øre.
type WaitingDay struct {
	Outcome  string   `json:"outcome"`
	Codes    []string `json:"codes,omitempty"`
	Waiting  string   `json:"waiting_month"`
	Deducted string   `json:"deducted_month,omitempty"`
	Amount   int64    `json:"amount_ore"`
}

// Chain is a row of the table of waiting days (domain.md, B.2): a benefit period, and the decisions that must come of it. Later is the same
// period as it is known afterwards; empty where nothing changes.
type Chain struct {
	Row      string         `json:"row"`
	Placed   string         `json:"placed"` // day of placement
	PartTime bool           `json:"part_time"`
	Rate     int64          `json:"monthly_rate_ore"`
	Months   []BenefitMonth `json:"months"`
	Expected []WaitingDay   `json:"expected"`
	Later    []BenefitMonth `json:"later,omitempty"`
	After    []WaitingDay   `json:"expected_later,omitempty"`
}

// The amounts of one day's benefit as the table has them.
const (
	dayFull = 939_67
	dayPart = 626_45
)

// period is a benefit period with benefit in each month and complete data.
func period(placed string, hours ...int64) []BenefitMonth {
	first, err := time.Parse(time.DateOnly, placed)
	if err != nil {
		return nil
	}
	out := make([]BenefitMonth, len(hours))
	for i, h := range hours {
		month := time.Date(first.Year(), first.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		out[i] = BenefitMonth{Month: month.Format("2006-01"), Register: h, Card: h, Complete: true, Benefit: true}
	}
	return out
}

// june is the waiting month of most rows.
const june = "2026-06"

func deducted(waiting, month string, amount int64, codes ...string) WaitingDay {
	return WaitingDay{Outcome: "DEDUCT", Codes: codes, Waiting: waiting, Deducted: month, Amount: amount}
}

func spared(code string) WaitingDay {
	return WaitingDay{Outcome: "NO_DEDUCTION", Codes: []string{code}, Waiting: june}
}

// chain is a row of which nothing is known later.
func chain(row, placed string, partTime bool, hours []int64, expected WaitingDay, edits ...func([]BenefitMonth)) Chain {
	c := Chain{Row: row, Placed: placed, PartTime: partTime, Rate: RateFull, Months: period(placed, hours...), Expected: []WaitingDay{expected}}
	if partTime {
		c.Rate = RatePart
	}
	for _, e := range edits {
		e(c.Months)
	}
	return c
}

// Chains are the rows K01 to K14.
func Chains() []Chain {
	const march = "2026-03-02"
	none := make([]int64, 4)
	sick := func(m []BenefitMonth) { m[1].Relief, m[1].Benefit = true, false }
	subsidy := func(m []BenefitMonth) {
		for _, i := range []int{3, 4} {
			m[i].Benefit, m[i].Excused = false, true
		}
	}
	k09 := chain("K09", march, false, make([]int64, 8), spared("NO_BENEFIT"), func(m []BenefitMonth) { m[3].Benefit = false })
	k09.Expected = append(k09.Expected, deducted("2026-10", "2026-10", dayFull))
	k10 := chain("K10", march, false, make([]int64, 8), deducted(june, "2026-08", dayFull, "POSTPONED"), subsidy)
	k10.Expected = append(k10.Expected, deducted("2026-10", "2026-10", dayFull))
	k11 := chain("K11", march, false, make([]int64, 6), WaitingDay{Outcome: "LAPSED", Codes: []string{"POSTPONED"}, Waiting: june}, subsidy,
		func(m []BenefitMonth) { m[5].NewPeriod = true })
	k12 := chain("K12", march, false, []int64{4000, 4000, 4000, 2800}, deducted(june, june, dayFull, "PROVISIONAL"),
		func(m []BenefitMonth) { m[3].Register, m[3].Complete = 0, false })
	k12.Later = period(march, 4000, 4000, 4000, 2850)
	k12.After = []WaitingDay{{Outcome: "REVERSED", Codes: []string{"PROVISIONAL"}, Waiting: june, Deducted: june, Amount: dayFull}, spared("HOURS")}
	return []Chain{
		chain("K01", march, false, []int64{4000, 4000, 4000, 2800}, deducted(june, june, dayFull)),
		chain("K02", march, false, []int64{4000, 4000, 4000, 2801}, spared("HOURS")),
		chain("K03", march, true, []int64{2500, 2500, 2500, 2200}, deducted(june, june, dayPart)),
		chain("K04", march, true, []int64{2500, 2500, 2500, 2201}, spared("HOURS")),
		chain("K05", "2026-03-31", false, none, deducted(june, june, dayFull)),
		chain("K06", "2025-08-01", false, none, deducted("2025-11", "2025-11", dayFull)),
		chain("K07", march, false, make([]int64, 5), deducted("2026-07", "2026-07", dayFull, "EXTENDED"), sick),
		chain("K08", march, false, none, deducted(june, june, dayFull), func(m []BenefitMonth) { m[1].Relief = true }),
		k09, k10, k11, k12,
		chain("K13", "2026-11-10", false, none, deducted("2027-02", "2027-02", dayFull)),
		chain("K14", march, false, []int64{20000, 0, 0, 0}, spared("HOURS")),
	}
}
