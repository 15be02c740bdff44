package core

import (
	"context"
	"errors"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
)

const (
	// sweepPage is how many records a sweep moves in one transaction: short enough for others to get in between.
	sweepPage = 5000
	// duePage is how many records are looked up at once.
	duePage = 200
)

// MissDeadlines counts the missed deadlines of all records whose day has passed, and says how many. It can be run at any time and again:
// a record that was swept has a later day, or none.
func (s *Service) MissDeadlines(ctx context.Context) (int, error) {
	today, done := s.Today(), 0
	next := map[string]civil.Date{}
	for _, country := range []string{rules.Denmark, rules.Sweden} {
		day, err := s.Machine.Reminder(country, today)
		if err != nil {
			return 0, err
		}
		next[country] = day
	}
	for {
		n, err := s.missPage(ctx, today, next)
		done += n
		if err != nil || n < sweepPage {
			return done, err
		}
	}
}

// missPage sweeps some records, with an audit record for each.
func (s *Service) missPage(ctx context.Context, today civil.Date, next map[string]civil.Date) (n int, err error) {
	err = s.Store.InTx(ctx, func(ctx context.Context) error {
		now := s.Clock.Now()
		missed, err := s.Store.MissAll(ctx, today, next, now, sweepPage)
		if n = len(missed); err != nil || n == 0 {
			return err
		}
		items := make([]Timed, n)
		for i, m := range missed {
			items[i] = Timed{m.Fund, m.ID, subjectOf(m.Fund, m.Handle, m.Subject), m.Protected}
		}
		return s.Records.Timed(ctx, cases.MissDeadline, now, items)
	})
	return n, err
}

// ExpirePoAs ends the open records whose power of attorney is over, and says how many.
func (s *Service) ExpirePoAs(ctx context.Context) (int, error) {
	return s.each(ctx, s.Store.ExpiredPoA, step{
		event: cases.ExpirePoA, actor: cases.System, timed: true,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Expire(c, cases.System, s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			if c.Side == cases.Receiving {
				return nil
			}
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: cases.ExpirePoA}})
		},
	})
}

// ReachDays makes moves effective whose day has come, and says how many. The address subscription is then to be opened or closed.
func (s *Service) ReachDays(ctx context.Context) (int, error) {
	return s.each(ctx, s.Store.DayReached, step{
		event: cases.DayReached, actor: cases.System, timed: true,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Reach(c, cases.System, s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			return s.Store.SetAddress(ctx, c.ID, c.Fund, store.AddressPending)
		},
	})
}

// each takes a step of every record that is due, each in a transaction of its own.
func (s *Service) each(ctx context.Context, due func(context.Context, civil.Date, int) ([]store.Due, error), st step) (int, error) {
	done := 0
	for {
		page, err := due(ctx, s.Today(), duePage)
		if err != nil || len(page) == 0 {
			return done, err
		}
		moved := 0
		for _, d := range page {
			switch _, err := s.apply(ctx, d.Fund, d.ID, st); {
			case err == nil:
				moved++
			case errors.Is(err, cases.ErrState), errors.Is(err, cases.ErrGuard), errors.Is(err, store.ErrConflict): // moved on meanwhile
			default:
				return done + moved, err
			}
		}
		done += moved
		if moved == 0 {
			return done, nil
		}
	}
}

// FollowAddresses opens the address subscription in the receiving fund and closes it in the releasing one, for every move that has become
// effective, and says how many are done. What fails is tried again at the next run.
func (s *Service) FollowAddresses(ctx context.Context, persons Persons) (done int, err error) {
	var after store.Due
	var problems []error
	for {
		page, err := s.Store.Addresses(ctx, after, duePage)
		if err != nil || len(page) == 0 {
			return done, errors.Join(append(problems, err)...)
		}
		for _, d := range page {
			after = d
			if err := s.followAddress(ctx, persons, d); err != nil {
				problems = append(problems, err)
				continue
			}
			done++
		}
	}
}

func (s *Service) followAddress(ctx context.Context, persons Persons, d store.Due) error {
	c, err := s.Store.Get(ctx, d.ID, d.Fund)
	if err != nil {
		return err
	}
	if c.Side == cases.Receiving {
		err = persons.Open(ctx, c.Fund, c.Handle, c.Membership, c.Effective)
	} else {
		err = persons.Close(ctx, c.Fund, c.Handle, c.Membership, c.ReleasedOn())
	}
	switch {
	case errors.Is(err, ErrPerson) && c.Side == cases.Releasing: // there was no subscription to close
	case err != nil:
		return err
	}
	return s.Store.SetAddress(ctx, c.ID, c.Fund, store.AddressDone)
}
