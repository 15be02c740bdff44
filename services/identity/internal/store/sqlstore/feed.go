package sqlstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// Follow implements store.Feed.
func (s *Store) Follow(ctx context.Context, row int64, country int, due time.Time) error {
	return s.exec(ctx, "follow", `INSERT INTO followed (person_id, country, due_at) VALUES ($1, $2, $3) ON CONFLICT (person_id) DO NOTHING`,
		row, country, sqlkit.Micros(due))
}

// Unfollow implements store.Feed.
func (s *Store) Unfollow(ctx context.Context, row int64) error {
	return s.exec(ctx, "unfollow", dropFollow, row)
}

// Due implements store.Feed.
func (s *Store) Due(ctx context.Context, country int, now time.Time, limit int) (out []store.Followed, err error) {
	const query = `SELECT p.id, p.blind_index, p.sealed, f.failures FROM followed f JOIN person p ON p.id = f.person_id
		WHERE f.country = $1 AND f.due_at <= $2 ORDER BY f.due_at LIMIT $3`
	err = s.each(ctx, "due", func(rows *sqlkit.Rows) error {
		var f store.Followed
		if err := scanRow(rows, &f.Row, &f.Failures); err != nil {
			return err
		}
		out = append(out, f)
		return nil
	}, query, country, sqlkit.Micros(now), limit)
	return out, err
}

// Polled implements store.Feed.
func (s *Store) Polled(ctx context.Context, row int64, due time.Time, failures int) error {
	return s.exec(ctx, "polled", `UPDATE followed SET due_at = $1, failures = $2 WHERE person_id = $3`, sqlkit.Micros(due), failures, row)
}

// NotAfter implements store.Feed.
func (s *Store) NotAfter(ctx context.Context, country int, latest time.Time) error {
	return s.exec(ctx, "not after", `UPDATE followed SET due_at = $1 WHERE country = $2 AND due_at > $1`, sqlkit.Micros(latest), country)
}

// Oldest implements store.Feed.
func (s *Store) Oldest(ctx context.Context, country int) (time.Time, error) {
	var due int64
	err := s.db.QueryRow(ctx, `SELECT due_at FROM followed WHERE country = $1 ORDER BY due_at LIMIT 1`, country).Scan(&due)
	switch {
	case errors.Is(err, sqlkit.ErrNotFound):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, failure("oldest", err)
	}
	return sqlkit.Time(due), nil
}

// Subscribe implements store.Feed.
func (s *Store) Subscribe(ctx context.Context, m store.Membership) error {
	return s.exec(ctx, "subscribe", `INSERT INTO subscription (person_id, controller, reference) VALUES ($1, $2, $3)
		ON CONFLICT (person_id, controller, reference) DO UPDATE SET last_day = NULL`, m.Row, m.Controller, m.Reference)
}

// EndOn implements store.Feed.
func (s *Store) EndOn(ctx context.Context, m store.Membership, lastDay int64) error {
	return s.exec(ctx, "end", `UPDATE subscription SET last_day = $1 WHERE person_id = $2 AND controller = $3 AND reference = $4`,
		lastDay, m.Row, m.Controller, m.Reference)
}

// Ended implements store.Feed.
func (s *Store) Ended(ctx context.Context, day int64, limit int) (out []store.Membership, err error) {
	err = s.each(ctx, "ended", func(rows *sqlkit.Rows) error {
		var m store.Membership
		if err := rows.Scan(&m.Row, &m.Controller, &m.Reference); err != nil {
			return err
		}
		out = append(out, m)
		return nil
	}, `SELECT person_id, controller, reference FROM subscription WHERE last_day < $1 ORDER BY last_day LIMIT $2`, day, limit)
	return out, err
}

// Unsubscribe implements store.Feed.
func (s *Store) Unsubscribe(ctx context.Context, m store.Membership) error {
	return s.exec(ctx, "unsubscribe", `DELETE FROM subscription WHERE person_id = $1 AND controller = $2 AND reference = $3`,
		m.Row, m.Controller, m.Reference)
}

const (
	advance = `INSERT INTO feed (controller, last_seq) VALUES ($1, $2)
		ON CONFLICT (controller) DO UPDATE SET last_seq = feed.last_seq + excluded.last_seq RETURNING last_seq`
	insertChanges = `INSERT INTO change (controller, seq, person_id, kind, created_at) VALUES`
	changeColumns = 5
)

// Append implements store.Feed. A feed's counter is locked until the transaction ends, so a later position is never visible before
// an earlier one.
func (s *Store) Append(ctx context.Context, changes []store.Change, now time.Time) error {
	if len(changes) == 0 {
		return nil
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		count := map[string]int64{}
		var order []string
		for _, c := range changes {
			if count[c.Controller] == 0 {
				order = append(order, c.Controller)
			}
			count[c.Controller]++
		}
		next := map[string]int64{}
		for _, controller := range order {
			var last int64
			if err := s.db.QueryRow(ctx, advance, controller, count[controller]).Scan(&last); err != nil {
				return failure("advance feed", err)
			}
			next[controller] = last - count[controller]
		}
		args := make([]any, 0, len(changes)*changeColumns)
		for _, c := range changes {
			next[c.Controller]++
			args = append(args, c.Controller, next[c.Controller], c.Row, int64(c.Kind), sqlkit.Micros(now))
		}
		_, err := s.db.InsertRows(ctx, insertChanges, changeColumns, args)
		return failure("append", err)
	})
}

// theHandle is the oldest handle that controller $1 has for person p, as KeepHandle chooses it; ” if it has none.
const theHandle = `COALESCE((SELECT h.handle FROM handle h WHERE h.person_id = p.id AND h.controller = $1 ORDER BY h.created_at, h.handle LIMIT 1), '')`

// After implements store.Feed.
func (s *Store) After(ctx context.Context, controller string, seq int64, limit int) (out []store.Told, err error) {
	const query = `SELECT p.id, p.blind_index, p.sealed, c.seq, c.kind, ` + theHandle + ` FROM change c JOIN person p ON p.id = c.person_id
		WHERE c.controller = $1 AND c.seq > $2 ORDER BY c.seq LIMIT $3`
	err = s.each(ctx, "feed", func(rows *sqlkit.Rows) error {
		var t store.Told
		if err := scanRow(rows, &t.Row, &t.Seq, &t.Kind, &t.Handle); err != nil {
			return err
		}
		out = append(out, t)
		return nil
	}, query, controller, seq, limit)
	return out, err
}

// Last implements store.Feed.
func (s *Store) Last(ctx context.Context, controller string) (int64, error) {
	var last int64
	err := s.db.QueryRow(ctx, `SELECT last_seq FROM feed WHERE controller = $1`, controller).Scan(&last)
	if errors.Is(err, sqlkit.ErrNotFound) {
		return 0, nil
	}
	return last, failure("last of feed", err)
}

// Forget implements store.Feed.
func (s *Store) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	done, err := s.db.Exec(ctx, `DELETE FROM change WHERE (controller, seq) IN
		(SELECT controller, seq FROM change WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, sqlkit.Micros(before), limit)
	return int(done), failure("forget", err)
}

// SetTerms implements store.Feed.
func (s *Store) SetTerms(ctx context.Context, row int64, controller string, terms []store.Index) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if err := s.exec(ctx, "drop terms", `DELETE FROM member_term WHERE person_id = $1 AND controller = $2`, row, controller); err != nil {
			return err
		}
		args, seen := make([]any, 0, len(terms)*3), map[store.Index]bool{}
		for _, t := range terms {
			if !seen[t] {
				seen[t] = true
				args = append(args, controller, t[:], row)
			}
		}
		if len(args) == 0 {
			return nil
		}
		_, err := s.db.InsertRows(ctx, `INSERT INTO member_term (controller, term, person_id) VALUES`, 3, args)
		return failure("set terms", err)
	})
}

// Find implements store.Feed. Each term is one more point query of the index, so a rare word makes the whole search cheap only if it
// comes first: callers put the most telling term first.
func (s *Store) Find(ctx context.Context, controller string, terms [][]store.Index, limit int) (out []store.Match, err error) {
	if len(terms) == 0 {
		return nil, nil
	}
	args := []any{controller}
	list := func(indexes []store.Index) string {
		var b strings.Builder
		for i := range indexes {
			if i > 0 {
				b.WriteString(", ")
			}
			args = append(args, indexes[i][:])
			b.WriteString(placeholder(len(args)))
		}
		return b.String()
	}
	var query strings.Builder
	query.WriteString(`SELECT DISTINCT p.id, p.blind_index, p.sealed, ` + theHandle + ` FROM member_term t JOIN person p ON p.id = t.person_id
		WHERE t.controller = $1 AND t.term IN (` + list(terms[0]) + `)`)
	for _, more := range terms[1:] {
		query.WriteString(` AND EXISTS (SELECT 1 FROM member_term u WHERE u.controller = $1 AND u.person_id = p.id AND u.term IN (` + list(more) + `))`)
	}
	args = append(args, limit)
	query.WriteString(` ORDER BY p.id LIMIT ` + placeholder(len(args)))
	err = s.each(ctx, "find", func(rows *sqlkit.Rows) error {
		var m store.Match
		if err := scanRow(rows, &m.Row, &m.Handle); err != nil {
			return err
		}
		out = append(out, m)
		return nil
	}, query.String(), args...)
	return out, err
}

// Delivered implements store.Feed.
func (s *Store) Delivered(ctx context.Context, register string) (store.Delivery, error) {
	d := store.Delivery{Register: register}
	err := s.db.QueryRow(ctx, `SELECT produced, lines FROM delivery WHERE register = $1`, register).Scan(&d.Produced, &d.Lines)
	return d, failure("delivered", err)
}

// Deliver implements store.Feed.
func (s *Store) Deliver(ctx context.Context, d store.Delivery, now time.Time) error {
	return s.exec(ctx, "deliver", `INSERT INTO delivery (register, produced, lines, applied_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (register) DO UPDATE SET produced = excluded.produced, lines = excluded.lines, applied_at = excluded.applied_at`,
		d.Register, d.Produced, d.Lines, sqlkit.Micros(now))
}

// ByID implements store.Store.
func (s *Store) ByID(ctx context.Context, id int64) (store.Row, error) {
	return s.row(ctx, store.Index{}, `SELECT id, blind_index, sealed FROM person WHERE id = $1`, id)
}

func (s *Store) exec(ctx context.Context, op, query string, args ...any) error {
	_, err := s.db.Exec(ctx, query, args...)
	if errors.Is(err, sqlkit.ErrForeignKey) {
		return store.ErrNotFound
	}
	return failure(op, err)
}

// each runs a query and calls fn for every row.
func (s *Store) each(ctx context.Context, op string, fn func(*sqlkit.Rows) error, query string, args ...any) (err error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return failure(op, err)
	}
	defer func() { err = errors.Join(err, failure(op, rows.Close())) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return failure(op, err)
		}
	}
	return failure(op, rows.Err())
}

// scanRow reads a person's row, which comes first, and what follows it.
func scanRow(rows *sqlkit.Rows, to *store.Row, more ...any) error {
	var index []byte
	if err := rows.Scan(append([]any{&to.ID, &index, &to.Sealed}, more...)...); err != nil {
		return err
	}
	copy(to.Index[:], index)
	return nil
}
