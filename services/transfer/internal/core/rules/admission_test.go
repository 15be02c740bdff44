package rules_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
)

func day(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fine are the facts of an application with nothing against it.
func fine(birth, received civil.Date) rules.AdmissionFacts {
	return rules.AdmissionFacts{
		Birth: birth, Received: received, Residence: rules.Yes, Stay: rules.Yes, GreenlandFaroe: rules.No, OtherFund: rules.No,
		Education: rules.No, TradeArea: rules.Yes, SpecialAnswered: true,
	}
}

// The worked examples of domain.md B.4.
//
// covers: DFH-41 DFH-04
func TestAdmissionExamples(t *testing.T) {
	t.Parallel()
	table := rules.DanishPensionTable()
	manual := func(codes ...rules.Code) rules.Admission {
		return rules.Admission{Outcome: rules.AdmissionManual, Codes: codes}
	}
	auto := rules.Admission{Outcome: rules.AdmissionAuto}
	for _, row := range []struct {
		id, birth, received string
		edit                func(*rules.AdmissionFacts)
		want                rules.Admission
	}{
		{"A01", "2008-11-23", "2026-11-23", nil, auto},
		{"A02", "2008-11-24", "2026-11-23", nil, manual(rules.LikelyReject, rules.AgeLow)},
		{"A03", "1963-05-14", "2029-05-13", nil, auto},
		{"A04", "1963-05-14", "2029-05-14", nil, manual(rules.Boundary)},
		{"A05", "1963-05-14", "2029-05-15", nil, manual(rules.LikelyReject, rules.AgeHigh)},
		{"A06", "1962-12-31", "2027-12-30", nil, auto},
		{"A07", "1963-01-01", "2028-12-31", nil, auto},
		{"A08", "1955-03-31", "2019-09-29", nil, auto},
		{"A09", "2008-02-29", "2026-02-28", nil, manual(rules.LikelyReject, rules.AgeLow)},
		{"A10", "2008-02-29", "2026-03-01", nil, auto},
		{"A11", "1990-06-15", "2026-11-23", func(f *rules.AdmissionFacts) { f.Stay = rules.No }, manual(rules.LikelyReject, rules.Stay)},
		{"A12", "1990-06-15", "2026-11-23", func(f *rules.AdmissionFacts) { f.OtherFund = rules.Yes }, rules.Admission{Outcome: rules.AdmissionIsTransfer}},
		{"A13", "1990-06-15", "2026-11-23", func(f *rules.AdmissionFacts) { f.Specials = []rules.Code{rules.EEAWork} }, manual(rules.EEAWork)},
		{"A14", "1990-06-15", "2026-11-23", func(f *rules.AdmissionFacts) { f.Stay = rules.Unknown },
			rules.Admission{Outcome: rules.AdmissionIncomplete, Codes: []rules.Code{rules.Stay}}},
		// Beyond the numbered rows: the limits that they name, E.2, and the order of all codes together.
		{"A08 boundary", "1955-03-31", "2019-09-30", nil, manual(rules.Boundary)},
		{"A06 boundary", "1962-12-31", "2027-12-31", nil, manual(rules.Boundary)},
		{"A07 boundary", "1963-01-01", "2029-01-01", nil, manual(rules.Boundary)},
		{"A05 education", "2009-11-24", "2026-11-23", func(f *rules.AdmissionFacts) { f.Education = rules.Yes }, manual(rules.Education)},
		{"future birth", "2026-11-24", "2026-11-23", nil, rules.Admission{Outcome: rules.AdmissionInvalid, Codes: []rules.Code{rules.BirthDate}}},
		{"everything", "1963-05-14", "2029-05-15", func(f *rules.AdmissionFacts) {
			f.Residence, f.Stay, f.GreenlandFaroe, f.TradeArea = rules.No, rules.No, rules.Yes, rules.No
			f.Specials = []rules.Code{rules.Protected, rules.ForeignPermit, rules.ShortTime, rules.SelfEmployed, rules.LivingAbroad, rules.EEAWork}
		}, manual(rules.EEAWork, rules.LivingAbroad, rules.SelfEmployed, rules.ShortTime, rules.ForeignPermit, rules.Protected,
			rules.LikelyReject, rules.Residence, rules.Stay, rules.Greenland, rules.AgeHigh, rules.TradeArea)},
	} {
		facts := fine(day(t, row.birth), day(t, row.received))
		if row.edit != nil {
			row.edit(&facts)
		}
		if got := rules.AssessAdmission(facts, table); fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%s: got %v, want %v", row.id, got, row.want)
		}
	}
}

// A1 lists every missing answer, in order.
//
// covers: DFH-34
func TestAdmissionListsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	got := rules.AssessAdmission(rules.AdmissionFacts{}, rules.DanishPensionTable())
	want := []rules.Code{rules.BirthDate, rules.Received, rules.Residence, rules.Stay, rules.Greenland, rules.OtherFund, rules.Education, rules.TradeArea, rules.Special}
	if got.Outcome != rules.AdmissionIncomplete || !slices.Equal(got.Codes, want) {
		t.Errorf("got %v", got)
	}
}

// Only somebody inside the window with nothing against them is admitted without a person, and an adverse result never is.
func TestAdmissionIsNeverAdverseAutomatically(t *testing.T) {
	t.Parallel()
	table := rules.DanishPensionTable()
	answers := rapid.SampledFrom([]rules.Answer{rules.Unknown, rules.Yes, rules.No})
	rapid.Check(t, func(t *rapid.T) {
		f := rules.AdmissionFacts{
			Birth: civil.Date(rapid.IntRange(695000, 740000).Draw(t, "birth")), Received: civil.Date(rapid.IntRange(730000, 745000).Draw(t, "received")),
			Residence: answers.Draw(t, "residence"), Stay: answers.Draw(t, "stay"), GreenlandFaroe: answers.Draw(t, "greenland"),
			OtherFund: answers.Draw(t, "other"), Education: answers.Draw(t, "education"), TradeArea: answers.Draw(t, "trade"),
			SpecialAnswered: rapid.Bool().Draw(t, "answered"),
		}
		got, window := rules.AssessAdmission(f, table), table.Window(f.Birth)
		inside := f.Received >= window.First && f.Received < window.Limit
		favourable := inside && f.Residence == rules.Yes && f.Stay == rules.Yes && f.GreenlandFaroe == rules.No && f.OtherFund == rules.No &&
			f.Education != rules.Unknown && f.TradeArea == rules.Yes && f.SpecialAnswered
		if (got.Outcome == rules.AdmissionAuto) != favourable {
			t.Fatalf("%+v gave %v", f, got)
		}
		if got.Outcome != rules.AdmissionAuto && got.Outcome != rules.AdmissionIsTransfer && len(got.Codes) == 0 {
			t.Fatalf("%+v gave no code", f)
		}
	})
}

// Pension dates of domain.md B.7.
func TestPensionDates(t *testing.T) {
	t.Parallel()
	table := rules.DanishPensionTable()
	for birth, want := range map[string]string{
		"1960-03-31": "2027-03-31", "1960-02-29": "2027-02-28", "1955-03-31": "2021-09-30", "1964-02-29": "2032-02-29",
		"1953-12-31": "2018-12-31", "1954-01-01": "2019-07-01", "1970-12-31": "2039-12-31", "1971-01-01": "2041-01-01",
	} {
		if got := table.PensionDate(day(t, birth)); got != day(t, want) {
			t.Errorf("born %s: %s, want %s", birth, got, want)
		}
	}
	if _, err := rules.NewPensionTable(nil); err == nil {
		t.Error("an empty table was taken")
	}
	if _, err := rules.NewPensionTable([]rules.PensionStep{{day(t, "1963-01-01"), 804}}); err == nil {
		t.Error("a table without a last step was taken")
	}
}
