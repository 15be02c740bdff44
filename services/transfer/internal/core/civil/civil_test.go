package civil_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/transfer/internal/core/civil"
)

func day(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

// Periods of months end on the same-numbered day or on the last day of the month; the rows are of domain.md B.0 and B.7.
func TestMonthsClamp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-01-31", 1, "2026-02-28"}, {"2028-01-31", 1, "2028-02-29"}, {"2026-11-30", 1, "2026-12-30"}, {"2026-11-30", 3, "2027-02-28"},
		{"2024-11-30", 15, "2026-02-28"}, {"2026-11-29", 15, "2028-02-29"}, {"2024-02-29", 15, "2025-05-29"}, {"2026-05-31", 15, "2027-08-31"},
		{"2023-12-31", 26, "2026-02-28"}, {"2026-06-30", 26, "2028-08-30"}, {"2024-02-29", 12, "2025-02-28"}, {"2024-02-29", 60, "2029-02-28"},
		{"2024-02-29", 96, "2032-02-29"}, {"2026-03-31", -1, "2026-02-28"}, {"2026-01-15", -1, "2025-12-15"},
	} {
		if got := day(t, row.from).AddMonths(row.months); got != day(t, row.want) {
			t.Errorf("%s + %d months = %s, want %s", row.from, row.months, got, row.want)
		}
	}
}

func TestParseRefusesWhatIsNoDay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-1-1", "0000-01-01", "2026-02-30T00:00:00Z"} {
		if d, err := civil.Parse(text); err == nil {
			t.Errorf("%q gave %s", text, d)
		}
	}
	if _, err := civil.New(2026, 2, 29); err == nil {
		t.Error("2026-02-29 is no day")
	}
}

// A date goes through its parts and its text unchanged, shifting by 400 years shifts results equally, and months only ever clamp.
func TestCalendarProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := civil.Of(time.Date(1900+rapid.IntRange(0, 500).Draw(t, "year"), 1, 1+rapid.IntRange(0, 365).Draw(t, "day"), 0, 0, 0, 0, time.UTC))
		y, m, day := d.Parts()
		back, err := civil.New(y, int(m), day)
		if err != nil || back != d {
			t.Fatalf("%s came back as %s, %v", d, back, err)
		}
		if parsed, err := civil.Parse(d.String()); err != nil || parsed != d {
			t.Fatalf("%s was read as %s, %v", d, parsed, err)
		}
		n := rapid.IntRange(0, 120).Draw(t, "months")
		got := d.AddMonths(n)
		_, _, gotDay := got.Parts()
		if gotDay != day && got != got.MonthEnd() {
			t.Fatalf("%s + %d months = %s", d, n, got)
		}
		if far, _ := civil.New(y+400, int(m), day); far.AddMonths(n) != got.AddMonths(4800) {
			t.Fatalf("400 years shift %s + %d months", d, n)
		}
		if d.MonthStart() > d || d.MonthEnd() < d || d.NextMonthStart() != d.MonthEnd()+1 {
			t.Fatalf("month of %s: %s to %s", d, d.MonthStart(), d.MonthEnd())
		}
	})
}
