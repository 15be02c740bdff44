package jobs

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"

	"samvirke.dev/services/platform/sqlkit"
)

// bridge lets River, which wants a *sql.DB, work through sqlkit: on SQLite its statements go through the one writer and share its
// commits instead of fighting it for the lock, and a job is inserted by the transaction that the context carries. A connection of
// it holds nothing; a transaction of it is one of sqlkit.
type bridge struct {
	db     *sqlkit.DB
	widths *sync.Map // query text to number of columns
}

// newBridge returns the pool for River.
func newBridge(db *sqlkit.DB) *sql.DB { return sql.OpenDB(&bridge{db: db, widths: &sync.Map{}}) }

// Connect implements driver.Connector.
func (b *bridge) Connect(context.Context) (driver.Conn, error) { return &conn{bridge: b}, nil }

// Driver implements driver.Connector.
func (b *bridge) Driver() driver.Driver { return b }

// Open implements driver.Driver. It is never asked: connections come from Connect.
func (b *bridge) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

// conn is a connection; database/sql uses it from one goroutine at a time.
type conn struct {
	*bridge
	tx *transaction
}

// Prepare implements driver.Conn. sqlkit keeps compiled statements itself.
func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }

// Close implements driver.Conn.
func (c *conn) Close() error { return nil }

// Begin implements driver.Conn. It is never asked: database/sql prefers BeginTx.
func (c *conn) Begin() (driver.Tx, error) { return nil, errors.ErrUnsupported }

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error { return c.db.Ping(ctx) }

// CheckNamedValue implements driver.NamedValueChecker: the real driver below converts.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// BeginTx joins the transaction that ctx carries, and begins one otherwise.
func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	tx := &transaction{conn: c, ctx: ctx}
	if !c.db.InTransaction(ctx) {
		if err := tx.begin(ctx); err != nil {
			return nil, err
		}
	}
	c.tx = tx
	return tx, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.autocommit(query) {
		_, err := c.fetch(ctx, query, values(args))
		return driver.ResultNoRows, err
	}
	n, err := c.db.Exec(c.within(ctx), query, values(args)...)
	return driver.RowsAffected(n), err
}

// QueryContext implements driver.QueryerContext. Rows are read at once, so that none holds a connection, and so that a statement
// outside a transaction can be tried again.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	query, list := evenOut(query, values(args))
	if c.tx != nil || c.db.Dialect() == sqlkit.Postgres || reads(query) {
		return c.fetch(c.within(ctx), query, list)
	}
	var out driver.Rows
	err := c.db.InTx(ctx, func(ctx context.Context) (err error) { // SQLite writes in transactions only
		out, err = c.fetch(ctx, query, list)
		return err
	})
	return out, err
}

// within returns the context for a statement: that of the transaction, if one is open.
func (c *conn) within(ctx context.Context) context.Context {
	if c.tx != nil {
		return c.tx.ctx
	}
	return ctx
}

// autocommit says whether PostgreSQL refuses the statement inside a transaction block.
func (c *conn) autocommit(query string) bool {
	return c.tx == nil && c.db.Dialect() == sqlkit.Postgres && strings.Contains(query, " CONCURRENTLY ")
}

// fetch runs a query and reads all its rows.
func (c *conn) fetch(ctx context.Context, query string, args []any) (_ driver.Rows, err error) {
	in, err := c.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out := &rows{}
	for in.Next() {
		row, err := c.scan(in, query)
		if err != nil {
			return nil, err
		}
		out.width = len(row)
		out.data = append(out.data, row)
	}
	return out, in.Err()
}

// maxWidth bounds the search for the number of columns; River's widest row has 20.
const maxWidth = 64

// scan copies a row. sqlkit's rows do not tell how many columns they have, but refuse any other number.
func (c *conn) scan(in *sqlkit.Rows, query string) ([]any, error) {
	if n, ok := c.widths.Load(query); ok {
		return copyRow(in, n.(int))
	}
	var failed error
	for n := 1; n <= maxWidth; n++ {
		row, err := copyRow(in, n)
		if err == nil {
			c.widths.Store(query, n)
			return row, nil
		}
		failed = err
	}
	return nil, failed
}

func copyRow(in *sqlkit.Rows, width int) ([]any, error) {
	row, dest := make([]any, width), make([]any, width)
	for i := range row {
		dest[i] = &row[i]
	}
	return row, in.Scan(dest...)
}

// transaction is one of sqlkit, held open by a goroutine, or the one that the context carried when it began.
type transaction struct {
	conn    *conn
	ctx     context.Context //nolint:containedctx // it is the transaction
	verdict chan error      // nil if the transaction belongs to somebody else
	outcome chan error
}

var (
	errGivenUp = errors.New("jobs: transaction given up")
	errLost    = errors.New("jobs: transaction lost against another")
)

func (t *transaction) begin(ctx context.Context) error {
	t.verdict, t.outcome = make(chan error), make(chan error, 1)
	began := make(chan context.Context)
	go func() { t.outcome <- t.hold(ctx, began) }()
	select {
	case t.ctx = <-began:
	case err := <-t.outcome:
		return err
	}
	if t.conn.db.Dialect() != sqlkit.Postgres {
		return nil
	}
	// River's statements are written for this isolation; under that of sqlkit its clients would be in each other's way.
	if _, err := t.conn.db.Exec(t.ctx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil { //nolint:contextcheck // it carries the transaction
		return errors.Join(err, t.Rollback())
	}
	return nil
}

// hold runs the transaction until the verdict. River's steps can't be run again, so that of a lost transaction is an error.
func (t *transaction) hold(ctx context.Context, began chan<- context.Context) error {
	again := false
	return t.conn.db.InTx(ctx, func(ctx context.Context) error {
		if again {
			return errLost
		}
		again = true
		began <- ctx
		return <-t.verdict
	})
}

// Commit implements driver.Tx. A joined transaction is left to its owner.
func (t *transaction) Commit() error { return t.end(nil) }

// Rollback implements driver.Tx. A joined transaction is left to its owner, who learns the error.
func (t *transaction) Rollback() error {
	if err := t.end(errGivenUp); !errors.Is(err, errGivenUp) {
		return err
	}
	return nil
}

func (t *transaction) end(verdict error) error {
	t.conn.tx = nil
	if t.verdict == nil {
		return nil
	}
	t.verdict <- verdict
	return <-t.outcome
}

// rows are rows that were read already.
type rows struct {
	width int
	data  [][]any
}

// Columns implements driver.Rows. River goes by position, so the names are left empty.
func (r *rows) Columns() []string { return make([]string, r.width) }

// Close implements driver.Rows.
func (r *rows) Close() error { return nil }

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	if len(r.data) == 0 {
		return io.EOF
	}
	for i, v := range r.data[0] {
		dest[i] = v
	}
	r.data = r.data[1:]
	return nil
}

// values returns bare arguments; River names none.
func values(args []driver.NamedValue) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg.Value
	}
	return out
}

// reads says whether the statement only reads. A wrong yes is an error, since SQLite's readers can't write.
func reads(query string) bool {
	for line := range strings.Lines(query) {
		if word := strings.TrimSpace(line); word != "" && !strings.HasPrefix(word, "--") {
			return strings.HasPrefix(strings.ToUpper(word), "SELECT")
		}
	}
	return false
}

// evenOut lengthens a list of placeholders at the end of the arguments to a power of two by repeating the last one. River writes one
// placeholder per id, and sqlkit keeps every text compiled: few lengths leave room for the others.
func evenOut(query string, args []any) (string, []any) {
	const next = ",?"
	at := strings.Index(query, "?"+next)
	if at < 0 {
		return query, args
	}
	n, end := 1, at+1
	for strings.HasPrefix(query[end:], next) {
		n, end = n+1, end+len(next)
	}
	if n > len(args) || strings.Contains(query[end:], "?") {
		return query, args
	}
	size := 1
	for size < n {
		size *= 2
	}
	for range size - n {
		args = append(args, args[len(args)-1])
	}
	return query[:end] + strings.Repeat(next, size-n) + query[end:], args
}

var (
	_ driver.Connector         = (*bridge)(nil)
	_ driver.ConnBeginTx       = (*conn)(nil)
	_ driver.ExecerContext     = (*conn)(nil)
	_ driver.QueryerContext    = (*conn)(nil)
	_ driver.NamedValueChecker = (*conn)(nil)
	_ driver.Pinger            = (*conn)(nil)
	_ driver.Tx                = (*transaction)(nil)
	_ driver.Rows              = (*rows)(nil)
)
