package resilience_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"samvirke.dev/services/platform/resilience"
)

// hedging is a configuration with a hedge after 100 ms.
func hedging() resilience.Config {
	c := plain()
	c.HedgeAfter = 100 * time.Millisecond
	return c
}

// inTurn runs one function after the other, and notes whose context ended before it returned.
type inTurn struct {
	fns []func(context.Context) (int, error)

	mu   sync.Mutex
	next int
	cut  []int
}

func (s *inTurn) call(ctx context.Context) (int, error) {
	s.mu.Lock()
	i := s.next
	s.next++
	s.mu.Unlock()
	v, err := s.fns[i](ctx)
	if ctx.Err() != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cut = append(s.cut, i)
	}
	return v, err
}

func TestHedge(t *testing.T) {
	t.Parallel()
	type fn = func(context.Context) (int, error)
	value := func(d time.Duration, v int, err error) fn {
		return func(ctx context.Context) (int, error) {
			if err := pass(ctx, d); err != nil {
				return 0, err
			}
			return v, err
		}
	}
	panics := func(context.Context) (int, error) { panic("secret") }
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		first, second fn
		v             int
		err           error
		takes         time.Duration
		cut           []int // whose context ended before they returned
		asked         int
	}{
		"fast":                       {value(99*ms, 1, nil), nil, 1, nil, 99 * ms, nil, 1},
		"fails fast":                 {value(10*ms, 0, errDown), nil, 0, errDown, 10 * ms, nil, 1},
		"second is first":            {value(900*ms, 1, nil), value(20*ms, 2, nil), 2, nil, 120 * ms, []int{0}, 2},
		"first is first":             {value(150*ms, 1, nil), value(900*ms, 2, nil), 1, nil, 150 * ms, []int{1}, 2},
		"an unwelcome answer counts": {value(900*ms, 1, nil), value(20*ms, 0, errUnknown), 0, errUnknown, 120 * ms, []int{0}, 2},
		"second fails":               {value(900*ms, 1, nil), value(20*ms, 0, errDown), 1, nil, 900 * ms, nil, 2},
		"first fails":                {value(110*ms, 0, errDown), value(200*ms, 2, nil), 2, nil, 300 * ms, nil, 2},
		"both fail":                  {value(110*ms, 0, errDown), value(200*ms, 0, errDown), 0, errDown, 300 * ms, nil, 2},
		"first dead":                 {dead, value(20*ms, 2, nil), 2, nil, 120 * ms, []int{0}, 2},
		"both dead":                  {dead, dead, 0, resilience.ErrTimeout, 3 * time.Second, []int{0, 1}, 2},
		"first fails, second dead":   {value(110*ms, 0, errDown), dead, 0, resilience.ErrTimeout, 3 * time.Second, []int{1}, 2},
		"second panics":              {value(900*ms, 1, nil), panics, 1, nil, 900 * ms, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d, log := logged(deps())
				g := guard(t, hedging(), d)
				s := &inTurn{fns: []fn{c.first, c.second}}
				took(t, c.takes, func() {
					if v, err := resilience.Do(t.Context(), g, s.call); v != c.v || !errors.Is(err, c.err) {
						t.Errorf("%d %v", v, err)
					}
				})
				synctest.Wait() // for the loser, which must end now
				s.mu.Lock()
				defer s.mu.Unlock()
				slices.Sort(s.cut)
				if !slices.Equal(s.cut, c.cut) || s.next != c.asked {
					t.Errorf("cut off %v of %d, want %v of %d", s.cut, s.next, c.cut, c.asked)
				}
				if (log.Len() > 0) != (name == "second panics") || strings.Contains(log.String(), "secret") {
					t.Errorf("logged %s", log)
				}
			})
		})
	}
}

// A hedge has a place of its own, until it ends.
func TestHedgesInTheBulkhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := hedging()
		cfg.MaxInFlight = 3
		g := guard(t, cfg, deps())
		register := &counted{fn: after(time.Second)}
		var crowd sync.WaitGroup
		for range 2 {
			crowd.Go(func() { _, _ = resilience.Do(t.Context(), g, register.call) })
		}
		time.Sleep(500 * time.Millisecond)
		if register.count() != 3 {
			t.Errorf("%d requests, want one hedge for two calls", register.count())
		}
		want(t, second(resilience.Do(t.Context(), g, answers)), resilience.ErrFull)
		crowd.Wait()
		synctest.Wait()
		for range cfg.MaxInFlight { // all places are free again
			crowd.Go(func() { want(t, second(resilience.Do(t.Context(), g, after(50*time.Millisecond))), nil) })
		}
		crowd.Wait()
		if peak, _ := register.crowded(); peak != 3 {
			t.Errorf("%d at the same time", peak)
		}
	})
}

// Of 1000 calls every twentieth is slow: hedging takes the slow ones out of the 99th percentile.
func TestHedgingLowersTheTail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p99 := func(cfg resilience.Config) (time.Duration, int) {
			g := guard(t, cfg, deps())
			register := &counted{}
			register.fn = func(ctx context.Context) (int, error) {
				if register.count()%20 == 0 {
					return after(2 * time.Second)(ctx)
				}
				return after(10 * time.Millisecond)(ctx)
			}
			times := make([]time.Duration, 1000)
			for i := range times {
				begun := time.Now()
				if _, err := resilience.Do(t.Context(), g, register.call); err != nil {
					t.Fatal(err)
				}
				times[i] = time.Since(begun)
			}
			slices.Sort(times)
			return times[989], register.count()
		}
		without, _ := p99(plain())
		with, asked := p99(hedging())
		t.Logf("99th percentile %v, hedged %v for %d requests more", without, with, asked-1000)
		if without != 2*time.Second || with != 110*time.Millisecond || asked > 1060 {
			t.Errorf("99th percentile %v, hedged %v; %d requests", without, with, asked)
		}
	})
}
