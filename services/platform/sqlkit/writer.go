package sqlkit

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
)

// writer is the one connection that changes a SQLite database. Holding it for good keeps its statements compiled: database/sql
// could not prepare a statement on a busy pool of one, and compiling costs more than most statements.
type writer struct {
	pool  *sql.DB
	conn  *sql.Conn
	gate  chan struct{} // holds one token while a transaction is under way; guards stmts too
	max   int
	stmts map[string]*sql.Stmt
}

func newWriter(ctx context.Context, pool *sql.DB, limit int) (*writer, error) {
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &writer{pool: pool, conn: conn, gate: make(chan struct{}, 1), max: limit, stmts: map[string]*sql.Stmt{}}, nil
}

// begin waits for its turn, at most until ctx ends, and begins a transaction that holds the write lock from the start: a lock taken
// later could fail half-way.
func (w *writer) begin(ctx context.Context) (runner, error) {
	if err := w.enter(ctx); err != nil {
		return nil, err
	}
	tx := &liteTx{w: w}
	if _, err := tx.exec(ctx, "BEGIN IMMEDIATE", nil); err != nil {
		w.leave()
		return nil, err
	}
	return tx, nil
}

// enter waits for the writer's turn, at most until ctx ends; leave passes the turn on.
func (w *writer) enter(ctx context.Context) error {
	select {
	case w.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) leave() { <-w.gate }

func (w *writer) close() error {
	w.gate <- struct{}{} // waits for the transaction under way; nobody begins another, since the DB is marked closed
	errs := make([]error, 0, len(w.stmts)+2)
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	w.max, w.stmts = 0, nil
	errs = append(errs, w.conn.Close(), w.pool.Close())
	w.leave()
	return errors.Join(errs...)
}

// liteTx is a transaction on the writer's connection.
type liteTx struct {
	w    *writer
	open []*sql.Rows
}

// stmt returns the compiled statement, or nil when the cache is full. It also returns the context to run with: database/sql and the
// driver each start a goroutine for a context that can end. Statements are short and the context is looked at between them, so
// they are spared, and a half-done interrupt can't cost the connection.
func (t *liteTx) stmt(ctx context.Context, query string) (context.Context, *sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return ctx, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	if stmt := t.w.stmts[query]; stmt != nil || len(t.w.stmts) >= t.w.max {
		return ctx, stmt, nil
	}
	stmt, err := t.w.conn.PrepareContext(ctx, query)
	if err == nil {
		t.w.stmts[query] = stmt
	}
	return ctx, stmt, err
}

func (t *liteTx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	ctx, stmt, err := t.stmt(ctx, query) //nolint:sqlclosecheck // the writer closes it
	switch {
	case err != nil:
		return nil, err
	case stmt != nil:
		return stmt.ExecContext(ctx, args...)
	default:
		return t.w.conn.ExecContext(ctx, query, args...)
	}
}

func (t *liteTx) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	ctx, stmt, err := t.stmt(ctx, query) //nolint:sqlclosecheck // the writer closes it
	if err != nil {
		return nil, err
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(ctx, args...)
	} else {
		rows, err = t.w.conn.QueryContext(ctx, query, args...)
	}
	if err == nil {
		t.open = append(t.open, rows)
	}
	return rows, err
}

func (t *liteTx) commit(ctx context.Context) error {
	t.closeRows()
	_, err := t.exec(context.WithoutCancel(ctx), "COMMIT", nil)
	if err != nil { // for instance a disk that is full: the transaction may still be open
		_ = t.rollback(ctx)
		return err
	}
	t.w.leave()
	return nil
}

// rollback gives up the transaction. SQLite refuses only if it has rolled back by itself, which is what is wanted.
func (t *liteTx) rollback(ctx context.Context) error {
	t.closeRows()
	_, err := t.exec(context.WithoutCancel(ctx), "ROLLBACK", nil)
	t.w.leave()
	if lite, ok := errors.AsType[*sqlite.Error](err); ok && lite.Code() == sqliteError {
		return sql.ErrTxDone
	}
	return err
}

// closeRows closes rows that fn forgot, as *sql.Tx does: they would hold the connection for good.
func (t *liteTx) closeRows() {
	for _, rows := range t.open {
		_ = rows.Close() // their reader is gone
	}
	t.open = nil
}
