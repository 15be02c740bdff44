package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Errors of subscriptions.
var (
	// ErrNotYet means that the membership has not taken effect: a subscription opens on that day and not before (SEK-26).
	ErrNotYet = errors.New("identity: the membership has not taken effect")
	// ErrClosed means that the membership has ended: a subscription of it can't be opened again.
	ErrClosed = errors.New("identity: the membership has ended")
)

// ChangeKind is what changed about a person. The numbers are stored.
type ChangeKind int16

// The kinds.
const (
	ChangeOpened            ChangeKind = 1 // the subscription was opened
	ChangeAddress           ChangeKind = 2 // another address, or none any more
	ChangeProtectionSet     ChangeKind = 3 // protected now: stop using the address (domain rule B.10, 4)
	ChangeProtectionCleared ChangeKind = 4 // the register has ended the protection
	ChangeDeath             ChangeKind = 5 // dead
	ChangeNumber            ChangeKind = 6 // another national number is in force
	ChangeClosed            ChangeKind = 7 // the subscription was closed
)

// Change is one thing that a fund is to be told about a person.
type Change struct {
	Controller string
	Ref        int64 // whom it is about
	Kind       ChangeKind
}

// Told is a change read back, with what is known of the person now.
type Told struct {
	Seq    int64 // position in the fund's feed
	Kind   ChangeKind
	Handle string // empty if the fund has none for the person
	Person *Person
}

// MembershipOf names one membership of one person in one fund.
type MembershipOf struct {
	Ref        int64
	Controller string
	Reference  string
}

// Due is a person whose facts are to be fetched from the register again.
type Due struct {
	Ref      int64
	Person   *Person
	Failures int // attempts in vain since the last good one
}

// Match is a person who answers a search.
type Match struct {
	Handle string
	Person *Person
}

// Feed is where it is kept who follows whom and what changed. All of it runs in the transaction in ctx, if there is one. Errors:
// ErrStoreUnavailable, ErrKeysUnavailable, and where said ErrNotFound.
type Feed interface {
	// Follow notes that a person is to be fetched at due; one who is followed already stays as they are.
	Follow(ctx context.Context, ref int64, country nationalid.Country, due time.Time) error
	// Unfollow ends it.
	Unfollow(ctx context.Context, ref int64) error
	// Due returns at most limit persons of the country who are due, the longest overdue first.
	Due(ctx context.Context, country nationalid.Country, now time.Time, limit int) ([]Due, error)
	// Polled notes an attempt to fetch.
	Polled(ctx context.Context, ref int64, due time.Time, failures int) error
	// NotAfter makes those who are due after latest due then.
	NotAfter(ctx context.Context, country nationalid.Country, latest time.Time) error
	// Oldest returns when the longest waiting person of the country was due; zero if nobody is followed.
	Oldest(ctx context.Context, country nationalid.Country) (time.Time, error)
	// Subscribe notes a membership that stands.
	Subscribe(ctx context.Context, m MembershipOf) error
	// EndOn notes the last day of a membership.
	EndOn(ctx context.Context, m MembershipOf, lastDay civil.Date) error
	// Ended returns at most limit memberships whose last day is over.
	Ended(ctx context.Context, today civil.Date, limit int) ([]MembershipOf, error)
	// Unsubscribe forgets a membership.
	Unsubscribe(ctx context.Context, m MembershipOf) error
	// Append adds changes to the funds' feeds, in the order given.
	Append(ctx context.Context, changes []Change) error
	// After returns at most limit changes of a fund's feed after a position, in order.
	After(ctx context.Context, controller string, seq int64, limit int) ([]Told, error)
	// Last returns the last position of a fund's feed.
	Last(ctx context.Context, controller string) (int64, error)
	// Forget deletes at most limit changes that were added before a moment, and says how many.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)
	// SetTerms replaces the words under which a fund finds a person.
	SetTerms(ctx context.Context, ref int64, controller string, terms []string) error
	// Find returns at most limit persons whom a fund finds under all the terms.
	Find(ctx context.Context, controller string, terms []string, limit int) ([]Match, error)
}
