package core

import (
	"context"
	"errors"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Exchange opens of a row the part that both parties may see, and no more: for those who run the service and for the person's view. false
// says that the row was erased.
func (s *Service) Exchange(row *store.Row) ([proofs.Parts]proofs.Part, bool, error) {
	if len(row.Sealed) == 0 {
		return [proofs.Parts]proofs.Part{}, false, nil
	}
	parts, err := s.open(row)
	if err != nil {
		return parts, false, err
	}
	withhold(&parts)
	return parts, true, nil
}

// Outline proves a record of whomever, with the exchange shown and all else withheld, to those who run the service. Errors: ErrNotFound,
// ErrPending.
func (s *Service) Outline(ctx context.Context, event [16]byte, item uint32) (Receipt, error) {
	row, err := s.Store.Get(ctx, event, item)
	if errors.Is(err, store.ErrNotFound) || err == nil && len(row.Sealed) == 0 {
		return Receipt{}, ErrNotFound
	}
	if err != nil {
		return Receipt{}, err
	}
	cp, err := s.covering(ctx, row.ID)
	if err != nil {
		return Receipt{}, err
	}
	out, err := s.prove(ctx, Reader{}, row, cp)
	withhold(&out.Proof.Parts)
	return out, err
}

// withhold leaves the exchange and puts commitments in the place of everything else.
func withhold(parts *[proofs.Parts]proofs.Part) {
	for i := range parts {
		if i != proofs.Exchange && !parts[i].Withheld() {
			c := parts[i].Commitment(i)
			parts[i] = proofs.Part{Digest: c[:]}
		}
	}
}
