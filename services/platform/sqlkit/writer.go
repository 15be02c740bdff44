package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"modernc.org/sqlite"
)

// writer is the one connection that changes a SQLite database. Holding it for good keeps its statements compiled: database/sql
// could not prepare a statement on a busy pool of one, and compiling costs more than most statements.
//
// Transactions that wait for each other share one commit, because making a commit durable costs more than most transactions: each runs
// in a savepoint of a common transaction, one after the other, and nobody is told of success before the common commit.
type writer struct {
	pool  *sql.DB
	conn  *sql.Conn
	gate  chan struct{} // holds one token while somebody uses the connection; guards all below
	max   int
	stmts map[string]*sql.Stmt
	base  context.Context // for what is done on closing; never ends
	group *group          // the common transaction under way, or nil

	waiting atomic.Int32 // how many wait for the gate
}

// group is a transaction that several share.
type group struct {
	members int           // whose work is done and waits for the commit
	done    chan struct{} // closed when the outcome is known
	err     error         // the outcome
}

// maxGroup bounds how many share a commit, so that nobody waits long for others.
const maxGroup = 64

func newWriter(ctx context.Context, pool *sql.DB, limit int) (*writer, error) {
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &writer{base: context.WithoutCancel(ctx), pool: pool, conn: conn, gate: make(chan struct{}, 1), max: limit, stmts: map[string]*sql.Stmt{}}, nil
}

// begin waits for its turn, at most until ctx ends, and begins a transaction that holds the write lock from the start: a lock taken
// later could fail half-way. It joins the common transaction if one is under way.
func (w *writer) begin(ctx context.Context) (runner, error) {
	if err := w.enter(ctx); err != nil {
		return nil, err
	}
	tx := &liteTx{w: w}
	if w.group == nil {
		if _, err := tx.exec(ctx, "BEGIN IMMEDIATE", nil); err != nil {
			w.leave()
			return nil, err
		}
		// The first needs no savepoint: while it is alone, giving it up gives up all. A savepoint costs a copy of each page written.
		w.group = &group{done: make(chan struct{})}
		return tx, nil
	}
	tx.joined = true
	if _, err := tx.exec(context.WithoutCancel(ctx), "SAVEPOINT member", nil); err != nil {
		return nil, errors.Join(err, tx.abandon(ctx, err))
	}
	return tx, nil
}

// enter waits for the writer's turn, at most until ctx ends; leave passes the turn on.
func (w *writer) enter(ctx context.Context) error {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
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
	if w.group != nil {
		(&liteTx{w: w}).settle(w.base)
	}
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
	w      *writer
	open   []*sql.Rows
	joined bool // runs in a savepoint of a transaction that others began
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

// commit ends the member's part and waits for the common commit. Whoever gets the next turn and is a member commits for all: those who
// came to the gate before it have had theirs by then, so a group grows with the crowd and a lone transaction commits at once.
func (t *liteTx) commit(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	t.closeRows()
	if t.joined {
		if _, err := t.exec(ctx, "RELEASE member", nil); err != nil {
			return errors.Join(err, t.abandon(ctx, err))
		}
	}
	g := t.w.group
	g.members++
	if g.members >= maxGroup || t.w.waiting.Load() == 0 {
		t.settle(ctx)
		t.w.leave()
		return g.err
	}
	t.w.leave()
	select {
	case <-g.done:
		return g.err
	case t.w.gate <- struct{}{}:
	}
	if t.w.group == g {
		t.settle(ctx)
	}
	t.w.leave()
	return g.err // known: the group is settled by us, or was while we waited
}

// settle commits the common transaction and tells its members. The caller holds the gate.
func (t *liteTx) settle(ctx context.Context) {
	_, err := t.exec(context.WithoutCancel(ctx), "COMMIT", nil)
	if err != nil { // for instance a disk that is full: the transaction may still be open
		_, _ = t.exec(context.WithoutCancel(ctx), "ROLLBACK", nil) // fails if SQLite has done it already
	}
	t.end(err)
}

// end tells the members the outcome. The caller holds the gate.
func (t *liteTx) end(err error) {
	g := t.w.group
	t.w.group, g.err = nil, err
	close(g.done)
}

// rollback gives up the member's part and leaves that of the others alone, unless the failure took the whole transaction along: then the
// others are told that theirs is lost, too.
func (t *liteTx) rollback(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	t.closeRows()
	if t.w.group.members == 0 {
		err := t.abandon(ctx, errLost)
		if lite, ok := errors.AsType[*sqlite.Error](err); ok && lite.Code() == sqliteError {
			return sql.ErrTxDone // SQLite had rolled back by itself, which is what is wanted
		}
		return err
	}
	for _, query := range []string{"ROLLBACK TO member", "RELEASE member"} {
		if _, err := t.exec(ctx, query, nil); err != nil {
			return errors.Join(sql.ErrTxDone, t.abandon(ctx, errLost))
		}
	}
	t.w.leave() // the members that wait settle their transaction
	return nil
}

// errLost is what members are told whose transaction was rolled back by the failure of another one.
var errLost = errors.New("sqlkit: a transaction that shared the commit failed and took it along")

// abandon rolls the common transaction back, tells its members why and passes the turn on.
func (t *liteTx) abandon(ctx context.Context, why error) error {
	_, err := t.exec(context.WithoutCancel(ctx), "ROLLBACK", nil)
	t.end(why)
	t.w.leave()
	return err
}

// closeRows closes rows that fn forgot, as *sql.Tx does: they would hold the connection for good.
func (t *liteTx) closeRows() {
	for _, rows := range t.open {
		_ = rows.Close() // their reader is gone
	}
	t.open = nil
}
