package rules_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// The worked examples of domain.md B.9.
//
// covers: DFH-05 REG-06
func TestEffectiveDateExamples(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		id, country, received string
		work                  rules.WorkSituation
		effective, ends       string
	}{
		{"T01", "DK", "2026-03-15", rules.InWork, "2026-04-01", "2026-03-31"},
		{"T02", "DK", "2026-03-31", rules.InWork, "2026-04-01", "2026-03-31"},
		{"T03", "DK", "2026-04-01", rules.InWork, "2026-05-01", "2026-04-30"},
		{"T04", "DK", "2026-03-15", rules.OutOfWork, "2026-05-01", "2026-04-30"},
		{"T05", "DK", "2026-01-31", rules.OutOfWork, "2026-03-01", "2026-02-28"},
		{"T06", "DK", "2028-01-31", rules.OutOfWork, "2028-03-01", "2028-02-29"},
		{"T07", "DK", "2026-11-30", rules.OutOfWork, "2027-01-01", "2026-12-31"},
		{"T08", "SE", "2026-03-31", 0, "2026-04-01", "2026-03-31"},
		{"T09", "SE", "2026-04-01", 0, "2026-05-01", "2026-04-30"},
		{"T10", "SE", "2026-12-15", 0, "2027-01-01", "2026-12-31"},
	} {
		f := rules.EffectiveFacts{Country: row.country, Work: row.work}
		if row.country == rules.Sweden {
			f.ExitRequested = day(t, row.received)
		} else {
			f.Received = day(t, row.received)
		}
		got, err := rules.EffectiveDate(f)
		if err != nil || got != day(t, row.effective) || got-1 != day(t, row.ends) {
			t.Errorf("%s: %s, %v; want %s after %s", row.id, got, err, row.effective, row.ends)
		}
	}
}

func TestEffectiveDateOtherRows(t *testing.T) {
	t.Parallel()
	danish := rules.EffectiveFacts{Country: "DK", Received: day(t, "2026-03-15"), Work: rules.OutOfWork}
	agreed := func(date string) rules.EffectiveFacts { f := danish; f.Agreed = day(t, date); return f }
	graduated := rules.EffectiveFacts{Country: "DK", Received: day(t, "2026-07-03"), Work: rules.Graduated, EducationEnds: day(t, "2026-06-26")}
	for _, row := range []struct {
		name  string
		facts rules.EffectiveFacts
		want  string
		err   error
	}{
		{"agreed date that keeps the notice", agreed("2026-05-15"), "2026-05-15", nil},
		{"agreed on the first possible day", agreed("2026-05-01"), "2026-05-01", nil},
		{"agreed a day too early", agreed("2026-04-30"), "", rules.ErrDateConflict},
		{"graduated: first of the month of the end", graduated, "2026-06-01", nil},
		{"graduated without a date", rules.EffectiveFacts{Country: "DK", Received: day(t, "2026-07-03"), Work: rules.Graduated}, "", rules.ErrFacts},
		{"Denmark without work situation", rules.EffectiveFacts{Country: "DK", Received: day(t, "2026-07-03")}, "", rules.ErrFacts},
		{"Denmark without receipt", rules.EffectiveFacts{Country: "DK", Work: rules.InWork}, "", rules.ErrFacts},
		{"Sweden without exit request", rules.EffectiveFacts{Country: "SE"}, "", rules.ErrFacts},
		{"Sweden knows no agreed date", rules.EffectiveFacts{Country: "SE", ExitRequested: day(t, "2026-07-03"), Agreed: day(t, "2026-09-01")}, "", rules.ErrFacts},
		{"another country", rules.EffectiveFacts{Country: "NO", Received: day(t, "2026-07-03"), Work: rules.InWork}, "", rules.ErrFacts},
	} {
		got, err := rules.EffectiveDate(row.facts)
		if !errors.Is(err, row.err) || (err == nil && got != day(t, row.want)) {
			t.Errorf("%s: %s, %v", row.name, got, err)
		}
	}
}

// A membership always begins on a first, never before the receipt's month is over (but for graduates), and waits at least as long for
// those out of work.
func TestEffectiveDateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		received := civil.Date(rapid.IntRange(730000, 760000).Draw(t, "received"))
		inWork, err1 := rules.EffectiveDate(rules.EffectiveFacts{Country: "DK", Received: received, Work: rules.InWork})
		out, err2 := rules.EffectiveDate(rules.EffectiveFacts{Country: "DK", Received: received, Work: rules.OutOfWork})
		swedish, err3 := rules.EffectiveDate(rules.EffectiveFacts{Country: "SE", ExitRequested: received})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for _, d := range []civil.Date{inWork, out, swedish} {
			if d != d.MonthStart() || d <= received {
				t.Fatalf("received %s, effective %s", received, d)
			}
		}
		if inWork != swedish || out < received.AddMonths(1) || out != inWork.AddMonths(1) {
			t.Fatalf("received %s: %s, %s, %s", received, inWork, out, swedish)
		}
	})
}
