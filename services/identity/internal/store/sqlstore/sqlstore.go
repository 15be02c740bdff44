// Package sqlstore keeps sealed persons in SQLite or PostgreSQL, with one SQL text for both.
package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Service is the name under which the schema version is kept.
const Service = "identity"

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
}

// New returns the store on a database that was migrated.
func New(db *sqlkit.DB) *Store { return &Store{db: db} }

// The hot path: each is one query by a unique index.
const (
	byIndexHead = `SELECT id, blind_index, sealed FROM person WHERE blind_index IN (`
	byIndexMid  = `) UNION ALL SELECT p.id, p.blind_index, p.sealed FROM person_number n JOIN person p ON p.id = n.person_id WHERE n.blind_index IN (`
	byIndexTail = `)`
	byHandle    = `SELECT p.id, p.blind_index, p.sealed FROM handle h JOIN person p ON p.id = h.person_id WHERE h.controller = $1 AND h.handle = $2`

	// Written out for the two usual cases, so that no text is built: one key version, and two during a rotation. With one, a row
	// that is found under its own index need not repeat it.
	byOneIndex = `SELECT id, NULL, sealed FROM person WHERE blind_index = $1` +
		` UNION ALL SELECT p.id, p.blind_index, p.sealed FROM person_number n JOIN person p ON p.id = n.person_id WHERE n.blind_index = $1`
	byTwo = byIndexHead + `$1, $2` + byIndexMid + `$1, $2` + byIndexTail
)

// ByIndex implements store.Store.
func (s *Store) ByIndex(ctx context.Context, candidates []store.Index) (store.Row, error) {
	if len(candidates) == 0 {
		return store.Row{}, store.ErrNotFound
	}
	asked, query, args := indexQuery(candidates)
	return s.row(ctx, asked, query, args...)
}

// indexQuery returns the query for a person by candidates, of which there is at least one. asked is the index of a row that does not tell
// its own.
func indexQuery(candidates []store.Index) (asked store.Index, query string, args []any) {
	switch len(candidates) {
	case 1:
		return candidates[0], byOneIndex, []any{candidates[0][:]}
	case 2:
		return store.Index{}, byTwo, []any{candidates[0][:], candidates[1][:]}
	}
	list := placeholders(len(candidates))
	return store.Index{}, byIndexHead + list + byIndexMid + list + byIndexTail, bytesOf(candidates)
}

// ByHandle implements store.Store.
func (s *Store) ByHandle(ctx context.Context, controller, handle string) (store.Row, error) {
	return s.row(ctx, store.Index{}, byHandle, controller, handle)
}

// ByHandles implements store.Store. Within a transaction it asks one by one, so that it sees what the transaction has done.
func (s *Store) ByHandles(ctx context.Context, controller string, handles []string) ([]*store.Row, error) {
	out, asks := make([]*store.Row, len(handles)), make([]*sqlkit.Ask, len(handles))
	if s.db.InTransaction(ctx) {
		for i, handle := range handles {
			row, err := s.ByHandle(ctx, controller, handle)
			if err == nil {
				out[i] = &row
			} else if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
		return out, nil
	}
	for i, handle := range handles {
		asks[i] = &sqlkit.Ask{Query: byHandle, Args: []any{controller, handle}}
	}
	if err := s.db.AskAll(ctx, asks); err != nil {
		return nil, failure("look up", err)
	}
	for i, ask := range asks {
		if ask.Row == nil {
			continue
		}
		row, err := answered(store.Index{}, ask)
		if err != nil {
			return nil, err
		}
		out[i] = &row
	}
	return out, nil
}

// row asks for one row.
func (s *Store) row(ctx context.Context, asked store.Index, query string, args ...any) (store.Row, error) {
	var (
		r     = store.Row{Index: asked}
		index []byte
	)
	if err := s.db.QueryRow(ctx, query, args...).Scan(&r.ID, &index, &r.Sealed); err != nil {
		return store.Row{}, failure("look up", err)
	}
	copy(r.Index[:], index)
	return r, nil
}

const (
	findHandle = `SELECT handle FROM handle WHERE person_id = $1 AND controller = $2 ORDER BY created_at, handle LIMIT 1`
	keepHandle = `INSERT INTO handle (controller, handle, person_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (controller, handle) DO NOTHING`
)

// KeepHandle implements store.Store.
func (s *Store) KeepHandle(ctx context.Context, controller, handle string, row int64, now time.Time) (string, error) {
	var have string
	err := s.db.QueryRow(ctx, findHandle, row, controller).Scan(&have)
	switch {
	case err == nil:
		return have, nil
	case !errors.Is(err, sqlkit.ErrNotFound):
		return "", failure("find handle", err)
	}
	_, err = s.db.Exec(ctx, keepHandle, controller, handle, row, sqlkit.Micros(now))
	if errors.Is(err, sqlkit.ErrForeignKey) {
		return "", store.ErrNotFound
	}
	return handle, failure("keep handle", err)
}

const oldRows = `SELECT id, blind_index, sealed FROM person WHERE id > $1 AND index_version <> $2 ORDER BY id LIMIT $3`

// OldRows implements store.Store.
func (s *Store) OldRows(ctx context.Context, version uint32, after int64, limit int) (out []store.Row, err error) {
	rows, err := s.db.Query(ctx, oldRows, after, int64(version), limit)
	if err != nil {
		return nil, failure("old rows", err)
	}
	defer func() { err = errors.Join(err, failure("old rows", rows.Close())) }()
	for rows.Next() {
		var (
			r     store.Row
			index []byte
		)
		if err := rows.Scan(&r.ID, &index, &r.Sealed); err != nil {
			return nil, failure("old rows", err)
		}
		copy(r.Index[:], index)
		out = append(out, r)
	}
	return out, failure("old rows", rows.Err())
}

// InTx implements store.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return failure("transaction", s.db.InTx(ctx, fn))
}

// Count implements store.Store.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	return n, failure("count", s.db.QueryRow(ctx, `SELECT count(*) FROM person`).Scan(&n))
}

// failure turns an error of the database into one of the store's contract. What is no error of the database passes unchanged.
func failure(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlkit.ErrNotFound):
		return store.ErrNotFound
	}
	for _, gone := range [...]error{
		sqlkit.ErrBusy, sqlkit.ErrFull, sqlkit.ErrReadOnly, sqlkit.ErrUnavailable, sqlkit.ErrClosed,
	} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, op, err)
		}
	}
	return err
}

var _ store.Store = (*Store)(nil)
