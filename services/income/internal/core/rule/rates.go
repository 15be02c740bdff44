package rule

// MaxRate is the highest monthly rate of a year, for reference and tests: a member's own rate is always an input.
type MaxRate struct {
	Year   int
	Rate   Both   // øre a month
	Source string // and how sure it is
}

// MaxRates returns the published highest rates, oldest first.
func MaxRates() []MaxRate {
	return []MaxRate{
		{2023, Both{F: 1_972_800, P: 1_315_200}, "fund pages, read 2026-11-23, hi"},
		{2024, Both{F: 2_035_900, P: 1_357_300}, "fund pages, read 2026-11-23, hi"},
		{2025, Both{F: 2_109_200, P: 1_406_100}, "fund pages, read 2026-11-23, hi"},
		{2026, Both{F: 2_204_100}, "a private calculator, read 2026-11-23, lo; part-time not found"},
	}
}
