package sqlkit

import (
	"context"
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// Limits of a multi-row statement. PostgreSQL takes 65535 arguments, SQLite 32766.
const maxArgs = 32_000

// InsertRows inserts many rows with few statements and tells how many were inserted. head is the statement up to VALUES, columns how many
// arguments a row has, args those of all rows one after the other. Call it within InTx, or the rows are inserted in several
// transactions.
//
// PostgreSQL gets one statement for all rows, since a round trip costs most. SQLite, where a round trip costs nothing, gets statements
// of 64, 32, 16, 8, 4, 2 and 1 rows, so that few texts have to be kept compiled, whatever the number of rows.
func (db *DB) InsertRows(ctx context.Context, head string, columns int, args []any) (int64, error) {
	if columns <= 0 || columns > maxArgs || len(args)%columns != 0 {
		return 0, errors.New("sqlkit: insert rows: arguments do not fill whole rows")
	}
	var total int64
	for len(args) > 0 {
		rows := db.rowsPerStatement(len(args)/columns, columns)
		n, err := db.Exec(ctx, db.valuesText(head, rows, columns), args[:rows*columns]...)
		if err != nil {
			return total, err
		}
		total += n
		args = args[rows*columns:]
	}
	return total, nil
}

// AppendRows inserts many rows that no transaction reads to decide by, such as those of a log; they stand or fall together. On PostgreSQL
// it is one statement at READ COMMITTED, which is never in the way of a serializable transaction; rows beyond one statement, and
// SQLite, take a transaction.
func (db *DB) AppendRows(ctx context.Context, head string, columns int, args []any) error {
	if db.dialect == Postgres && len(args) <= maxArgs && db.txOf(ctx) == nil {
		if err := db.usable(ctx); err != nil {
			return err
		}
		query := db.valuesText(head, len(args)/columns, columns)
		_, err := db.read.ExecContext(ctx, query, args...)
		return classify(opOf("exec", query), err)
	}
	return db.InTx(ctx, func(ctx context.Context) error {
		_, err := db.InsertRows(ctx, head, columns, args)
		return err
	})
}

func (db *DB) rowsPerStatement(rows, columns int) int {
	if db.dialect == Postgres {
		return min(rows, maxArgs/columns)
	}
	return 1 << (bits.Len(uint(min(rows, 64, maxArgs/columns))) - 1)
}

// valuesText writes head and rows lists of arguments: numbered for PostgreSQL, bare for SQLite, whose driver looks up each argument that
// has a name among all names of the statement.
func (db *DB) valuesText(head string, rows, columns int) string {
	var b strings.Builder
	b.Grow(len(head) + rows*(columns*5+3))
	b.WriteString(head)
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString(" (")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if db.dialect == SQLite {
			b.WriteByte('?')
			continue
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
