package core

import (
	"context"
	"slices"
)

// The identity service is asked before a transaction begins, because no transaction may wait for another service; the answers travel
// in the context. Whoever was not asked about counts as protected.

// standings are the answers, by handle.
type standings map[string]Standing

type standingsKey struct{}

// ask returns a context with what the identity service says of a controller's members now.
func (s *Service) ask(ctx context.Context, controller string, address bool, handles ...string) context.Context {
	answers := standings{}
	if len(handles) > 0 {
		slices.Sort(handles)
		handles = slices.Compact(handles)
		for i, got := range s.identity.Standings(ctx, controller, handles, address) {
			answers[handles[i]] = got
		}
	}
	return context.WithValue(ctx, standingsKey{}, answers)
}

func (s *Service) standing(ctx context.Context, handle string) Standing {
	if got, ok := answers(ctx)[handle]; ok {
		return got
	}
	return Standing{Protected: true, Unreachable: true}
}

// answers are those that the call has; nil if the identity service was not asked at all.
func answers(ctx context.Context) standings {
	got, _ := ctx.Value(standingsKey{}).(standings)
	return got
}

// asked says whether the identity service was asked for this call at all.
func asked(ctx context.Context) bool { return answers(ctx) != nil }
