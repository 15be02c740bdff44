package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSystemIsUTCAndFollowsTheBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.System()
		start := c.Now()
		<-time.After(time.Hour)
		if got := c.Now().Sub(start); got != time.Hour {
			t.Errorf("elapsed %v, want 1h", got)
		}
		if c.Now().Location() != time.UTC {
			t.Errorf("location %v, want UTC", c.Now().Location())
		}
	})
}

func TestFake(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	f := clock.NewFake(start)
	if !f.Now().Equal(start) || f.Now().Location() != time.UTC {
		t.Fatalf("now %v, want %v in UTC", f.Now(), start)
	}
	if got := f.Advance(90 * time.Second); !got.Equal(start.Add(90*time.Second)) || !f.Now().Equal(got) {
		t.Errorf("advanced to %v", got)
	}
	f.Set(start.Add(-time.Hour))
	if !f.Now().Equal(start.Add(-time.Hour)) {
		t.Errorf("set backwards: now %v", f.Now())
	}
	var zero clock.Fake
	if !zero.Now().IsZero() {
		t.Errorf("zero fake stands at %v", zero.Now())
	}
}

func TestFakeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	f := clock.NewFake(time.Unix(0, 0))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				f.Advance(time.Second)
				_ = f.Now()
			}
		})
	}
	wg.Wait()
	if got := f.Now().Unix(); got != 800 {
		t.Errorf("now %d s, want 800 s", got)
	}
}
