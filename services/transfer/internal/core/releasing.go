package core

import (
	"context"
	"errors"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// actorOf is who the caller is in the case: the keeper of the record.
func actorOf(c cases.Case) cases.Party { return c.Side }

// Acknowledgement is what the releasing fund says when it knows the member. Handle and Protected are what the identity service said just
// now.
type Acknowledgement struct {
	Membership string
	Since      civil.Date // first day of the membership; zero if not known
	Handle     string
	Protected  bool
}

// Acknowledge says that the member is or was one of the calling fund.
func (s *Service) Acknowledge(ctx context.Context, by Caller, id string, a Acknowledgement) (cases.Case, error) {
	return s.apply(ctx, by.Fund, id, step{
		event: cases.Acknowledge, actor: cases.Releasing,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Acknowledge(c, actorOf(c), by.Human(), a.Handle, a.Membership, a.Protected, s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			if err := s.belongs(ctx, *c, a.Since); err != nil {
				return err
			}
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: cases.Acknowledge}})
		},
	})
}

// belongs makes sure that the person's time is with the releasing fund.
func (s *Service) belongs(ctx context.Context, c cases.Case, since civil.Date) error {
	now, err := s.Store.PeriodOf(ctx, c.Subject, store.Forever)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.Store.Begin(ctx, c.Subject, store.Period{Fund: c.Fund, First: max(since, 1)})
	case err != nil:
		return err
	case now.Fund != c.Fund:
		return cases.GuardError{Guard: cases.GuardDate}
	default:
		return nil
	}
}

// Reject ends the request.
func (s *Service) Reject(ctx context.Context, by Caller, id string, code cases.RejectionCode) (cases.Case, error) {
	return s.apply(ctx, by.Fund, id, step{
		event: cases.Reject, actor: cases.Releasing,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Reject(c, actorOf(c), code)
		},
		then: func(ctx context.Context, c *cases.Case) error {
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: cases.Reject, Rejection: code}})
		},
	})
}

// Deliver adds a part of the data; wrapped was made for the receiving fund just now.
func (s *Service) Deliver(ctx context.Context, by Caller, id string, wrapped store.Part, protected bool) (cases.Case, error) {
	event := cases.DeliverPart
	if wrapped.Last {
		event = cases.DeliverLast
	}
	return s.apply(ctx, by.Fund, id, step{
		event: event, actor: cases.Releasing,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Deliver(c.Protect(protected), actorOf(c), by.Human(), wrapped.Part, s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			if err := s.Store.PutPart(ctx, c.ID, c.Fund, wrapped); err != nil {
				return err
			}
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: event, Part: wrapped.Part}})
		},
	})
}

// ConfirmExit fixes the day of the move: from then on the person's time is the receiving fund's.
func (s *Service) ConfirmExit(ctx context.Context, by Caller, id string) (cases.Case, error) {
	return s.apply(ctx, by.Fund, id, step{
		event: cases.ConfirmExit, actor: cases.Releasing,
		move: func(ctx context.Context, c cases.Case) (cases.Case, error) {
			since, err := s.since(ctx, c)
			if err != nil {
				return c, err
			}
			return s.Machine.Confirm(c, actorOf(c), by.Human(), since, s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			if err := s.Store.Move(ctx, c.Subject, c.Fund, c.Other, c.Effective, c.ID); err != nil {
				if errors.Is(err, store.ErrInvariant) {
					return cases.GuardError{Guard: cases.GuardDate}
				}
				return err
			}
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: cases.ConfirmExit, Effective: c.Effective}})
		},
	})
}

// since is the first day of the period that would end.
func (s *Service) since(ctx context.Context, c cases.Case) (civil.Date, error) {
	if len(c.Subject) == 0 {
		return 0, nil
	}
	p, err := s.Store.PeriodOf(ctx, c.Subject, store.Forever)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return p.First, err
}

// Number returns the national number that the request named, for the identity service. Errors: ErrNotFound.
func (s *Service) Number(ctx context.Context, by Caller, id string) (string, error) {
	c, err := s.get(ctx, by.Fund, id)
	if err != nil {
		return "", err
	}
	d, err := s.details(ctx, c)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrNotFound
	}
	return d.Application.Number, err
}
