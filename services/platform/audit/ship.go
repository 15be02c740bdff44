package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
)

// Sink takes encoded records and returns when they are durable elsewhere. An error means that it is not known whether they are: they are sent
// again, and the receiver tells repetitions by event and item. RECORD_INVALID refuses a record for good.
type Sink interface {
	Ship(ctx context.Context, records [][]byte) error
}

// Shipper moves records from the outbox to the audit service: at least once, in the order of writing, and deletes what was acknowledged. It
// remembers no position, because on PostgreSQL a transaction that commits late may come before what was read already. While the receiver is
// away records wait in the outbox and the service goes on.
type Shipper struct {
	db   *sqlkit.DB
	seal *keys.AEAD
	sink Sink
	log  *slog.Logger

	held map[int64]bool // records that the receiver refused; they stay in the outbox for an operator
}

// NewShipper returns a shipper; Run works.
func NewShipper(db *sqlkit.DB, seal *keys.AEAD, sink Sink, log *slog.Logger) *Shipper {
	return &Shipper{db: db, seal: seal, sink: sink, log: log, held: map[int64]bool{}}
}

// Bounds of a batch: the receiver takes messages of 256 KiB.
const (
	batchRows  = 512
	batchBytes = 192 << 10
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
		shipped, err := s.Once(ctx)
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
		if shipped < batchRows/2 {
			timer.Reset(pollEvery)
		} else {
			timer.Reset(0)
		}
	}
}

// Once ships the oldest records, one batch at most, and tells how many left the outbox. Of several replicas that share the outbox one ships
// at a time; the others get 0.
func (s *Shipper) Once(ctx context.Context) (int, error) {
	release, mine, err := s.db.Claim(ctx, "audit_outbox")
	if err != nil || !mine {
		return 0, err
	}
	defer release()
	batch, err := s.read(ctx)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	shipped := batch
	err = s.sink.Ship(ctx, plain(batch))
	if errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_INVALID {
		shipped, err = s.singly(ctx, batch)
	}
	if err != nil {
		return 0, fmt.Errorf("ship records: %w", err)
	}
	return len(shipped), s.forget(ctx, shipped)
}

// singly ships one record at a time, so that one that is refused does not keep the others back. It stays in the outbox.
func (s *Shipper) singly(ctx context.Context, batch []waiting) ([]waiting, error) {
	var shipped []waiting
	for _, w := range batch {
		err := s.sink.Ship(ctx, [][]byte{w.plain})
		if errs.ReasonOf(err) == commonv1.Reason_REASON_RECORD_INVALID {
			s.held[w.seq] = true
			s.log.ErrorContext(ctx, "a record can't be kept by the ledger and stays in the outbox", "outbox", w.seq, "error", err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		shipped = append(shipped, w)
	}
	return shipped, nil
}

// waiting is a record in the outbox.
type waiting struct {
	seq   int64
	plain []byte
}

func plain(batch []waiting) [][]byte {
	out := make([][]byte, len(batch))
	for i := range batch {
		out[i] = batch[i].plain
	}
	return out
}

// read returns the oldest records that are not held, as many as fit into one message.
func (s *Shipper) read(ctx context.Context) (out []waiting, err error) {
	rows, err := s.db.Query(ctx, `SELECT seq, event_id, sealed FROM audit_outbox ORDER BY seq LIMIT $1`, batchRows+len(s.held))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	size := 0
	for rows.Next() {
		var w waiting
		var event string
		var sealed []byte
		if err := rows.Scan(&w.seq, &event, &sealed); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		if s.held[w.seq] {
			continue
		}
		if w.plain, err = s.seal.Decrypt(sealed, []byte(event)); err != nil {
			return nil, fmt.Errorf("audit: record %s: %w", event, err)
		}
		if size += len(w.plain) + perRecord; size > batchBytes && len(out) > 0 {
			break
		}
		if out = append(out, w); len(out) == batchRows {
			break
		}
	}
	return out, rows.Err()
}

// perRecord is what a record costs in a message besides itself, at most.
const perRecord = 8

// forget deletes what was acknowledged: exactly that, run by run of numbers that follow each other, so that nothing that was committed
// meanwhile between them goes along.
func (s *Shipper) forget(ctx context.Context, shipped []waiting) error {
	if len(shipped) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		first := shipped[0].seq
		for i, w := range shipped {
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
