package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

const (
	insertHead = `INSERT INTO ledger_record (id, event, item, service, rpc, caller, owner, purpose, decision, status, outcome, started_at, lasted, received_at,
 trace, case_digest, subject, register, leaf, sealed) VALUES`
	insertColumns = 20
)

// Append implements store.Store. First it takes it that all rows are new, as they nearly always are; the unique index says so if not, and only
// then is asked which of them are.
func (s *Store) Append(ctx context.Context, shard uint32, rows []store.Row) (int, error) {
	numbers, err := s.numbers(ctx, rows)
	if err != nil {
		return 0, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error { return s.insert(ctx, shard, rows, numbers) })
	if !errors.Is(err, sqlkit.ErrUnique) {
		return len(rows), err
	}
	var fresh []store.Row
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if fresh, err = s.missing(ctx, rows); err != nil || len(fresh) == 0 {
			return err
		}
		return s.insert(ctx, shard, fresh, numbers)
	})
	return len(fresh), err
}

// numbers returns the numbers of all names in the rows.
func (s *Store) numbers(ctx context.Context, rows []store.Row) (map[string]int64, error) {
	out := map[string]int64{}
	for i := range rows {
		for _, name := range [...]string{rows[i].Service, rows[i].RPC, rows[i].Caller, rows[i].Owner} {
			if _, known := out[name]; known || name == "" {
				continue
			}
			id, err := s.names.id(ctx, name)
			if err != nil {
				return nil, err
			}
			out[name] = id
		}
	}
	return out, nil
}

// missing returns the rows that are not there yet, each once.
func (s *Store) missing(ctx context.Context, rows []store.Row) ([]store.Row, error) {
	type key struct {
		event [16]byte
		item  uint32
	}
	seen := map[key]bool{}
	var out []store.Row
	for _, r := range rows {
		k := key{r.Event, r.Item}
		if seen[k] {
			continue
		}
		seen[k] = true
		var one int
		err := s.db.QueryRow(ctx, `SELECT 1 FROM ledger_record WHERE event = $1 AND item = $2`, r.Event[:], r.Item).Scan(&one)
		switch {
		case errors.Is(err, sqlkit.ErrNotFound):
			out = append(out, r)
		case err != nil:
			return nil, fmt.Errorf("append: %w", err)
		}
	}
	return out, nil
}

// insert gives the rows their places and writes them. The update of the shard's size locks it until the commit, so that places are dense
// and become visible in their order.
func (s *Store) insert(ctx context.Context, shard uint32, rows []store.Row, numbers map[string]int64) error {
	first, err := s.reserve(ctx, shard, len(rows))
	if err != nil {
		return err
	}
	args := make([]any, 0, len(rows)*insertColumns)
	for i := range rows {
		r := &rows[i]
		r.ID = store.Place(shard, first+uint64(i))
		args = append(args, int64(r.ID), r.Event[:], int64(r.Item), numbers[r.Service], numbers[r.RPC], nullNumber(r.Caller, numbers), nullNumber(r.Owner, numbers),
			int64(r.Purpose), int64(r.Decision), int64(r.Status), int64(r.Outcome), sqlkit.Micros(r.Started), r.Lasted.Microseconds(), sqlkit.Micros(r.Received),
			nullBytes(r.Trace), nullBytes(r.Case), nullText(r.Subject), flag(r.Register), r.Leaf[:], r.Sealed)
	}
	if _, err := s.db.InsertRows(ctx, insertHead, insertColumns, args); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return s.count(ctx, rows, numbers)
}

// reserve takes n places at the end of the shard and returns the first.
func (s *Store) reserve(ctx context.Context, shard uint32, n int) (uint64, error) {
	for {
		var size uint64
		err := s.db.QueryRow(ctx, `UPDATE ledger_shard SET size = size + $1 WHERE number = $2 AND dropped = 0 RETURNING size`, n, shard).Scan(&size)
		if err == nil {
			return size - uint64(n), nil //nolint:gosec // not negative
		}
		if !errors.Is(err, sqlkit.ErrNotFound) {
			return 0, fmt.Errorf("append: %w", err)
		}
		made, err := s.db.Exec(ctx, `INSERT INTO ledger_shard (number, size, checkpoint, dropped) VALUES ($1, 0, '', 0) ON CONFLICT (number) DO NOTHING`, shard)
		if err != nil {
			return 0, fmt.Errorf("append: %w", err)
		}
		if made == 0 {
			return 0, fmt.Errorf("append: shard %d was dropped", shard)
		}
	}
}

type countKey struct {
	minute, rpc, service int64
	outcome              store.Outcome
	class                int
}

func (s *Store) count(ctx context.Context, rows []store.Row, numbers map[string]int64) error {
	counts := map[countKey]int64{}
	for i := range rows {
		r := &rows[i]
		counts[countKey{minute(r.Started), numbers[r.RPC], numbers[r.Service], r.Outcome, store.ClassOf(r.Lasted)}]++
	}
	for k, n := range counts {
		_, err := s.db.Exec(ctx, `INSERT INTO ledger_count (minute, rpc, service, outcome, class, calls) VALUES ($1, $2, $3, $4, $5, $6)
 ON CONFLICT (minute, rpc, service, outcome, class) DO UPDATE SET calls = ledger_count.calls + excluded.calls`,
			k.minute, k.rpc, k.service, int64(k.outcome), k.class, n)
		if err != nil {
			return fmt.Errorf("count: %w", err)
		}
	}
	return nil
}

func nullNumber(name string, numbers map[string]int64) any {
	if name == "" {
		return nil
	}
	return numbers[name]
}

func nullBytes(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
