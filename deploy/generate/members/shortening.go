package members

import "slices"

// Shortening is a row of § 56b (domain.md, B.3): a ledger of consumption, the question, and what must come of it. Hours are centihours.
type Shortening struct {
	Row      string        `json:"row"`
	PartTime bool          `json:"part_time,omitempty"` // insurance status now (E.2)
	Paid     string        `json:"paid"`                // the month paid
	Own      []Consumption `json:"own"`                 // what the fund itself has paid
	DFDG     []Consumption `json:"dfdg,omitempty"`      // what the employment field's data basis says
	Former   bool          `json:"former_fund,omitempty"`
	Extended bool          `json:"extended_period,omitempty"`
	Left     int64         `json:"left"`
	Expected Shortened     `json:"expected"`
	// What was deferred meets a new period: so many years and days after it was determined, and what must come of it then. Years 0 for no
	// new period.
	Years int       `json:"new_period_years,omitempty"`
	Days  int       `json:"new_period_days,omitempty"`
	After Shortened `json:"after,omitzero"`
}

// Consumption is a month of benefit.
type Consumption struct {
	Month string `json:"month"`
	Hours int64  `json:"hours"`
	Used  bool   `json:"used,omitempty"` // they were basis of an earlier shortening
}

// Shortened is what comes of it: hours taken, and hours left afterwards.
type Shortened struct {
	Outcome string `json:"outcome"`
	Hours   int64  `json:"hours"`
	Left    int64  `json:"left"`
}

// fullMonths are months at the norm.
func fullMonths(from string, n int, hours int64, used bool) []Consumption {
	out := make([]Consumption, n)
	for i := range out {
		out[i] = Consumption{Month: addMonths(from, i), Hours: hours, Used: used}
	}
	return out
}

// summing are months up to December 2025 with so many hours in all.
func summing(hours int64) (out []Consumption) {
	for month := "2025-12"; hours > 0; month = addMonths(month, -1) {
		out = append(out, Consumption{Month: month, Hours: min(hours, NormFull)})
		hours -= NormFull
	}
	return out
}

// Shifted is the row so many months later, with everything that it holds: results depend on the distance between months alone.
func (s Shortening) Shifted(months int) Shortening {
	shift := func(in []Consumption) []Consumption {
		out := slices.Clone(in)
		for i := range out {
			out[i].Month = addMonths(out[i].Month, months)
		}
		return out
	}
	s.Paid, s.Own, s.DFDG = addMonths(s.Paid, months), shift(s.Own), shift(s.DFDG)
	return s
}

// ShorteningRows are the rows S01 to S17. Nothing of the results is computed: they are the table.
func ShorteningRows() []Shortening {
	const paid, plenty = "2025-12", 1000_00
	none, shorter := Shortened{"NONE", 0, plenty}, Shortened{"SHORTEN", 160_33, 839_67}
	deferred := Shortened{"DEFERRED", 0, 160_32}
	december2018 := Consumption{Month: "2018-12", Hours: 100_00}
	again := func(row string, days int, after Shortened) Shortening {
		return Shortening{Row: row, Paid: paid, Own: summing(7700_00), Left: 160_32, Expected: deferred, Years: 5, Days: days, After: after}
	}
	return []Shortening{
		{Row: "S01", Paid: "2023-12", Own: fullMonths("2020-01", 48, NormFull, false), Left: plenty, Expected: none},
		{Row: "S02", Paid: "2024-01", Own: fullMonths("2020-01", 49, NormFull, false), Left: plenty, Expected: shorter},
		{
			Row: "S03", PartTime: true, Paid: "2023-12", Own: fullMonths("2020-01", 48, NormPart, false), Left: plenty,
			Expected: Shortened{"SHORTEN", 130_00, 870_00},
		},
		{Row: "S04", Paid: paid, Own: summing(7696_00), Left: plenty, Expected: shorter},
		{Row: "S05", Paid: paid, Own: summing(7695_99), Left: plenty, Expected: none},
		{Row: "S06", Paid: paid, Own: summing(7700_00), Left: 160_33, Expected: Shortened{"SHORTEN", 160_33, 0}},
		{Row: "S07", Paid: paid, Own: summing(7700_00), Left: 160_32, Expected: deferred},
		again("S08", 0, Shortened{"APPLIED", 160_33, 0}),
		again("S09", 1, Shortened{"LAPSED", 0, 0}),
		again("S10", 1, Shortened{"LAPSED", 0, 0}), // determined on a leap day in the table; here on the day of the question
		{Row: "S11", Paid: paid, Own: summing(6300_00), Left: plenty, Expected: none},
		{Row: "S12", PartTime: true, Paid: paid, Own: summing(6300_00), Left: plenty, Expected: Shortened{"SHORTEN", 130_00, 870_00}},
		{Row: "S13", Paid: paid, Own: summing(7700_00), Extended: true, Left: 80_17, Expected: Shortened{"SHORTEN_ACCOUNT", 80_17, 0}},
		{Row: "S14", Paid: "2026-12", Own: summing(7600_00), DFDG: []Consumption{december2018}, Left: plenty, Expected: none},
		{Row: "S15", Paid: "2026-11", Own: summing(7600_00), DFDG: []Consumption{december2018}, Left: plenty, Expected: shorter},
		{Row: "S16", Paid: paid, Own: summing(7700_00), Former: true, Left: plenty, Expected: Shortened{"INCOMPLETE", 0, plenty}},
		{
			Row: "S17", Paid: paid, Own: append(fullMonths("2018-01", 48, 160_41, true), summing(5000_00)...), Left: plenty,
			Expected: none,
		},
	}
}
