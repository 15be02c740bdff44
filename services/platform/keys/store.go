package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Errors of a Store.
var (
	// ErrNoKeyset means: Load found no keyset of this name.
	ErrNoKeyset = errors.New("keys: no stored keyset")
	// ErrConflict means: Save found another revision than expected; somebody else was quicker.
	ErrConflict = errors.New("keys: keyset changed meanwhile")
)

// Store keeps wrapped keysets. It never sees a key.
type Store interface {
	// Load returns the wrapped keyset and its revision (1 for the first). Errors: ErrNoKeyset.
	Load(ctx context.Context, name string) (wrapped []byte, revision int64, err error)
	// Save replaces the keyset if its revision still is expectRevision, 0 meaning that there is none yet, and
	// gives it revision expectRevision+1. It is atomic and durable when it returns. Errors: ErrConflict.
	Save(ctx context.Context, name string, wrapped []byte, expectRevision int64) error
}

// The table of SQLStore, for the migrations of the service that owns it. created_at is in microseconds of Unix time
// and means the last change.
const (
	// SchemaSQLite is the CREATE TABLE statement for SQLite.
	SchemaSQLite = `CREATE TABLE keyset (
	name       TEXT    NOT NULL PRIMARY KEY,
	revision   INTEGER NOT NULL CHECK (revision > 0),
	wrapped    BLOB    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID`
	// SchemaPostgres is the CREATE TABLE statement for PostgreSQL.
	SchemaPostgres = `CREATE TABLE keyset (
	name       TEXT   NOT NULL PRIMARY KEY,
	revision   BIGINT NOT NULL CHECK (revision > 0),
	wrapped    BYTEA  NOT NULL,
	created_at BIGINT NOT NULL
)`
)

// Row is one row of a result.
type Row interface {
	// Scan copies the columns. Errors: sql.ErrNoRows if there is no row.
	Scan(dest ...any) error
}

// Executor is the part of a database that SQLStore needs; *sqlkit.DB has it, with its own row type as R. A statement
// outside a transaction is a transaction of its own; Exec returns the number of rows affected.
type Executor[R Row] interface {
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	QueryRow(ctx context.Context, query string, args ...any) R
}

// SQLStore keeps wrapped keysets in the table keyset of the service's own database.
type SQLStore struct {
	exec func(ctx context.Context, query string, args ...any) (int64, error)
	row  func(ctx context.Context, query string, args ...any) Row
	now  func() time.Time
}

var _ Store = (*SQLStore)(nil)

// NewSQLStore returns a store on db, which must have the table of SchemaSQLite or SchemaPostgres.
func NewSQLStore[R Row](db Executor[R], now func() time.Time) *SQLStore {
	return &SQLStore{
		exec: db.Exec,
		row:  func(ctx context.Context, query string, args ...any) Row { return db.QueryRow(ctx, query, args...) },
		now:  now,
	}
}

// Load implements Store.
func (s *SQLStore) Load(ctx context.Context, name string) ([]byte, int64, error) {
	var (
		wrapped  []byte
		revision int64
	)
	err := s.row(ctx, `SELECT wrapped, revision FROM keyset WHERE name = $1`, name).Scan(&wrapped, &revision)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, ErrNoKeyset
	}
	if err != nil {
		return nil, 0, fmt.Errorf("keyset table: %w", err)
	}
	return wrapped, revision, nil
}

// Save implements Store. Each branch is one statement, so no reader ever sees a half-made keyset.
func (s *SQLStore) Save(ctx context.Context, name string, wrapped []byte, expectRevision int64) error {
	const (
		insert = `INSERT INTO keyset (name, revision, wrapped, created_at) VALUES ($1, 1, $2, $3) ON CONFLICT (name) DO NOTHING`
		update = `UPDATE keyset SET wrapped = $2, created_at = $3, revision = revision + 1 WHERE name = $1 AND revision = $4`
	)
	at := s.now().UnixMicro()
	var (
		n   int64
		err error
	)
	if expectRevision == 0 {
		n, err = s.exec(ctx, insert, name, wrapped, at)
	} else {
		n, err = s.exec(ctx, update, name, wrapped, at, expectRevision)
	}
	if err != nil {
		return fmt.Errorf("keyset table: %w", err)
	}
	if n == 0 {
		return ErrConflict
	}
	return nil
}
