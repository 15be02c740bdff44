package sqlstore

import (
	"context"
	"database/sql"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

func scanPeriod(scan func(...any) error, p *store.Period) error {
	return scan(&p.Fund, &p.First, &p.Last, &p.TransferID)
}

// PeriodOf implements store.Store.
func (s *Store) PeriodOf(ctx context.Context, subject []byte, day civil.Date) (store.Period, error) {
	var p store.Period
	err := scanPeriod(s.db.QueryRow(ctx, `SELECT fund, first_day, last_day, transfer_id FROM fund_period
		WHERE subject = $1 AND last_day >= $2 AND first_day <= $2 ORDER BY last_day LIMIT 1`, subject, int(day)).Scan, &p)
	return p, failure("period", err)
}

// Timeline implements store.Store.
func (s *Store) Timeline(ctx context.Context, subject []byte) ([]store.Period, error) {
	return list(ctx, s.db, "timeline", `SELECT fund, first_day, last_day, transfer_id FROM fund_period WHERE subject = $1 ORDER BY last_day`,
		scanPeriod, subject)
}

const insertPeriod = `INSERT INTO fund_period (subject, fund, first_day, last_day, previous_last, transfer_id) VALUES ($1, $2, $3, $4, $5, $6)`

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, subject []byte, p store.Period) error {
	_, err := s.db.Exec(ctx, insertPeriod, subject, p.Fund, int(p.First), int(store.Forever), sql.NullInt64{}, p.TransferID)
	return failure("begin period", err)
}

// Move implements store.Store.
func (s *Store) Move(ctx context.Context, subject []byte, from, to string, day civil.Date, transferID string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		now, err := s.PeriodOf(ctx, subject, day)
		if err == nil && now.Fund == to && now.First == day && now.TransferID == transferID {
			return nil
		}
		n, err := s.db.Exec(ctx, `UPDATE fund_period SET last_day = $1 WHERE subject = $2 AND last_day = $3 AND fund = $4`,
			int(day-1), subject, int(store.Forever), from)
		switch {
		case err != nil:
			return failure("end period", err)
		case n != 1:
			return store.ErrInvariant
		}
		_, err = s.db.Exec(ctx, insertPeriod, subject, to, int(day), int(store.Forever), int(day-1), transferID)
		return failure("begin period", err)
	})
}

// Undo implements store.Store.
func (s *Store) Undo(ctx context.Context, subject []byte, from, to string, day civil.Date, transferID string) (done bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		now, err := s.PeriodOf(ctx, subject, store.Forever)
		switch {
		case err != nil:
			return err
		case now.Fund == from:
			done = true
			return nil
		case now.Fund != to || now.First != day || now.TransferID != transferID:
			return nil
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM fund_period WHERE subject = $1 AND last_day = $2`, subject, int(store.Forever)); err != nil {
			return failure("undo period", err)
		}
		n, err := s.db.Exec(ctx, `UPDATE fund_period SET last_day = $1 WHERE subject = $2 AND last_day = $3 AND fund = $4`,
			int(store.Forever), subject, int(day-1), from)
		if err == nil && n != 1 {
			return store.ErrInvariant
		}
		done = true
		return failure("undo period", err)
	})
	return done, err
}
