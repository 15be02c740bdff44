// Package facts holds what is known about a member's month before any rule looks at it: the benefit card from the member, and what the
// income register says. Hours are centihours, money is øre (or öre), members are handles.
package facts

import (
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

// Handle is the fund's own pseudonym for a member, as the identity service gives it. No national number is one.
type Handle string

// Employer names an employer within one member's month, such as a register's employer number. It is compared, and never disclosed.
type Employer string

// Card is a benefit card (dagpengekort) for one month.
type Card struct {
	Declared rule.Hours  // all hours of the month; with Entries, their sum
	Income   rule.Money  // declared income before tax
	Entries  []CardEntry // hours by day; empty where the fund has only the sum
	Count    int         // entries n that Declared was added up from; with Entries, how many they are
	// Precision is the step p in minutes to which entries are rounded, such as 15; 0 for exact ones.
	Precision int
	Submitted time.Time
}

// CardEntry is one entry on a card. Several may lie on the same day.
type CardEntry struct {
	Day      int // of the month, 1 to 31
	Hours    rule.Hours
	Employer Employer // "" where the card does not say
}

// Record is what an employer reported to the register about a pay period. A correction is a record with negative figures beside the
// first one; whoever reads the register passes both on and does not net them.
type Record struct {
	Employer Employer
	Hours    rule.Hours // may be negative in a correction
	Income   rule.Money // A-income before tax; may be negative in a correction
	From     civil.Date // first day that the record covers
	To       civil.Date // last day
	Reported time.Time  // when the employer reported it
	// NoHours says that the report has no field for hours, which is something else than 0 hours.
	NoHours bool
}

// Answer is all that the register says about one member and month. An answer without records is an answer: nobody has reported
// anything. A register that did not answer, or answered only in part, gives an error and no Answer.
type Answer struct {
	Records   []Record
	Retrieved time.Time // when the register gave it: proof of receipt (REG-03)
	// Reference is the register's own id of the exchange, for its log; "" if it has none.
	Reference string
}
