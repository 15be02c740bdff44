package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// perStep is how many records one step of retention touches, so that it never holds up recording for long.
const perStep = 500

// Expire erases what has been kept long enough (domain rule RET-13): records that document no register data after Keep.Months, and after
// Keep.RegisterMonths whole shards with their logs, of which the last checkpoint is kept. It tells how many records went.
func (s *Service) Expire(ctx context.Context) (int, error) {
	shards, err := s.Store.Shards(ctx)
	if err != nil {
		return 0, err
	}
	now := s.Clock.Now()
	total := 0
	for _, shard := range shards {
		if shard.Dropped {
			continue
		}
		var n int
		var err error
		switch {
		case !now.Before(endOf(shard.Number, s.Keep.RegisterMonths)):
			n, err = s.drop(ctx, shard.Number)
		case !now.Before(endOf(shard.Number, s.Keep.Months)):
			n, err = repeat(func() (int, error) { return s.Store.Erase(ctx, shard.Number, perStep) })
		}
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// endOf returns the first moment at which a shard has been kept for so many months after its own.
func endOf(shard uint32, months int) time.Time {
	return time.Date(int(shard/100), time.Month(shard%100)+1+time.Month(months), 1, 0, 0, 0, 0, time.UTC) // the first of a month exists always
}

// drop deletes a shard: first the records, then the log's files. The last checkpoint stays with the shard's number.
func (s *Service) drop(ctx context.Context, shard uint32) (int, error) {
	cp, err := s.Ledger.Checkpoint(ctx, shard)
	if err != nil && !errors.Is(err, ErrPending) {
		return 0, fmt.Errorf("drop: %w", err)
	}
	n, err := repeat(func() (int, error) { return s.Store.Drop(ctx, shard, string(cp.Raw), perStep) })
	if err != nil {
		return n, err
	}
	return n, s.Ledger.Remove(shard)
}

func repeat(step func() (int, error)) (int, error) {
	total := 0
	for {
		n, err := step()
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}
