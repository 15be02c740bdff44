package rules

import (
	"samvirke.dev/services/transfer/internal/core/civil"
)

// Codes of admission, in the order in which they are given (domain rule B.4).
const (
	BirthDate     Code = "BIRTH_DATE"
	Received      Code = "RECEIVED"
	Residence     Code = "RESIDENCE"
	Stay          Code = "STAY"
	Greenland     Code = "GREENLAND_FAROE"
	OtherFund     Code = "OTHER_FUND"
	Education     Code = "EDUCATION"
	TradeArea     Code = "TRADE_AREA"
	Special       Code = "SPECIAL"
	EEAWork       Code = "EEA_WORK"
	LivingAbroad  Code = "LIVING_ABROAD"
	SelfEmployed  Code = "SELF_EMPLOYED"
	ShortTime     Code = "SHORT_TIME"
	ForeignPermit Code = "FOREIGN_PERMIT"
	Protected     Code = "PROTECTED"
	Boundary      Code = "BOUNDARY"
	LikelyReject  Code = "LIKELY_REJECT"
	AgeLow        Code = "AGE_LOW"
	AgeHigh       Code = "AGE_HIGH"
)

// Answer is what is known about a question.
type Answer int

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// AdmissionFacts are what § 41 asks. A zero value is a missing answer.
type AdmissionFacts struct {
	Birth           civil.Date
	Received        civil.Date
	Residence       Answer // lives in Denmark
	Stay            Answer // stays in Denmark
	GreenlandFaroe  Answer // lives in Greenland or on the Faroe Islands
	OtherFund       Answer // is a member elsewhere
	Education       Answer // has completed a vocational education of at least 18 months
	TradeArea       Answer // belongs to the fund's trades, or the fund is open to all
	SpecialAnswered bool   // the questions behind the next list were answered
	Specials        []Code // EEA_WORK to PROTECTED
}

// AdmissionOutcome is what becomes of an application.
type AdmissionOutcome int

// The outcomes (domain rule B.4).
const (
	AdmissionInvalid    AdmissionOutcome = iota + 1 // the birth date lies in the future (E.2)
	AdmissionIncomplete                             // A1: the codes say what is missing
	AdmissionIsTransfer                             // A2: a member of another fund moves, domain rule B.9
	AdmissionManual                                 // A3 to A6: for a person to decide
	AdmissionAuto                                   // A7: admitted, not before the application was received
)

// Admission is the outcome with its codes.
type Admission struct {
	Outcome AdmissionOutcome
	Codes   []Code
}

// AssessAdmission applies § 41 (domain rule B.4).
func AssessAdmission(f AdmissionFacts, table PensionTable) Admission {
	if missing := f.missing(); len(missing) > 0 {
		return Admission{AdmissionIncomplete, missing}
	}
	if f.Birth > f.Received {
		return Admission{AdmissionInvalid, []Code{BirthDate}}
	}
	if f.OtherFund == Yes {
		return Admission{Outcome: AdmissionIsTransfer}
	}
	if codes := append(f.specials(), f.hurdles(table)...); len(codes) > 0 {
		return Admission{AdmissionManual, codes}
	}
	return Admission{Outcome: AdmissionAuto}
}

// missing lists what A1 demands.
func (f AdmissionFacts) missing() []Code {
	var out []Code
	for _, question := range []struct {
		known bool
		code  Code
	}{
		{!f.Birth.IsZero(), BirthDate}, {!f.Received.IsZero(), Received}, {f.Residence != Unknown, Residence}, {f.Stay != Unknown, Stay},
		{f.GreenlandFaroe != Unknown, Greenland}, {f.OtherFund != Unknown, OtherFund}, {f.Education != Unknown, Education},
		{f.TradeArea != Unknown, TradeArea}, {f.SpecialAnswered, Special},
	} {
		if !question.known {
			out = append(out, question.code)
		}
	}
	return out
}

// specials lists the special circumstances in the order of the table (A3), whatever the order they were given in.
func (f AdmissionFacts) specials() []Code {
	given := map[Code]bool{}
	for _, code := range f.Specials {
		given[code] = true
	}
	var out []Code
	for _, code := range []Code{EEAWork, LivingAbroad, SelfEmployed, ShortTime, ForeignPermit, Protected} {
		if given[code] {
			out = append(out, code)
		}
	}
	return out
}

// hurdles are A4 to A6. The boundary day stands in for AGE_HIGH, completed education for AGE_LOW.
func (f AdmissionFacts) hurdles(table PensionTable) []Code {
	window := table.Window(f.Birth)
	var manual, reject []Code
	add := func(failed bool, code Code) {
		if failed {
			reject = append(reject, code)
		}
	}
	add(f.Residence == No, Residence)
	add(f.Stay == No, Stay)
	add(f.GreenlandFaroe == Yes, Greenland)
	switch {
	case f.Received == window.Limit:
		manual = append(manual, Boundary)
	case f.Received > window.Limit:
		add(true, AgeHigh)
	case f.Received < window.First && f.Education == Yes:
		manual = append(manual, Education)
	case f.Received < window.First:
		add(true, AgeLow)
	}
	add(f.TradeArea == No, TradeArea)
	if len(reject) > 0 {
		manual = append(append(manual, LikelyReject), reject...)
	}
	return manual
}
