// Package sqlstore keeps transfers and memberships in SQLite or PostgreSQL, with one SQL text for both.
package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Service is the name under which the schema version is kept.
const Service = "transfer"

// Migrations returns the schema of the service's database, in the form that sqlkit.DB.Migrate takes.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // the name is a constant, so this can't be
		return migrations
	}
	return sub
}

// Store is a store.Store on a database. It does not own the database.
type Store struct {
	db        *sqlkit.DB
	updateSQL string
}

var _ store.Store = (*Store)(nil)

// New returns the store on a database that was migrated.
func New(db *sqlkit.DB) *Store { return &Store{db: db, updateSQL: updateCase()} }

// InTx implements store.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

// failure turns an error of the database into one of the store's contract, and leaves the class findable.
func failure(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlkit.ErrNotFound):
		return store.ErrNotFound
	case errors.Is(err, sqlkit.ErrUnique):
		return fmt.Errorf("sqlstore: %s: %w: %w", op, store.ErrDuplicate, err)
	case errors.Is(err, sqlkit.ErrCheck), errors.Is(err, sqlkit.ErrForeignKey):
		return fmt.Errorf("sqlstore: %s: %w: %w", op, store.ErrInvariant, err)
	default:
		return fmt.Errorf("sqlstore: %s: %w", op, err)
	}
}

// list runs a query and scans each row.
func list[T any](ctx context.Context, db *sqlkit.DB, op, query string, scan func(func(...any) error, *T) error, args ...any) (out []T, err error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, failure(op, err)
	}
	defer func() { err = errors.Join(err, failure(op, rows.Close())) }()
	for rows.Next() {
		var row T
		if err := scan(rows.Scan, &row); err != nil {
			return nil, failure(op, err)
		}
		out = append(out, row)
	}
	return out, failure(op, rows.Err())
}

// placeholders writes $from … $to.
func placeholders(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		if i > from {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i))
	}
	return b.String()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
