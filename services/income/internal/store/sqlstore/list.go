package sqlstore

import (
	"context"
	"fmt"

	"samvirke.dev/services/income/internal/core"
)

// List implements core.Store.
func (s *Store) List(ctx context.Context, controller string, q core.Listing) ([]*core.Decision, error) {
	fund, err := s.fund(ctx, controller)
	if err != nil {
		return nil, err
	}
	query, args := listing(fund, q)
	return s.decisions(ctx, query, args...)
}

// listing is the statement of a list and its arguments. States stand in the text, because each kind of list has a partial index of its own.
func listing(fund int64, q core.Listing) (query string, args []any) {
	query, args = `SELECT `+decisionColumns+`, m.handle FROM decision d JOIN member m ON m.id = d.member WHERE d.fund = $1`, []any{fund}
	and := func(condition string, arg any) {
		args = append(args, arg)
		query += fmt.Sprintf(" AND "+condition, len(args))
	}
	order := "d.id"
	if q.State == core.DecidedAuto {
		order = "d.decided_at, d.id"
		args = append(args, micros(q.Since), q.After[:])
		query += ` AND d.state = 5 AND (d.decided_at, d.id) > ($2, $3)`
	} else {
		query += ` AND d.state <= 4`
		and("d.state = $%d", int64(q.State))
		and("d.id > $%d", q.After[:])
	}
	if q.Unposted {
		query += ` AND d.posted = 0`
	}
	if q.Month != 0 {
		and("d.month = $%d", int64(q.Month))
	}
	if !q.Run.IsZero() {
		and("d.run = $%d", q.Run[:])
	}
	args = append(args, q.Limit)
	return query + fmt.Sprintf(" ORDER BY %s LIMIT $%d", order, len(args)), args
}
