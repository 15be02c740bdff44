// Package resilience stands between us and an outside register, so that its troubles stay its own: a Guard for each register bounds how
// long a call takes and how many are under way, asks a slow register a second time, and leaves a dead one alone.
//
// # What happens to a call
//
//  1. While the circuit breaker is open, the call ends with ErrOpen at once.
//  2. It takes a place in the bulkhead, or waits for one, or ends with ErrFull. Every request that is with the register has a place
//     of its own: a hedge takes a second one, and is not sent when none is free, so that hedging never makes a crowd worse.
//     A place is given back when the function has returned, also that of a request whose answer nobody wants any more.
//  3. The function runs, with a context that ends with the attempt's time. Without an answer after a while it runs a second time, at
//     the same time; the first answer counts and the other request is cancelled.
//  4. An attempt that failed is tried again a few times, not one that timed out: its caller has waited long enough.
//
// Every attempt, with its hedge, is one for the breaker. Among the answers are errors by which the register shows that it works (not
// found, refused): Deps.Failure tells them from failures. An attempt whose caller went away says nothing about the register, and
// neither does one that began before the breaker last changed.
//
// When the breaker has been open long enough, a few attempts are let through as probes, and no others. They are not hedged. All of them
// answered: it closes. One failed: it opens again.
//
// Breaker and bulkhead are failsafe-go's. Its hedge and timeout are not used: the hedge takes the first result, even if it is a
// failure and the other request may still be answered, and both need a goroutine for every call. Time is the process's own
// (package time), since failsafe-go takes no clock; tests run it in testing/synctest. The breaker's window follows the wall clock: a
// clock that is set back freezes the window until it has caught up; the time for which the breaker stays open is not affected.
package resilience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"go.opentelemetry.io/otel/metric"
)

// Errors of Do. They come wrapped with the name of the guard.
var (
	// ErrOpen means that the register was not asked, because it has failed too often of late.
	ErrOpen = errors.New("resilience: circuit breaker open")
	// ErrFull means that the register was not asked, because too many requests are with it already.
	ErrFull = errors.New("resilience: too many requests in flight")
	// ErrTimeout means that the register did not answer in the time of an attempt.
	ErrTimeout = errors.New("resilience: no answer in time")
)

// Deps are what a guard needs. All are required.
type Deps struct {
	Name   string // of the register in errors, logs and metrics, `SPAR`
	Logger *slog.Logger
	Meter  metric.Meter
	// Failure reports whether an error of a call is a failure of the register. Others count as answers.
	Failure func(err error) bool
}

// Guard guards one register. It is safe for concurrent use, holds nothing that must be closed, and starts no goroutine that outlives its
// request.
type Guard struct {
	cfg     Config
	name    string
	log     *slog.Logger
	failure func(err error) bool
	places  bulkhead.Bulkhead[any]
	breaker *breaker
	meters  *meters

	open, full, timeout error // with the name
}

// New returns a guard whose breaker is closed, or an error that names what is missing or wrong.
func New(cfg Config, d Deps) (*Guard, error) {
	if d.Name == "" || d.Logger == nil || d.Meter == nil || d.Failure == nil {
		return nil, errors.New("resilience: name, logger, meter and failure are required")
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	breaker := newBreaker(cfg)
	meters, err := newMeters(d.Meter, d.Name, breaker)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	named := func(err error) error { return fmt.Errorf("%s: %w", d.Name, err) }
	return &Guard{
		cfg: cfg, name: d.Name, log: d.Logger, failure: d.Failure, meters: meters,
		places: bulkhead.New[any](uint(cfg.MaxInFlight)), breaker: breaker,
		open: named(ErrOpen), full: named(ErrFull), timeout: named(ErrTimeout),
	}, nil
}

// outcome is what became of an attempt.
type outcome int

const (
	abandoned outcome = iota // the caller went away, or the function panicked
	answered
	failed
	timedOut
	refusedOpen
	refusedFull
	outcomes // how many there are
)

// String returns the outcome as it stands in metrics.
func (o outcome) String() string {
	return [outcomes]string{"abandoned", "answered", "failed", "timeout", "open", "full"}[o]
}

// Do asks the register by fn, guarded as the package comment says. fn must return when its context ends, for Do waits for it, and must
// bear to be run more than once, also at the same time, if the configuration has retries or hedging.
//
// Errors: ErrOpen, ErrFull, ErrTimeout; that of ctx, as it is, if ctx ended before an answer came; else that of fn.
func Do[T any](ctx context.Context, g *Guard, fn func(context.Context) (T, error)) (T, error) {
	v, out, err := attempt(ctx, g, fn)
	for n := 0; out == failed && n < g.cfg.Retries; n++ {
		if err := g.pause(ctx); err != nil {
			g.meters.call(ctx, abandoned)
			return *new(T), err
		}
		g.meters.retry(ctx)
		again, what, why := attempt(ctx, g, fn)
		if what == refusedOpen || what == refusedFull {
			break // the failure tells more
		}
		v, out, err = again, what, why
	}
	g.meters.call(ctx, out)
	return v, err
}

// attempt asks the register once, hedge included.
func attempt[T any](ctx context.Context, g *Guard, fn func(context.Context) (T, error)) (v T, out outcome, err error) {
	if err := ctx.Err(); err != nil {
		return v, abandoned, err
	}
	pass, ok := g.enter(ctx) // first, so that nobody waits for a place in vain
	if !ok {
		return v, refusedOpen, g.open
	}
	defer func() { g.leave(ctx, pass, out) }() // also when fn panics
	if err := g.places.AcquirePermitWithMaxWait(ctx, g.cfg.Wait); err != nil {
		if errors.Is(err, bulkhead.ErrFull) {
			return v, refusedFull, g.full
		}
		return v, abandoned, err
	}
	defer g.places.ReleasePermit()
	if g.breaker.changedSince(pass) { // while we waited
		if pass, ok = g.enter(ctx); !ok {
			return v, refusedOpen, g.open
		}
	}
	inner, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	if g.cfg.HedgeAfter > 0 && !pass.probe {
		v, err = hedged(inner, g, fn)
	} else {
		v, err = sent(inner, g, fn)
	}
	switch {
	case err == nil:
		return v, answered, nil
	case ctx.Err() != nil:
		return *new(T), abandoned, ctx.Err()
	case inner.Err() != nil && (errors.Is(err, inner.Err()) || g.failure(err)):
		return *new(T), timedOut, g.timeout
	case g.failure(err):
		return v, failed, err
	}
	return v, answered, err
}

// sent runs fn in a place that the caller holds.
func sent[T any](ctx context.Context, g *Guard, fn func(context.Context) (T, error)) (T, error) {
	g.meters.inFlight(ctx, 1)
	defer g.meters.inFlight(ctx, -1)
	return fn(ctx)
}

// pause waits before a retry. It returns the error of ctx if that ends.
func (g *Guard) pause(ctx context.Context) error {
	if half := int64(g.cfg.RetryWait / 2); half > 0 {
		timer := time.NewTimer(time.Duration(half + rand.Int64N(half))) //nolint:gosec // spreads load; nothing secret
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (g *Guard) enter(ctx context.Context) (pass, bool) {
	p, change, ok := g.breaker.enter()
	g.changed(ctx, change)
	return p, ok
}

func (g *Guard) leave(ctx context.Context, p pass, out outcome) {
	g.changed(ctx, g.breaker.leave(p, out))
}

// changed tells the operators what the breaker did.
func (g *Guard) changed(ctx context.Context, c change) {
	if c.from == c.to {
		return
	}
	level := slog.LevelInfo
	if c.to == open {
		level = slog.LevelWarn
	}
	g.log.Log(ctx, level, "circuit breaker of a register changed", "register", g.name, "from", c.from.String(), "to", c.to.String())
}
