package core

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Errors of the use cases, besides RefusedError and the error of an ended context. None holds anything personal.
var (
	// ErrNotFound means that nobody or nothing is known by the name given, or that the caller may not know.
	ErrNotFound = errors.New("insurance: nobody known")
	// ErrConflict means that the same id or version is there already with another content.
	ErrConflict = errors.New("insurance: exists with another content")
	// ErrInvalid means that the request can never be right; see InvalidError.
	ErrInvalid = errors.New("insurance: invalid")
	// ErrStoreUnavailable means that the database does not answer.
	ErrStoreUnavailable = errors.New("insurance: store unavailable")
	// ErrKeysUnavailable means that the keys can't be had at present.
	ErrKeysUnavailable = errors.New("insurance: keys unavailable")
)

// RefusedError means that the rules say no; it lists every reason.
type RefusedError struct{ Reasons Reasons }

// Error names the reasons.
func (e *RefusedError) Error() string {
	names := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		names[i] = string(r)
	}
	return "insurance: refused: " + strings.Join(names, " ")
}

// InvalidError says which field of a request can't be as it is, and what is wanted. It never holds a value.
type InvalidError struct{ Field, Want string }

// Error names the field.
func (e *InvalidError) Error() string { return "insurance: invalid: " + e.Field + " " + e.Want }

// Is implements errors.Is.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Store keeps everything.
type Store interface {
	Book
	Members
}

// Terms are what holds between a controller and a partner, and how far a mailbox of theirs has come.
type Terms struct {
	Agreement *Agreement
	Balancing *Balancing // nil if the agreement names none, or one that is not stored
	Last      int64      // position of the latest item; 0 if there never was one
	Confirmed int64      // position up to which everything has arrived
}

// quiet says whether the mailbox holds nothing after a position, and what is before it is confirmed already: then a look into it changes
// nothing.
func (t *Terms) quiet(seq int64) bool { return t.Last <= seq && seq <= t.Confirmed }

// Members keeps members with their contact data, encrypted.
type Members interface {
	// MemberByHandle returns a controller's member. It does the same work whether or not there is one: nobody has ID 0.
	MemberByHandle(ctx context.Context, controller, handle string) (*Member, error)
	// MemberByID returns a member; nobody for an unknown or zero id, after the same work.
	MemberByID(ctx context.Context, id int64) (*Member, error)
	// ItemsAfter returns at most limit items of a mailbox after a position, in order, with what is known of their members, and whether
	// there are more. Errors: ErrKeysUnavailable.
	ItemsAfter(ctx context.Context, box Box, seq int64, limit int) (items []Item, more bool, err error)
	// PutMember keeps a member, replacing all contact data, and sets its ID. Errors: ErrKeysUnavailable.
	PutMember(ctx context.Context, m *Member, now time.Time) error
}

// Book keeps everything but contact data. All methods may be called at the same time; within InTx they are part of the transaction in the context. Errors
// of all: ErrStoreUnavailable; where something is looked for: ErrNotFound.
type Book interface {
	// InTx runs fn in a transaction that travels in the context given to it; an error undoes everything. fn may run again.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error

	// Agreement returns the latest agreement of the pair.
	Agreement(ctx context.Context, controller, partner string) (*Agreement, error)
	// PutAgreement keeps a new version. The latest one again changes nothing; ErrConflict for an older one, or the same with another content.
	PutAgreement(ctx context.Context, controller string, a *Agreement, now time.Time) error
	// Partners returns all partners with which anybody has an agreement.
	Partners(ctx context.Context) ([]string, error)
	// Terms returns the latest agreement of a mailbox's pair, its balancing assessment and the state of the mailbox, in one look. Nobody may
	// change what it returns. ErrNotFound when there is no agreement.
	Terms(ctx context.Context, box Box) (Terms, error)
	// Balancing returns a stored assessment.
	Balancing(ctx context.Context, controller, id string) (*Balancing, error)
	// PutBalancing keeps an assessment. The same again changes nothing; ErrConflict for another content under the same id.
	PutBalancing(ctx context.Context, controller string, b *Balancing, now time.Time) error

	// Erase removes the contact data, consents and refusals of at most limit members whose membership ended before day, and says whose.
	Erase(ctx context.Context, day Day, limit int) ([]int64, error)

	// Said returns the consents of a member and every no, in no order.
	Said(ctx context.Context, member int64) ([]Consent, []StoredRefusal, error)
	// PutConsent keeps a consent. The same again changes nothing; ErrConflict for another content under the same id.
	PutConsent(ctx context.Context, member int64, c *Consent, now time.Time) error
	// Withdraw ends a consent and returns since when it has ended: the first time counts.
	Withdraw(ctx context.Context, member int64, id string, channel int, now time.Time) (time.Time, error)
	// PutRefusal keeps a no and returns since when it holds: the first time counts.
	PutRefusal(ctx context.Context, member int64, r StoredRefusal) (time.Time, error)
	// LiftRestriction ends a restriction; nothing happens if there is none.
	LiftRestriction(ctx context.Context, member int64) error

	// ShareFor returns the share of a member with a partner for a purpose and document.
	ShareFor(ctx context.Context, box Box, member int64, document string) (*Share, error)
	// ShareBySubject returns the latest share of whom the partner knows by that pseudonym, one that goes on before one that was stopped.
	ShareBySubject(ctx context.Context, box Box, subject string) (*Share, error)
	// SharesOf returns the shares of a member that go on.
	SharesOf(ctx context.Context, member int64) ([]Share, error)
	// SharesAfter returns at most limit shares that go on with an id above after, in order.
	SharesAfter(ctx context.Context, after int64, limit int) ([]Share, error)
	// PutShare adds a share, or replaces the one with its ID, and sets the ID.
	PutShare(ctx context.Context, s *Share) error

	// Append adds an item to a mailbox. Positions become visible in order.
	Append(ctx context.Context, box Box, share int64, kind ItemKind, now time.Time) error
	// Confirm notes that everything up to a position has arrived.
	Confirm(ctx context.Context, box Box, seq int64) error
	// MarkDelivered notes that the items at some positions were given to the partner.
	MarkDelivered(ctx context.Context, box Box, seqs []int64, now time.Time) error
	// CountReads notes that data of shares were given to their partners: once more for each time that a share is named.
	CountReads(ctx context.Context, shares []int64) error
	// ForgetItems deletes at most limit items that were confirmed and added before a moment, and says how many.
	ForgetItems(ctx context.Context, before time.Time, limit int) (int, error)

	// AddDisclosures keeps the records of what a partner got.
	AddDisclosures(ctx context.Context, list []Disclosure) error
	// Disclosures returns at most limit disclosures about a member with an id below before (0: from the newest), newest first.
	Disclosures(ctx context.Context, member, before int64, limit int) ([]Disclosure, error)
	// ForgetDisclosures deletes at most limit disclosures made before a moment, and says how many.
	ForgetDisclosures(ctx context.Context, before time.Time, limit int) (int, error)
}

// Identity is the identity service.
type Identity interface {
	// Standings says whether a controller's members are protected now, and where they live if that is asked for, in the order of the
	// handles. It never fails: who can't be asked about counts as protected (domain rule B.10, 1).
	Standings(ctx context.Context, controller string, handles []string, address bool) []Standing
}

// Subjects makes the pseudonyms by which partners know members: a key for each partner.
type Subjects interface {
	// Prepare readies the key of a partner; it may ask the key holder. Errors: ErrKeysUnavailable.
	Prepare(ctx context.Context, partner string) error
	// Subject returns the partner's pseudonym of a controller's member. Errors: ErrKeysUnavailable.
	Subject(partner, controller, handle string) (string, error)
}

// Notes is where a use case writes down what the audit record needs to know.
type Notes interface {
	// Subject names the person whom the call, or the item, is about.
	Subject(ctx context.Context, handle string, protected bool)
	// Deny says that the person's data were withheld, and why, whatever the caller is told.
	Deny(ctx context.Context, reasons Reasons)
	// EventID returns the id of the running call's records.
	EventID(ctx context.Context) string
}

// Clock tells the present moment.
type Clock interface {
	// Now returns the present moment.
	Now() time.Time
}
