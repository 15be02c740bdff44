package core

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Polling says how followed persons are fetched again.
type Polling struct {
	Every   time.Duration // how old a local copy gets; attempts are spread over it
	Retry   time.Duration // after the first attempt in vain; doubled each time up to Every
	Batch   int           // persons of one go
	Workers int           // questions under way at a time
	EndUser string        // who asks, as the register sees it
}

// Polled counts what became of a go.
type Polled struct {
	Asked       int // persons who were due
	Failed      int // of those, how many the register gave no answer about
	Unavailable bool
	Applied
}

// Poll fetches the persons of a country who are due, at most one batch, and applies what the register tells. Who could not be fetched
// is due again after a while that grows with each attempt in vain. Errors: ErrStoreUnavailable, ErrKeysUnavailable, that of the ended
// context. That a register gives no answer is no error: it is counted.
func (s *Service) Poll(ctx context.Context, country nationalid.Country, how Polling) (Polled, error) {
	register := s.registers[country]
	if register == nil {
		return Polled{}, nil
	}
	// Nobody is due later than that, but by a clock that was ahead.
	now := s.clock.Now()
	err := s.feed.NotAfter(ctx, country, now.Add(how.Every))
	var due []Due
	if err == nil {
		due, err = s.feed.Due(ctx, country, now, how.Batch)
	}
	if err != nil {
		return Polled{}, fmt.Errorf("identity: poll: %w", err)
	}
	g := &polling{service: s, register: register, how: how, done: Polled{Asked: len(due)}}
	return g.run(ctx, due)
}

// polling is one go under way.
type polling struct {
	service  *Service
	register Register
	how      Polling

	mu   sync.Mutex
	done Polled
	err  error
}

func (g *polling) run(ctx context.Context, due []Due) (Polled, error) {
	todo := make(chan Due)
	var workers sync.WaitGroup
	for range max(g.how.Workers, 1) {
		workers.Go(func() {
			for d := range todo {
				g.note(g.one(ctx, d))
			}
		})
	}
	for _, d := range due {
		todo <- d
	}
	close(todo)
	workers.Wait()
	return g.done, errors.Join(g.err, ctx.Err())
}

func (g *polling) note(done Polled, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done.Failed += done.Failed
	g.done.Unavailable = g.done.Unavailable || done.Unavailable
	g.done.add(done.Applied)
	if g.err == nil {
		g.err = err
	}
}

// one fetches one person. After the first fault of ours the rest of the go is left for the next.
func (g *polling) one(ctx context.Context, d Due) (Polled, error) {
	if g.broken() || ended(ctx) {
		return Polled{}, nil
	}
	s := g.service
	ask := Inquiry{Number: d.Person.Number, Controller: follower(d.Person), EndUser: g.how.EndUser}
	if !d.Person.followed(s.today()) {
		return Polled{}, g.leave(ctx, d, ask)
	}
	person, err := g.register.Lookup(ctx, ask)
	if enroller, ok := g.register.(Enroller); ok && err == nil {
		err = enroller.Enrol(ctx, ask)
	}
	switch {
	case ended(ctx):
		return Polled{}, nil // Poll says so; the person stays due
	case err != nil:
		return Polled{Failed: 1, Unavailable: errors.Is(err, ErrRegisterUnavailable)}, g.later(ctx, d)
	}
	applied, err := s.Apply(ctx, []*Person{person})
	if err != nil {
		return Polled{}, err
	}
	return Polled{Applied: applied}, s.feed.Polled(ctx, d.Ref, s.clock.Now().Add(spread(g.how.Every, d.Ref)), 0)
}

// broken reports whether a fault of ours ended the go.
func (g *polling) broken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err != nil
}

// ended reports whether somebody called the go off.
func ended(ctx context.Context) bool { return ctx.Err() != nil }

// later puts off a person who could not be fetched.
func (g *polling) later(ctx context.Context, d Due) error {
	again := min(g.how.Every, g.how.Retry<<min(d.Failures, 16))
	return g.service.feed.Polled(ctx, d.Ref, g.service.clock.Now().Add(spread(again, d.Ref)), d.Failures+1)
}

// leave takes a person whom nobody follows any more off the register's list, where it keeps one.
func (g *polling) leave(ctx context.Context, d Due, ask Inquiry) error {
	if enroller, ok := g.register.(Enroller); ok {
		if err := enroller.Withdraw(ctx, ask); err != nil {
			return g.later(ctx, d)
		}
	}
	return g.service.feed.Unfollow(ctx, d.Ref)
}

// follower returns a fund on whose responsibility the person is fetched: the first that follows.
func follower(p *Person) string {
	for _, m := range p.Memberships {
		if m.Reference != "" && m.Until.IsZero() {
			return m.Controller
		}
	}
	if len(p.Memberships) > 0 {
		return p.Memberships[0].Controller
	}
	return ""
}

// spread shortens a time by up to a fifth, differently for each person, so that those who were fetched together drift apart.
func spread(d time.Duration, ref int64) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write(strconv.AppendInt(nil, ref, 10)) // a hash never fails
	const parts = 1000
	return d - d/5*time.Duration(h.Sum32()%parts)/parts
}

// Recheck makes those of the persons who are followed due at once. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Recheck(ctx context.Context, numbers []nationalid.Number) error {
	now := s.clock.Now()
	for _, n := range numbers {
		f, err := s.persons.ByNumber(ctx, n)
		if err == nil && f.Known {
			err = s.feed.Polled(ctx, f.Ref, now, 0)
		}
		if err != nil {
			return fmt.Errorf("identity: recheck: %w", err)
		}
	}
	return nil
}

// Overdue returns for how long the longest waiting followed person of a country has been due; zero if nobody is. Errors:
// ErrStoreUnavailable.
func (s *Service) Overdue(ctx context.Context, country nationalid.Country) (time.Duration, error) {
	due, err := s.feed.Oldest(ctx, country)
	if err != nil || due.IsZero() {
		return 0, err
	}
	return max(0, s.clock.Now().Sub(due)), nil
}
