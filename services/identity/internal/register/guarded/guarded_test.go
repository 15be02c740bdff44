package guarded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/guarded"
	"samvirke.dev/services/platform/resilience"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a register that does the same with every question.
type fake struct {
	mu    sync.Mutex
	calls int
	do    func(ctx context.Context, call int) error
}

func (f *fake) call(ctx context.Context) error {
	f.mu.Lock()
	f.calls++
	n, do := f.calls, f.do
	f.mu.Unlock()
	return do(ctx, n)
}

func (f *fake) set(do func(context.Context, int) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.do, f.calls = do, 0
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fake) Lookup(ctx context.Context, ask core.Inquiry) (*core.Person, error) {
	if err := f.call(ctx); err != nil {
		return nil, err
	}
	return &core.Person{Number: ask.Number}, nil
}

// withList is one with a list.
type withList struct {
	fake
	list fake
}

func (f *withList) Enrol(ctx context.Context, _ core.Inquiry) error    { return f.list.call(ctx) }
func (f *withList) Withdraw(ctx context.Context, _ core.Inquiry) error { return f.list.call(ctx) }

func works(context.Context, int) error { return nil }

// dead is what an adapter makes of its ended context.
func dead(ctx context.Context, _ int) error {
	<-ctx.Done()
	return fmt.Errorf("adapter: %w", ctx.Err())
}

func always(err error) func(context.Context, int) error {
	return func(context.Context, int) error { return fmt.Errorf("adapter: %w", err) }
}

func takes(d time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error { return pass(ctx, d) }
}

func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func deps(r core.Register, name string) guarded.Deps {
	return guarded.Deps{
		Register: r, Name: name, Config: resilience.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
	}
}

func wrap(t *testing.T, d guarded.Deps) core.Register {
	t.Helper()
	r, err := guarded.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inquiry(t *testing.T) core.Inquiry {
	t.Helper()
	n, err := nationalid.Parse(nationalid.Denmark, "7403851013", civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		t.Fatal(err)
	}
	return core.Inquiry{Number: n, Controller: "DK:12345678"}
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func want(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("got %v, want %v", err, target)
		}
	}
}

func lookup(ctx context.Context, t *testing.T, r core.Register) error {
	t.Helper()
	ask := inquiry(t)
	p, err := r.Lookup(ctx, ask)
	if (p == nil) != (err != nil) || p != nil && p.Number != ask.Number {
		t.Errorf("got %v with %v", p, err)
	}
	return err
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*guarded.Deps){
		"register": func(d *guarded.Deps) { d.Register = nil }, "name": func(d *guarded.Deps) { d.Name = "" },
		"config": func(d *guarded.Deps) { d.Config = resilience.Config{} }, "logger": func(d *guarded.Deps) { d.Logger = nil },
		"meter": func(d *guarded.Deps) { d.Meter = nil },
	} {
		d := deps(&fake{}, "SPAR")
		bend(&d)
		if r, err := guarded.New(d); err == nil || r != nil {
			t.Errorf("no %s: accepted", name)
		}
	}
	if _, ok := wrap(t, deps(&fake{}, "SPAR")).(core.Enroller); ok {
		t.Error("keeps a list that the register does not keep")
	}
	if _, ok := wrap(t, deps(&withList{}, "CPR")).(core.Enroller); !ok {
		t.Error("hides the register's list")
	}
}

func TestDeadRegister(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{do: dead}
		d := deps(f, "SPAR")
		r := wrap(t, d)
		for range d.Config.MinCalls {
			err := lookup(t.Context(), t, r)
			want(t, err, core.ErrRegisterUnavailable, resilience.ErrTimeout)
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("looks like the caller's own deadline: %v", err)
			}
		}
		asked, begun := f.count(), time.Now()
		for range 100 {
			want(t, lookup(t.Context(), t, r), core.ErrRegisterUnavailable, resilience.ErrOpen)
		}
		if time.Since(begun) != 0 || f.count() != asked {
			t.Errorf("took %v and %d requests", time.Since(begun), f.count()-asked)
		}
		f.set(works)
		time.Sleep(d.Config.OpenFor * 12 / 10)
		for range 10 {
			want(t, lookup(t.Context(), t, r), nil)
		}
	})
}

func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := deps(&fake{do: takes(time.Second)}, "SPAR")
		d.Config.MaxInFlight, d.Config.HedgeAfter = 1, 0
		r := wrap(t, d)
		go func() { _ = lookup(t.Context(), t, r) }()
		synctest.Wait()
		begun := time.Now()
		want(t, lookup(t.Context(), t, r), core.ErrRegisterUnavailable, resilience.ErrFull)
		if took := time.Since(begun); took != d.Config.Wait {
			t.Errorf("took %v", took)
		}
	})
}

// What the register says is told as it was said; only its unavailability counts against it, and is tried again.
func TestAnswersAndFailures(t *testing.T) {
	for _, c := range []struct {
		err     error
		asked   int
		counted bool
	}{
		{core.ErrNotFound, 1, false},
		{core.ErrRegisterRefused, 1, false},
		{core.ErrRegisterTooMany, 1, false},
		{core.ErrRegisterUnavailable, 2, true},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{do: always(c.err)}
				r := wrap(t, deps(f, "SPAR"))
				err := lookup(t.Context(), t, r)
				want(t, err, c.err)
				if err == nil || err.Error() != "adapter: "+c.err.Error() || f.count() != c.asked {
					t.Errorf("got %v after %d requests", err, f.count())
				}
				for range 100 {
					err = lookup(t.Context(), t, r)
				}
				if errors.Is(err, resilience.ErrOpen) != c.counted {
					t.Errorf("after a hundred: %v", err)
				}
			})
		})
	}
	t.Run("caller", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := wrap(t, deps(&fake{do: dead}, "SPAR"))
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				err := lookup(ctx, t, r)
				cancel()
				if err != context.DeadlineExceeded { //nolint:errorlint // as it is
					t.Fatalf("got %v", err)
				}
			}
		})
	})
}

// A dead SPAR, asked by a crowd, changes nothing for CPR.
func TestRegistersAreIndependent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p99 := func(cpr core.Register) time.Duration {
			times := make([]time.Duration, 500)
			for i := range times {
				begun := time.Now()
				want(t, lookup(t.Context(), t, cpr), nil)
				times[i] = time.Since(begun)
			}
			slices.Sort(times)
			return times[494]
		}
		answer := func(ctx context.Context, n int) error { return pass(ctx, time.Duration(n%30)*time.Millisecond) }
		cpr := func() core.Register { return wrap(t, deps(&fake{do: answer}, "CPR")) }
		alone := p99(cpr())
		spar := wrap(t, deps(&fake{do: dead}, "SPAR"))
		ctx, stop := context.WithCancel(t.Context())
		var crowd sync.WaitGroup
		for range 200 {
			crowd.Go(func() {
				for ctx.Err() == nil {
					_ = lookup(ctx, t, spar)
					_ = pass(ctx, 10*time.Millisecond)
				}
			})
		}
		beside := p99(cpr())
		stop()
		crowd.Wait()
		t.Logf("99th percentile of CPR %v, beside a dead SPAR %v", alone, beside)
		if alone != beside {
			t.Errorf("99th percentile of CPR %v, beside a dead SPAR %v", alone, beside)
		}
	})
}

// A slow look-up is hedged, a slow change of the list is not.
func TestHedging(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowFirst := func(ctx context.Context, n int) error {
			if n == 1 {
				return pass(ctx, 2500*time.Millisecond)
			}
			return pass(ctx, time.Millisecond)
		}
		f := &withList{fake: fake{do: slowFirst}, list: fake{do: slowFirst}}
		d := deps(f, "CPR")
		r := wrap(t, d)
		begun := time.Now()
		want(t, lookup(t.Context(), t, r), nil)
		if took := time.Since(begun); took != d.Config.HedgeAfter+time.Millisecond || f.count() != 2 {
			t.Errorf("took %v and %d requests", took, f.count())
		}
		begun = time.Now()
		want(t, r.(core.Enroller).Enrol(t.Context(), inquiry(t)), nil)
		if took := time.Since(begun); took != 2500*time.Millisecond || f.list.count() != 1 {
			t.Errorf("list: took %v and %d requests", took, f.list.count())
		}
	})
}

// A list in trouble is left alone, without retries, and does not keep anybody from looking up; nor the other way round.
func TestListHasItsOwnGuard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &withList{fake: fake{do: works}, list: fake{do: always(core.ErrRegisterUnavailable)}}
		d := deps(f, "CPR")
		r := wrap(t, d)
		list := r.(core.Enroller)
		for i := range d.Config.MinCalls {
			want(t, list.Withdraw(t.Context(), inquiry(t)), core.ErrRegisterUnavailable)
			if f.list.count() != i+1 {
				t.Errorf("asked %d times by call %d", f.list.count(), i+1)
			}
		}
		want(t, list.Enrol(t.Context(), inquiry(t)), core.ErrRegisterUnavailable, resilience.ErrOpen)
		want(t, lookup(t.Context(), t, r), nil)

		f.list.set(works)
		f.set(always(core.ErrRegisterUnavailable))
		time.Sleep(d.Config.OpenFor * 12 / 10)
		for range 100 {
			_ = lookup(t.Context(), t, r)
		}
		want(t, lookup(t.Context(), t, r), resilience.ErrOpen)
		for range 10 {
			want(t, list.Enrol(t.Context(), inquiry(t)), nil)
		}
	})
}
