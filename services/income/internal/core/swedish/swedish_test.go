package swedish_test

import (
	"testing"

	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/swedish"
)

func months(kronor ...int) []rule.Money {
	out := make([]rule.Money, 12)
	for i, k := range kronor {
		out[i] = rule.Money(k) * 100
	}
	return out
}

func times(n, kronor int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = kronor
	}
	return out
}

// The examples of domain B.12 and the edges of its table.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []rule.Money
		want swedish.Outcome
		days int
	}{
		"12 × 11 000":            {months(times(12, 11_000)...), swedish.Main, 300},
		"10 × 12 000":            {months(times(10, 12_000)...), swedish.Main, 200},
		"9 consecutive × 13 000": {months(times(9, 13_000)...), swedish.Alternative, 66},
		"4 × 30 000 spread out":  {months(30_000, 0, 0, 30_000, 0, 0, 30_000, 0, 0, 30_000), swedish.Main, 100},
		"3 × 40 000":             {months(times(3, 40_000)...), swedish.None, 0},
		"12 × 10 999":            {months(times(12, 10_999)...), swedish.None, 0},
		"11 × 11 000":            {months(times(11, 11_000)...), swedish.Main, 300},
		"8 × 15 000":             {months(times(8, 15_000)...), swedish.Main, 200},
		"7 × 20 000":             {months(times(7, 20_000)...), swedish.Main, 100},
		"4 × 11 000 in a row":    {months(times(4, 11_000)...), swedish.Alternative, 66},
		"4 × 11 000 with a gap":  {months(11_000, 11_000, 0, 11_000, 11_000), swedish.None, 0},
		"eleven months":          {months()[:11], swedish.Invalid, 0},
		"negative":               {months(-1), swedish.Invalid, 0},
	} {
		if got := swedish.Evaluate(c.in); got.Outcome != c.want || got.Days != c.days {
			t.Errorf("%s: %+v, want %s %d", name, got, c.want, c.days)
		}
	}
	if got := swedish.Evaluate(months(times(12, 40_000)...)); got.Base != 12*3_400_000 {
		t.Errorf("base %s", got.Base)
	}
}

// The frame of who becomes unemployed on the day on which the rule began ends with the month before.
func TestFirstFrame(t *testing.T) {
	t.Parallel()
	if got := swedish.FirstFrame().String(); got != "2025-09" {
		t.Errorf("first frame ends with %s", got)
	}
}
