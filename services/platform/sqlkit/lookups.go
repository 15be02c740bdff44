package sqlkit

import (
	"context"
	"database/sql"
	"errors"
)

// lookups are the connections of SQLite for single rows. They are apart from those of Query, whose rows may be held open for long and
// whose holders may look up single rows meanwhile.
type lookups struct {
	pool  *sql.DB
	gate  chan struct{} // one token per look-up under way, so that the pool never has to queue
	stmts stmtCache
}

func newLookups(pool *sql.DB, conns, statements int) *lookups {
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	l := &lookups{pool: pool, gate: make(chan struct{}, conns)}
	l.stmts.init(pool, statements)
	return l
}

// row looks up a row. Waiting for a place ends with ctx; the look-up itself does not: database/sql and the driver would each start a
// goroutine to watch the context, which costs as much as the look-up.
func (l *lookups) row(ctx context.Context, query string, args []any) Row {
	select {
	case l.gate <- struct{}{}:
	case <-ctx.Done():
		return Row{query: query, err: ctx.Err()}
	}
	rows, err := l.stmts.query(context.WithoutCancel(ctx), query, args) //nolint:rowserrcheck // Row.Scan does
	if err != nil {
		<-l.gate
		return Row{query: query, err: err}
	}
	return Row{rows: rows, query: query, gate: l.gate}
}

func (l *lookups) close() error { return errors.Join(l.stmts.close(), l.pool.Close()) }
