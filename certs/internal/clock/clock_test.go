package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/certs/internal/clock"
)

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := clock.Now()
		if err := clock.Wait(t.Context(), time.Hour); err != nil || clock.Now().Sub(began) != time.Hour {
			t.Errorf("waited %s, %v", clock.Now().Sub(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = clock.Now()
		if err := clock.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || clock.Now().Sub(began) != time.Minute {
			t.Errorf("waited %s, %v", clock.Now().Sub(began), err)
		}
		if err := clock.Wait(ctx, 0); err == nil {
			t.Error("no wait at all hid that the context has ended")
		}
	})
}

func TestJitterStaysNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "d"))
		if got := clock.Jitter(d); got < d-d/10-1 || got > d+d/10+1 {
			t.Fatalf("%s became %s", d, got)
		}
	})
}

func TestBackoffGrowsToItsMaximum(t *testing.T) {
	t.Parallel()
	b := clock.Backoff{Min: time.Second, Max: 10 * time.Second}
	for _, s := range []int{1, 2, 4, 8, 10, 10} {
		want := time.Duration(s) * time.Second
		if got := b.Next(); (got - want).Abs() > want/10+1 {
			t.Errorf("pause of %s, want about %s", got, want)
		}
	}
	b.Reset()
	if got := b.Next(); got > 1200*time.Millisecond {
		t.Errorf("after Reset %s", got)
	}
}
