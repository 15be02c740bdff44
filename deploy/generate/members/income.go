package members

// Income is a row of the Swedish income condition (domain.md, B.12): kronor in each of twelve months, and what comes of it.
type Income struct {
	Row    int       `json:"row"`
	Kronor [12]int64 `json:"kronor"`
	Rule   string    `json:"rule"` // MAIN, ALTERNATIVE or NONE
	Days   int       `json:"days"`
}

// Incomes are the rows.
func Incomes() []Income {
	spread := func(kronor int64, months ...int) (out [12]int64) {
		for _, m := range months {
			out[m] = kronor
		}
		return out
	}
	return []Income{
		{0, spread(11_000, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), "MAIN", 300},
		{1, spread(12_000, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "MAIN", 200},
		{2, spread(13_000, 0, 1, 2, 3, 4, 5, 6, 7, 8), "ALTERNATIVE", 66},
		{3, spread(30_000, 0, 3, 6, 9), "MAIN", 100},
		{4, spread(40_000, 0, 1, 2), "NONE", 0},
		{5, spread(10_999, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), "NONE", 0},
	}
}
