package resilience_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"samvirke.dev/services/platform/resilience"
	"samvirke.dev/services/platform/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errDown    = errors.New("down")      // a failure of the register
	errUnknown = errors.New("not found") // an answer
)

func deps() resilience.Deps {
	return resilience.Deps{
		Name: "SPAR", Logger: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
		Failure: func(err error) bool { return errors.Is(err, errDown) },
	}
}

// plain is a configuration with nothing but the time limit and the breaker.
func plain() resilience.Config {
	c := resilience.DefaultConfig()
	c.HedgeAfter, c.Retries, c.Wait = 0, 0, 0
	return c
}

func guard(tb testing.TB, cfg resilience.Config, d resilience.Deps) *resilience.Guard {
	tb.Helper()
	g, err := resilience.New(cfg, d)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// bubble runs a test in time that passes only while everybody waits.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func answers(context.Context) (int, error) { return 7, nil }
func fails(context.Context) (int, error)   { return 0, errDown }
func unknown(context.Context) (int, error) { return 0, errUnknown }
func dead(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// after answers after a while.
func after(d time.Duration) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) { return 7, pass(ctx, d) }
}

// pass waits, or returns the error of ctx.
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

// counted runs fn and counts how often, and how many at most at the same time.
type counted struct {
	fn func(context.Context) (int, error)

	mu              sync.Mutex
	calls, now, max int
}

func (c *counted) call(ctx context.Context) (int, error) {
	c.mu.Lock()
	fn := c.fn
	c.mu.Unlock()
	return c.run(ctx, fn)
}

func (c *counted) run(ctx context.Context, fn func(context.Context) (int, error)) (int, error) {
	c.mu.Lock()
	c.calls++
	c.now++
	c.max = max(c.max, c.now)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	return fn(ctx)
}

func (c *counted) set(fn func(context.Context) (int, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fn = fn
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// crowded returns how many calls there were at most at the same time, and how many there are.
func (c *counted) crowded() (peak, now int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.max, c.now
}

// trip makes a guard's breaker open.
func trip(t *testing.T, g *resilience.Guard) {
	t.Helper()
	for range 1000 {
		if _, err := resilience.Do(t.Context(), g, fails); errors.Is(err, resilience.ErrOpen) {
			return
		}
	}
	t.Fatal("the breaker never opens")
}

// want fails unless err is that one.
func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

// took fails unless f takes exactly so long.
func took(t *testing.T, d time.Duration, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if got := time.Since(begun); got != d {
		t.Errorf("took %v, want %v", got, d)
	}
}

// metered returns deps with a meter, and a function that reads it: value by `metric` or `metric outcome`.
func metered(d resilience.Deps) (resilience.Deps, func(*testing.T) map[string]int64) {
	reader := sdkmetric.NewManualReader()
	d.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	return d, func(t *testing.T) map[string]int64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		out := map[string]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				var points []metricdata.DataPoint[int64]
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					points = data.DataPoints
				case metricdata.Gauge[int64]:
					points = data.DataPoints
				}
				for _, p := range points {
					if name, _ := p.Attributes.Value(telemetry.KeyRegister); name.AsString() != d.Name {
						t.Errorf("%s is about %q", m.Name, name.AsString())
					}
					key := m.Name
					if o, ok := p.Attributes.Value(telemetry.KeyOutcome); ok {
						key += " " + o.AsString()
					}
					out[key] = p.Value
				}
			}
		}
		return out
	}
}

// logged returns deps with a log, and what is in it.
func logged(d resilience.Deps) (resilience.Deps, *bytes.Buffer) {
	var buf bytes.Buffer
	d.Logger = slog.New(slog.NewTextHandler(&buf, nil))
	return d, &buf
}
