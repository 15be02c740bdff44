package sqlkit

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Ask is a question.
type Ask struct {
	Query string
	Args  []any // int64, []byte or string
	// All makes it a question for all rows; without it the first is enough.
	All bool
	// Row is the first row that was found, or nil: int64, []byte, string or nil in each column.
	Row []driver.Value
	// Rows are all that were read.
	Rows [][]driver.Value
}

// found notes the answer.
func (a *Ask) found(rows [][]driver.Value) {
	if a.Row, a.Rows = nil, rows; len(rows) > 0 {
		a.Row = rows[0]
	}
}

// AskAll answers many questions together: on SQLite in one look at the database, on PostgreSQL in one round trip. For dozens that costs a
// fraction of as many QueryRow. It is no part of the transaction that ctx may carry. Errors: as of Query; then no answer counts.
func (db *DB) AskAll(ctx context.Context, asks []*Ask) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	if db.asker != nil {
		return db.asker.all(ctx, asks)
	}
	return db.pipeline(ctx, asks)
}

// pipeline sends all questions to PostgreSQL before the first answer is back. A connection of the pool may have died unnoticed: asking
// changes nothing, so then another one is asked.
func (db *DB) pipeline(ctx context.Context, asks []*Ask) error {
	for left := db.cfg.ReadConns; ; left-- {
		died, err := db.pipelineOnce(ctx, asks)
		if !died || left <= 0 || ctx.Err() != nil {
			return classify("ask", err)
		}
	}
}

func (db *DB) pipelineOnce(ctx context.Context, asks []*Ask) (died bool, err error) {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if problem := conn.Close(); !died {
			err = errors.Join(err, problem)
		}
	}()
	err = conn.Raw(func(raw any) (err error) {
		pg, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of type %T", raw)
		}
		batch := &pgx.Batch{}
		for _, a := range asks {
			batch.Queue(a.Query, a.Args...)
		}
		results := pg.Conn().SendBatch(ctx, batch)
		defer func() {
			err = errors.Join(err, results.Close())
			died = err != nil && pg.Conn().IsClosed()
		}()
		for _, a := range asks {
			if err := a.take(results); err != nil {
				return err
			}
		}
		return nil
	})
	return died, err
}

func (a *Ask) take(results pgx.BatchResults) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	var out [][]driver.Value
	for (a.All || len(out) == 0) && rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(values))
		for i, v := range values {
			row[i] = v
		}
		out = append(out, row)
	}
	a.found(out)
	rows.Close()
	return rows.Err()
}

// asker is a connection of SQLite that answers questions by the dozen. It speaks to the driver itself, because database/sql costs as much
// as an answer. It is opened when it is first asked, and opened anew after any failure.
type asker struct {
	connector driver.Connector
	gate      chan struct{} // holds one token while somebody uses what is below
	conn      driver.Conn
	stmts     map[string]driver.StmtQueryContext
	max       int
	args      []driver.NamedValue
	closed    bool
}

func newAsker(connector driver.Connector, statements int) *asker {
	return &asker{connector: connector, gate: make(chan struct{}, 1), stmts: map[string]driver.StmtQueryContext{}, max: statements}
}

func (a *asker) all(ctx context.Context, asks []*Ask) error {
	select {
	case a.gate <- struct{}{}:
	case <-ctx.Done():
		return &Error{op: "ask", class: ctx.Err()}
	}
	defer func() { <-a.gate }()
	if a.closed {
		return &Error{op: "ask", class: ErrClosed}
	}
	// A look that has begun takes microseconds; the driver would start a goroutine for every statement to watch the context.
	err := a.look(context.WithoutCancel(ctx), asks)
	if err != nil {
		err = errors.Join(err, a.drop())
	}
	return classify("ask", err)
}

// look answers the questions in one read transaction, which costs as much as a question itself.
func (a *asker) look(ctx context.Context, asks []*Ask) error {
	if a.conn == nil {
		conn, err := a.connector.Connect(ctx)
		if err != nil {
			return err
		}
		a.conn = conn
	}
	if len(asks) > 1 {
		if _, err := a.run(ctx, "BEGIN", nil, false); err != nil {
			return err
		}
	}
	for _, ask := range asks {
		rows, err := a.run(ctx, ask.Query, ask.Args, ask.All)
		if err != nil {
			return err
		}
		ask.found(rows)
	}
	if len(asks) > 1 {
		if _, err := a.run(ctx, "COMMIT", nil, false); err != nil {
			return err
		}
	}
	return nil
}

// run runs a statement and returns its first row, or all.
func (a *asker) run(ctx context.Context, query string, args []any, all bool) (out [][]driver.Value, err error) {
	stmt, err := a.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	a.args = a.args[:0]
	for i, v := range args {
		a.args = append(a.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	rows, err := stmt.QueryContext(ctx, a.args)
	clear(a.args) // they may be personal
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns := len(rows.Columns())
	for all || len(out) == 0 {
		row := make([]driver.Value, columns)
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

func (a *asker) stmt(ctx context.Context, query string) (driver.StmtQueryContext, error) {
	if stmt := a.stmts[query]; stmt != nil {
		return stmt, nil
	}
	if len(a.stmts) >= a.max {
		return nil, errors.New("too many different questions") // texts are constants, so that means a fault of ours
	}
	preparer, ok := a.conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("a connection of type %T", a.conn)
	}
	made, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := made.(driver.StmtQueryContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a statement of type %T", made), made.Close())
	}
	a.stmts[query] = stmt
	return stmt, nil
}

// drop closes the connection and its statements.
func (a *asker) drop() error {
	if a.conn == nil {
		return nil
	}
	var errs []error
	for _, stmt := range a.stmts {
		if s, ok := stmt.(driver.Stmt); ok {
			errs = append(errs, s.Close())
		}
	}
	clear(a.stmts)
	errs = append(errs, a.conn.Close())
	a.conn = nil
	return errors.Join(errs...)
}

func (a *asker) close() error {
	a.gate <- struct{}{}
	defer func() { <-a.gate }()
	a.closed = true
	return a.drop()
}
