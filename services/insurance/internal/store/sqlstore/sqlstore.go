// Package sqlstore keeps what the insurance service knows in SQLite or PostgreSQL, with one SQL text for both.
package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Service is the name under which the schema version is kept.
const Service = "insurance"

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
	db *sqlkit.DB

	mu         sync.Mutex                 // guards agreements
	agreements map[string]*core.Agreement // as read, by what is stored

	together *sqlkit.Batcher[*sqlkit.Ask] // nil: every question is asked by itself
}

// New returns the store on a database that was migrated.
func New(db *sqlkit.DB) *Store { return &Store{db: db} }

// maxTogether is how many questions go to the database together at most.
const maxTogether = 32

// Gather makes those who ask for terms while others are being answered ask together: partners poll, and a look for twenty of them costs a
// fraction of twenty looks. Call end before the database is closed.
func (s *Store) Gather(ctx context.Context) (end func(context.Context) error) {
	s.together = sqlkit.NewBatcher(ctx, sqlkit.BatchConfig{MaxBatch: maxTogether}, s.db.AskAll)
	return s.together.Close
}

// InTx implements core.Book.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return failure("transaction", s.db.InTx(ctx, fn))
}

// failure turns an error of the database into one of the contract. What is no error of the database passes unchanged.
func failure(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlkit.ErrNotFound):
		return core.ErrNotFound
	}
	for _, gone := range [...]error{
		sqlkit.ErrBusy, sqlkit.ErrFull, sqlkit.ErrReadOnly, sqlkit.ErrUnavailable, sqlkit.ErrClosed,
	} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %s: %w", core.ErrStoreUnavailable, op, err)
		}
	}
	return err
}

func (s *Store) exec(ctx context.Context, op, query string, args ...any) (int, error) {
	n, err := s.db.Exec(ctx, query, args...)
	if errors.Is(err, sqlkit.ErrForeignKey) {
		return 0, core.ErrNotFound
	}
	return int(n), failure(op, err)
}

// each runs a query and calls fn for every row.
func (s *Store) each(ctx context.Context, op string, fn func(scan func(...any) error) error, query string, args ...any) (err error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return failure(op, err)
	}
	defer func() { err = errors.Join(err, failure(op, rows.Close())) }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return failure(op, err)
		}
	}
	return failure(op, rows.Err())
}

// ints are the numbers of a query for one column.
func (s *Store) ints(ctx context.Context, op, query string, args ...any) (out []int64, err error) {
	err = s.each(ctx, op, func(scan func(...any) error) error {
		var n int64
		if err := scan(&n); err != nil {
			return err
		}
		out = append(out, n)
		return nil
	}, query, args...)
	return out, err
}

// flag writes a truth as both databases keep it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// moment writes a moment, or NULL for none.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return sqlkit.Micros(t)
}

const memberColumns = `SELECT id, controller, handle, sealed FROM member`

// RowByHandle implements store.Store.
func (s *Store) RowByHandle(ctx context.Context, controller, handle string) (store.MemberRow, error) {
	return s.member(ctx, memberColumns+` WHERE controller = $1 AND handle = $2`, controller, handle)
}

// RowByID implements store.Store.
func (s *Store) RowByID(ctx context.Context, id int64) (store.MemberRow, error) {
	return s.member(ctx, memberColumns+` WHERE id = $1`, id)
}

func (s *Store) member(ctx context.Context, query string, args ...any) (store.MemberRow, error) {
	var row store.MemberRow
	err := s.db.QueryRow(ctx, query, args...).Scan(&row.ID, &row.Controller, &row.Handle, &row.Sealed)
	return row, failure("member", err)
}

// PutRow implements store.Store.
func (s *Store) PutRow(ctx context.Context, row store.MemberRow, now time.Time) (id int64, err error) {
	var ended any
	if !row.Ended.IsZero() {
		ended = row.Ended.Number()
	}
	err = s.InTx(ctx, func(ctx context.Context) error { // QueryRow alone would read
		return s.db.QueryRow(ctx, `INSERT INTO member (controller, handle, sealed, ended_on, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (controller, handle) DO UPDATE SET sealed = excluded.sealed, ended_on = excluded.ended_on, updated_at = excluded.updated_at
			RETURNING id`, row.Controller, row.Handle, row.Sealed, ended, sqlkit.Micros(now)).Scan(&id)
	})
	return id, failure("put member", err)
}

// Erase implements core.Book.
func (s *Store) Erase(ctx context.Context, day core.Day, limit int) (members []int64, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		members, err = s.ints(ctx, "erase", `SELECT id FROM member WHERE sealed IS NOT NULL AND ended_on < $1 ORDER BY ended_on LIMIT $2`, day.Number(), limit)
		if err != nil {
			return err
		}
		for _, id := range members {
			for _, query := range []string{
				`UPDATE member SET sealed = NULL WHERE id = $1`, `DELETE FROM consent WHERE member_id = $1`, `DELETE FROM refusal WHERE member_id = $1`,
			} {
				if _, err := s.exec(ctx, "erase", query, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return members, err
}

var _ store.Store = (*Store)(nil)
