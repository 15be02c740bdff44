package sqlstore

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/platform/sqlkit"
)

const runColumns = `r.id, f.name, r.month, r.state, r.planned, r.total, r.started_at, r.ended_at`

func scanRun(scan func(...any) error) (core.Run, error) {
	var r core.Run
	var id []byte
	var started, ended, planned int64
	if err := scan(&id, &r.Controller, &r.Month, &r.State, &planned, &r.Total, &started, &ended); err != nil {
		return core.Run{}, notFound(err)
	}
	copy(r.ID[:], id)
	r.Planned, r.Started, r.Ended = planned == 1, moment(started), moment(ended)
	return r, nil
}

// NewRun implements core.RunStore.
func (s *Store) NewRun(ctx context.Context, r core.Run) (out core.Run, fresh bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		fund, err := s.fund(ctx, r.Controller)
		if err != nil {
			return err
		}
		n, err := s.db.Exec(ctx, `INSERT INTO run (id, fund, month, state, planned, total, started_at, ended_at) VALUES ($1, $2, $3, 1, 0, 0, $4, 0)`+
			` ON CONFLICT DO NOTHING`, r.ID[:], fund, int64(r.Month), micros(r.Started))
		if err != nil {
			return err
		}
		fresh = n == 1
		out, err = scanRun(s.db.QueryRow(ctx, `SELECT `+runColumns+` FROM run r JOIN fund f ON f.id = r.fund WHERE r.fund = $1 AND r.month = $2 AND r.state = 1`,
			fund, int64(r.Month)).Scan)
		return err
	})
	return out, fresh, err
}

// Run implements core.RunStore.
func (s *Store) Run(ctx context.Context, controller string, id core.ID) (core.Run, error) {
	r, err := scanRun(s.db.QueryRow(ctx, `SELECT `+runColumns+` FROM run r JOIN fund f ON f.id = r.fund WHERE r.id = $1 AND f.name = $2`, id[:], controller).Scan)
	if err != nil {
		return core.Run{}, err
	}
	err = s.each(ctx, `SELECT outcome, CAST(SUM(members) AS BIGINT), CAST(SUM(notices) AS BIGINT) FROM run_tally WHERE run = $1 GROUP BY outcome ORDER BY outcome`,
		[]any{id[:]}, func(rows *sqlkit.Rows) error {
			var t core.Tally
			err := rows.Scan(&t.Outcome, &t.Members, &t.Notices)
			r.Outcomes = append(r.Outcomes, t)
			r.Done += t.Members
			return err
		})
	return r, err
}

// HasRun implements core.RunStore.
func (s *Store) HasRun(ctx context.Context, controller string, month civil.Month) (bool, error) {
	var n int64
	err := s.db.QueryRow(ctx, `SELECT count(*) FROM run r JOIN fund f ON f.id = r.fund WHERE f.name = $1 AND r.month = $2 AND r.state <= 2`, controller, int64(month)).Scan(&n)
	return n > 0, err
}

// EndRun implements core.RunStore.
func (s *Store) EndRun(ctx context.Context, id core.ID, state core.RunState, at time.Time) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE run SET state = $1, ended_at = $2 WHERE id = $3 AND state = 1`, int64(state), micros(at), id[:])
	return n == 1, err
}

// Complete implements core.RunStore.
func (s *Store) Complete(ctx context.Context, run core.ID, at time.Time) (bool, error) {
	n, err := s.db.Exec(ctx, `UPDATE run SET state = 2, ended_at = $1 WHERE id = $2 AND state = 1 AND planned = 1`+
		` AND NOT EXISTS (SELECT 1 FROM run_chunk c WHERE c.run = $2 AND c.done = 0)`, micros(at), run[:])
	return n == 1, err
}

// Plan implements core.RunStore. Members who come while it runs may be left out: they are matched on their own.
func (s *Store) Plan(ctx context.Context, r core.Run, size int) error {
	fund, err := s.fund(ctx, r.Controller)
	if err != nil {
		return err
	}
	args, total, err := s.cut(ctx, fund, r, size)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `UPDATE run SET planned = 1, total = $1 WHERE id = $2 AND planned = 0 AND state = 1`, total, r.ID[:])
		if err != nil || n == 0 {
			return err // another replica was faster, or the run has ended
		}
		if len(args) == 0 {
			return nil
		}
		_, err = s.db.InsertRows(ctx, `INSERT INTO run_chunk (run, chunk, first, last, members, done, claimed_until) VALUES`, chunkWidth, args)
		return err
	})
}

const chunkWidth = 7

// cut cuts the members of a month into chunks of size members; only the last of each is read.
func (s *Store) cut(ctx context.Context, fund int64, r core.Run, size int) (args []any, total int64, err error) {
	const (
		full = `SELECT member FROM member_month WHERE fund = $1 AND month = $2 AND member > $3 ORDER BY member LIMIT 1 OFFSET $4`
		rest = `SELECT count(*), COALESCE(max(member), 0) FROM member_month WHERE fund = $1 AND month = $2 AND member > $3`
	)
	var after, last, members int64
	add := func() {
		args = append(args, r.ID[:], int64(len(args)/chunkWidth), after+1, last, members, int64(0), int64(0))
		total += members
		after = last
	}
	for members = int64(size); ; add() {
		err := s.db.QueryRow(ctx, full, fund, int64(r.Month), after, size-1).Scan(&last)
		if errors.Is(err, sqlkit.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if err := s.db.QueryRow(ctx, rest, fund, int64(r.Month), after).Scan(&members, &last); err != nil {
		return nil, 0, err
	}
	if members > 0 {
		add()
	}
	return args, total, nil
}

// Claim implements core.RunStore.
func (s *Store) Claim(ctx context.Context, run core.ID, now, until time.Time) (core.Chunk, bool, error) {
	var c core.Chunk
	ok := false
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		ok = false
		err := s.db.QueryRow(ctx, `SELECT c.chunk, c.first, c.last, c.members FROM run_chunk c JOIN run r ON r.id = c.run`+
			` WHERE c.run = $1 AND c.done = 0 AND c.claimed_until < $2 AND r.state = 1 ORDER BY c.claimed_until, c.chunk LIMIT 1`,
			run[:], micros(now)).Scan(&c.Number, &c.From, &c.To, &c.Members)
		if errors.Is(err, sqlkit.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := s.db.Exec(ctx, `UPDATE run_chunk SET claimed_until = $1 WHERE run = $2 AND chunk = $3 AND done = 0 AND claimed_until < $4`,
			micros(until), run[:], int64(c.Number), micros(now))
		ok = n == 1
		return err
	})
	return c, ok, err
}

// Finish implements core.RunStore.
func (s *Store) Finish(ctx context.Context, run core.ID, c core.Chunk, tallies []core.Tally, _ time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `UPDATE run_chunk SET done = 1 WHERE run = $1 AND chunk = $2 AND done = 0`, run[:], int64(c.Number))
		if err != nil {
			return err
		}
		if n == 0 {
			return core.ErrDone
		}
		args := make([]any, 0, len(tallies)*5)
		for _, t := range tallies {
			args = append(args, run[:], int64(c.Number), t.Outcome, t.Members, t.Notices)
		}
		_, err = s.db.InsertRows(ctx, `INSERT INTO run_tally (run, chunk, outcome, members, notices) VALUES`, 5, args)
		return err
	})
}

// Unfinished implements core.RunStore.
func (s *Store) Unfinished(ctx context.Context, now time.Time) (out []core.Run, err error) {
	query := `SELECT ` + runColumns + ` FROM run r JOIN fund f ON f.id = r.fund WHERE r.state = 1 AND (r.planned = 0` +
		` OR NOT EXISTS (SELECT 1 FROM run_chunk c WHERE c.run = r.id AND c.done = 0 AND c.claimed_until >= $1))`
	err = s.each(ctx, query, []any{micros(now)}, func(rows *sqlkit.Rows) error {
		r, err := scanRun(rows.Scan)
		out = append(out, r)
		return err
	})
	return out, err
}
