package sqlstore

import (
	"context"
	"strings"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// fields are the columns of a record that change, in the order of values.
const fields = `state, is_open, version, handle, membership, subject, received, wanted, agreed, requested, poa_issuer, poa_id, poa_hash, poa_from,
	poa_to, parts, kinds, effective, rejection, overdue, reminders, due, manual, protected, withdrawing, channel, undoing, peer_seq, out_seq, changed_at`

const columns = `transfer_id, fund, side, other, country, ` + fields + `, opened_at`

func values(c cases.Case, at time.Time) []any {
	return []any{
		int(c.State), bit(c.State.Open()), c.Version, c.Handle, c.Membership, blob(c.Subject), int(c.Received), int(c.Wanted), bit(c.Agreed),
		int(c.Requested), c.PoAIssuer, c.PoAID, blob(c.PoAHash), int(c.PoAFrom), int(c.PoATo), c.Parts, int(c.Kinds), int(c.Effective),
		int(c.Rejection), bit(c.Overdue), c.Reminders, int(c.Due), int(c.Manual), bit(c.Protected), bit(c.Withdrawing), int(c.Channel), bit(c.Undoing), c.PeerSeq, c.OutSeq,
		sqlkit.Micros(at),
	}
}

// blob keeps no bytes as NULL: the drivers would store an empty value.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// record is a case with the moments that only the database needs.
type record struct {
	cases.Case

	openedAt int64
}

func scanCase(scan func(...any) error, r *record) error {
	var (
		open, agreed, overdue, protected, withdrawing, undoing int
		changed                                                int64
		c                                                      = &r.Case
	)
	err := scan(
		&c.ID, &c.Fund, &c.Side, &c.Other, &c.Country, &c.State, &open, &c.Version, &c.Handle, &c.Membership, &c.Subject, &c.Received, &c.Wanted,
		&agreed, &c.Requested, &c.PoAIssuer, &c.PoAID, &c.PoAHash, &c.PoAFrom, &c.PoATo, &c.Parts, &c.Kinds, &c.Effective, &c.Rejection,
		&overdue, &c.Reminders, &c.Due, &c.Manual, &protected, &withdrawing, &c.Channel, &undoing, &c.PeerSeq, &c.OutSeq, &changed, &r.openedAt,
	)
	c.Agreed, c.Overdue, c.Protected, c.Withdrawing, c.Undoing = agreed == 1, overdue == 1, protected == 1, withdrawing == 1, undoing == 1
	return err
}

const (
	insertCase  = `INSERT INTO transfer_case (` + columns + `) VALUES`
	insertEvent = `INSERT INTO transfer_event (transfer_id, fund, seq, event, actor, state, overdue, manual, due, happened_at) VALUES`
	selectCase  = `SELECT ` + columns + ` FROM transfer_case WHERE transfer_id = $1 AND fund = $2`
)

const (
	fixed    = 5  // columns before fields
	changing = 30 // columns in fields
)

// Insert implements store.Store.
func (s *Store) Insert(ctx context.Context, c cases.Case, e store.Event) error {
	args := append([]any{c.ID, c.Fund, int(c.Side), c.Other, c.Country}, values(c, e.At)...)
	args = append(args, sqlkit.Micros(e.At))
	if _, err := s.db.InsertRows(ctx, insertCase, len(args), args); err != nil {
		return failure("insert transfer", err)
	}
	return s.addEvent(ctx, c, e)
}

func (s *Store) addEvent(ctx context.Context, c cases.Case, e store.Event) error {
	args := []any{
		c.ID, c.Fund, c.Version, int(e.Event), int(e.Actor), int(c.State), bit(c.Overdue), int(c.Manual), int(c.Due), sqlkit.Micros(e.At),
	}
	_, err := s.db.InsertRows(ctx, insertEvent, len(args), args)
	return failure("add event", err)
}

// updateCase sets every changing column.
func updateCase() string {
	var b strings.Builder
	b.WriteString(`UPDATE transfer_case SET `)
	for i, name := range strings.Split(fields, ",") {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strings.TrimSpace(name) + " = " + placeholders(i+1, i+1))
	}
	b.WriteString(` WHERE transfer_id = ` + placeholders(changing+1, changing+1) + ` AND fund = ` + placeholders(changing+2, changing+2) +
		` AND version = ` + placeholders(changing+3, changing+3))
	return b.String()
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, c cases.Case, e store.Event) error {
	n, err := s.db.Exec(ctx, s.updateSQL, append(values(c, e.At), c.ID, c.Fund, c.Version-1)...)
	switch {
	case err != nil:
		return failure("update transfer", err)
	case n == 0:
		return store.ErrConflict
	}
	return s.addEvent(ctx, c, e)
}

// Advance implements store.Store.
func (s *Store) Advance(ctx context.Context, c cases.Case) error {
	n, err := s.db.Exec(ctx, `UPDATE transfer_case SET peer_seq = $1, out_seq = $2 WHERE transfer_id = $3 AND fund = $4 AND version = $5`,
		c.PeerSeq, c.OutSeq, c.ID, c.Fund, c.Version)
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	return failure("advance transfer", err)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, id, fund string) (cases.Case, error) {
	var r record
	err := scanCase(s.db.QueryRow(ctx, selectCase, id, fund).Scan, &r)
	return r.Case, failure("get transfer", err)
}

// SetDetails implements store.Store.
func (s *Store) SetDetails(ctx context.Context, id, fund string, sealed []byte) error {
	_, err := s.db.Exec(ctx, `INSERT INTO transfer_detail (transfer_id, fund, sealed) VALUES ($1, $2, $3)
		ON CONFLICT (transfer_id, fund) DO UPDATE SET sealed = excluded.sealed`, id, fund, sealed)
	return failure("set details", err)
}

// Details implements store.Store.
func (s *Store) Details(ctx context.Context, id, fund string) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRow(ctx, `SELECT sealed FROM transfer_detail WHERE transfer_id = $1 AND fund = $2`, id, fund).Scan(&sealed)
	return sealed, failure("details", err)
}

// DropDetails implements store.Store.
func (s *Store) DropDetails(ctx context.Context, id, fund string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM transfer_detail WHERE transfer_id = $1 AND fund = $2`, id, fund)
	return failure("drop details", err)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, fund string, f store.Filter, after store.Position, limit int) ([]cases.Case, store.Position, error) {
	query := `SELECT ` + columns + ` FROM transfer_case WHERE fund = $1 AND (opened_at > $2 OR (opened_at = $2 AND transfer_id > $3))`
	args := []any{fund, after.OpenedAt, after.ID}
	if len(f.States) > 0 {
		first := len(args) + 1
		for _, state := range f.States {
			args = append(args, int(state))
		}
		query += ` AND state IN (` + placeholders(first, len(args)) + `)`
	}
	if f.Overdue {
		query += ` AND overdue = 1`
	}
	if f.Manual {
		query += ` AND manual <> 0`
	}
	if f.OpenOnly {
		query += ` AND is_open = 1`
	}
	args = append(args, limit)
	query += ` ORDER BY opened_at, transfer_id LIMIT ` + placeholders(len(args), len(args))
	rows, err := list(ctx, s.db, "list transfers", query, scanCase, args...)
	if err != nil || len(rows) == 0 {
		return nil, after, err
	}
	out := make([]cases.Case, len(rows))
	for i, r := range rows {
		out[i] = r.Case
	}
	last := rows[len(rows)-1]
	return out, store.Position{OpenedAt: last.openedAt, ID: last.ID}, nil
}

// Events implements store.Store.
func (s *Store) Events(ctx context.Context, id, fund string, after int64, limit int) ([]store.Event, error) {
	return list(ctx, s.db, "events", `SELECT seq, event, actor, state, overdue, manual, due, happened_at FROM transfer_event
		WHERE transfer_id = $1 AND fund = $2 AND seq > $3 ORDER BY seq LIMIT $4`, func(scan func(...any) error, e *store.Event) error {
		var overdue int
		var at int64
		err := scan(&e.Seq, &e.Event, &e.Actor, &e.State, &overdue, &e.Manual, &e.Due, &at)
		e.Overdue, e.At = overdue == 1, sqlkit.Time(at)
		return err
	}, id, fund, after, limit)
}

func (s *Store) any(ctx context.Context, op, query string, args ...any) (bool, error) {
	var n int
	err := s.db.QueryRow(ctx, query, args...).Scan(&n)
	return n > 0, failure(op, err)
}

// OpenOut implements store.Store.
func (s *Store) OpenOut(ctx context.Context, fund string, subject []byte) (bool, error) {
	return s.any(ctx, "open transfers", `SELECT count(*) FROM transfer_case WHERE fund = $1 AND side = 2 AND subject = $2 AND is_open = 1`, fund, subject)
}

// PoAUsed implements store.Store.
func (s *Store) PoAUsed(ctx context.Context, fund, issuer, id string) (bool, error) {
	return s.any(ctx, "powers of attorney", `SELECT count(*) FROM transfer_case WHERE fund = $1 AND poa_issuer = $2 AND poa_id = $3 AND poa_id <> ''`,
		fund, issuer, id)
}

// ExpiredPoA implements store.Store. What the receiving fund has handed over is not its own to end.
func (s *Store) ExpiredPoA(ctx context.Context, today civil.Date, limit int) ([]store.Due, error) {
	return s.due(ctx, `SELECT transfer_id, fund FROM transfer_case WHERE is_open = 1 AND poa_to > 0 AND poa_to < $1 AND state BETWEEN 3 AND 7
		AND (side = 2 OR state < 4) ORDER BY poa_to, transfer_id, fund LIMIT $2`, int(today), limit)
}

// DayReached implements store.Store.
func (s *Store) DayReached(ctx context.Context, today civil.Date, limit int) ([]store.Due, error) {
	return s.due(ctx, `SELECT transfer_id, fund FROM transfer_case WHERE state = 8 AND undoing = 0 AND effective <= $1 ORDER BY effective, transfer_id, fund LIMIT $2`,
		int(today), limit)
}

// Addresses implements store.Store.
func (s *Store) Addresses(ctx context.Context, after store.Due, limit int) ([]store.Due, error) {
	return s.due(ctx, `SELECT transfer_id, fund FROM transfer_case WHERE address = 1 AND (transfer_id > $1 OR (transfer_id = $1 AND fund > $2))
		ORDER BY transfer_id, fund LIMIT $3`, after.ID, after.Fund, limit)
}

func (s *Store) due(ctx context.Context, query string, args ...any) ([]store.Due, error) {
	return list(ctx, s.db, "due transfers", query, func(scan func(...any) error, d *store.Due) error { return scan(&d.ID, &d.Fund) }, args...)
}

// SetAddress implements store.Store.
func (s *Store) SetAddress(ctx context.Context, id, fund string, a store.Address) error {
	_, err := s.db.Exec(ctx, `UPDATE transfer_case SET address = $1 WHERE transfer_id = $2 AND fund = $3`, int(a), id, fund)
	return failure("set address", err)
}
