package store

import (
	"context"
	"time"
)

// ChangeKind is what changed about a person; the caller's own code.
type ChangeKind int16

// Change is one thing that a controller is to be told about a person.
type Change struct {
	Controller string
	Row        int64 // whom it is about
	Kind       ChangeKind
}

// Told is a change as it is read back, with what is known of the person now.
type Told struct {
	Seq    int64 // position in the controller's feed, from 1, without gaps
	Kind   ChangeKind
	Handle string // what the controller calls the person; empty if it has no handle for them
	Row    Row
}

// Followed is a person whose facts are due to be fetched again.
type Followed struct {
	Row      Row
	Failures int // attempts in vain since the last good one
}

// Membership names one subscription: which membership of which person in which fund.
type Membership struct {
	Row        int64
	Controller string
	Reference  string // the fund's own
}

// Match is a person who answers a search.
type Match struct {
	Handle string
	Row    Row
}

// Delivery is a delivery of a register that was applied.
type Delivery struct {
	Register string // such as "cpr"
	Produced string // date of production, YYYY-MM-DD
	Lines    int64
}

// Feed keeps who follows whom, what changed, and the words under which a fund finds its own members. It is a part of every Store. All
// of it runs in the transaction in ctx, if there is one. Errors: ErrUnavailable, where nothing else is said.
type Feed interface {
	// Follow notes that a person of the country is to be fetched at due; one who is followed already stays as they are.
	Follow(ctx context.Context, row int64, country int, due time.Time) error
	// Unfollow ends it. Nothing happens if nobody follows the person.
	Unfollow(ctx context.Context, row int64) error
	// Due returns at most limit persons of the country who are due, the longest overdue first.
	Due(ctx context.Context, country int, now time.Time, limit int) ([]Followed, error)
	// Polled notes an attempt: when the next one is due, and how many were in vain by now.
	Polled(ctx context.Context, row int64, due time.Time, failures int) error
	// NotAfter makes those who are due after latest due then.
	NotAfter(ctx context.Context, country int, latest time.Time) error
	// Oldest returns when the longest waiting person of the country was due; zero if nobody is followed.
	Oldest(ctx context.Context, country int) (time.Time, error)

	// Subscribe notes a membership that stands; a last day noted before is taken back.
	Subscribe(ctx context.Context, m Membership) error
	// EndOn notes the last day of a membership, as days since 1970.
	EndOn(ctx context.Context, m Membership, lastDay int64) error
	// Ended returns at most limit memberships whose last day is before day.
	Ended(ctx context.Context, day int64, limit int) ([]Membership, error)
	// Unsubscribe forgets a membership.
	Unsubscribe(ctx context.Context, m Membership) error

	// Append adds changes to the feeds of their controllers, in the order given. Positions of one feed become visible in order.
	Append(ctx context.Context, changes []Change, now time.Time) error
	// After returns at most limit changes of the controller's feed after a position, in order.
	After(ctx context.Context, controller string, seq int64, limit int) ([]Told, error)
	// Last returns the last position of the controller's feed, 0 for an empty one.
	Last(ctx context.Context, controller string) (int64, error)
	// Forget deletes changes that were added before a moment, at most limit, and says how many.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)

	// SetTerms replaces the words under which a controller finds a person; none takes them all away.
	SetTerms(ctx context.Context, row int64, controller string, terms []Index) error
	// Find returns at most limit persons whom the controller finds under one of the indexes of every term.
	Find(ctx context.Context, controller string, terms [][]Index, limit int) ([]Match, error)

	// Delivered returns the last delivery of a register that was applied. Errors: ErrNotFound if none was.
	Delivered(ctx context.Context, register string) (Delivery, error)
	// Deliver notes that a delivery was applied.
	Deliver(ctx context.Context, d Delivery, now time.Time) error
}
