package core

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// Sequence keeps the order of one writer's batches while several are under way: they are prepared beside each other, become durable in their
// order, and when one is not kept, none behind it is.
type Sequence struct {
	s      *Service
	broken bool // whether a batch was not kept; known to flush alone

	mu    sync.Mutex
	next  uint64        // number of the batch that may be queued now
	moved chan struct{} // closed when next has grown
}

// Sequence begins a sequence.
func (s *Service) Sequence() *Sequence { return &Sequence{s: s, moved: make(chan struct{})} }

// errBehind means that the batch before was not kept.
var errBehind = fmt.Errorf("behind a batch that was not kept: %w", sqlkit.ErrUnavailable)

// Ingest keeps batch n of the sequence, counted from 0, as Service.Ingest does. A batch whose predecessor never comes waits until ctx ends.
func (q *Sequence) Ingest(ctx context.Context, n uint64, service string, raws [][]byte) (int, error) {
	b, err := q.s.prepareAll(service, raws)
	if err != nil {
		return 0, err
	}
	b.sequence = q
	wait, err := q.queue(ctx, n, b)
	if err != nil {
		return 0, err
	}
	if err := wait(ctx); err != nil {
		return 0, err
	}
	return b.stored, b.err
}

// queue waits for the turn of batch n.
func (q *Sequence) queue(ctx context.Context, n uint64, b *shipment) (wait func(context.Context) error, err error) {
	for {
		wait, moved, err := q.tryQueue(ctx, n, b)
		if wait != nil || err != nil {
			return wait, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryQueue queues batch n if it is its turn; moved is closed when it makes sense to try again.
func (q *Sequence) tryQueue(ctx context.Context, n uint64, b *shipment) (wait func(context.Context) error, moved chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n != q.next {
		return nil, q.moved, nil
	}
	if wait, err = q.s.batch.Queue(ctx, b); err != nil {
		return nil, nil, err
	}
	q.next++
	close(q.moved)
	q.moved = make(chan struct{})
	return wait, nil, nil
}

// prepareAll turns encoded records into a batch.
func (s *Service) prepareAll(service string, raws [][]byte) (*shipment, error) {
	b := &shipment{rows: make([]store.Row, len(raws))}
	salts := make([]byte, len(raws)*proofs.Parts*proofs.SaltSize)
	_, _ = rand.Read(salts) // never fails
	now := s.Clock.Now()
	for i, raw := range raws {
		own := salts[i*proofs.Parts*proofs.SaltSize:][:proofs.Parts*proofs.SaltSize]
		if err := s.prepare(&b.rows[i], service, raw, own, now); err != nil {
			return nil, err
		}
	}
	return b, nil
}
