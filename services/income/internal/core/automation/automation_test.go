package automation_test

import (
	"slices"
	"testing"

	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/rule"
)

func facts(c int) automation.Facts {
	return automation.Facts{Answers: automation.Answers{
		DataPresent: c&8 != 0, NoEnquiry: c&4 != 0, NoDiscretion: c&2 != 0, NoRemarks: c&1 != 0,
	}}
}

// All sixteen combinations of C1 to C4 with every single failure of the area and of G1 to G5 (domain B.6).
//
// covers: MIN-15
func TestTruthTable(t *testing.T) {
	t.Parallel()
	for c := range 16 {
		var want []rule.Code
		for i, code := range []rule.Code{rule.CodeDataMissing, rule.CodeEnquiry, rule.CodeDiscretion, rule.CodeRemarks} {
			if c&(8>>i) == 0 {
				want = append(want, code)
			}
		}
		for name, g := range map[string]struct {
			edit   func(*automation.Facts)
			before []rule.Code
			after  []rule.Code
		}{
			"none": {func(*automation.Facts) {}, nil, nil},
			"area": {func(f *automation.Facts) { f.AreaOff = true }, []rule.Code{rule.CodeAreaOff}, nil},
			"G2a":  {func(f *automation.Facts) { f.Restricted = true }, nil, []rule.Code{rule.CodeRestricted}},
			"G2b":  {func(f *automation.Facts) { f.Objection = true }, nil, []rule.Code{rule.CodeObjection}},
			"G3":   {func(f *automation.Facts) { f.Protected = true }, nil, []rule.Code{rule.CodeProtected}},
			"G5":   {func(f *automation.Facts) { f.Special = true }, nil, []rule.Code{rule.CodeSpecial}},
		} {
			f := facts(c)
			g.edit(&f)
			all := slices.Concat(g.before, want, g.after)
			verdict, codes := automation.Decide(f)
			if !slices.Equal(codes, all) || (verdict == automation.Auto) != (len(all) == 0) || (verdict == automation.Manual) != (len(all) > 0) {
				t.Errorf("C%04b %s: %s %v, want %v", c, name, verdict, codes, all)
			}
			f.HumanOnly = true // G1 goes before everything else
			if verdict, codes := automation.Decide(f); verdict != automation.HumanOnly || len(codes) != 1 {
				t.Errorf("C%04b %s with a complaint: %s %v", c, name, verdict, codes)
			}
			f.HumanOnly, f.Adverse, f.Hearing, f.HearingEnds, f.Today = false, true, true, 100, 100 // G4
			if verdict, _ := automation.Decide(f); len(all) == 0 && verdict != automation.Wait || len(all) > 0 && verdict != automation.Manual {
				t.Errorf("C%04b %s within the hearing period: %s", c, name, verdict)
			}
		}
	}
}

// The worked examples of domain B.6 and the edges of G4.
//
// covers: MIN-15
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id    string
		edit  func(*automation.Facts)
		want  automation.Verdict
		codes []rule.Code
	}{
		{"E01", func(*automation.Facts) {}, automation.Auto, nil},
		{"E02", func(f *automation.Facts) { f.DataPresent, f.NoRemarks = false, false }, automation.Manual, []rule.Code{rule.CodeDataMissing, rule.CodeRemarks}},
		{"E03", func(f *automation.Facts) { f.Adverse, f.Hearing, f.HearingEnds = true, true, 11 }, automation.Wait, []rule.Code{rule.CodeHearingPeriod}},
		{"E04", func(f *automation.Facts) { f.Hearing = true }, automation.Auto, nil},
		{"E05", func(f *automation.Facts) { f.HumanOnly = true }, automation.HumanOnly, []rule.Code{rule.CodeHumanOnly}},
		{"E06", func(f *automation.Facts) { f.AreaOff = true }, automation.Manual, []rule.Code{rule.CodeAreaOff}},
		{"last day", func(f *automation.Facts) { f.Adverse, f.Hearing, f.HearingEnds = true, true, 10 }, automation.Wait, []rule.Code{rule.CodeHearingPeriod}},
		{"day after", func(f *automation.Facts) { f.Adverse, f.Hearing, f.HearingEnds = true, true, 9 }, automation.Auto, nil},
		{"no date", func(f *automation.Facts) { f.Adverse, f.Hearing = true, true }, automation.Wait, []rule.Code{rule.CodeHearingPeriod}},
		{"announced with the payment", func(f *automation.Facts) { f.Adverse = true }, automation.Auto, nil},
	} {
		f := facts(15)
		f.Today = 10
		c.edit(&f)
		if got, codes := automation.Decide(f); got != c.want || !slices.Equal(codes, c.codes) {
			t.Errorf("%s: %s %v, want %s %v", c.id, got, codes, c.want, c.codes)
		}
	}
}
