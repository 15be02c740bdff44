// Package sqlstore keeps audit records in SQLite or PostgreSQL, with one SQL text for both.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

//go:embed migrations
var migrations embed.FS

// Service is the name under which the schema version is kept.
const Service = "audit"

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
	db    *sqlkit.DB
	names *names
}

var _ store.Store = (*Store)(nil)

// New returns the store on a database that was migrated.
func New(db *sqlkit.DB) *Store { return &Store{db: db, names: newNames(db)} }

// columns of a row, in the order of scan.
const columns = `r.id, r.event, r.item, sn.name, rn.name, cn.name, wn.name, r.purpose, r.decision, r.status, r.outcome, r.started_at, r.lasted, r.received_at,
 r.trace, r.case_digest, r.subject, r.register, r.leaf, r.sealed`

// named joins the names to the rows that a subquery r chose.
const named = ` r LEFT JOIN ledger_name sn ON sn.id = r.service LEFT JOIN ledger_name rn ON rn.id = r.rpc
 LEFT JOIN ledger_name cn ON cn.id = r.caller LEFT JOIN ledger_name wn ON wn.id = r.owner`

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, event [16]byte, item uint32) (store.Row, error) {
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM ledger_record`+named+` WHERE r.event = $1 AND r.item = $2`, event[:], item)
	if err != nil {
		return store.Row{}, err
	}
	if len(rows) == 0 {
		return store.Row{}, store.ErrNotFound
	}
	return rows[0], nil
}

// Range implements store.Store.
func (s *Store) Range(ctx context.Context, shard uint32, from uint64, limit int) ([]store.Row, error) {
	return s.rows(ctx, `SELECT `+columns+` FROM (SELECT * FROM ledger_record WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3)`+named+` ORDER BY r.id`,
		int64(store.Place(shard, from)), int64(store.Place(shard+1, 0)), limit)
}

// Leaves implements store.Store.
func (s *Store) Leaves(ctx context.Context, shard uint32, from uint64, limit int) (out []store.Leaf, err error) {
	rows, err := s.db.Query(ctx, `SELECT id, leaf FROM ledger_record WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3`,
		int64(store.Place(shard, from)), int64(store.Place(shard+1, 0)), limit)
	if err != nil {
		return nil, fmt.Errorf("leaves: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var leaf sql.RawBytes
	for rows.Next() {
		var l store.Leaf
		if err := rows.Scan(&l.ID, &leaf); err != nil {
			return nil, fmt.Errorf("leaves: %w", err)
		}
		if copy(l.Data[:], leaf) != len(l.Data) {
			return nil, errors.New("leaves: a stored leaf is too short")
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

func (s *Store) rows(ctx context.Context, query string, args ...any) (out []store.Row, err error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("records: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func scan(rows *sqlkit.Rows) (store.Row, error) {
	var (
		r                         store.Row
		event, leaf               []byte
		service, rpc              sql.NullString
		caller, owner, subject    sql.NullString
		started, lasted, received int64
		register                  int
	)
	err := rows.Scan(&r.ID, &event, &r.Item, &service, &rpc, &caller, &owner, &r.Purpose, &r.Decision, &r.Status, &r.Outcome, &started, &lasted, &received,
		&r.Trace, &r.Case, &subject, &register, &leaf, &r.Sealed)
	if err != nil {
		return r, err
	}
	if copy(r.Event[:], event) != len(r.Event) || copy(r.Leaf[:], leaf) != len(r.Leaf) {
		return r, errors.New("a stored id or leaf is too short")
	}
	r.Service, r.RPC, r.Caller, r.Owner, r.Subject = service.String, rpc.String, caller.String, owner.String, subject.String
	r.Started, r.Received = sqlkit.Time(started), sqlkit.Time(received)
	r.Lasted, r.Register = time.Duration(lasted)*time.Microsecond, register != 0
	return r, nil
}

// Shards implements store.Store.
func (s *Store) Shards(ctx context.Context) (out []store.Shard, err error) {
	rows, err := s.db.Query(ctx, `SELECT number, size, checkpoint, dropped FROM ledger_shard ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("shards: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var sh store.Shard
		var dropped int
		if err := rows.Scan(&sh.Number, &sh.Size, &sh.Checkpoint, &dropped); err != nil {
			return nil, fmt.Errorf("shards: %w", err)
		}
		sh.Dropped = dropped != 0
		out = append(out, sh)
	}
	return out, rows.Err()
}

// Counts implements store.Store.
func (s *Store) Counts(ctx context.Context, from, until time.Time) (out []store.Bucket, err error) {
	rows, err := s.db.Query(ctx, `SELECT c.minute, sn.name, rn.name, c.outcome, c.class, c.calls FROM ledger_count c
 JOIN ledger_name sn ON sn.id = c.service JOIN ledger_name rn ON rn.id = c.rpc WHERE c.minute >= $1 AND c.minute < $2`, minute(from), minute(until))
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b store.Bucket
		var at int64
		if err := rows.Scan(&at, &b.Service, &b.RPC, &b.Outcome, &b.Class, &b.Calls); err != nil {
			return nil, fmt.Errorf("counts: %w", err)
		}
		b.Minute = time.Unix(at*secondsPerMinute, 0).UTC()
		out = append(out, b)
	}
	return out, rows.Err()
}

const secondsPerMinute = 60

func minute(t time.Time) int64 { return t.Unix() / secondsPerMinute }
