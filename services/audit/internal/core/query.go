package core

import (
	"context"
	"time"

	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store"
)

// Filter narrows what a reader lists; zero fields do not.
type Filter struct {
	From, Until time.Time
	Caller      string
	Service     string
	RPC         string
	Purpose     int32
	Decision    int32
	Trace       []byte
	Case        string
	Subject     string // needs an access
	After       store.Key
	Limit       int
}

// Entry is a record as a reader sees it.
type Entry struct {
	Row   store.Row
	Parts [proofs.Parts]proofs.Part
}

// List lists the records that a reader may see, the latest first, and the key from which the list goes on. Errors: ErrAccess.
func (s *Service) List(ctx context.Context, reader Reader, f Filter) ([]Entry, store.Key, error) {
	q := store.Query{
		From: f.From, Until: f.Until, Caller: f.Caller, Service: f.Service, RPC: f.RPC, Purpose: f.Purpose, Decision: f.Decision, Trace: f.Trace,
		After: f.After, Limit: f.Limit,
	}
	if reader.Auditor {
		q.Owner = reader.Controller
	} else {
		q.Party = reader.Organisation
	}
	if f.Subject != "" {
		if !reader.Access {
			return nil, store.Key{}, ErrAccess
		}
		q.Subjects = []string{f.Subject}
	}
	if f.Case != "" {
		digests, err := s.Cases.All(f.Case)
		if err != nil {
			return nil, store.Key{}, err
		}
		for _, d := range digests {
			q.Cases = append(q.Cases, []byte(d))
		}
	}
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, store.Key{}, err
	}
	out := make([]Entry, 0, len(found.Rows))
	for _, row := range found.Rows {
		if len(row.Sealed) == 0 || !reader.sees(&row) {
			continue // erased
		}
		parts, err := s.Shown(reader, &row)
		if err != nil {
			return nil, store.Key{}, err
		}
		out = append(out, Entry{Row: row, Parts: parts})
	}
	return out, found.Next, nil
}

// Export lists the records of the reader's controller in a calendar year with their proofs, oldest first, and the key from which the export
// goes on; the zero key at its end. Records that no checkpoint covers yet wait for the next page. Errors: ErrPending.
func (s *Service) Export(ctx context.Context, reader Reader, year int, after store.Key, limit int) ([]Receipt, store.Key, error) {
	from := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	rows, err := s.Store.Oldest(ctx, reader.Controller, from, from.AddDate(1, 0, 0), after, limit)
	if err != nil {
		return nil, store.Key{}, err
	}
	checkpoints := map[uint32]proofs.Checkpoint{}
	var out []Receipt
	for _, row := range rows {
		if len(row.Sealed) == 0 {
			continue
		}
		cp, known := checkpoints[row.ID.Shard()]
		if !known || cp.Size <= row.ID.Index() {
			if cp, err = s.covering(ctx, row.ID); err != nil {
				return nil, store.Key{}, err
			}
			checkpoints[row.ID.Shard()] = cp
		}
		receipt, err := s.prove(ctx, reader, row, cp)
		if err != nil {
			return nil, store.Key{}, err
		}
		out = append(out, receipt)
	}
	if len(rows) < limit {
		return out, store.Key{}, nil
	}
	last := rows[len(rows)-1]
	return out, store.Key{Started: last.Started.UnixMicro(), ID: last.ID}, nil
}

func (s *Service) covering(ctx context.Context, id store.ID) (proofs.Checkpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptWait)
	defer cancel()
	return s.Ledger.Await(ctx, id)
}
