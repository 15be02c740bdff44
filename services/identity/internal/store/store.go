// Package store says what the identity service asks of a database. A store keeps sealed persons: it finds a row by a blind index (a
// keyed pseudonym of a national number) or by a handle, and can read neither. Package sealed turns rows into persons, sqlstore is
// the implementation for SQLite and PostgreSQL, and storetest holds every implementation to the contract below.
package store

import (
	"context"
	"errors"
	"time"
)

// IndexSize is the length of a blind index in bytes.
const IndexSize = 20

// Index is a blind index: the keyed pseudonym of one canonical national number under one version of the index key.
type Index [IndexSize]byte

// Errors of a store. A store also returns the error of a context that has ended. None holds anything personal.
var (
	// ErrNotFound means that no row answers the question.
	ErrNotFound = errors.New("store: not found")
	// ErrUnavailable means that the database does not answer, is full, locked or closed. Trying later may help.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrDuplicate means that two entries given at once claim the same number. Nothing was changed.
	ErrDuplicate = errors.New("store: two entries claim one number")
)

// Row is one person at rest.
type Row struct {
	ID     int64  // the store's own reference; stays the same as long as the person is there
	Index  Index  // of the number in force, under the version that the row was written with
	Sealed []byte // opaque; belongs to the caller
}

// Entry is a person to be written.
type Entry struct {
	Index        Index     // of the number in force, under the present key version
	IndexVersion uint32    // the present key version
	Aliases      []Index   // of the earlier numbers, under the present key version
	Candidates   []Index   // of all these numbers under all older key versions: under any of them the person may rest already
	Sealed       []byte    // opaque
	RegisterTime time.Time // when the register gave the facts
}

// Written tells what became of entries.
type Written struct {
	Stored int // inserted or replaced
	Stale  int // left as they were, because the store has facts of a later register time
	Merged int // rows that were found to be the same person as another and were joined with it
}

// Store keeps sealed persons. All methods may be called at the same time. A method that changes something is one transaction, or part of
// the one in ctx.
type Store interface {
	Feed

	// ByIndex returns the row of the person who has, or had, the number behind one of the candidates: one point query. At most one
	// person answers, because the candidates are of one number. Errors: ErrNotFound, ErrUnavailable.
	ByIndex(ctx context.Context, candidates []Index) (Row, error)

	// ByHandle returns the row behind a handle of that controller: one joined query. A handle of another controller must not be found,
	// and case matters. Errors: ErrNotFound, ErrUnavailable.
	ByHandle(ctx context.Context, controller, handle string) (Row, error)

	// ByHandles is ByHandle for many, asked in one go, in their order; nil stands for a handle that was not found. Errors: ErrUnavailable.
	ByHandles(ctx context.Context, controller string, handles []string) ([]*Row, error)

	// KeepHandle returns the handle that the controller has for the row already (the oldest, if a merger left several), or else keeps and
	// returns the one given. Keeping the same handle again changes nothing. Errors: ErrNotFound if there is no such row, ErrUnavailable.
	KeepHandle(ctx context.Context, controller, handle string, row int64, now time.Time) (string, error)

	// Put writes all entries or none. An entry replaces the row that has any of its numbers, wholly: what the old row held is gone, its
	// handles stay. Rows that turn out to be the same person are joined and keep the handles of all. An entry older than the row by
	// register time is left out and counted, unless the row's time is more than clock.Skew after now; one of equal time is written. Aliases
	// are those of the entry, no others. Writing the same entries again changes nothing that can be seen. Errors: ErrDuplicate,
	// ErrUnavailable.
	Put(ctx context.Context, entries []Entry, now time.Time) (Written, error)

	// OldRows returns, in order of ID, at most limit rows with an ID above after whose index version is not the given one. Errors:
	// ErrUnavailable.
	OldRows(ctx context.Context, version uint32, after int64, limit int) ([]Row, error)

	// ByID returns a row by the store's own reference. Errors: ErrNotFound, ErrUnavailable.
	ByID(ctx context.Context, id int64) (Row, error)

	// InTx runs fn in a transaction that travels in the context given to it; an error undoes everything. fn may be run again when
	// another transaction was in the way. Errors: that of fn, ErrUnavailable.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error

	// Count returns how many persons there are. It may take time: it is for tests and start-up reports. Errors: ErrUnavailable.
	Count(ctx context.Context) (int64, error)
}
