package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// What can go wrong in a database, the same for every dialect. Use errors.Is; the text of the driver is never passed on, because
// it may repeat values.
var (
	// ErrNotFound means that a single row was asked for and none is there.
	ErrNotFound = sql.ErrNoRows
	// ErrUnique means that a row with the same unique key is there already.
	ErrUnique = errors.New("unique key exists")
	// ErrForeignKey means that a row that is referred to is missing, or that a row is still referred to.
	ErrForeignKey = errors.New("foreign key violated")
	// ErrCheck means that a CHECK or NOT NULL constraint refuses the row.
	ErrCheck = errors.New("constraint violated")
	// ErrBusy means that another transaction was in the way: locked, deadlocked or not serializable. InTx has tried again already.
	ErrBusy = errors.New("database busy")
	// ErrFull means that there is no room left.
	ErrFull = errors.New("database full")
	// ErrReadOnly means that the database can't be written to.
	ErrReadOnly = errors.New("database read-only")
	// ErrUnavailable means that the database can't be reached or can't be read.
	ErrUnavailable = errors.New("database unavailable")
	// ErrQuery means that the statement itself is wrong: a fault of ours.
	ErrQuery = errors.New("query failed")
	// ErrSchemaAhead means that the database has migrations that this program does not know: a newer version has been here.
	ErrSchemaAhead = errors.New("schema is newer than the program")
	// ErrClosed means that the DB or Batcher was closed.
	ErrClosed = errors.New("closed")
)

// Error is a classified failure of the database. Its text holds what was attempted, the class and the driver's code, never a
// value, and its only cause is the class.
type Error struct {
	op    string
	class error
	code  string
}

// Error returns the text for the log.
func (e *Error) Error() string {
	if e.code == "" {
		return "sqlkit: " + e.op + ": " + e.class.Error()
	}
	return "sqlkit: " + e.op + ": " + e.class.Error() + " (" + e.code + ")"
}

// Unwrap returns the class: one of the Err values of this package, or that of the ended context.
func (e *Error) Unwrap() error { return e.class }

// Code returns the SQLSTATE or the extended SQLite result code, with the constraint's name where the driver tells it apart, or "".
func (e *Error) Code() string { return e.code }

// classify turns any error of database/sql or a driver into an *Error. ErrNotFound stays bare: it is an answer, not a failure,
// and common enough to be worth no allocation.
func classify(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	}
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	code, class := classOf(err)
	return &Error{op: op, class: class, code: code}
}

func classOf(err error) (code string, class error) {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return fmt.Sprintf("sqlite %d", lite.Code()), sqliteClass(lite.Code())
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.TrimSpace(pg.Code + " " + pg.ConstraintName), pgClass(pg.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return "", ErrUnavailable // also when it is conn_timeout that ended the attempt, which is no deadline of the caller
	}
	switch {
	case errors.Is(err, errLost):
		return "", ErrBusy // nothing of it was committed: it can be tried again
	case errors.Is(err, context.DeadlineExceeded):
		return "", context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return "", context.Canceled
	case unreachable(err):
		return "", ErrUnavailable
	default:
		return "", ErrQuery
	}
}

func unreachable(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, gone := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) || err.Error() == "sql: database is closed"
}

// SQLite result codes, from the published list of the C library. The low byte is the primary code.
const (
	sqliteError      = 1
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteConstraint = 19
	sqliteNotADB     = 26

	sqliteForeignKey = sqliteConstraint | 3<<8
	sqlitePrimaryKey = sqliteConstraint | 6<<8
	sqliteUnique     = sqliteConstraint | 8<<8
	sqliteRowID      = sqliteConstraint | 10<<8
)

func sqliteClass(code int) error {
	switch code {
	case sqliteUnique, sqlitePrimaryKey, sqliteRowID:
		return ErrUnique
	case sqliteForeignKey:
		return ErrForeignKey
	}
	switch code & 0xff {
	case sqliteConstraint:
		return ErrCheck
	case sqliteBusy, sqliteLocked, sqliteProtocol:
		return ErrBusy
	case sqliteFull:
		return ErrFull
	case sqliteReadOnly:
		return ErrReadOnly
	case sqliteInterrupt:
		return context.Canceled
	case sqliteIOErr, sqliteCorrupt, sqliteCantOpen, sqliteNotADB, sqliteNoMem:
		return ErrUnavailable
	default:
		return ErrQuery
	}
}

func pgClass(state string) error {
	switch state {
	case "23505", "23P01":
		return ErrUnique
	case "23503":
		return ErrForeignKey
	case "40001", "40P01", "55P03":
		return ErrBusy
	case "53100":
		return ErrFull
	case "25006":
		return ErrReadOnly
	case "57014": // cancelled: by the statement time-out, since an ended context is told apart before
		return ErrUnavailable
	}
	switch {
	case strings.HasPrefix(state, "23"):
		return ErrCheck
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "53"), strings.HasPrefix(state, "57P"),
		strings.HasPrefix(state, "58"), strings.HasPrefix(state, "28"), state == "3D000":
		return ErrUnavailable
	default:
		return ErrQuery
	}
}
