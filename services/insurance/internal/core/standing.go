package core

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// The identity service is asked before a transaction begins, because no transaction may wait for another service; the answers travel
// in the context. Whoever was not asked about counts as protected.

// standings are the answers, by handle.
type standings map[string]Standing

type standingsKey struct{}

// atOnce bounds how many questions are under way for one call.
const atOnce = 16

// ask returns a context with what the identity service says of a controller's members now.
func (s *Service) ask(ctx context.Context, controller string, address bool, handles ...string) context.Context {
	answers := make(standings, len(handles))
	for _, h := range handles {
		answers[h] = Standing{Protected: true, Unreachable: true}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, handle := range slices.Collect(maps.Keys(answers)) {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			got := s.identity.Standing(ctx, controller, handle, address)
			mu.Lock()
			defer mu.Unlock()
			answers[handle] = got
		})
	}
	all.Wait()
	return context.WithValue(ctx, standingsKey{}, answers)
}

func (s *Service) standing(ctx context.Context, handle string) Standing {
	answers, _ := ctx.Value(standingsKey{}).(standings)
	if got, ok := answers[handle]; ok {
		return got
	}
	return Standing{Protected: true, Unreachable: true}
}

// asked says whether the identity service was asked for this call at all.
func asked(ctx context.Context) bool {
	_, ok := ctx.Value(standingsKey{}).(standings)
	return ok
}
