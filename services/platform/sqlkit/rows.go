package sqlkit

import (
	"database/sql"
	"errors"
	"strings"
)

// Rows are the rows of a query. Close them, also after an error of Scan.
type Rows struct {
	rows  *sql.Rows
	query string
}

func newRows(query string, rows *sql.Rows, err error) (*Rows, error) {
	if err != nil {
		return nil, classify(opOf("query", query), err)
	}
	return &Rows{rows: rows, query: query}, nil
}

// Next steps to the next row and reports whether there is one.
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan copies the columns of the present row.
func (r *Rows) Scan(dest ...any) error { return classifyScan(r.query, r.rows.Scan(dest...)) }

// Err returns the error that ended Next early, classified, or nil.
func (r *Rows) Err() error {
	if err := r.rows.Err(); err != nil {
		return classify(opOf("read rows", r.query), err)
	}
	return nil
}

// Close releases the connection. Closing twice is harmless.
func (r *Rows) Close() error {
	if err := r.rows.Close(); err != nil {
		return classify(opOf("close rows", r.query), err)
	}
	return nil
}

// Row is the answer to a query for one row.
type Row struct {
	rows  *sql.Rows
	query string
	err   error
	gate  chan struct{} // place among the look-ups of SQLite, given back by Close; nil elsewhere
}

// Scan copies the columns of the row and releases the connection. It returns ErrNotFound if there is no row; further rows are not
// looked at.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return classify(opOf("query row", r.query), r.err)
	}
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return errors.Join(classify(opOf("query row", r.query), err), r.Close())
		}
		if err := r.Close(); err != nil {
			return err
		}
		return ErrNotFound
	}
	if err := r.rows.Scan(dest...); err != nil {
		return errors.Join(classifyScan(r.query, err), r.Close())
	}
	return r.Close()
}

// Close releases the connection of a row that is not scanned.
func (r Row) Close() error {
	if r.rows == nil {
		return nil
	}
	err := r.rows.Close()
	select {
	case <-r.gate:
	default: // no place to give back, or closed a second time
	}
	if err != nil {
		return classify(opOf("query row", r.query), err)
	}
	return nil
}

// classifyScan hides the text of a failed conversion: it repeats the value.
func classifyScan(query string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{op: opOf("scan", query), class: ErrQuery}
}

// opLen is how much of a statement's text an error shows: enough to find it in the source.
const opLen = 60

// opOf names an attempt for an error. Statements hold no values, so their text may be shown.
func opOf(verb, query string) string {
	text := strings.Join(strings.Fields(query), " ")
	if len(text) > opLen {
		text = text[:opLen] + "…"
	}
	return verb + " «" + text + "»"
}
