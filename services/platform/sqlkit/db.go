// Package sqlkit is the one way to a database. The same SQL text, with $1 … $N for arguments, runs on SQLite (embedded default) and
// on PostgreSQL (production); errors come out in the same few classes; a transaction travels in the context.
//
// Rules for SQL that means the same in both: name every column in SELECT and INSERT; say NULLS FIRST or NULLS LAST whenever a
// nullable column is ordered by; compare texts only for equality or with COLLATE named; store moments with Micros; store bytes in
// BLOB (SQLite) and BYTEA (PostgreSQL); never write a value into the text.
package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Dialect is the kind of database behind a DB.
type Dialect string

// The dialects. Each is also the name of the folder that holds its migrations.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect  Dialect
	cfg      Config
	read     *sql.DB             // SQLite: connections for Query; PostgreSQL: all connections
	lookups  *lookups            // SQLite: connections for QueryRow; PostgreSQL: nil
	asker    *asker              // SQLite: the connection for AskAll; PostgreSQL: nil
	writer   *writer             // SQLite: the one connection that writes; PostgreSQL: nil
	migrator driver.Connector    // SQLite: makes the connections that migrations run on
	anchor   *sql.Conn           // keeps a database in memory alive
	stmts    stmtCache           // SQLite: statements of read
	room     *semaphore.Weighted // PostgreSQL: shared by transactions side by side, or taken whole by one; SQLite: nil
	closed   atomic.Bool
}

// Dialect returns the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Ping asks the database whether it answers; in SQLite it reads the file, so that a lost one is noticed. Use it as health probe.
// Errors: ErrUnavailable, ErrBusy, ErrClosed, or the error of the ended context.
func (db *DB) Ping(ctx context.Context) error {
	if db.closed.Load() {
		return &Error{op: "ping", class: ErrClosed}
	}
	var n int64
	return classify("ping", db.read.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1) AS probe").Scan(&n))
}

// Healthy is Ping by the name that health probes use.
func (db *DB) Healthy(ctx context.Context) error { return db.Ping(ctx) }

// Close closes all connections after the statements under way have ended. Closing twice is harmless.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	errs := []error{db.stmts.close()}
	if db.anchor != nil {
		errs = append(errs, db.anchor.Close())
	}
	errs = append(errs, db.read.Close())
	if db.lookups != nil {
		errs = append(errs, db.lookups.close(), db.asker.close())
	}
	if db.writer != nil { // last, so that it tidies up the write-ahead log
		errs = append(errs, db.writer.close())
	}
	return classify("close", errors.Join(errs...))
}

// Exec runs a statement that returns no rows and tells how many rows it changed. Within InTx it is part of the transaction;
// otherwise it is a short write transaction of its own, tried again when others are in the way.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if tx := db.txOf(ctx); tx != nil {
		return tx.exec(ctx, query, args)
	}
	var n int64
	err := db.InTx(ctx, func(ctx context.Context) (err error) {
		n, err = db.txOf(ctx).exec(ctx, query, args)
		return err
	})
	return n, err
}

// Query runs a statement that returns rows: within InTx as part of the transaction, otherwise on a connection for reading. The
// rows must be closed, and before the next statement of the same transaction.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	if err := db.usable(ctx); err != nil {
		return nil, err
	}
	if tx := db.txOf(ctx); tx != nil {
		rows, err := tx.run.query(ctx, query, args)
		return newRows(query, rows, err)
	}
	rows, err := db.readRows(ctx, query, args)
	return newRows(query, rows, err)
}

// QueryRow asks for one row, in the transaction of ctx if there is one. Errors come out of Scan: ErrNotFound if there is no row. On
// SQLite a look-up that has begun is not interrupted by the end of ctx; it takes microseconds, watching it would double that.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	if err := db.usable(ctx); err != nil {
		return Row{err: err}
	}
	if tx := db.txOf(ctx); tx != nil {
		rows, err := tx.run.query(ctx, query, args) //nolint:rowserrcheck // Row.Scan does
		return Row{rows: rows, query: query, err: err}
	}
	if db.lookups != nil {
		return db.lookups.row(ctx, query, args)
	}
	rows, err := db.read.QueryContext(ctx, query, args...) //nolint:rowserrcheck // Row.Scan does
	return Row{rows: rows, query: query, err: err}
}

func (db *DB) readRows(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if db.dialect == Postgres {
		return db.read.QueryContext(ctx, query, args...) // pgx keeps prepared statements itself
	}
	return db.stmts.query(ctx, query, args)
}

// usable refuses work for a closed DB or an ended context before anything is sent.
func (db *DB) usable(ctx context.Context) error {
	if db.closed.Load() {
		return &Error{op: "query", class: ErrClosed}
	}
	if err := ctx.Err(); err != nil {
		return &Error{op: "query", class: err}
	}
	return nil
}

// stmtCache keeps prepared statements of one pool by their text. database/sql compiles each on every connection once, at its first
// use there. What does not fit any more is prepared for one use only: texts are constants, so that means a fault of ours.
type stmtCache struct {
	pool *sql.DB
	max  int

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func (c *stmtCache) init(pool *sql.DB, limit int) {
	c.pool, c.max, c.stmts = pool, limit, make(map[string]*sql.Stmt)
}

// query runs a statement, prepared if the cache has room for it.
func (c *stmtCache) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	stmt, err := c.get(ctx, query) //nolint:sqlclosecheck // the cache closes it
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		return c.pool.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// get returns the prepared statement, or nil if the cache is full.
func (c *stmtCache) get(ctx context.Context, query string) (*sql.Stmt, error) {
	c.mu.RLock()
	stmt, n := c.stmts[query], len(c.stmts)
	c.mu.RUnlock()
	if stmt != nil || n >= c.max {
		return stmt, nil
	}
	made, err := c.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return c.put(query, made)
}

func (c *stmtCache) put(query string, made *sql.Stmt) (*sql.Stmt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stmts == nil:
		return nil, errors.Join(sql.ErrConnDone, made.Close())
	case c.stmts[query] != nil: // another caller was faster
		return c.stmts[query], made.Close()
	case len(c.stmts) >= c.max:
		return nil, made.Close()
	}
	c.stmts[query] = made
	return made, nil
}

func (c *stmtCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, 0, len(c.stmts))
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	c.stmts, c.max = nil, 0
	return errors.Join(errs...)
}
