package sqlstore

import (
	"context"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/store"
)

// PutPart implements store.Store.
func (s *Store) PutPart(ctx context.Context, id, fund string, p store.Part) error {
	_, err := s.db.Exec(ctx, `INSERT INTO transfer_part (transfer_id, fund, part, kind, is_last, content, digest, signature)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id, fund, p.Number, int(p.Kind), bit(p.Last), blob(p.Content), p.Digest, p.Signature)
	return failure("put part", err)
}

// Parts implements store.Store.
func (s *Store) Parts(ctx context.Context, id, fund string, after, limit int) ([]store.Part, error) {
	return list(ctx, s.db, "parts", `SELECT part, kind, is_last, content, digest, signature FROM transfer_part
		WHERE transfer_id = $1 AND fund = $2 AND part > $3 ORDER BY part LIMIT $4`, func(scan func(...any) error, p *store.Part) error {
		var last int
		err := scan(&p.Number, &p.Kind, &last, &p.Content, &p.Digest, &p.Signature)
		p.Last = last == 1
		return err
	}, id, fund, after, limit)
}

// DropParts implements store.Store.
func (s *Store) DropParts(ctx context.Context, id, fund string) (int, error) {
	n, err := s.db.Exec(ctx, `UPDATE transfer_part SET content = NULL WHERE transfer_id = $1 AND fund = $2 AND content IS NOT NULL`, id, fund)
	return int(n), failure("drop parts", err)
}

// Certify implements store.Store.
func (s *Store) Certify(ctx context.Context, id, fund string, e store.Erasure) error {
	_, err := s.db.Exec(ctx, `INSERT INTO transfer_erasure (transfer_id, fund, erased_at, parts, rule, digest) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, fund, sqlkit.Micros(e.At), e.Parts, e.Rule, e.Digest)
	return failure("certify", err)
}

// Certificate implements store.Store.
func (s *Store) Certificate(ctx context.Context, id, fund string) (store.Erasure, error) {
	var e store.Erasure
	var at int64
	err := s.db.QueryRow(ctx, `SELECT erased_at, parts, rule, digest FROM transfer_erasure WHERE transfer_id = $1 AND fund = $2`, id, fund).
		Scan(&at, &e.Parts, &e.Rule, &e.Digest)
	e.At = sqlkit.Time(at)
	return e, failure("certificate", err)
}

// PutKey implements store.Store.
func (s *Store) PutKey(ctx context.Context, fund string, k store.Key, at time.Time) error {
	_, err := s.db.Exec(ctx, `INSERT INTO fund_key (fund, key_id, sealed, public, created_at) VALUES ($1, $2, $3, $4, $5)`,
		fund, int64(k.ID), k.Sealed, k.Public, sqlkit.Micros(at))
	return failure("put key", err)
}

// Keys implements store.Store.
func (s *Store) Keys(ctx context.Context, fund string) ([]store.Key, error) {
	return list(ctx, s.db, "keys", `SELECT key_id, sealed, public FROM fund_key WHERE fund = $1 ORDER BY created_at DESC, key_id`,
		func(scan func(...any) error, k *store.Key) error {
			var id int64
			err := scan(&id, &k.Sealed, &k.Public)
			k.ID = uint32(id) //nolint:gosec // written from one
			return err
		}, fund)
}

// Send implements store.Store.
func (s *Store) Send(ctx context.Context, m store.Message) error {
	_, err := s.db.Exec(ctx, `INSERT INTO transfer_message (transfer_id, fund, seq, other, lane, body, next_try) VALUES ($1, $2, $3, $4, $5, $6, 0)`,
		m.TransferID, m.Fund, m.Seq, m.Other, m.Lane, m.Body)
	return failure("send", err)
}

// Unsent implements store.Store.
func (s *Store) Unsent(ctx context.Context, fund, other string, lane int, now time.Time, limit int) ([]store.Message, error) {
	return list(ctx, s.db, "unsent", `SELECT id, transfer_id, seq, body, tries FROM transfer_message AS m
		WHERE fund = $1 AND other = $2 AND lane = $3 AND next_try <= $4 AND NOT EXISTS (SELECT 1 FROM transfer_message AS p
		WHERE p.transfer_id = m.transfer_id AND p.fund = m.fund AND p.next_try = `+never+`) ORDER BY id LIMIT $5`, func(scan func(...any) error, m *store.Message) error {
		m.Fund, m.Other, m.Lane = fund, other, lane
		return scan(&m.ID, &m.TransferID, &m.Seq, &m.Body, &m.Tries)
	}, fund, other, lane, sqlkit.Micros(now), limit)
}

// Lanes implements store.Store.
func (s *Store) Lanes(ctx context.Context) ([]store.Message, error) {
	return list(ctx, s.db, "lanes", `SELECT DISTINCT fund, other, lane FROM transfer_message WHERE next_try < `+never, func(scan func(...any) error, m *store.Message) error {
		return scan(&m.Fund, &m.Other, &m.Lane)
	})
}

// never is the next try of a message that is parked.
const never = `9223372036854775807`

// Park implements store.Store.
func (s *Store) Park(ctx context.Context, transferID, fund string) error {
	_, err := s.db.Exec(ctx, `UPDATE transfer_message SET next_try = `+never+` WHERE transfer_id = $1 AND fund = $2`, transferID, fund)
	return failure("park", err)
}

// Unpark implements store.Store.
func (s *Store) Unpark(ctx context.Context, transferID, fund string) error {
	_, err := s.db.Exec(ctx, `UPDATE transfer_message SET next_try = 0, tries = 0 WHERE transfer_id = $1 AND fund = $2`, transferID, fund)
	return failure("unpark", err)
}

// Sent implements store.Store.
func (s *Store) Sent(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, `DELETE FROM transfer_message WHERE id = $1`, id)
	return failure("sent", err)
}

// Later implements store.Store.
func (s *Store) Later(ctx context.Context, id int64, next time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE transfer_message SET next_try = $1, tries = tries + 1 WHERE id = $2`, sqlkit.Micros(next), id)
	return failure("later", err)
}
