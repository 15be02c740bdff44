package rule

// Code is a stable reason code of a decision, as decisions, records and answers carry it.
type Code string

// Codes of § 46 (domain B.1). The first group makes a month INVALID, in the order in which they are listed.
const (
	CodeStatusUnknown    Code = "STATUS_UNKNOWN"    // insurance status is not F or P
	CodeRateMissing      Code = "RATE_MISSING"      // no monthly rate
	CodeHoursNegative    Code = "HOURS_NEGATIVE"    // on the card, or another deduction
	CodeRegisterNegative Code = "REGISTER_NEGATIVE" // the sum of an employer for the month
	CodeHoursAbsurd      Code = "HOURS_ABSURD"      // more than 744 hours
	CodeCardInconsistent Code = "CARD_INCONSISTENT" // entries do not add up, or lie outside the month

	CodeTooEarly      Code = "TOO_EARLY"          // before the earliest date
	CodeCard          Code = "CARD"               // INCOMPLETE: no benefit card
	CodeRegister      Code = "REGISTER"           // INCOMPLETE: nothing in the register
	CodePlacement     Code = "PLACEMENT"          // SKIPPED: month of placement, only ended employers
	CodeAbsence       Code = "ABSENCE"            // SKIPPED: fixed reduced hours with holiday or sickness
	CodeAbsencePart   Code = "ABSENCE_PARTIAL"    // MANUAL: such an employer beside others, and a card without employers
	CodeDaysUnknown   Code = "DAYS_UNKNOWN"       // MANUAL: records cover part of the month, and a card without days
	CodeHoursUnknown  Code = "HOURS_UNKNOWN"      // MANUAL: income was reported without hours
	CodePeriodOut     Code = "PERIOD_REACHES_OUT" // MANUAL: a pay period lies only partly in the month
	CodeIncomeDiffers Code = "INCOME_DIFFERS"     // hours agree, income does not
	CodePartial       Code = "PARTIAL"            // records cover only part of the month
	// CodeMustProvide is the consequence of missing data: no full payment until they are there, possibly repayment (DFH-34).
	CodeMustProvide Code = "NO_FULL_PAYMENT_UNTIL_PROVIDED"
)

// Codes of §§ 56a and 56b (domain B.2, B.3).
const (
	CodeHours       Code = "HOURS"       // NO_DEDUCTION: more hours than the threshold
	CodeNoBenefit   Code = "NO_BENEFIT"  // NO_DEDUCTION: no benefit in the waiting month
	CodeProvisional Code = "PROVISIONAL" // a month counts with the card's hours until the register is complete
	CodeExtended    Code = "EXTENDED"    // the block is longer than four months
	CodePostponed   Code = "POSTPONED"   // deducted later than in the waiting month
	CodeOwn         Code = "OWN"         // INCOMPLETE: the fund's own payments
	CodeDFDG        Code = "DFDG"        // INCOMPLETE: the joint data basis
	CodeFormerFund  Code = "FORMER_FUND" // INCOMPLETE: a fund of which the person was a member
	CodeConflict    Code = "CONFLICT"    // sources disagree on a month
)

// Codes of automatic decisions, in the order in which they are listed (domain B.6).
const (
	CodeAreaOff       Code = "AREA_OFF"
	CodeDataMissing   Code = "DATA_MISSING"
	CodeEnquiry       Code = "ENQUIRY_NEEDED"
	CodeDiscretion    Code = "DISCRETION"
	CodeRemarks       Code = "MEMBER_REMARKS"
	CodeRestricted    Code = "RESTRICTED"
	CodeObjection     Code = "OBJECTION_OPEN"
	CodeProtected     Code = "PROTECTED"
	CodeSpecial       Code = "SPECIAL_CIRCUMSTANCES"
	CodeHumanOnly     Code = "HUMAN_ONLY"
	CodeHearingPeriod Code = "HEARING_PERIOD"
)
