// Package clock is the one place of this module that reads the wall clock or waits: every other package asks here, so that
// a search for time dependence has one answer and tests inside a synctest bubble see one clock.
package clock

import (
	"context"
	"math/rand/v2"
	"time"
)

// Now is the present moment.
func Now() time.Time { return time.Now() } //nolint:forbidigo // this is the one place

// Wait blocks for d or until ctx ends, whichever is first; it returns ctx's error in the second case.
func Wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Jitter moves d by up to a tenth in either direction, so that replicas started together don't call Vault together.
func Jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Float64()*float64(d)/5) //nolint:gosec // spreading load is no secret
}

// Backoff yields growing pauses between attempts. The zero value is not usable: both bounds must be set.
type Backoff struct {
	// Min is the first pause, Max the longest; both before jitter.
	Min, Max time.Duration

	next time.Duration
}

// Next is the pause before the coming attempt; it doubles at every call up to Max.
func (b *Backoff) Next() time.Duration {
	if b.next < b.Min {
		b.next = b.Min
	}
	d := b.next
	b.next = min(b.next*2, b.Max)
	return Jitter(d)
}

// Reset begins again at Min, after a success.
func (b *Backoff) Reset() { b.next = 0 }
