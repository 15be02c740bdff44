package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// Sink takes batches of encoded records and returns how many of the batches, from the first on, are durable elsewhere. An error means that it
// is not known whether the next ones are: they are sent again, and the receiver tells repetitions by event and item. RECORD_INVALID refuses a
// record of the next batch for good.
type Sink interface {
	Ship(ctx context.Context, batches [][][]byte) (durable int, err error)
}

// Shipper moves records from the outbox to the audit service: at least once, in the order of writing, and deletes what was acknowledged. It
// remembers no position, because on PostgreSQL a transaction that commits late may come before what was read already. While the receiver is
// away records wait in the outbox and the service goes on.
type Shipper struct {
	db   *sqlkit.DB
	seal *keys.AEAD
	sink Sink
	log  *slog.Logger

	held map[int64]bool // rows of one record that the receiver refused; they stay in the outbox for an operator
}

// NewShipper returns a shipper; Run works.
func NewShipper(db *sqlkit.DB, seal *keys.AEAD, sink Sink, log *slog.Logger) *Shipper {
	return &Shipper{db: db, seal: seal, sink: sink, log: log, held: map[int64]bool{}}
}

// Bounds of what is shipped at once. The receiver takes messages of 256 KiB and works on 16 of a sender's at a time. Under load a row holds
// many records, and otherwise there are few rows.
const (
	batchBytes  = 192 << 10
	mostBatches = 16
	mostRows    = 128
)

const (
	// pollEvery is how long records gather while there are few.
	pollEvery = 50 * time.Millisecond
	// firstRest and longestRest bound the pause after a failure, which doubles.
	firstRest   = 100 * time.Millisecond
	longestRest = 5 * time.Second
	// complainEvery is how often a lasting failure is logged again.
	complainEvery = 20
)

// Run ships until ctx ends.
func (s *Shipper) Run(ctx context.Context) error {
	rest, failures := time.Duration(0), 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		_, more, err := s.once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if failures%complainEvery == 0 {
				s.log.WarnContext(ctx, "records wait in the outbox", "error", err.Error())
			}
			failures++
			rest = min(max(2*rest, firstRest), longestRest)
			timer.Reset(rest/2 + rand.N(rest/2)) //nolint:gosec // spreads load; nothing secret
			continue
		case failures > 0:
			s.log.InfoContext(ctx, "records are shipped again", "failures", failures)
		}
		rest, failures = 0, 0
		if more {
			timer.Reset(0)
		} else {
			timer.Reset(pollEvery)
		}
	}
}

// Once ships the oldest records, some batches at most, and tells how many records left the outbox. Of several replicas that share the outbox
// one ships at a time; the others get 0.
func (s *Shipper) Once(ctx context.Context) (int, error) {
	shipped, _, err := s.once(ctx)
	return shipped, err
}

// once also tells whether more records are likely to wait.
func (s *Shipper) once(ctx context.Context) (shipped int, more bool, err error) {
	release, mine, err := s.db.Claim(ctx, "audit_outbox")
	if err != nil || !mine {
		return 0, false, err
	}
	defer release()
	batches, more, err := s.read(ctx)
	if err != nil || len(batches) == 0 {
		return 0, false, err
	}
	durable, err := s.sink.Ship(ctx, contents(batches))
	shipped, forgotten := s.forget(ctx, slices.Concat(batches[:durable]...))
	switch {
	case forgotten != nil:
		return 0, false, errors.Join(forgotten, err)
	case errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_INVALID && durable < len(batches):
		apart, err := s.singly(ctx, batches[durable])
		return shipped + apart, true, err
	case err != nil:
		return shipped, false, fmt.Errorf("ship records: %w", err)
	}
	return shipped, more, nil
}

// singly ships one record at a time, so that one that is refused does not keep the others back. It stays in the outbox, in a row of its own.
func (s *Shipper) singly(ctx context.Context, batch []group) (shipped int, err error) {
	for _, g := range batch {
		var refused []byte
		for _, record := range g.records {
			_, err := s.sink.Ship(ctx, [][][]byte{{record}})
			switch {
			case errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_INVALID && len(g.records) == 1:
				s.held[g.seq] = true
				s.log.ErrorContext(ctx, "a record can't be kept by the ledger and stays in the outbox", "outbox", g.seq, "error", err.Error())
			case errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_INVALID:
				refused = appendRecord(refused, record)
			case err != nil:
				return shipped, fmt.Errorf("ship records: %w", err)
			default:
				shipped++
			}
		}
		if s.held[g.seq] {
			continue
		}
		if err := s.replace(ctx, g, refused); err != nil {
			return shipped, err
		}
	}
	return shipped, nil
}

// replace leaves of a row only the records that were refused, each in a row of its own.
func (s *Shipper) replace(ctx context.Context, g group, refused []byte) error {
	records, err := split(refused)
	if err != nil {
		return err
	}
	var rows []row
	for _, record := range records {
		alone, err := sealGroups(s.seal, appendRecord(nil, record), g.at)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		rows = append(rows, alone...)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.forget(ctx, []group{g}); err != nil {
			return err
		}
		return insert(ctx, s.db, rows)
	})
}

// contents are the records of batches.
func contents(batches [][]group) [][][]byte {
	out := make([][][]byte, len(batches))
	for i, batch := range batches {
		for _, g := range batch {
			out[i] = append(out[i], g.records...)
		}
	}
	return out
}

// read returns the oldest rows that are not held, as batches that fit into a message each, and whether there may be more.
func (s *Shipper) read(ctx context.Context) (batches [][]group, more bool, err error) {
	rows, err := readGroups(ctx, s.db, s.seal, 0, mostRows+len(s.held))
	if err != nil {
		return nil, false, err
	}
	size, taken := 0, 0
	for _, g := range rows {
		if s.held[g.seq] {
			continue
		}
		needs := g.size + len(g.records)*perRecord
		if len(batches) == 0 || size+needs > batchBytes {
			if len(batches) == mostBatches {
				return batches, true, nil
			}
			batches, size = append(batches, nil), 0
		}
		last := len(batches) - 1
		batches[last] = append(batches[last], g)
		size += needs
		taken++
	}
	return batches, taken >= mostRows, nil
}

// perRecord is what a record costs in a message besides itself, at most.
const perRecord = 8

// forget deletes what was acknowledged: exactly that, run by run of numbers that follow each other, so that nothing that was committed
// meanwhile between them goes along.
func (s *Shipper) forget(ctx context.Context, shipped []group) (records int, err error) {
	if len(shipped) == 0 {
		return 0, nil
	}
	return records, s.db.InTx(ctx, func(ctx context.Context) error {
		records = 0
		first := shipped[0].seq
		for i, w := range shipped {
			records += len(w.records)
			if i+1 < len(shipped) && shipped[i+1].seq == w.seq+1 {
				continue
			}
			if _, err := s.db.Exec(ctx, `DELETE FROM audit_outbox WHERE seq >= $1 AND seq <= $2`, first, w.seq); err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			if i+1 < len(shipped) {
				first = shipped[i+1].seq
			}
		}
		return nil
	})
}
