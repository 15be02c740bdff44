package civil_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
)

func day(t *testing.T, s string) civil.Date {
	t.Helper()
	d, err := civil.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Year ends, leap years and the 31st.
func TestAddMonthsClamps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-01-31", 1, "2026-02-28"}, {"2024-01-31", 1, "2024-02-29"}, {"2024-02-29", 12, "2025-02-28"}, {"2024-02-29", 60, "2029-02-28"},
		{"2026-12-31", 2, "2027-02-28"}, {"2026-08-31", 1, "2026-09-30"}, {"2026-03-30", -1, "2026-02-28"}, {"2026-06-30", 60, "2031-06-30"},
		{"2026-12-15", 1, "2027-01-15"}, {"2100-01-31", 1, "2100-02-28"}, {"2000-01-31", 1, "2000-02-29"},
	} {
		if got := day(t, c.from).AddMonths(c.n).String(); got != c.want {
			t.Errorf("%s + %d months = %s, want %s", c.from, c.n, got, c.want)
		}
	}
}

func TestNoSuchDay(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{2026, 2, 29}, {2026, 4, 31}, {2026, 13, 1}, {2026, 0, 1}, {0, 1, 1}, {10000, 1, 1}, {2026, 1, 0}} {
		if d, err := civil.New(c[0], c[1], c[2]); err == nil {
			t.Errorf("%v is %s", c, d)
		}
	}
	for _, s := range []string{"", "2026-1-1", "2026-02-30", "20260101", "2026-01-01x"} {
		if d, err := civil.Parse(s); err == nil {
			t.Errorf("%q is %s", s, d)
		}
	}
}

func TestDatesAgreeWithTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(rapid.IntRange(1, 9900).Draw(t, "year"), 1, 1+rapid.IntRange(0, 364).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		d := civil.Of(at)
		y, m, dd := d.YMD()
		if d.String() != at.Format(time.DateOnly) || time.Date(y, time.Month(m), dd, 0, 0, 0, 0, time.UTC) != at {
			t.Fatalf("%v became %v", at, d)
		}
		again, err := civil.New(y, m, dd)
		if err != nil || again != d {
			t.Fatalf("%v became %v, %v", d, again, err)
		}
		if mm := d.Month(); mm.First() > d || mm.Last() < d || mm.Last()+1 != (mm+1).First() {
			t.Fatalf("%v does not lie in %v", d, mm)
		}
		// A full leap cycle of 400 years shifts results equally (D.3).
		n := rapid.IntRange(-120, 120).Draw(t, "months")
		if shifted := d.AddMonths(4800).AddMonths(n); d.Month() > 200 && shifted != d.AddMonths(n).AddMonths(4800) {
			t.Fatalf("%v + %d months is not the same 400 years later", d, n)
		}
	})
}
