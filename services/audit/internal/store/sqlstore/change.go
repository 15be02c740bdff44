package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// Erase implements store.Store.
func (s *Store) Erase(ctx context.Context, shard uint32, limit int) (int, error) {
	n, err := s.db.Exec(ctx, `UPDATE ledger_record SET sealed = NULL, subject = NULL, case_digest = NULL WHERE id IN (
 SELECT id FROM ledger_record WHERE id >= $1 AND id < $2 AND register = 0 AND sealed IS NOT NULL ORDER BY id LIMIT $3)`,
		int64(store.Place(shard, 0)), int64(store.Place(shard+1, 0)), limit)
	if err != nil {
		return 0, fmt.Errorf("erase: %w", err)
	}
	return int(n), nil
}

// Drop implements store.Store.
func (s *Store) Drop(ctx context.Context, shard uint32, checkpoint string, limit int) (int, error) {
	var n int64
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		n, err = s.db.Exec(ctx, `DELETE FROM ledger_record WHERE id IN (SELECT id FROM ledger_record WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3)`,
			int64(store.Place(shard, 0)), int64(store.Place(shard+1, 0)), limit)
		if err != nil || n > 0 {
			return err
		}
		_, err = s.db.Exec(ctx, `UPDATE ledger_shard SET dropped = 1, checkpoint = $2 WHERE number = $1`, shard, checkpoint)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("drop: %w", err)
	}
	return int(n), nil
}

// PutAccess implements store.Store.
func (s *Store) PutAccess(ctx context.Context, a store.Access) error {
	_, err := s.db.Exec(ctx, `INSERT INTO ledger_access (id, organisation, owner, reason, requester, approver, requested_at, expires_at)
 VALUES ($1, $2, $3, $4, $5, '', $6, NULL)`, a.ID, a.Organisation, a.Owner, int64(a.Reason), a.Requester, sqlkit.Micros(a.Requested))
	if err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return nil
}

// Access implements store.Store.
func (s *Store) Access(ctx context.Context, id string) (store.Access, error) {
	a := store.Access{ID: id}
	var requested int64
	var expires sql.NullInt64
	err := s.db.QueryRow(ctx, `SELECT organisation, owner, reason, requester, approver, requested_at, expires_at FROM ledger_access WHERE id = $1`, id).
		Scan(&a.Organisation, &a.Owner, &a.Reason, &a.Requester, &a.Approver, &requested, &expires)
	switch {
	case errors.Is(err, sqlkit.ErrNotFound):
		return a, store.ErrNotFound
	case err != nil:
		return a, fmt.Errorf("access: %w", err)
	}
	a.Requested, a.Expires = sqlkit.Time(requested), sqlkit.NullTime(expires)
	return a, nil
}

// Approve implements store.Store.
func (s *Store) Approve(ctx context.Context, id, approver string, expires time.Time) error {
	n, err := s.db.Exec(ctx, `UPDATE ledger_access SET approver = $2, expires_at = $3 WHERE id = $1 AND expires_at IS NULL`, id, approver, sqlkit.Micros(expires))
	switch {
	case err != nil:
		return fmt.Errorf("access: %w", err)
	case n == 1:
		return nil
	}
	if _, err := s.Access(ctx, id); err != nil {
		return err
	}
	return store.ErrState
}
