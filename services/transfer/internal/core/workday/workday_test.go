package workday_test

import (
	"errors"
	"testing"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/workday"
)

func day(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Working days skip weekends and the holidays of the country that must act, not those of the other.
func TestAdd(t *testing.T) {
	t.Parallel()
	calendars := workday.New()
	for _, row := range []struct {
		country, from string
		n             int
		want          string
	}{
		{"DK", "2026-03-02", 5, "2026-03-09"},  // a plain week
		{"DK", "2026-03-31", 5, "2026-04-10"},  // Maundy Thursday, Good Friday, Easter Monday
		{"SE", "2026-03-31", 5, "2026-04-09"},  // Good Friday, Easter Monday
		{"DK", "2026-06-04", 1, "2026-06-08"},  // 5 June, then a weekend
		{"SE", "2026-06-04", 1, "2026-06-05"},  // no holiday in Sweden
		{"SE", "2026-06-18", 1, "2026-06-22"},  // midsummer's eve
		{"DK", "2026-06-18", 1, "2026-06-19"},  // no holiday in Denmark
		{"SE", "2026-01-05", 1, "2026-01-07"},  // Epiphany
		{"DK", "2023-05-04", 1, "2023-05-08"},  // store bededag, for the last time
		{"DK", "2024-04-25", 1, "2024-04-26"},  // and no longer
		{"SE", "2026-12-23", 1, "2026-12-28"},  // Christmas Eve and two days, the second a Saturday
		{"DK", "2026-12-23", 1, "2026-12-24"},  // no public holiday
		{"SE", "2026-12-30", 1, "2027-01-04"},  // new year's eve
		{"DK", "2026-02-27", 0, "2026-02-27"},  // nothing to count
		{"DK", "2028-02-28", 10, "2028-03-13"}, // across 29 February
	} {
		got, err := calendars.Add(row.country, day(t, row.from), row.n)
		if err != nil || got != day(t, row.want) {
			t.Errorf("%s %s + %d = %s, %v, want %s", row.country, row.from, row.n, got, err, row.want)
		}
	}
	if _, err := calendars.Add("NO", day(t, "2026-03-02"), 1); !errors.Is(err, workday.ErrCountry) {
		t.Errorf("Norway: %v", err)
	}
}
