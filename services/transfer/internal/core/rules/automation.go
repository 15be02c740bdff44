package rules

import "samvirke.dev/services/transfer/internal/core/civil"

// Codes of automation, in the order in which they are given (domain rule B.6).
const (
	AreaOff              Code = "AREA_OFF"
	DataMissing          Code = "DATA_MISSING"
	EnquiryNeeded        Code = "ENQUIRY_NEEDED"
	Discretion           Code = "DISCRETION"
	MemberRemarks        Code = "MEMBER_REMARKS"
	Restricted           Code = "RESTRICTED"
	ObjectionOpen        Code = "OBJECTION_OPEN"
	SpecialCircumstances Code = "SPECIAL_CIRCUMSTANCES"
)

// AutomationFacts are the questions of domain rule B.6.
type AutomationFacts struct {
	AreaEnabled     bool
	DataComplete    bool // C1
	NoEnquiry       bool // C2: nothing calls for further enquiry
	NoDiscretion    bool // C3
	NoRemarks       bool // C4: silence once the hearing is over counts as none
	Complaint       bool // G1: a complaint or a manual review
	Restricted      bool // G2: processing is restricted (art. 18)
	ObjectionOpen   bool // G2
	Protected       bool // G3
	Adverse         bool // the result is to the member's disadvantage
	Special         bool // G5: special circumstances (§ 41)
	HearingRequired bool // G4: of an adverse result the member is told before
	// HearingEnds is the last day for remarks; zero when none was opened, and then an adverse result waits (E.2).
	HearingEnds civil.Date
	Today       civil.Date
}

// Automation says who decides.
type Automation int

// The answers of domain rule B.6.
const (
	Auto      Automation = iota + 1 // the system
	Manual                          // a person
	Wait                            // nobody yet: the hearing is not over
	HumanOnly                       // a person, whatever the rest says
)

// AssessAutomation says whether a case may be decided automatically (domain rule B.6).
func AssessAutomation(f AutomationFacts) (Automation, []Code) {
	if f.Complaint {
		return HumanOnly, nil
	}
	var codes []Code
	for _, check := range []struct {
		failed bool
		code   Code
	}{
		{!f.AreaEnabled, AreaOff}, {!f.DataComplete, DataMissing}, {!f.NoEnquiry, EnquiryNeeded}, {!f.NoDiscretion, Discretion},
		{!f.NoRemarks, MemberRemarks}, {f.Restricted, Restricted}, {f.ObjectionOpen, ObjectionOpen}, {f.Protected, Protected},
		{f.Special, SpecialCircumstances},
	} {
		if check.failed {
			codes = append(codes, check.code)
		}
	}
	switch {
	case len(codes) > 0:
		return Manual, codes
	case f.Adverse && f.HearingRequired && (f.HearingEnds.IsZero() || f.Today <= f.HearingEnds):
		return Wait, nil
	default:
		return Auto, nil
	}
}
