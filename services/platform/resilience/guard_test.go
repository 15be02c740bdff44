package resilience_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"samvirke.dev/services/platform/resilience"
)

func TestAnswersPass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := guard(t, resilience.DefaultConfig(), deps())
		if v, err := resilience.Do(t.Context(), g, answers); v != 7 || err != nil {
			t.Error(v, err)
		}
		for range 100 { // an answer that nobody likes is one all the same
			if _, err := resilience.Do(t.Context(), g, unknown); err != errUnknown { //nolint:errorlint // as it is
				t.Fatal(err)
			}
		}
	})
}

// A dead register costs its time limit a few times, and then nothing until it is probed.
func TestDeadRegister(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		g := guard(t, cfg, deps())
		register := &counted{fn: dead}
		for range cfg.MinCalls {
			took(t, cfg.Timeout, func() {
				_, err := resilience.Do(t.Context(), g, register.call)
				want(t, err, resilience.ErrTimeout)
				if errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "SPAR: ") {
					t.Errorf("got %v", err)
				}
			})
		}
		asked := register.count()
		took(t, 0, func() {
			for range 1000 {
				_, err := resilience.Do(t.Context(), g, register.call)
				want(t, err, resilience.ErrOpen)
			}
		})
		if register.count() != asked {
			t.Error("asked all the same")
		}
		// Still dead: one probe is enough to know.
		time.Sleep(cfg.OpenFor * 12 / 10)
		_, err := resilience.Do(t.Context(), g, register.call)
		want(t, err, resilience.ErrTimeout)
		_, err = resilience.Do(t.Context(), g, register.call)
		want(t, err, resilience.ErrOpen)
		// Back: the probes close the breaker.
		register.set(answers)
		time.Sleep(cfg.OpenFor * 12 / 10)
		for range 100 {
			if _, err := resilience.Do(t.Context(), g, register.call); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The ratio counts, over the window, and not before there are enough calls.
func TestRatio(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.FailureRatio, cfg.MinCalls, cfg.Window, cfg.Timeout = 0.5, 10, 10*time.Second, time.Second
		g := guard(t, cfg, deps())
		run := func(fn func(context.Context) (int, error), n int) (err error) {
			for range n {
				_, err = resilience.Do(t.Context(), g, fn)
			}
			return err
		}
		want(t, run(fails, 9), errDown) // too few
		time.Sleep(11 * time.Second)    // and forgotten
		want(t, run(fails, 4), errDown)
		want(t, run(answers, 10), nil) // 4 of 14
		want(t, run(fails, 6), errDown)
		want(t, run(answers, 1), resilience.ErrOpen) // 10 of 20
	})
}

func TestOnlyProbesPassHalfOpen(t *testing.T) {
	for name, places := range map[string]int{"wide": 100, "narrow": 3} { // nobody waits for a place in vain
		t.Run(name, func(t *testing.T) { onlyProbesPass(t, places) })
	}
}

func onlyProbesPass(t *testing.T, places int) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.Probes, cfg.HedgeAfter, cfg.MaxInFlight, cfg.Wait = 3, 10*time.Millisecond, places, time.Minute
		g := guard(t, cfg, deps())
		trip(t, g)
		time.Sleep(cfg.OpenFor * 12 / 10)
		register := &counted{fn: after(time.Second)}
		var crowd sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for range 50 {
			crowd.Go(func() {
				begun := time.Now()
				_, err := resilience.Do(t.Context(), g, register.call)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					got["answered"]++
				case errors.Is(err, resilience.ErrOpen) && time.Since(begun) == 0:
					got["open at once"]++
				default:
					got[err.Error()]++
				}
			})
		}
		crowd.Wait()
		if !maps.Equal(got, map[string]int{"answered": 3, "open at once": 47}) || register.count() != 3 {
			t.Errorf("got %v by %d requests: a probe is not hedged", got, register.count())
		}
		if _, err := resilience.Do(t.Context(), g, answers); err != nil {
			t.Errorf("answered probes do not close: %v", err)
		}
	})
}

// One probe that fails opens the breaker; another one that is still out does not hinder the next round.
func TestFailedRound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.Probes = 2
		g := guard(t, cfg, deps())
		trip(t, g)
		time.Sleep(cfg.OpenFor * 12 / 10)
		var straggler sync.WaitGroup
		straggler.Go(func() { want(t, second(resilience.Do(t.Context(), g, after(time.Second))), nil) })
		synctest.Wait()
		want(t, second(resilience.Do(t.Context(), g, fails)), errDown)
		want(t, second(resilience.Do(t.Context(), g, answers)), resilience.ErrOpen)
		straggler.Wait()
		time.Sleep(cfg.OpenFor * 12 / 10)
		for range 5 {
			want(t, second(resilience.Do(t.Context(), g, answers)), nil)
		}
	})
}

// A probe whose caller goes away says nothing and makes room for another; and neither does a call that began before the outage.
func TestWhatSaysNothingOfTheRegister(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.Timeout, cfg.Window, cfg.Probes = time.Hour, 5*time.Hour, 1
		g := guard(t, cfg, deps())
		old := make(chan error)
		go func() {
			_, err := resilience.Do(t.Context(), g, func(ctx context.Context) (int, error) { return 0, errors.Join(pass(ctx, cfg.OpenFor*2), errDown) })
			old <- err
		}()
		synctest.Wait()
		trip(t, g)
		time.Sleep(cfg.OpenFor * 12 / 10)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := resilience.Do(ctx, g, dead)
			want(t, err, context.DeadlineExceeded)
			cancel()
		}
		probe := make(chan error)
		go func() {
			_, err := resilience.Do(t.Context(), g, after(cfg.OpenFor*9/10))
			probe <- err
		}()
		want(t, <-old, errDown) // would open it again, if it counted
		_, err := resilience.Do(t.Context(), g, answers)
		want(t, err, resilience.ErrOpen) // the probe is out; the old call gave no place back
		want(t, <-probe, nil)
		_, err = resilience.Do(t.Context(), g, answers)
		want(t, err, nil)
	})
}

func TestCallerGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := resilience.DefaultConfig()
		cfg.MinCalls = 1
		g := guard(t, cfg, deps())
		register := &counted{fn: dead}
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), cfg.Timeout/2)
			took(t, cfg.Timeout/2, func() {
				if _, err := resilience.Do(ctx, g, register.call); err != context.DeadlineExceeded { //nolint:errorlint // as it is
					t.Errorf("got %v", err)
				}
			})
			cancel()
			if _, err := resilience.Do(ctx, g, answers); err != context.DeadlineExceeded { //nolint:errorlint // as it is
				t.Errorf("asked for one who has gone: %v", err)
			}
		}
		// A failure that comes after the caller has gone does not count either.
		ctx, cancel := context.WithCancel(t.Context())
		_, err := resilience.Do(ctx, g, func(context.Context) (int, error) { cancel(); return 0, errDown })
		want(t, err, context.Canceled)
		if _, err := resilience.Do(t.Context(), g, answers); err != nil {
			t.Error(err)
		}
	})
}

func TestBulkhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.MaxInFlight = 2
		g := guard(t, cfg, deps())
		cfg.Wait = 100 * time.Millisecond
		patient := guard(t, cfg, deps())
		for _, g := range []*resilience.Guard{g, patient} {
			for range 2 {
				go func() { _, _ = resilience.Do(t.Context(), g, after(time.Second)) }()
			}
		}
		synctest.Wait()
		took(t, 0, func() {
			_, err := resilience.Do(t.Context(), g, answers)
			want(t, err, resilience.ErrFull)
		})
		took(t, cfg.Wait, func() {
			_, err := resilience.Do(t.Context(), patient, answers)
			want(t, err, resilience.ErrFull)
		})
		took(t, 50*time.Millisecond, func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := resilience.Do(ctx, patient, answers)
			want(t, err, context.DeadlineExceeded)
		})
		time.Sleep(800 * time.Millisecond) // a place comes free 50 ms later
		took(t, 50*time.Millisecond, func() {
			_, err := resilience.Do(t.Context(), patient, answers)
			want(t, err, nil)
		})
		synctest.Wait()
		for range 100 { // a full bulkhead is no failure of the register
			_, err := resilience.Do(t.Context(), g, answers)
			want(t, err, nil)
		}
	})
}

// Whoever waits for a place when the breaker opens does not go to the dead register after all.
func TestOpensWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.MaxInFlight, cfg.MinCalls, cfg.Wait = 1, 1, time.Minute
		g := guard(t, cfg, deps())
		register := &counted{fn: dead}
		var crowd sync.WaitGroup
		took(t, cfg.Timeout, func() {
			for range 20 {
				crowd.Go(func() { _, _ = resilience.Do(t.Context(), g, register.call) })
			}
			crowd.Wait()
		})
		if register.count() != 1 {
			t.Errorf("asked %d times", register.count())
		}
	})
}

func TestRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.Retries, cfg.RetryWait, cfg.MinCalls = 2, 100*time.Millisecond, 8
		g := guard(t, cfg, deps())
		var register *counted
		failing := func(times int) func(context.Context) (int, error) {
			register = &counted{}
			register.fn = func(ctx context.Context) (int, error) {
				if register.count() <= times {
					return fails(ctx)
				}
				return answers(ctx)
			}
			return register.call
		}
		begun := time.Now()
		v, err := resilience.Do(t.Context(), g, failing(2))
		if v != 7 || err != nil || register.count() != 3 {
			t.Errorf("%d %v after %d calls", v, err, register.count())
		}
		if d := time.Since(begun); d < cfg.RetryWait || d > 2*cfg.RetryWait {
			t.Errorf("two waits are %v", d)
		}
		for _, fn := range []func(context.Context) (int, error){dead, unknown} {
			register := &counted{fn: fn}
			if _, err := resilience.Do(t.Context(), g, register.call); err == nil || register.count() != 1 {
				t.Errorf("%v after %d calls", err, register.count())
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		took(t, 10*time.Millisecond, func() {
			if _, err := resilience.Do(ctx, g, fails); err != context.DeadlineExceeded { //nolint:errorlint // as it is
				t.Errorf("got %v", err)
			}
		})
		// The fourth, fifth, … failures of the window: the breaker opens in the middle of a call, whose failure is told.
		want(t, second(resilience.Do(t.Context(), g, failing(9))), errDown)
		if register.count() >= 3 {
			t.Errorf("tried %d times: an open breaker ends the retries", register.count())
		}
		want(t, second(resilience.Do(t.Context(), g, answers)), resilience.ErrOpen)
	})
}

func second[T any](_ T, err error) error { return err }

// A panic of the function is the caller's, and leaves no place or probe taken.
func TestPanic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := plain()
		cfg.MaxInFlight, cfg.Probes = 1, 1
		g := guard(t, cfg, deps())
		trip(t, g)
		time.Sleep(cfg.OpenFor * 12 / 10)
		for range 3 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("swallowed")
					}
				}()
				_, _ = resilience.Do(t.Context(), g, func(context.Context) (int, error) { panic("x") })
			}()
		}
		want(t, second(resilience.Do(t.Context(), g, answers)), nil)
	})
}

func TestMetricsAndLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := resilience.DefaultConfig()
		cfg.MaxInFlight, cfg.Wait, cfg.MinCalls, cfg.FailureRatio = 2, 0, 6, 0.5
		d, read := metered(deps())
		d, log := logged(d)
		g := guard(t, cfg, d)
		run := func(ctx context.Context, fn func(context.Context) (int, error)) { _, _ = resilience.Do(ctx, g, fn) }
		if got := read(t); got["samvirke.register.breaker"] != 0 || len(got) != 1 {
			t.Errorf("before: %v", got)
		}
		run(t.Context(), answers)
		run(t.Context(), unknown)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		run(ctx, answers)
		go run(t.Context(), after(2*time.Second)) // hedged
		time.Sleep(1500 * time.Millisecond)
		run(t.Context(), answers) // full
		if got := read(t)["samvirke.register.in_flight"]; got != 2 {
			t.Errorf("%d in flight", got)
		}
		time.Sleep(time.Second)
		run(t.Context(), fails) // and once more
		run(t.Context(), dead)  // hedged
		synctest.Wait()
		run(t.Context(), answers)
		wanted := map[string]int64{
			"samvirke.register.calls answered": 3, "samvirke.register.calls abandoned": 1, "samvirke.register.calls full": 1,
			"samvirke.register.calls failed": 1, "samvirke.register.calls timeout": 1, "samvirke.register.calls open": 1,
			"samvirke.register.hedges": 2, "samvirke.register.retries": 1, "samvirke.register.in_flight": 0, "samvirke.register.breaker": 2,
		}
		if got := read(t); !maps.Equal(got, wanted) {
			t.Errorf("got %v, want %v", got, wanted)
		}
		time.Sleep(cfg.OpenFor * 12 / 10)
		run(t.Context(), answers)
		if got := read(t)["samvirke.register.breaker"]; got != 1 {
			t.Errorf("breaker %d, want half open", got)
		}
		run(t.Context(), answers)
		if got := read(t)["samvirke.register.breaker"]; got != 0 {
			t.Errorf("breaker %d, want closed", got)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("logged %q", lines)
		}
		for i, part := range []string{"level=WARN", "from=open to=half-open", "from=half-open to=closed"} {
			if !strings.Contains(lines[i], part) || !strings.Contains(lines[i], "register=SPAR") {
				t.Errorf("logged %s", lines[i])
			}
		}
	})
}
