package cases

import (
	"errors"
	"fmt"
	"slices"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// Errors of a transition. ErrWrongActor is looked at first (domain rule B.9).
var (
	// ErrWrongActor means that this party may never cause the event (PERMISSION_DENIED).
	ErrWrongActor = errors.New("cases: wrong actor")
	// ErrState means that the event can't happen in the present state (FAILED_PRECONDITION).
	ErrState = errors.New("cases: not in this state")
	// ErrGuard means that something that must hold does not (FAILED_PRECONDITION); a GuardError says what.
	ErrGuard = errors.New("cases: guard failed")
)

// GuardError names the guard that failed. Its text holds nothing personal.
type GuardError struct{ Guard string }

// Error implements error.
func (e GuardError) Error() string { return "cases: guard failed: " + e.Guard }

// Is makes errors.Is(err, ErrGuard) true.
func (GuardError) Is(target error) bool { return target == ErrGuard }

// StateError names the state in which the event can't happen.
type StateError struct {
	State State
	Event Event
}

// Error implements error.
func (e StateError) Error() string { return fmt.Sprintf("cases: %s in state %s", e.Event, e.State) }

// Is makes errors.Is(err, ErrState) true.
func (StateError) Is(target error) bool { return target == ErrState }

// Guards that are named to callers.
const (
	GuardApplication  = "APPLICATION_INCOMPLETE"
	GuardPoA          = "POA_INVALID"
	GuardPoAExpired   = "POA_EXPIRED"
	GuardPoAWithdrawn = "POA_WITHDRAWN"
	GuardScope        = "POA_SCOPE"
	GuardLevel        = "POA_LEVEL"
	GuardIdentity     = "IDENTITY_MISMATCH"
	GuardDate         = "DATE_CONFLICT"
	GuardCode         = "REJECTION_CODE"
	GuardPart         = "PART_OUT_OF_ORDER"
	GuardMandatory    = "MANDATORY_PACKAGES_MISSING"
	GuardHuman        = "HUMAN_NEEDED"
	GuardCountry      = "CROSS_BORDER"
	GuardFund         = "NOT_A_FUND"
	GuardNotYet       = "DAY_NOT_REACHED"
	GuardNoWithdrawal = "NO_WITHDRAWAL_TO_DECIDE"
	GuardUndoing      = "UNDO_PENDING"
	GuardOtherPerson  = "OTHER_PERSON_NEEDED"
	GuardNotRefused   = "NOTHING_WAS_REFUSED"
)

// Level is how surely the member was authenticated.
type Level int

// The levels of eIDAS.
const (
	Low Level = iota + 1
	Substantial
	High
)

// Scope is what a power of attorney allows, as bits.
type Scope int

// The scopes; a transfer needs all of them.
const (
	ContactCurrentFund Scope = 1 << iota
	Exit
	Data

	NeededScope = ContactCurrentFund | Exit | Data
)

// PowerOfAttorney is what a verified assertion says.
type PowerOfAttorney struct {
	Issuer    string
	ID        string // unique for the issuer: each is good for one transfer
	Hash      []byte // SHA-256 of the assertion as it was signed
	Level     Level
	Scope     Scope
	Subject   string     // canonical national number of the member
	Fund      string     // the fund that may act
	Current   string     // the fund that it may contact
	ValidFrom civil.Date // first day
	ValidTo   civil.Date // last day
}

// Case is one fund's record of a transfer.
type Case struct {
	ID         string
	Side       Party // whose record this is
	Fund       string
	Other      string
	Country    string
	State      State
	Version    int64      // counts the events of this record
	Handle     string     // the keeper's handle of the member
	Membership string     // the keeper's own reference of the membership
	Subject    []byte     // keyed index of the national number, the same in both records of one database
	Received   civil.Date // the receiving fund got the application
	Wanted     civil.Date // first day that the receiving fund asks for
	Agreed     bool       // both funds and the member agreed on Wanted
	Requested  civil.Date // the releasing fund got the request
	PoAIssuer  string
	PoAID      string
	PoAHash    []byte
	PoAFrom    civil.Date
	PoATo      civil.Date
	Parts      int         // parts of data delivered
	Kinds      PackageKind // kinds of package delivered, as bits
	Effective  civil.Date  // first day in the receiving fund
	Rejection  RejectionCode
	Overdue    bool
	Reminders  int
	Due        civil.Date // what is awaited must be there at the end of this day; zero when nothing is
	Manual     ManualReason
	Protected  bool
	// Withdrawing means: the receiving fund has asked the releasing one to end the case, and waits.
	Withdrawing bool
	// Channel is how the member withdrew.
	Channel Channel
	// Undoing means: the releasing fund has asked the receiving one whether the exit can still be undone, and waits.
	Undoing bool
	PeerSeq int64 // last message of the other fund that was applied
	OutSeq  int64 // last message written to the other fund
}

// PackageKind is a kind of data package, as bits.
type PackageKind int

// The packages (domain rule B.9). There is no package C: the handbook's first pages, which are the source, name none.
const (
	PackageA          PackageKind = 1 << iota // Denmark: membership and early-retirement contribution periods; mandatory
	PackageB                                  // Denmark: benefit right
	PackageD                                  // Denmark: payments of the last five years
	PackageE                                  // Denmark: early retirement
	PackageF                                  // Denmark: sanctions and debts
	PackageG                                  // Denmark: contribution exemptions
	Ledger                                    // Denmark: consumption by month for § 56b
	SwedishMembership                         // Sweden; mandatory
	SwedishBenefit                            // Sweden: only with an open benefit case
)

// Allowed says whether the package belongs to the country.
func (k PackageKind) Allowed(country string) bool {
	if country == rules.Sweden {
		return k == SwedishMembership || k == SwedishBenefit
	}
	return country == rules.Denmark && k > 0 && k <= Ledger
}

// Mandatory returns the packages that a country demands.
func Mandatory(country string) PackageKind {
	if country == rules.Sweden {
		return SwedishMembership
	}
	return PackageA
}

// ReleasedOn returns the last day in the releasing fund, or none before the exit is confirmed.
func (c Case) ReleasedOn() civil.Date {
	if c.Effective.IsZero() {
		return 0
	}
	return c.Effective - 1
}

// allow checks the actor first and then the state.
func (c Case) allow(e Event, actor Party) error {
	r := table(e)
	if !slices.Contains(r.actors, actor) {
		return ErrWrongActor
	}
	if !slices.Contains(r.from, c.State) {
		return StateError{c.State, e}
	}
	return nil
}

// to moves on: a step forward clears what was overdue (E.2).
func (c Case) to(s State) Case {
	c.State, c.Overdue, c.Reminders, c.Due = s, false, 0, 0
	c.Manual &^= ManualDeadline
	c.Withdrawing = c.Withdrawing && s.Open()
	c.Version++
	return c
}

// noted counts an event that leaves the state.
func (c Case) noted() Case {
	c.Version++
	return c
}
