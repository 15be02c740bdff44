package core

import (
	"bytes"
	"context"
	"errors"

	"github.com/transparency-dev/merkle/rfc6962"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Verified is what a check of the ledger found.
type Verified struct {
	Shard      uint32
	Checked    uint64
	Erased     uint64
	Next       uint64 // where to go on
	Checkpoint proofs.Checkpoint
	Fault      proofs.Fault
	BadIndex   uint64
	BadEvent   [16]byte
}

// perCheck is how many records one check looks at.
const perCheck = 10_000

// Verify checks stored records of a shard (0: the present one) against its log, from an index on. outside, if given, is a checkpoint kept
// elsewhere, which the present tree must extend. Errors: ErrPending when there is no checkpoint yet; that something is wrong is no error.
func (s *Service) Verify(ctx context.Context, shard uint32, first uint64, outside []byte) (Verified, error) {
	if shard == 0 {
		var err error
		if shard, err = s.shard(ctx); err != nil {
			return Verified{}, err
		}
	}
	v := Verified{Shard: shard, Next: first}
	cp, err := s.Ledger.Checkpoint(ctx, shard)
	switch {
	case errors.Is(err, proofs.ErrCheckpoint):
		v.Fault = proofs.CheckpointInvalid
		return v, nil
	case err != nil:
		return v, err
	}
	v.Checkpoint = cp
	if len(outside) > 0 {
		if v.Fault, v.BadIndex = s.compare(ctx, shard, cp, outside); v.Fault != proofs.NoFault {
			return v, nil
		}
	}
	if first >= cp.Size {
		return v, nil
	}
	return v, s.check(ctx, &v)
}

// compare holds a checkpoint kept elsewhere against the present one.
func (s *Service) compare(ctx context.Context, shard uint32, cp proofs.Checkpoint, outside []byte) (proofs.Fault, uint64) {
	kept, err := s.Ledger.Keys().Open(outside, cp.Origin)
	switch {
	case err != nil:
		return proofs.CheckpointInvalid, 0
	case kept.Size > cp.Size:
		return proofs.Truncated, cp.Size
	}
	path, err := s.Ledger.Consistency(ctx, shard, kept.Size, cp.Size)
	if err != nil || proofs.Consistent(kept, cp, path) != nil {
		return proofs.CheckpointReplaced, 0
	}
	return proofs.NoFault, 0
}

// check looks at the next records.
func (s *Service) check(ctx context.Context, v *Verified) error {
	n := min(perCheck, v.Checkpoint.Size-v.Next)
	hashes, err := s.Ledger.Hashes(ctx, v.Shard, v.Next, n, v.Checkpoint.Size)
	if err != nil {
		return err
	}
	rows, err := s.Store.Range(ctx, v.Shard, v.Next, int(n))
	if err != nil {
		return err
	}
	at := 0
	for _, published := range hashes {
		index := v.Next
		if at >= len(rows) || rows[at].ID.Index() != index {
			v.Fault, v.BadIndex = proofs.RecordMissing, index
			return nil
		}
		row := &rows[at]
		at++
		if fault := s.checkRow(ctx, v, row, published, hashes); fault != proofs.NoFault {
			v.Fault, v.BadIndex, v.BadEvent = fault, index, row.Event
			return nil
		}
		v.Next++
		v.Checked++
	}
	return nil
}

// checkRow makes a row's leaf anew and proves it.
func (s *Service) checkRow(ctx context.Context, v *Verified, row *store.Row, published []byte, around [][]byte) proofs.Fault {
	leaf := row.Leaf
	if len(row.Sealed) == 0 {
		v.Erased++
	} else {
		parts, err := s.open(row)
		if err != nil {
			return proofs.RecordChanged
		}
		leaf = proofs.Leaf(&parts)
	}
	if hash := rfc6962.DefaultHasher.HashLeaf(leaf[:]); !bytes.Equal(hash, published) {
		for _, other := range around {
			if bytes.Equal(hash, other) {
				return proofs.OrderChanged
			}
		}
		return proofs.RecordChanged
	}
	path, err := s.Ledger.Inclusion(ctx, row.ID, v.Checkpoint.Size)
	if err != nil || proofs.Included(v.Checkpoint, row.ID.Index(), leaf[:], path) != nil {
		return proofs.ProofInvalid
	}
	return proofs.NoFault
}
