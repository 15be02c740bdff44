// Package store says what the insurance service asks of a database. A store keeps members' contact data sealed, and can't read them. Package
// sealed turns rows into members, sqlstore is the implementation for SQLite and PostgreSQL, and storetest holds every
// implementation to the contract here and in core.Book.
package store

import (
	"context"
	"time"

	"samvirke.dev/services/insurance/internal/core"
)

// MemberRow is a member at rest.
type MemberRow struct {
	ID         int64
	Controller string
	Handle     string
	Sealed     []byte   // opaque; empty once the contact data were erased
	Ended      core.Day // last day of the membership; zero while it lasts
}

// ItemRow is an item of a mailbox at rest.
type ItemRow struct {
	core.Item // without Known.Member

	Sealed []byte // contact data of the share's member; empty where no data can follow, or once they were erased
}

// Store is core.Book with members as rows. Errors of all methods: core.ErrStoreUnavailable.
type Store interface {
	core.Book

	// RowByHandle returns the row of a controller's member. Another controller's handle must not be found, and case matters. Errors:
	// core.ErrNotFound.
	RowByHandle(ctx context.Context, controller, handle string) (MemberRow, error)
	// RowByID returns a row by the store's own reference. Errors: core.ErrNotFound.
	RowByID(ctx context.Context, id int64) (MemberRow, error)
	// PutRow adds a row, or replaces what is sealed in the one of the same controller and handle, and returns its ID.
	PutRow(ctx context.Context, row MemberRow, now time.Time) (int64, error)
	// ItemRows returns at most limit items of a mailbox after a position, in order.
	ItemRows(ctx context.Context, box core.Box, seq int64, limit int) ([]ItemRow, error)
}
