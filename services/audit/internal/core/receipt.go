package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Receipt is a record with the proof that it stands in the ledger; what the reader may not see is withheld.
type Receipt struct {
	Row   store.Row
	Proof proofs.Receipt
}

// receiptWait is how long a receipt waits for the checkpoint that covers it.
const receiptWait = 2 * time.Second

// Receipt proves a record to a reader. Errors: ErrNotFound, ErrPending.
func (s *Service) Receipt(ctx context.Context, reader Reader, event [16]byte, item uint32) (Receipt, error) {
	row, err := s.Store.Get(ctx, event, item)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!reader.sees(&row) || len(row.Sealed) == 0) {
		return Receipt{}, ErrNotFound
	}
	if err != nil {
		return Receipt{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, receiptWait)
	defer cancel()
	cp, err := s.Ledger.Await(waiting, row.ID)
	if err != nil {
		return Receipt{}, err
	}
	return s.prove(ctx, reader, row, cp)
}

// prove makes the receipt of a row from a checkpoint that covers it.
func (s *Service) prove(ctx context.Context, reader Reader, row store.Row, cp proofs.Checkpoint) (Receipt, error) {
	parts, err := s.Shown(reader, &row)
	if err != nil {
		return Receipt{}, err
	}
	path, err := s.Ledger.Inclusion(ctx, row.ID, cp.Size)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Row: row, Proof: proofs.Receipt{
		Origin: cp.Origin, Index: row.ID.Index(), Parts: parts, Proof: path, Checkpoint: cp.Raw,
	}}, nil
}

// open decrypts a row.
func (s *Service) open(row *store.Row) ([proofs.Parts]proofs.Part, error) {
	packed, err := s.Seal.Decrypt(row.Sealed, associated(row))
	if err != nil {
		return [proofs.Parts]proofs.Part{}, fmt.Errorf("record %d in shard %d: %w", row.ID.Index(), row.ID.Shard(), err)
	}
	return s.Codec.Unpack(packed)
}

// Shown decrypts a row and puts commitments in the place of the parts that the reader is not shown. It does not ask whether the reader may see
// the row at all.
func (s *Service) Shown(reader Reader, row *store.Row) ([proofs.Parts]proofs.Part, error) {
	parts, err := s.open(row)
	if err != nil {
		return parts, err
	}
	for i, shown := range reader.shows(row) {
		if !shown {
			c := parts[i].Commitment(i)
			parts[i] = proofs.Part{Digest: c[:]}
		}
	}
	return parts, nil
}

// Everything decrypts a row in full: for the operator's export and the console, whose users are none of the readers above.
func (s *Service) Everything(row *store.Row) ([proofs.Parts]proofs.Part, error) { return s.open(row) }
