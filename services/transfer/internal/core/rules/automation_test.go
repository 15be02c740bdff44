package rules_test

import (
	"slices"
	"testing"

	"samvirke.dev/services/transfer/internal/core/rules"
)

func allClear() rules.AutomationFacts {
	return rules.AutomationFacts{AreaEnabled: true, DataComplete: true, NoEnquiry: true, NoDiscretion: true, NoRemarks: true}
}

// The worked examples of domain.md B.6 for membership.
//
// covers: MIN-15
func TestAutomationExamples(t *testing.T) {
	t.Parallel()
	today := day(t, "2026-03-10")
	for _, row := range []struct {
		id    string
		edit  func(*rules.AutomationFacts)
		want  rules.Automation
		codes []rules.Code
	}{
		{"E01", nil, rules.Auto, nil},
		{"E02", func(f *rules.AutomationFacts) { f.DataComplete, f.NoRemarks = false, false }, rules.Manual, []rules.Code{rules.DataMissing, rules.MemberRemarks}},
		{"E03", func(f *rules.AutomationFacts) { f.Adverse, f.HearingRequired, f.HearingEnds = true, true, today+1 }, rules.Wait, nil},
		{"E03 last day", func(f *rules.AutomationFacts) { f.Adverse, f.HearingRequired, f.HearingEnds = true, true, today }, rules.Wait, nil},
		{"E03 over", func(f *rules.AutomationFacts) { f.Adverse, f.HearingRequired, f.HearingEnds = true, true, today-1 }, rules.Auto, nil},
		{"E.2 no hearing", func(f *rules.AutomationFacts) { f.Adverse, f.HearingRequired = true, true }, rules.Wait, nil},
		{"E04", func(f *rules.AutomationFacts) { f.HearingRequired = true }, rules.Auto, nil},
		{"E05", func(f *rules.AutomationFacts) { f.Complaint, f.AreaEnabled = true, false }, rules.HumanOnly, nil},
		{"E06", func(f *rules.AutomationFacts) { f.AreaEnabled = false }, rules.Manual, []rules.Code{rules.AreaOff}},
	} {
		f := allClear()
		f.Today = today
		if row.edit != nil {
			row.edit(&f)
		}
		if got, codes := rules.AssessAutomation(f); got != row.want || !slices.Equal(codes, row.codes) {
			t.Errorf("%s: got %v %v, want %v %v", row.id, got, codes, row.want, row.codes)
		}
	}
}

// All 16 combinations of C1 to C4 with every single failure of the area and G1 to G5.
func TestAutomationTruthTable(t *testing.T) {
	t.Parallel()
	guards := []struct {
		name string
		edit func(*rules.AutomationFacts)
		want rules.Automation
		code rules.Code
	}{
		{"none", func(*rules.AutomationFacts) {}, rules.Auto, ""},
		{"area", func(f *rules.AutomationFacts) { f.AreaEnabled = false }, rules.Manual, rules.AreaOff},
		{"G1", func(f *rules.AutomationFacts) { f.Complaint = true }, rules.HumanOnly, ""},
		{"G2 restricted", func(f *rules.AutomationFacts) { f.Restricted = true }, rules.Manual, rules.Restricted},
		{"G2 objection", func(f *rules.AutomationFacts) { f.ObjectionOpen = true }, rules.Manual, rules.ObjectionOpen},
		{"G3", func(f *rules.AutomationFacts) { f.Protected = true }, rules.Manual, rules.Protected},
		{"G4", func(f *rules.AutomationFacts) { f.Adverse, f.HearingRequired = true, true }, rules.Wait, ""},
		{"G5", func(f *rules.AutomationFacts) { f.Special = true }, rules.Manual, rules.SpecialCircumstances},
	}
	for _, guard := range guards {
		for mask := range 16 {
			f := rules.AutomationFacts{AreaEnabled: true}
			guard.edit(&f)
			f.DataComplete, f.NoEnquiry, f.NoDiscretion, f.NoRemarks = mask&1 != 0, mask&2 != 0, mask&4 != 0, mask&8 != 0
			var codes []rules.Code
			for bit, code := range []rules.Code{rules.DataMissing, rules.EnquiryNeeded, rules.Discretion, rules.MemberRemarks} {
				if mask&(1<<bit) == 0 {
					codes = append(codes, code)
				}
			}
			want := guard.want
			switch {
			case want == rules.HumanOnly:
				codes = nil
			case guard.code == rules.AreaOff:
				codes = append([]rules.Code{rules.AreaOff}, codes...)
			case guard.code != "":
				codes = append(codes, guard.code)
			}
			if len(codes) > 0 {
				want = rules.Manual
			}
			if got, reasons := rules.AssessAutomation(f); got != want || !slices.Equal(reasons, codes) {
				t.Errorf("%s, C1..C4 = %04b: got %v %v, want %v %v", guard.name, mask, got, reasons, want, codes)
			}
		}
	}
}
