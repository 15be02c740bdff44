// Package automation says whether a case may be decided without a person (domain B.6). It is pure.
package automation

import (
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// Answers are the four conditions that the policy names, true when they hold (MIN-15). Every automatic decision stores them.
type Answers struct {
	DataPresent  bool // C1: all necessary data are present
	NoEnquiry    bool // C2: nothing in the data calls for further enquiry
	NoDiscretion bool // C3: no discretion is needed
	NoRemarks    bool // C4: the member has no remarks; silence until the period is over counts as none
}

// All says whether all four hold.
func (a Answers) All() bool { return a == Answers{true, true, true, true} }

// Facts are what decides.
type Facts struct {
	Answers

	AreaOff    bool // the area is not in automation.areas
	HumanOnly  bool // G1: a complaint or a manual review
	Restricted bool // G2: processing is restricted (art. 18)
	Objection  bool // G2: an objection is open
	Protected  bool // G3
	Special    bool // G5: special circumstances (§ 41)
	Adverse    bool
	// HearingEnds is the last day on which the member may answer; 0 while the notice has not been posted. It matters for an adverse
	// result with a hearing only: §§ 46, 56b and 78 have one, 56a is announced with the payment (E.2).
	HearingEnds civil.Date
	Hearing     bool // the member is heard before
	Today       civil.Date
}

// Verdict is the answer.
type Verdict string

// The verdicts.
const (
	Auto      Verdict = "AUTO"
	Wait      Verdict = "WAIT" // until the hearing is over
	Manual    Verdict = "MANUAL"
	HumanOnly Verdict = "HUMAN_ONLY"
)

// Decide answers with all reasons, in the order of the rule.
func Decide(f Facts) (Verdict, []rule.Code) {
	if f.HumanOnly {
		return HumanOnly, []rule.Code{rule.CodeHumanOnly}
	}
	var codes []rule.Code
	fail := func(failed bool, code rule.Code) {
		if failed {
			codes = append(codes, code)
		}
	}
	fail(f.AreaOff, rule.CodeAreaOff)
	fail(!f.DataPresent, rule.CodeDataMissing)
	fail(!f.NoEnquiry, rule.CodeEnquiry)
	fail(!f.NoDiscretion, rule.CodeDiscretion)
	fail(!f.NoRemarks, rule.CodeRemarks)
	fail(f.Restricted, rule.CodeRestricted)
	fail(f.Objection, rule.CodeObjection)
	fail(f.Protected, rule.CodeProtected)
	fail(f.Special, rule.CodeSpecial)
	switch {
	case len(codes) > 0:
		return Manual, codes
	case f.Adverse && f.Hearing && (f.HearingEnds == 0 || f.Today <= f.HearingEnds):
		return Wait, []rule.Code{rule.CodeHearingPeriod}
	default:
		return Auto, nil
	}
}
