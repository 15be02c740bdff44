package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/sqlkit"
)

const decisionColumns = `d.id, d.fund, d.member, d.kind, d.month, d.seq, d.state, d.created_at, d.decided_at, d.posted, d.answer_by, d.earlier, d.later, d.run, d.sealed`

// scan reads a row of decisionColumns and the member's handle.
func (s *Store) scan(rows *sqlkit.Rows, more ...any) (*core.Decision, error) {
	var (
		d                       = &core.Decision{}
		fund, created, decided  int64
		id, earlier, later, run []byte
		sealed                  []byte
		handle                  string
	)
	dest := append(make([]any, 0, decisionWidth+len(more)), &id, &fund, &d.Member, &d.Kind, &d.Month, &d.Seq, &d.State, &created, &decided, &d.Posted, &d.AnswerBy, &earlier, &later, &run, &sealed, &handle)
	if err := rows.Scan(append(dest, more...)...); err != nil {
		return nil, err
	}
	if len(id) != len(d.ID) {
		return nil, errShape
	}
	copy(d.ID[:], id)
	copy(d.Earlier[:], earlier)
	copy(d.Later[:], later)
	copy(d.Run[:], run)
	d.Handle, d.CreatedAt, d.DecidedAt = facts.Handle(handle), moment(created), moment(decided)
	plain, err := s.keys.Case.Decrypt(sealed, id)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: decision %s: %w", d.ID, err)
	}
	return d, decodeDecision(plain, d)
}

// sealedDecisions are rows that are ready to be inserted.
type sealedDecisions struct {
	args     []any
	count    int
	replaces []link
}

// link is a decision that one of the new ones replaces.
type link struct{ earlier, later core.ID }

const decisionHead = `INSERT INTO decision (id, fund, member, kind, month, seq, state, created_at, decided_at, posted, answer_by, retry_on, earlier, later, run, sealed) VALUES`

const decisionWidth = 16

// Seal implements core.Store.
func (s *Store) Seal(controller string, decisions []*core.Decision) (core.Sealed, error) {
	s.mu.RLock()
	fund := s.funds[controller]
	s.mu.RUnlock()
	out := &sealedDecisions{args: make([]any, 0, len(decisions)*decisionWidth), count: len(decisions)}
	for _, d := range decisions {
		plain, err := s.encodeDecision(d)
		if err != nil {
			return nil, err
		}
		sealed, err := s.keys.Case.Encrypt(plain, d.ID[:])
		if err != nil {
			return nil, err
		}
		d.Controller = controller
		out.args = append(out.args, d.ID[:], fund, d.Member, int64(d.Kind), int64(d.Month), int64(d.Seq), int64(d.State), micros(d.CreatedAt),
			micros(d.DecidedAt), int64(d.Posted), int64(d.AnswerBy), int64(retryOn(d)), idOrNull(d.Earlier), idOrNull(d.Later), idOrNull(d.Run), sealed)
		if !d.Earlier.IsZero() && !d.HumanOnly() {
			out.replaces = append(out.replaces, link{d.Earlier, d.ID})
		}
	}
	return out, nil
}

// retryOn is the day on which a decision that still stands is tried again.
func retryOn(d *core.Decision) civil.Date {
	if d.State == core.Open || (d.Partial && d.State != core.Superseded && d.State != core.Withdrawn) {
		return d.Retry
	}
	return 0
}

func idOrNull(id core.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// Write implements core.Store.
func (s *Store) Write(ctx context.Context, sealed core.Sealed) error {
	rows, ok := sealed.(*sealedDecisions)
	if !ok {
		return errShape
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.number(ctx, rows); err != nil {
			return err
		}
		if _, err := s.db.InsertRows(ctx, decisionHead, decisionWidth, rows.args); err != nil {
			if errors.Is(err, sqlkit.ErrUnique) {
				return core.ErrChanged
			}
			return err
		}
		for _, l := range rows.replaces {
			_, err := s.db.Exec(ctx, `UPDATE decision SET later = $1, retry_on = 0, state = CASE WHEN state IN (1, 3) THEN 8 ELSE state END WHERE id = $2`,
				l.later[:], l.earlier[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// number fills in the fund where it was not known when the rows were sealed: for the first decision about a controller.
func (s *Store) number(ctx context.Context, rows *sealedDecisions) error {
	for i := 0; i < rows.count; i++ {
		if rows.args[i*decisionWidth+1] != int64(0) {
			continue
		}
		var fund int64
		if err := s.db.QueryRow(ctx, `SELECT fund FROM member WHERE id = $1`, rows.args[i*decisionWidth+2]).Scan(&fund); err != nil {
			return notFound(err)
		}
		rows.args[i*decisionWidth+1] = fund
	}
	return nil
}

// Update implements core.Store.
func (s *Store) Update(ctx context.Context, before core.State, d *core.Decision) error {
	plain, err := s.encodeDecision(d)
	if err != nil {
		return err
	}
	sealed, err := s.keys.Case.Encrypt(plain, d.ID[:])
	if err != nil {
		return err
	}
	n, err := s.db.Exec(ctx, `UPDATE decision SET state = $1, decided_at = $2, posted = $3, answer_by = $4, retry_on = $5, later = $6, sealed = $7`+
		` WHERE id = $8 AND state = $9`,
		int64(d.State), micros(d.DecidedAt), int64(d.Posted), int64(d.AnswerBy), int64(retryOn(d)), idOrNull(d.Later), sealed, d.ID[:], int64(before))
	if err == nil && n == 0 {
		return core.ErrChanged
	}
	return err
}

const (
	decisionByID   = `SELECT ` + decisionColumns + `, m.handle FROM decision d JOIN member m ON m.id = d.member JOIN fund f ON f.id = d.fund WHERE d.id = $1 AND f.name = $2`
	decisionsOf    = `SELECT ` + decisionColumns + `, m.handle FROM decision d JOIN member m ON m.id = d.member WHERE d.member = $1 AND d.kind = $2 ORDER BY d.month, d.seq`
	decisionsDue   = `SELECT ` + decisionColumns + `, m.handle, mm.sealed FROM decision d JOIN member m ON m.id = d.member LEFT JOIN member_month mm ON mm.fund = d.fund AND mm.month = d.month AND mm.member = d.member WHERE d.state = 2 AND d.answer_by > 0 AND d.answer_by < $1 AND d.id > $2 ORDER BY d.id LIMIT $3`
	decisionsRetry = `SELECT ` + decisionColumns + `, m.handle FROM decision d JOIN member m ON m.id = d.member WHERE d.retry_on > 0 AND d.retry_on <= $1 AND d.id > $2 AND d.month >= $3 ORDER BY d.id LIMIT $4`
)

// Decision implements core.Store.
func (s *Store) Decision(ctx context.Context, controller string, id core.ID) (*core.Decision, error) {
	all, err := s.decisions(ctx, decisionByID, id[:], controller)
	if err == nil && len(all) == 0 {
		err = core.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	all[0].Controller = controller
	return all[0], nil
}

func (s *Store) decisions(ctx context.Context, query string, args ...any) (out []*core.Decision, err error) {
	err = s.each(ctx, query, args, func(rows *sqlkit.Rows) error {
		d, err := s.scan(rows)
		out = append(out, d)
		return err
	})
	return out, err
}

// Decisions implements core.Store.
func (s *Store) Decisions(ctx context.Context, controller string, member int64, kind core.Kind) ([]*core.Decision, error) {
	out, err := s.decisions(ctx, decisionsOf, member, int64(kind))
	for _, d := range out {
		d.Controller = controller
	}
	return out, err
}

// longest is how long a month is tried again: after a year a person asks for it or nobody does.
const longest = 12

// Due implements core.Store.
func (s *Store) Due(ctx context.Context, day civil.Date, after core.ID, limit int) (out []core.DueDecision, err error) {
	var months [][]byte
	var funds []int64
	err = s.each(ctx, decisionsDue, []any{int64(day), after[:], limit}, func(rows *sqlkit.Rows) error {
		var month []byte
		d, err := s.scan(rows, &month)
		out, months = append(out, core.DueDecision{Decision: d}), append(months, month)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		controller, _, err := s.HandleOf(ctx, out[i].Member)
		if err != nil {
			return nil, err
		}
		fund, err := s.fund(ctx, controller)
		if err != nil {
			return nil, err
		}
		funds = append(funds, fund)
		out[i].Controller = controller
		if out[i].Now, err = s.openMonth(months[i], funds[i], out[i].Decision); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Retry implements core.Store.
func (s *Store) Retry(ctx context.Context, day civil.Date, after core.ID, limit int) ([]*core.Decision, error) {
	return s.decisions(ctx, decisionsRetry, int64(day), after[:], int64(day.Month()-longest), limit)
}
