package core

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// batcher joins the batches of several writers into one transaction.
type batcher = *sqlkit.Batcher[*shipment]

// shipment is one writer's batch.
type shipment struct {
	sequence *Sequence
	rows     []store.Row
	stored   int   // known when the batch is durable
	err      error // of this batch alone
}

// maxJoined bounds how many batches share a transaction, so that none waits long.
const maxJoined = 16

func newBatcher(ctx context.Context, flush func(context.Context, []*shipment) error) batcher {
	return sqlkit.NewBatcher(ctx, sqlkit.BatchConfig{MaxBatch: maxJoined, MaxQueue: 64}, flush)
}

// Ingest keeps a batch of encoded records that the named service wrote, in their order, and returns when they are durable. Records that are
// there already are not kept twice; it tells how many were new. All or nothing: one record that can't be kept refuses the batch. Errors:
// ErrWriter, record.ErrInvalid.
func (s *Service) Ingest(ctx context.Context, service string, raws [][]byte) (int, error) {
	return s.Sequence().Ingest(ctx, 0, service, raws)
}

// prepare turns an encoded record into a row.
func (s *Service) prepare(row *store.Row, service string, raw, salts []byte, now time.Time) error {
	d, err := s.Codec.Describe(raw)
	if err != nil {
		return err
	}
	if d.Row.Service != service {
		return ErrWriter
	}
	*row = d.Row
	row.Received = now
	if d.Case != "" {
		digest, err := s.Cases.Pseudonym(d.Case)
		if err != nil {
			return fmt.Errorf("case digest: %w", err)
		}
		row.Case = []byte(digest)
	}
	var parts [proofs.Parts]proofs.Part
	for i := range parts {
		parts[i] = proofs.Part{Salt: salts[i*proofs.SaltSize:][:proofs.SaltSize], Content: d.Contents[i]}
	}
	row.Leaf = proofs.Leaf(&parts)
	packed, err := s.Codec.Pack(&parts)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if row.Sealed, err = s.Seal.Encrypt(packed, associated(row)); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// associated binds a sealed record to its event and item.
func associated(row *store.Row) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, len(row.Event)+4), row.Event[:]...), row.Item)
}

// flush makes queued batches durable in one transaction, at the end of the shard of the present month. Batches behind one of their sequence
// that was not kept are not kept either.
func (s *Service) flush(ctx context.Context, batches []*shipment) error {
	var whole []*shipment
	var rows []store.Row
	for _, b := range batches {
		if b.sequence.broken {
			b.err = errBehind
			continue
		}
		whole, rows = append(whole, b), append(rows, b.rows...)
	}
	if len(whole) == 0 {
		return nil
	}
	stored, err := s.append(ctx, rows)
	for _, b := range whole {
		b.sequence.broken = err != nil
		// Which of several joined batches held a repeated record is not known; nobody acts on it.
		b.stored = min(len(b.rows), stored)
		stored -= b.stored
	}
	return err
}

func (s *Service) append(ctx context.Context, rows []store.Row) (int, error) {
	shard, err := s.shard(ctx)
	if err != nil {
		return 0, err
	}
	stored, err := s.Store.Append(ctx, shard, rows)
	if err == nil {
		s.Ledger.Wake()
	}
	return stored, err
}

// shard returns the shard that takes records now: year and month, but never an earlier one than was used before, so that a clock that is set
// back does not reopen a log.
func (s *Service) shard(ctx context.Context) (uint32, error) {
	now := ShardOf(s.Clock.Now())
	shards, err := s.Store.Shards(ctx)
	if err != nil || len(shards) == 0 {
		return now, err
	}
	return max(now, shards[len(shards)-1].Number), nil
}

// ShardOf returns the shard of a moment: year and month, as 202611.
func ShardOf(at time.Time) uint32 {
	at = at.UTC()
	return uint32(at.Year()*100 + int(at.Month())) //nolint:gosec // years are four digits
}
