package app_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/app"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diary records what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) check(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(d.lines, want) {
		t.Errorf("happened:\n%s\nwant:\n%s", strings.Join(d.lines, "\n"), strings.Join(want, "\n"))
	}
}

// component writes its life into the diary and runs until it is told to end.
func (d *diary) component(name string) app.Component {
	return app.Component{
		Name:  name,
		Start: func(context.Context) error { d.add("start " + name); return nil },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			d.add("end " + name)
			return ctx.Err()
		},
		Stop: func(ctx context.Context) error {
			if ctx.Err() != nil {
				d.add("stop of " + name + " has no time")
			}
			d.add("stop " + name)
			return nil
		},
	}
}

func config() app.GroupConfig {
	return app.GroupConfig{Logger: slog.New(slog.DiscardHandler)}
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		g := app.NewGroup(config(), d.component("store"), d.component("keys"))
		g.Add(d.component("server"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		synctest.Wait()
		d.check(t, "start store", "start keys", "start server")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.check(t, "start store", "start keys", "start server", "end server", "end keys", "end store", "stop server", "stop keys", "stop store")
	})
}

func TestGroupUndoesAFailedStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		failure, second := errors.New("no key store"), errors.New("already gone")
		broken := d.component("keys")
		broken.Start = func(context.Context) error { return failure }
		store := d.component("store")
		stop := store.Stop
		store.Stop = func(ctx context.Context) error { return errors.Join(stop(ctx), second) }
		err := app.NewGroup(config(), store, broken, d.component("server")).Run(t.Context())
		if !errors.Is(err, failure) || !errors.Is(err, second) || !strings.Contains(err.Error(), "start keys: no key store") {
			t.Errorf("got %v", err)
		}
		d.check(t, "start store", "stop store")
	})
}

func TestGroupBoundsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.StartTimeout = time.Second
		slow := app.Component{Name: "slow", Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		if err := app.NewGroup(cfg, slow).Run(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestGroupEndsWhenOneFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("listener broke")
	cases := map[string]struct {
		returned, want error
	}{
		"error":                       {failure, failure},
		"nil too early":               {nil, app.ErrEnded},
		"cancelled by something else": {context.Canceled, context.Canceled},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				server := d.component("server")
				server.Run = func(context.Context) error { return c.returned }
				err := app.NewGroup(config(), d.component("store"), server).Run(t.Context())
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "run server") {
					t.Errorf("got %v", err)
				}
				d.check(t, "start store", "start server", "end store", "stop server", "stop store")
			})
		})
	}
}

func TestGroupJoinsAllErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
		a := app.Component{Name: "a", Run: func(ctx context.Context) error { <-ctx.Done(); return one }}
		b := app.Component{Name: "b", Run: func(context.Context) error { return two }, Stop: func(context.Context) error { return three }}
		err := app.NewGroup(config(), a, b).Run(t.Context())
		for _, want := range []error{one, two, three} {
			if !errors.Is(err, want) {
				t.Errorf("%v is missing in %v", want, err)
			}
		}
	})
}

func TestGroupLeavesAStuckComponentBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := d.component("stuck")
		stuck.Run = func(context.Context) error { <-release; return nil }
		cfg := config()
		cfg.DrainTimeout = 5 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		cancel2 := time.AfterFunc(time.Second, cancel)
		defer cancel2.Stop()
		start := time.Now()
		err := app.NewGroup(cfg, d.component("store"), stuck).Run(ctx)
		if !errors.Is(err, app.ErrDrain) || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("got %v", err)
		}
		if got := time.Since(start); got != 6*time.Second {
			t.Errorf("took %v", got)
		}
		close(release)
		synctest.Wait()
		d.check(t, "start store", "start stuck", "stop stuck", "stop store", "end store")
	})
}

func TestGroupGivesEveryStopItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.StopTimeout = 2 * time.Second
		slow := func(name string) app.Component {
			return app.Component{Name: name, Stop: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := app.NewGroup(cfg, slow("a"), slow("b")).Run(ctx)
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("took %v, want 1 s running and twice 2 s", got)
		}
		if !strings.Contains(err.Error(), "stop a") || !strings.Contains(err.Error(), "stop b") {
			t.Errorf("got %v", err)
		}
	})
}

func TestGroupWithEndedContextRunsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		first := d.component("first")
		first.Run = func(context.Context) error { d.add("run"); return nil }
		start := first.Start
		first.Start = func(ctx context.Context) error { cancel(); return start(ctx) }
		if err := app.NewGroup(config(), first).Run(ctx); err != nil {
			t.Error(err)
		}
		d.check(t, "start first", "stop first")
	})
}
