// Package cases is the state machine of a fund transfer (domain rule B.9): which event may happen in which state, who may cause it,
// what must hold, and what follows. It is pure. Both funds run it, each over its own record of the case.
//
// Up to REQUESTED the receiving fund's record decides. From then on the releasing fund's does, because nearly every event is its act and
// the membership that ends is its own: whatever can conflict, such as a withdrawal and the confirmation of the exit, is put in order by
// its database alone. The receiving fund's record follows what the releasing fund reports, in order.
package cases

import "strconv"

// State is where a transfer stands.
type State int

// The states (domain rule B.9).
const (
	Draft State = iota + 1
	Submitted
	PoAVerified
	Requested
	Acknowledged
	DataPartial
	DataDelivered
	ExitConfirmed
	Effective
	Rejected
	Withdrawn
	Expired
	Cancelled
)

var stateNames = [...]string{ //nolint:gochecknoglobals // a table of constants
	"", "DRAFT", "SUBMITTED", "POA_VERIFIED", "REQUESTED", "ACKNOWLEDGED", "DATA_PARTIAL", "DATA_DELIVERED", "EXIT_CONFIRMED", "EFFECTIVE",
	"REJECTED", "WITHDRAWN", "EXPIRED", "CANCELLED",
}

// String returns the name of domain rule B.9.
func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// Open says whether anything may still happen.
func (s State) Open() bool { return s >= Draft && s <= ExitConfirmed }

// Party is who acts.
type Party int

// The parties (domain rule B.9).
const (
	Receiving Party = iota + 1 // N
	Releasing                  // O
	Member                     // M, or either fund that records M's wish
	System                     // S: timers and the check of the power of attorney
)

var partyNames = [...]string{"", "RECEIVING_FUND", "RELEASING_FUND", "MEMBER", "SYSTEM"} //nolint:gochecknoglobals // a table of constants

// String returns the party's name.
func (p Party) String() string { return nameOf(partyNames[:], int(p)) }

// Other returns the other fund.
func (p Party) Other() Party {
	if p == Receiving {
		return Releasing
	}
	return Receiving
}

// Event is what happens.
type Event int

// The events (domain rule B.9). WithdrawalAsked is the receiving fund's note that it told the releasing fund of a withdrawal and waits for
// the outcome; ManualSet that a person must look at the case; KeepExit and AskUndo what that person of the releasing fund decided about a
// confirmed exit, UndoExit that the receiving fund could undo it; ResumeExchange that refused messages are sent again.
const (
	Create Event = iota + 1
	Submit
	VerifyPoA
	SendRequest
	Acknowledge
	Reject
	DeliverPart
	DeliverLast
	ConfirmExit
	DayReached
	Withdraw
	ExpirePoA
	MissDeadline
	Cancel
	WithdrawalAsked
	ManualSet
	KeepExit
	AskUndo
	UndoExit
	ResumeExchange
)

var eventNames = [...]string{ //nolint:gochecknoglobals // a table of constants
	"", "CREATED", "SUBMITTED", "POA_VERIFIED", "REQUESTED", "ACKNOWLEDGED", "REJECTED", "PART_DELIVERED", "DATA_DELIVERED", "EXIT_CONFIRMED",
	"EFFECTIVE", "WITHDRAWN", "EXPIRED", "DEADLINE_MISSED", "CANCELLED", "WITHDRAWAL_ASKED", "MANUAL_SET",
	"EXIT_KEPT", "UNDO_ASKED", "EXIT_UNDONE", "EXCHANGE_RESUMED",
}

// String returns the event's name.
func (e Event) String() string { return nameOf(eventNames[:], int(e)) }

func nameOf(names []string, i int) string {
	if i <= 0 || i >= len(names) {
		return strconv.Itoa(i)
	}
	return names[i]
}

// RejectionCode is why the releasing fund rejects a request.
type RejectionCode int

// The rejection codes (domain rule B.9). Arrears and protection are never among them.
const (
	NotAMember RejectionCode = iota + 1
	PoAMissing
	PoAInvalid
	PoAExpired
	PoAWithdrawn
	IdentityMismatch
	DateConflict
	AlreadyTransferred
	NotInTradeArea
	DuplicateRequest
)

var codeNames = [...]string{ //nolint:gochecknoglobals // a table of constants
	"", "NOT_A_MEMBER", "POA_MISSING", "POA_INVALID", "POA_EXPIRED", "POA_WITHDRAWN", "IDENTITY_MISMATCH", "DATE_CONFLICT", "ALREADY_TRANSFERRED",
	"NOT_IN_TRADE_AREA", "DUPLICATE_REQUEST",
}

// String returns the code's name.
func (c RejectionCode) String() string { return nameOf(codeNames[:], int(c)) }

// Valid says whether the code is one of the list.
func (c RejectionCode) Valid() bool { return c >= NotAMember && c <= DuplicateRequest }

// Correctable says whether the reason can be mended, so that the case may be submitted again as a new transfer.
func (c RejectionCode) Correctable() bool {
	switch c {
	case PoAMissing, PoAInvalid, PoAExpired, IdentityMismatch, DateConflict:
		return true
	default:
		return false
	}
}

// Channel is how the member took the power of attorney back, numbered as in samvirke.transfer.v1.WithdrawalChannel; 0 is not stated.
type Channel int

// ManualReason is why a person must look at a case; several can hold.
type ManualReason int

// The reasons.
const (
	ManualProtected  ManualReason = 1 << iota // protected identity: restricted handlers, never a rejection
	ManualDeadline                            // still missing after the second reminder
	ManualWithdrawal                          // withdrawn after the exit was confirmed
	ManualRefused                             // the other fund refuses what it is told
)

// row is one line of the table: who may cause the event, and in which states.
type row struct {
	actors []Party
	from   []State
}

// table is domain rule B.9. A withdrawal is M's act, which either fund may record.
func table(e Event) row {
	beforeExit := []State{Submitted, PoAVerified, Requested, Acknowledged, DataPartial, DataDelivered}
	switch e {
	case Submit:
		return row{[]Party{Receiving}, []State{Draft}}
	case VerifyPoA:
		return row{[]Party{Receiving, System}, []State{Submitted}}
	case SendRequest:
		return row{[]Party{Receiving}, []State{PoAVerified}}
	case Acknowledge:
		return row{[]Party{Releasing}, []State{Requested}}
	case Reject:
		return row{[]Party{Releasing}, []State{Requested, Acknowledged}}
	case DeliverPart, DeliverLast:
		return row{[]Party{Releasing}, []State{Acknowledged, DataPartial}}
	case ConfirmExit:
		return row{[]Party{Releasing}, []State{DataDelivered}}
	case DayReached:
		return row{[]Party{System}, []State{ExitConfirmed}}
	case Withdraw:
		return row{[]Party{Member}, append(beforeExit, ExitConfirmed)}
	case ExpirePoA:
		return row{[]Party{System}, beforeExit[1:]}
	case MissDeadline:
		return row{[]Party{System}, append([]State{Draft, ExitConfirmed}, beforeExit...)}
	case KeepExit, AskUndo:
		return row{[]Party{Releasing}, []State{ExitConfirmed}}
	case Cancel:
		return row{[]Party{Receiving, Member}, []State{Draft, Submitted, PoAVerified}}
	default:
		return row{}
	}
}
