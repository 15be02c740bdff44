package sqlstore

import (
	"context"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/sqlkit"
)

// question is a query whose rows have so many columns.
type question struct {
	op      string
	query   string
	columns int
}

// ask asks in the transaction that ctx carries, or else together with those who ask at the same time. Arguments are int64 or string.
func (s *Store) ask(ctx context.Context, q question, args ...any) ([]*cells, error) {
	var out []*cells
	if s.together == nil || s.db.InTransaction(ctx) {
		err := s.each(ctx, q.op, func(scan func(...any) error) error {
			c := &cells{values: make([]any, q.columns)}
			dest := make([]any, q.columns)
			for i := range dest {
				dest[i] = &c.values[i]
			}
			out = append(out, c)
			return scan(dest...)
		}, q.query, args...)
		return out, err
	}
	a := &sqlkit.Ask{Query: q.query, Args: args, All: true}
	if err := s.together.Add(ctx, a); err != nil {
		return nil, failure(q.op, err)
	}
	out = make([]*cells, len(a.Rows))
	for i, row := range a.Rows {
		out[i] = &cells{values: make([]any, len(row))}
		for j, v := range row {
			out[i].values[j] = v
		}
	}
	return out, nil
}

// cells are the columns of a row, read one after the other. NULL reads as the zero value.
type cells struct {
	values []any
	at     int
}

func (c *cells) next() any {
	c.at++
	return c.values[c.at-1]
}

func (c *cells) int() int64 {
	n, _ := c.next().(int64)
	return n
}

func (c *cells) text() string {
	s, _ := c.next().(string)
	return s
}

func (c *cells) bytes() []byte {
	b, _ := c.next().([]byte)
	return b
}

// some says whether there is anything in the column.
func (c *cells) some() bool { return c.next() != nil }

// share reads shareColumns.
func (c *cells) share() core.Share {
	s := core.Share{
		ID: c.int(), Controller: c.text(), Partner: c.text(), Member: c.int(), Handle: c.text(), Subject: c.text(),
		Purpose: core.Purpose(c.text()), Basis: core.Basis(c.text()), Special: core.Special(c.text()), Fields: core.Fields(c.int()), //nolint:gosec // as written
	}
	if until := c.int(); until != 0 {
		s.Until = sqlkit.Time(until)
	}
	s.MaxReads, s.Reads, s.Document = int(c.int()), int(c.int()), c.text()
	s.Stopped, s.Delivered, s.CreatedAt = c.int() == 1, c.int() == 1, sqlkit.Time(c.int())
	return s
}
