package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// Gathered is a Store whose look-ups by number share queries: whoever asks while another query is under way is answered together with
// all who do the same. A query for twenty persons costs a fraction of twenty queries. Nothing is remembered between queries.
type Gathered struct {
	*Store
	batch *sqlkit.Batcher[*lookup]
}

// lookup is one caller's question and, when its batch is done, the answer.
type lookup struct {
	candidates []store.Index
	row        store.Row
	found      bool
}

// maxGather is how many look-ups share a query at most.
const maxGather = 32

// Gather returns the store with shared look-ups. Close it before the database.
func Gather(ctx context.Context, s *Store) *Gathered {
	g := &Gathered{Store: s}
	g.batch = sqlkit.NewBatcher(ctx, sqlkit.BatchConfig{MaxBatch: maxGather}, g.answer)
	return g
}

// Close answers those who wait and stops.
func (g *Gathered) Close(ctx context.Context) error { return g.batch.Close(ctx) }

// ByIndex implements store.Store. Within a transaction it asks alone, so that it sees what the transaction has done.
func (g *Gathered) ByIndex(ctx context.Context, candidates []store.Index) (store.Row, error) {
	if len(candidates) == 0 || g.db.InTransaction(ctx) {
		return g.Store.ByIndex(ctx, candidates)
	}
	l := &lookup{candidates: candidates}
	if err := g.batch.Add(ctx, l); err != nil {
		return store.Row{}, failure("look up", err)
	}
	if !l.found {
		return store.Row{}, store.ErrNotFound
	}
	return l.row, nil
}

// answer looks all up together; a lone one goes the short way.
func (g *Gathered) answer(ctx context.Context, batch []*lookup) error {
	if len(batch) == 1 {
		row, err := g.Store.ByIndex(ctx, batch[0].candidates)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		batch[0].row, batch[0].found = row, err == nil
		return err
	}
	var all []store.Index
	asked := make(map[store.Index][]*lookup, len(batch))
	for _, l := range batch {
		for _, c := range l.candidates {
			if asked[c] == nil {
				all = append(all, c)
			}
			asked[c] = append(asked[c], l)
		}
	}
	for len(all) > 0 {
		n := min(len(all), maxGather)
		if err := g.query(ctx, all[:n], asked); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// together finds rows by several indexes and tells for each under which one it was found.
func together(n int) string {
	list := placeholders(n)
	return `SELECT blind_index, id, blind_index, sealed FROM person WHERE blind_index IN (` + list + `)` +
		` UNION ALL SELECT n.blind_index, p.id, p.blind_index, p.sealed FROM person_number n JOIN person p ON p.id = n.person_id` +
		` WHERE n.blind_index IN (` + list + `)`
}

// padded rounds up to few sizes, so that few texts have to be kept compiled; the last index is repeated to fill them.
func padded(indexes []store.Index) []any {
	size := 4
	for size < len(indexes) {
		size *= 2
	}
	args := make([]any, size)
	for i := range args {
		args[i] = indexes[min(i, len(indexes)-1)][:]
	}
	return args
}

func (g *Gathered) query(ctx context.Context, indexes []store.Index, asked map[store.Index][]*lookup) (err error) {
	args := padded(indexes)
	rows, err := g.db.Query(ctx, together(len(args)), args...)
	if err != nil {
		return fmt.Errorf("look up together: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var under, index []byte
		var row store.Row
		if err := rows.Scan(&under, &row.ID, &index, &row.Sealed); err != nil {
			return fmt.Errorf("look up together: %w", err)
		}
		copy(row.Index[:], index)
		var key store.Index
		copy(key[:], under)
		for _, l := range asked[key] {
			// A number in force comes before an earlier one, as the query does.
			if !l.found {
				l.row, l.found = row, true
			}
		}
	}
	return rows.Err()
}

var _ store.Store = (*Gathered)(nil)
