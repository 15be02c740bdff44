package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// txKey finds the transaction of one DB in a context, so that transactions of two databases can be open in the same context.
type txKey struct{ db *DB }

// transaction is a write transaction under way. It is used by one goroutine at a time, as *sql.Tx is.
type transaction struct {
	run    runner
	doomed error // first error of a nested InTx: the outer one must not commit what the inner one gave up
}

// runner is what the two databases do differently inside a transaction.
type runner interface {
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

func (db *DB) txOf(ctx context.Context) *transaction {
	tx, _ := ctx.Value(txKey{db}).(*transaction)
	return tx
}

// InTransaction says whether the context carries a transaction of this DB.
func (db *DB) InTransaction(ctx context.Context) bool { return db.txOf(ctx) != nil }

// InTx reports the outcome of fn run in a write transaction that travels in the context given to fn: Exec, Query and QueryRow with
// that context are part of it. It commits if fn returns nil; it rolls back if fn returns an error or panics (the panic goes on).
// When another transaction is in the way, everything is rolled back and fn is run again, a bounded number of times with growing
// random pauses: so fn must have no effect outside the transaction. After a few times in vain it is run while no other transaction of
// this DB is, so that a crowd of changes to the same rows or to a small table all succeed, one after the other at worst. A nested call
// joins the outer transaction; if its fn fails, the outer transaction fails with that error even if its own fn returns nil.
//
// Transactions are serializable on both databases. Errors: that of fn; ErrBusy when all attempts were in vain; ErrFull,
// ErrReadOnly, ErrUnavailable (after which it is unknown whether the commit took place), or the error of the ended context.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if tx := db.txOf(ctx); tx != nil {
		err := fn(ctx)
		if err != nil && tx.doomed == nil {
			tx.doomed = err
		}
		return err
	}
	for attempt := 1; ; attempt++ {
		err := db.attempt(ctx, attempt, fn)
		if err == nil || !errors.Is(err, ErrBusy) || attempt >= db.cfg.MaxAttempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// From which attempt a transaction of PostgreSQL runs alone, and how many may run side by side before: no bound, the pool has one.
const (
	aloneFrom  = 3
	sideBySide = 1 << 30
)

// attempt runs fn in one transaction, beside others at first, then alone. PostgreSQL's serializable transactions are in each other's way
// already when they read the same page, or a table so small that all of it is read; those of many callers at once would give each other
// up again and again. SQLite has one writer anyway.
func (db *DB) attempt(ctx context.Context, number int, fn func(ctx context.Context) error) error {
	if db.room == nil {
		return db.once(ctx, fn)
	}
	share := int64(1)
	if number >= aloneFrom {
		share = sideBySide
	}
	if err := db.room.Acquire(ctx, share); err != nil {
		return &Error{op: "wait for other transactions", class: err}
	}
	defer db.room.Release(share)
	return db.once(ctx, fn)
}

// Bounds of the pause between attempts.
const (
	firstPause = 2 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// pause waits between half and the whole of a doubling time, so that rivals do not meet again.
func pause(ctx context.Context, attempt int) error {
	limit := min(firstPause<<min(attempt, 16), maxPause)
	timer := time.NewTimer(limit/2 + rand.N(limit/2)) //nolint:gosec // spreads load; nothing secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &Error{op: "wait for another transaction", class: ctx.Err()}
	}
}

// once runs fn in one transaction.
func (db *DB) once(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if err := db.usable(ctx); err != nil {
		return err
	}
	run, err := db.begin(ctx)
	if err != nil {
		return classify("begin", err)
	}
	tx, ended := &transaction{run: run}, false
	defer func() {
		if !ended { // an error or a panic of fn
			err = joinRollback(err, run.rollback(ctx))
		}
	}()
	if err := fn(context.WithValue(ctx, txKey{db}, tx)); err != nil {
		return err
	}
	if tx.doomed != nil {
		return tx.doomed
	}
	if err := ctx.Err(); err != nil { // nobody waits for the outcome any more, so nothing is changed
		return &Error{op: "commit", class: err}
	}
	ended = true
	return classify("commit", run.commit(ctx))
}

func (db *DB) begin(ctx context.Context) (runner, error) {
	if db.dialect == SQLite {
		return db.writer.begin(ctx)
	}
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return nil, err
	}
	return pgTx{tx}, nil
}

// joinRollback adds the error of a failed rollback. A transaction that is over already, because its context ended or the database
// rolled it back itself, is no failure.
func joinRollback(err, rollback error) error {
	if rollback == nil || errors.Is(rollback, sql.ErrTxDone) {
		return err
	}
	rollback = classify("rollback", rollback)
	if err == nil {
		return rollback
	}
	return fmt.Errorf("%w (and then %w)", err, rollback)
}

func (tx *transaction) exec(ctx context.Context, query string, args []any) (int64, error) {
	res, err := tx.run.exec(ctx, query, args)
	if err != nil {
		return 0, classify(opOf("exec", query), err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, classify(opOf("exec", query), err)
	}
	return n, nil
}

// pgTx is a transaction on a pooled PostgreSQL connection; pgx keeps the prepared statements of each connection itself.
type pgTx struct{ tx *sql.Tx }

func (p pgTx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	return p.tx.ExecContext(ctx, query, args...)
}

func (p pgTx) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return p.tx.QueryContext(ctx, query, args...)
}

func (p pgTx) commit(context.Context) error { return p.tx.Commit() }

func (p pgTx) rollback(context.Context) error { return p.tx.Rollback() }
