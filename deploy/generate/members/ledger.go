package members

import "time"

// Consumed is a month of benefit as one source reports it. Hours are centihours.
type Consumed struct {
	Source string `json:"source"`
	Month  string `json:"month"`
	Hours  int64  `json:"hours_centi"`
	Used   bool   `json:"used,omitempty"` // the basis of an earlier shortening
}

// Shortened is what must come of the question whether the benefit period is shortened. Hours are centihours.
type Shortened struct {
	Outcome string   `json:"outcome"`
	Codes   []string `json:"codes,omitempty"`
	Hours   int64    `json:"hours_centi"`
	Left    int64    `json:"left_centi"`
}

// Ledger is a row of the table of shortenings (domain.md, B.3): what the sources say, the question, and what must come of it. Begins is the
// first day of a later benefit period; empty for none.
type Ledger struct {
	Row      string     `json:"row"`
	PartTime bool       `json:"part_time"`
	Decided  string     `json:"decided_on"` // day on which it is determined
	Paid     string     `json:"paid_month"`
	Former   bool       `json:"former_fund,omitempty"` // the membership history shows one
	Extended bool       `json:"extended_period,omitempty"`
	Left     int64      `json:"left_centi"`
	Answered []string   `json:"answered"`
	Months   []Consumed `json:"months"`
	Expected Shortened  `json:"expected"`
	Begins   string     `json:"new_period_from,omitempty"`
	Then     *Shortened `json:"expected_then,omitempty"`
}

// plenty is what is left of a period where the table does not say.
const plenty = 1000_00

// consumed is so many hours of the fund's own payments in months of at most most, of which the last is the month given.
func consumed(last string, sum, most int64) (out []Consumed) {
	month, err := time.Parse("2006-01", last)
	for ; err == nil && sum > 0; month = month.AddDate(0, -1, 0) {
		out = append(out, Consumed{Source: "OWN", Month: month.Format("2006-01"), Hours: min(sum, most)})
		sum -= min(sum, most)
	}
	return out
}

// ledger is a row of one question.
func ledger(row string, partTime bool, paid string, months []Consumed, left int64, outcome string, by int64) Ledger {
	return Ledger{
		Row: row, PartTime: partTime, Decided: paid + "-28", Paid: paid, Left: left, Answered: []string{"OWN", "DFDG"}, Months: months,
		Expected: Shortened{Outcome: outcome, Hours: by, Left: left - by},
	}
}

// deferred is a row of a shortening that waits for a new period.
func deferred(row, decided, begins, outcome string, by int64) Ledger {
	l := ledger(row, false, decided[:len("2006-01")], consumed(decided[:len("2006-01")], 7700_00, NormFull), NormFull-1, "DEFERRED", 0)
	l.Decided, l.Begins = decided, begins
	l.Then = &Shortened{Outcome: outcome, Hours: by}
	if by > 0 {
		l.Then.Left = plenty - by
	}
	return l
}

// Ledgers are the rows S01 to S17.
func Ledgers() []Ledger {
	const (
		december = "2025-12"
		account  = 80_17
	)
	own := func(sum int64) []Consumed { return consumed(december, sum, NormFull) }
	december2018 := append(own(7600_00), Consumed{Source: "DFDG", Month: "2018-12", Hours: 100_00})
	s13 := ledger("S13", false, december, own(7700_00), account, "SHORTEN_ACCOUNT", account)
	s13.Extended = true
	s16 := ledger("S16", false, december, own(7700_00), plenty, "INCOMPLETE", 0)
	s16.Former, s16.Expected.Codes = true, []string{"FORMER_FUND"}
	used := consumed("2022-06", 7700_00, NormFull)
	for i := range used {
		used[i].Used = true
	}
	return []Ledger{
		ledger("S01", false, "2023-12", consumed("2023-12", 48*NormFull, NormFull), plenty, "NONE", 0),
		ledger("S02", false, "2024-01", consumed("2024-01", 49*NormFull, NormFull), plenty, "SHORTEN", NormFull),
		ledger("S03", true, "2023-12", consumed("2023-12", 48*NormPart, NormPart), plenty, "SHORTEN", NormPart),
		ledger("S04", false, december, own(7696_00), plenty, "SHORTEN", NormFull),
		ledger("S05", false, december, own(7695_99), plenty, "NONE", 0),
		ledger("S06", false, december, own(7700_00), NormFull, "SHORTEN", NormFull),
		ledger("S07", false, december, own(7700_00), NormFull-1, "DEFERRED", 0),
		deferred("S08", "2026-06-30", "2031-06-30", "APPLIED", NormFull),
		deferred("S09", "2026-06-30", "2031-07-01", "LAPSED", 0),
		deferred("S10", "2024-02-29", "2029-03-01", "LAPSED", 0),
		ledger("S11", false, december, consumed(december, 6300_00, NormPart), plenty, "NONE", 0),
		ledger("S12", true, december, own(6300_00), plenty, "SHORTEN", NormPart),
		s13,
		ledger("S14", false, "2026-12", december2018, plenty, "NONE", 0),
		ledger("S15", false, "2026-11", december2018, plenty, "SHORTEN", NormFull),
		s16,
		ledger("S17", false, december, append(used, consumed(december, 5000_00, NormFull)...), plenty, "NONE", 0),
	}
}
