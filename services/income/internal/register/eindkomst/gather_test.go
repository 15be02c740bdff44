package eindkomst_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/register/eindkomst"
)

func gather(t *testing.T, d eindkomst.Deps) *eindkomst.Gathered {
	t.Helper()
	g, err := eindkomst.Gather(register(t, d), eindkomst.DefaultLinger)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Questions that come together share requests, and each gets its own answer.
func TestGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := about(func(cpr string) []report { return []report{pay("12345674", cpr, cpr[8:], "1")} })
		d := deps(c)
		d.Batch = 20
		g := gather(t, d)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				q := question(i)
				if i%10 == 9 {
					q.Handle = "nobody"
				}
				got, err := g.Month(t.Context(), q)
				switch {
				case i%10 == 9:
					if !errors.Is(err, core.ErrNotEnrolled) {
						t.Errorf("%d: %v", i, err)
					}
				case err != nil || len(got.Records) != 1 || int(got.Records[0].Hours) != 100*i:
					t.Errorf("%d: %+v %v", i, got, err)
				}
			})
		}
		all.Wait()
		if n := len(c.requests); n != 3 {
			t.Errorf("%d requests", n)
		}
		// One that comes alone waits no longer than it must.
		begun := time.Now()
		if _, err := g.Month(t.Context(), question(0)); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != eindkomst.DefaultLinger {
			t.Errorf("took %v", took)
		}
	})
}

// A caller that goes away leaves the others their answer; when all have gone, nobody is asked.
func TestGatheredAndGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := about(func(string) []report { return nil })
		g := gather(t, deps(c))
		gone, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = gone
				}
				if _, err := g.Month(ctx, question(i)); (i == 0) != errors.Is(err, context.Canceled) || i == 1 && err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		leave()
		all.Wait()
		if len(c.requests) != 1 {
			t.Errorf("%d requests", len(c.requests))
		}
		if _, err := g.Month(gone, question(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("already gone: %v", err)
		}
		alone, leave := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := g.Month(alone, question(3)); !errors.Is(err, context.Canceled) {
				t.Errorf("alone: %v", err)
			}
		})
		synctest.Wait()
		leave()
		all.Wait()
		time.Sleep(time.Second)
		if len(c.requests) != 1 {
			t.Errorf("asked for nobody: %d requests", len(c.requests))
		}
	})
}

// A batch that becomes full while its timer runs off is sent once.
func TestGatheredInAHurry(t *testing.T) {
	t.Parallel()
	c := about(func(cpr string) []report { return []report{pay("12345674", cpr, cpr[8:], "1")} })
	d := deps(c)
	d.Batch = 2
	d.Guard.MaxInFlight, d.Guard.Wait = 1000, time.Minute
	g, err := eindkomst.Gather(register(t, d), time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				if got, err := g.Month(t.Context(), question(i%100)); err != nil || len(got.Records) != 1 || int(got.Records[0].Hours) != i%100*100 {
					t.Errorf("%d: %+v %v", i, got, err)
				}
			}
		})
	}
	all.Wait()
}

func TestGatherIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := eindkomst.Gather(nil, 0); err == nil {
		t.Error("nothing is gathered")
	}
}
