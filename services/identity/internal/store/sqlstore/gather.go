package sqlstore

import (
	"context"
	"errors"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// Gathered is a Store whose look-ups go to the database together: whoever asks while others are being answered is answered with all who
// do the same. A look for twenty persons costs a fraction of twenty looks. Nothing is remembered between them.
type Gathered struct {
	*Store
	batch *sqlkit.Batcher[*sqlkit.Ask]
}

// maxGather is how many look-ups go together at most.
const maxGather = 32

// Gather returns the store with shared look-ups. Close it before the database.
func Gather(ctx context.Context, s *Store) *Gathered {
	return &Gathered{Store: s, batch: sqlkit.NewBatcher(ctx, sqlkit.BatchConfig{MaxBatch: maxGather}, s.db.AskAll)}
}

// Close answers those who wait and stops.
func (g *Gathered) Close(ctx context.Context) error { return g.batch.Close(ctx) }

// ByIndex implements store.Store. Within a transaction it asks alone, so that it sees what the transaction has done.
func (g *Gathered) ByIndex(ctx context.Context, candidates []store.Index) (store.Row, error) {
	if len(candidates) == 0 || g.db.InTransaction(ctx) {
		return g.Store.ByIndex(ctx, candidates)
	}
	asked, query, args := indexQuery(candidates)
	return g.ask(ctx, asked, query, args)
}

// ByHandle implements store.Store, as ByIndex does.
func (g *Gathered) ByHandle(ctx context.Context, controller, handle string) (store.Row, error) {
	if g.db.InTransaction(ctx) {
		return g.Store.ByHandle(ctx, controller, handle)
	}
	return g.ask(ctx, store.Index{}, byHandle, []any{controller, handle})
}

// ask waits for the answer. asked is the index of a row that does not tell its own.
func (g *Gathered) ask(ctx context.Context, asked store.Index, query string, args []any) (store.Row, error) {
	ask := &sqlkit.Ask{Query: query, Args: args}
	if err := g.batch.Add(ctx, ask); err != nil {
		return store.Row{}, failure("look up", err)
	}
	if ask.Row == nil {
		return store.Row{}, store.ErrNotFound
	}
	return answered(asked, ask)
}

// answered reads the row that was found.
func answered(asked store.Index, ask *sqlkit.Ask) (store.Row, error) {
	r := store.Row{Index: asked}
	id, ok1 := ask.Row[0].(int64)
	index, ok2 := ask.Row[1].([]byte)
	sealed, ok3 := ask.Row[2].([]byte)
	if !ok1 || (!ok2 && ask.Row[1] != nil) || !ok3 {
		return store.Row{}, errors.New("sqlstore: a row of other columns than were asked for")
	}
	r.ID, r.Sealed = id, sealed
	copy(r.Index[:], index)
	return r, nil
}

var _ store.Store = (*Gathered)(nil)
