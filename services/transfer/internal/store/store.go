// Package store says what the transfer service asks of a database. sqlstore implements it for SQLite and PostgreSQL, storetest holds every
// implementation to the contract below. All methods may be called at the same time; one that changes something is part of the transaction
// in ctx, or one of its own. The database itself refuses what must never be: two open transfers of a person in the same direction, a power
// of attorney used twice, a state without what belongs to it, and a day on which a person is in two funds or in none.
package store

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
)

// Errors of a store. None holds anything personal.
var (
	// ErrNotFound means that no row answers the question.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict means that the record was changed meanwhile; the transaction must begin anew.
	ErrConflict = errors.New("store: changed meanwhile")
	// ErrDuplicate means that the row would be a second one where there may be one only.
	ErrDuplicate = errors.New("store: exists already")
	// ErrInvariant means that the row breaks a rule that the database keeps.
	ErrInvariant = errors.New("store: invariant broken")
)

// Forever is the last day of a period that has not ended.
const Forever = civil.Date(2147483647)

// Event is one thing that happened in a record.
type Event struct {
	Seq     int64
	Event   cases.Event
	Actor   cases.Party
	State   cases.State
	Overdue bool
	Manual  cases.ManualReason
	Due     civil.Date
	At      time.Time
}

// Message is what the other fund has to be told.
type Message struct {
	ID         int64
	TransferID string
	Fund       string // who tells
	Other      string // who is told
	Seq        int64
	Lane       int
	Body       []byte // sealed
	Tries      int
}

// Part is one delivered part of data.
type Part struct {
	cases.Part

	Content   []byte // encrypted for the receiving fund; nil once it was passed on or erased
	Digest    []byte // SHA-256 of Content: the receipt
	Signature string
}

// Erasure is the certificate of an erasure.
type Erasure struct {
	At     time.Time
	Parts  int
	Rule   string
	Digest []byte
}

// Period is a time that a person spends in a fund, or in none.
type Period struct {
	Fund        string // "" is none
	First, Last civil.Date
	TransferID  string
}

// Position is where a list goes on: after this row.
type Position struct {
	OpenedAt int64
	ID       string
}

// Filter chooses rows of a list.
type Filter struct {
	States   []cases.State // none: all
	Overdue  bool          // only overdue ones
	Manual   bool          // only those for a person
	OpenOnly bool
}

// Due names a record whose time has come.
type Due struct{ ID, Fund string }

// Missed is a record whose day has passed.
type Missed struct {
	Due

	Handle    string
	Subject   []byte
	Protected bool
}

// Address is what the address subscription of a record still needs.
type Address int

// The states of an address subscription.
const (
	AddressNone Address = iota
	AddressPending
	AddressDone
)

// Membership is a fund's own membership and its standing.
type Membership struct {
	Fund, Reference, Handle string
	First                   civil.Date
	Version                 int64
	Dues                    rules.Dues
	HearingEnds             civil.Date
	Remarks                 bool
	Protected               bool
}

// Decision is a decision as it is kept (domain rule B.0).
type Decision struct {
	Fund, ID, Reference string
	RuleID, RuleVersion string
	Outcome             string
	Codes               []string
	Automation          int // 1 automatic, 0 not
	Checks              int // the four answers C1 to C4 as bits
	Inputs              []byte
	DecidedBy           string
	DecidedAt           time.Time
}

// Key is an encryption key of a hosted fund.
type Key struct {
	ID             uint32
	Sealed, Public []byte
}

// Store keeps transfers and memberships.
type Store interface {
	Transfers
	Outbox
	Periods
	Memberships

	// InTx runs fn in a transaction that travels in the context given to it.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Transfers keeps the records of transfers.
type Transfers interface {
	// Insert adds a record with its first event. Errors: ErrDuplicate for a record, an open transfer or a power of attorney that is there
	// already, ErrInvariant.
	Insert(ctx context.Context, c cases.Case, e Event) error
	// Update replaces the record if its version is the one before c's, and adds the event. Errors: ErrConflict, ErrDuplicate, ErrInvariant.
	Update(ctx context.Context, c cases.Case, e Event) error
	// Advance replaces only what the exchange of messages counts: PeerSeq and OutSeq, of the version at hand. Errors: ErrConflict.
	Advance(ctx context.Context, c cases.Case) error
	// Get returns a record. Errors: ErrNotFound.
	Get(ctx context.Context, id, fund string) (cases.Case, error)
	// SetDetails keeps the sealed content of a record; Details returns it, ErrNotFound if there is none; DropDetails erases it.
	SetDetails(ctx context.Context, id, fund string, sealed []byte) error
	Details(ctx context.Context, id, fund string) ([]byte, error)
	DropDetails(ctx context.Context, id, fund string) error
	// List returns at most limit records of a fund in the order of opening, after the position.
	List(ctx context.Context, fund string, f Filter, after Position, limit int) ([]cases.Case, Position, error)
	// Events returns at most limit events of a record after the given one.
	Events(ctx context.Context, id, fund string, after int64, limit int) ([]Event, error)
	// OpenOut says whether a transfer of the person out of the fund is open; PoAUsed whether the fund has seen the power of attorney.
	OpenOut(ctx context.Context, fund string, subject []byte) (bool, error)
	PoAUsed(ctx context.Context, fund, issuer, id string) (bool, error)

	// PutPart keeps a part; PartContent and Parts return them; DropParts erases the contents of all parts and says of how many.
	PutPart(ctx context.Context, id, fund string, p Part) error
	Parts(ctx context.Context, id, fund string, after, limit int) ([]Part, error)
	DropParts(ctx context.Context, id, fund string) (int, error)
	// Certify keeps the certificate of an erasure; Certificate returns it or ErrNotFound.
	Certify(ctx context.Context, id, fund string, e Erasure) error
	Certificate(ctx context.Context, id, fund string) (Erasure, error)

	// MissAll counts a missed deadline for at most limit records whose day has passed, adds their events, and says which. next is the
	// next deadline by country.
	MissAll(ctx context.Context, today civil.Date, next map[string]civil.Date, at time.Time, limit int) ([]Missed, error)
	// ExpiredPoA and DayReached return at most limit records whose power of attorney is over, or whose day has come.
	ExpiredPoA(ctx context.Context, today civil.Date, limit int) ([]Due, error)
	DayReached(ctx context.Context, today civil.Date, limit int) ([]Due, error)
	// SetAddress notes what the address subscription needs; Addresses returns at most limit records after the given one for which it is
	// pending.
	SetAddress(ctx context.Context, id, fund string, a Address) error
	Addresses(ctx context.Context, after Due, limit int) ([]Due, error)

	// PutKey adds a key of a fund; Keys returns all of them, the newest first.
	PutKey(ctx context.Context, fund string, k Key, at time.Time) error
	Keys(ctx context.Context, fund string) ([]Key, error)
}

// Outbox keeps what other funds have to be told.
type Outbox interface {
	// Send adds a message. Errors: ErrDuplicate.
	Send(ctx context.Context, m Message) error
	// Unsent returns at most limit messages of a lane in order, leaving out those of later times and those of transfers that are parked.
	Unsent(ctx context.Context, fund, other string, lane int, now time.Time, limit int) ([]Message, error)
	// Lanes returns every pair of funds and lane that has messages which are not parked.
	Lanes(ctx context.Context) ([]Message, error)
	// Park keeps the messages of a transfer, later ones too, from being sent until Unpark.
	Park(ctx context.Context, transferID, fund string) error
	Unpark(ctx context.Context, transferID, fund string) error
	// Sent drops a message; Later puts it off.
	Sent(ctx context.Context, id int64) error
	Later(ctx context.Context, id int64, next time.Time) error
}

// Periods keeps in which fund a person is.
type Periods interface {
	// PeriodOf returns the period that holds the day. Errors: ErrNotFound.
	PeriodOf(ctx context.Context, subject []byte, day civil.Date) (Period, error)
	// Timeline returns all periods of a person in order.
	Timeline(ctx context.Context, subject []byte) ([]Period, error)
	// Begin opens the first period of a person who has none. Errors: ErrDuplicate.
	Begin(ctx context.Context, subject []byte, p Period) error
	// Move ends the period of fund from on the day before day, and begins one of fund to on it. Doing it again changes nothing. Errors:
	// ErrInvariant if the person is not in from on the day before, or has moved since.
	Move(ctx context.Context, subject []byte, from, to string, day civil.Date, transferID string) error
	// Undo takes a Move back and says whether it could: not when the person has moved on since. Doing it again changes nothing.
	Undo(ctx context.Context, subject []byte, from, to string, day civil.Date, transferID string) (bool, error)
}

// Memberships keeps a fund's own members.
type Memberships interface {
	// PutMembership adds a membership (Version 1) or replaces it if its version is the one before. Errors: ErrConflict, ErrDuplicate,
	// ErrInvariant.
	PutMembership(ctx context.Context, m Membership) error
	// Membership returns one. Errors: ErrNotFound.
	Membership(ctx context.Context, fund, reference string) (Membership, error)
	// PutDecision keeps a decision; Decisions returns those about a membership, the newest first.
	PutDecision(ctx context.Context, d Decision) error
	Decisions(ctx context.Context, fund, reference string, limit int) ([]Decision, error)
}
