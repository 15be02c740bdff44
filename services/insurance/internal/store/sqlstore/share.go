package sqlstore

import (
	"context"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/sqlkit"
)

const shareColumns = `s.id, s.controller, s.partner, s.member_id, m.handle, s.subject, s.purpose, s.basis, s.special, s.fields, s.until_at,
	s.max_reads, s.reads, s.document, s.stopped, s.delivered, s.created_at`

const shareFrom = `SELECT ` + shareColumns + ` FROM share s JOIN member m ON m.id = s.member_id`

const shareColumnCount = 17

func (s *Store) share(ctx context.Context, query string, args ...any) (*core.Share, error) {
	found, err := s.shares(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, core.ErrNotFound
	}
	return &found[0], nil
}

func (s *Store) shares(ctx context.Context, query string, args ...any) ([]core.Share, error) {
	found, err := s.ask(ctx, question{op: "shares", query: query, columns: shareColumnCount}, args...)
	if err != nil {
		return nil, err
	}
	out := make([]core.Share, len(found))
	for i, c := range found {
		out[i] = c.share()
	}
	return out, nil
}

// ShareFor implements core.Book.
func (s *Store) ShareFor(ctx context.Context, box core.Box, member int64, document string) (*core.Share, error) {
	return s.share(ctx, shareFrom+` WHERE s.controller = $1 AND s.partner = $2 AND s.member_id = $3 AND s.purpose = $4 AND s.document = $5`,
		box.Controller, box.Partner, member, string(box.Purpose), document)
}

// ShareBySubject implements core.Book.
func (s *Store) ShareBySubject(ctx context.Context, box core.Box, subject string) (*core.Share, error) {
	return s.share(ctx, shareFrom+` WHERE s.controller = $1 AND s.partner = $2 AND s.subject = $3 AND s.purpose = $4
		ORDER BY s.stopped, s.created_at DESC, s.id DESC LIMIT 1`, box.Controller, box.Partner, subject, string(box.Purpose))
}

// SharesOf implements core.Book.
func (s *Store) SharesOf(ctx context.Context, member int64) ([]core.Share, error) {
	return s.shares(ctx, shareFrom+` WHERE s.member_id = $1 AND s.stopped = 0 ORDER BY s.id`, member)
}

// SharesAfter implements core.Book.
func (s *Store) SharesAfter(ctx context.Context, after int64, limit int) ([]core.Share, error) {
	return s.shares(ctx, shareFrom+` WHERE s.id > $1 AND s.stopped = 0 ORDER BY s.id LIMIT $2`, after, int64(limit))
}

// PutShare implements core.Book.
func (s *Store) PutShare(ctx context.Context, one *core.Share) error {
	values := []any{
		one.Controller, one.Partner, one.Member, one.Subject, string(one.Purpose), string(one.Basis), string(one.Special), int64(one.Fields),
		moment(one.Until), one.MaxReads, one.Reads, one.Document, flag(one.Stopped), flag(one.Delivered), sqlkit.Micros(one.CreatedAt),
	}
	if one.ID != 0 {
		n, err := s.exec(ctx, "put share", `UPDATE share SET controller = $1, partner = $2, member_id = $3, subject = $4, purpose = $5, basis = $6,
			special = $7, fields = $8, until_at = $9, max_reads = $10, reads = $11, document = $12, stopped = $13, delivered = $14, created_at = $15
			WHERE id = $16`, append(values, one.ID)...)
		if err == nil && n == 0 {
			return core.ErrNotFound
		}
		return err
	}
	return failure("put share", s.db.InTx(ctx, func(ctx context.Context) error {
		return s.db.QueryRow(ctx, `INSERT INTO share (controller, partner, member_id, subject, purpose, basis, special, fields, until_at, max_reads,
			reads, document, stopped, delivered, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id`, values...).Scan(&one.ID)
	}))
}

func key(box core.Box, more ...any) []any {
	return append([]any{box.Controller, box.Partner, string(box.Purpose), string(box.Basis)}, more...)
}

// Append implements core.Book.
func (s *Store) Append(ctx context.Context, box core.Box, share int64, kind core.ItemKind, now time.Time) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		var seq int64
		err := s.db.QueryRow(ctx, `INSERT INTO mailbox (controller, partner, purpose, basis, last_seq, confirmed) VALUES ($1, $2, $3, $4, 1, 0)
			ON CONFLICT (controller, partner, purpose, basis) DO UPDATE SET last_seq = mailbox.last_seq + 1 RETURNING last_seq`, key(box)...).Scan(&seq)
		if err != nil {
			return failure("advance mailbox", err)
		}
		_, err = s.exec(ctx, "append", `INSERT INTO item (controller, partner, purpose, basis, seq, share_id, kind, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, key(box, seq, share, int64(kind), sqlkit.Micros(now))...)
		return err
	})
}

// Confirm implements core.Book.
func (s *Store) Confirm(ctx context.Context, box core.Box, seq int64) error {
	_, err := s.exec(ctx, "confirm", `UPDATE mailbox SET confirmed = $5
		WHERE controller = $1 AND partner = $2 AND purpose = $3 AND basis = $4 AND confirmed < $5 AND last_seq >= $5`, key(box, seq)...)
	return err
}

// ForgetItems implements core.Book.
func (s *Store) ForgetItems(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.exec(ctx, "forget items", `DELETE FROM item WHERE (controller, partner, purpose, basis, seq) IN (
		SELECT i.controller, i.partner, i.purpose, i.basis, i.seq FROM item i JOIN mailbox b
			ON b.controller = i.controller AND b.partner = i.partner AND b.purpose = i.purpose AND b.basis = i.basis
		WHERE i.created_at < $1 AND i.seq <= b.confirmed ORDER BY i.created_at LIMIT $2)`, sqlkit.Micros(before), limit)
}

// AddDisclosures implements core.Book.
func (s *Store) AddDisclosures(ctx context.Context, list []core.Disclosure) error {
	const columns = 11
	args := make([]any, 0, len(list)*columns)
	for _, d := range list {
		args = append(args, d.Controller, d.Member, int64(d.Kind), d.Partner, d.Name, string(d.Class), int64(d.Fields), string(d.Purpose),
			string(d.Basis), sqlkit.Micros(d.At), d.EventID)
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.InsertRows(ctx, `INSERT INTO disclosure
			(controller, member_id, kind, partner, name, class, fields, purpose, basis, disclosed_at, event_id) VALUES`, columns, args)
		return failure("disclosures", err)
	})
}

// Disclosures implements core.Book.
func (s *Store) Disclosures(ctx context.Context, member, before int64, limit int) (out []core.Disclosure, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	err = s.each(ctx, "disclosures", func(scan func(...any) error) error {
		d := core.Disclosure{Member: member}
		var at int64
		if err := scan(&d.ID, &d.Controller, &d.Kind, &d.Partner, &d.Name, &d.Class, &d.Fields, &d.Purpose, &d.Basis, &at, &d.EventID); err != nil {
			return err
		}
		d.At = sqlkit.Time(at)
		out = append(out, d)
		return nil
	}, `SELECT id, controller, kind, partner, name, class, fields, purpose, basis, disclosed_at, event_id FROM disclosure
		WHERE member_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, member, before, limit)
	return out, err
}

// ForgetDisclosures implements core.Book.
func (s *Store) ForgetDisclosures(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.exec(ctx, "forget disclosures", `DELETE FROM disclosure WHERE id IN
		(SELECT id FROM disclosure WHERE disclosed_at < $1 ORDER BY disclosed_at LIMIT $2)`, sqlkit.Micros(before), limit)
}
