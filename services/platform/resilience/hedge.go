package resilience

import (
	"context"
	"runtime/debug"
	"time"
)

// second is what became of the second request.
type second[T any] struct {
	v      T
	err    error
	counts bool // it is an answer
}

// hedged runs fn, and once more beside it if that takes too long and a place is free. The first answer is returned. If there is none, it
// is the failure of the first request, after both have ended. The caller ends ctx afterwards, and with it a second request that came too late.
func hedged[T any](ctx context.Context, g *Guard, fn func(context.Context) (T, error)) (T, error) {
	first, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan second[T], 1)
	timer := time.AfterFunc(g.cfg.HedgeAfter, func() {
		s := again(ctx, g, fn)
		result <- s
		if s.counts {
			stop()
		}
	})
	v, err := sent(first, g, fn)
	if timer.Stop() || g.counts(first, err) {
		return v, err
	}
	if s := <-result; s.counts {
		return s.v, s.err
	}
	return v, err
}

// again is the second request. It runs in a goroutine of its own, so it catches a panic, which would end the process; the value is not
// logged, since it may hold personal data.
func again[T any](ctx context.Context, g *Guard, fn func(context.Context) (T, error)) (s second[T]) {
	if ctx.Err() != nil || !g.places.TryAcquirePermit() {
		return s
	}
	defer g.places.ReleasePermit()
	defer func() {
		if recover() != nil {
			g.log.ErrorContext(ctx, "a hedged request panicked", "register", g.name, "stack", string(debug.Stack()))
			s = second[T]{}
		}
	}()
	g.meters.hedge(ctx)
	s.v, s.err = sent(ctx, g, fn)
	s.counts = g.counts(ctx, s.err)
	return s
}

// counts reports whether err, of a request with ctx, is an answer of the register, and not its failure or the end of the request.
func (g *Guard) counts(ctx context.Context, err error) bool {
	return err == nil || ctx.Err() == nil && !g.failure(err)
}
