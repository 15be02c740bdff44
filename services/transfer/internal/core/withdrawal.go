package core

import (
	"context"
	"errors"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/store"
)

// Withdraw records, in either fund, that the member takes the power of attorney back.
func (s *Service) Withdraw(ctx context.Context, by Caller, id string, ch cases.Channel) (cases.Case, error) {
	var out cases.Case
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		c, err := s.get(ctx, by.Fund, id)
		if err != nil {
			return err
		}
		out, err = s.withdraw(ctx, c, ch)
		return err
	})
	return out, err
}

// withdraw is also what a releasing fund does when the receiving one tells it.
func (s *Service) withdraw(ctx context.Context, c cases.Case, ch cases.Channel) (cases.Case, error) {
	next, err := s.Machine.Withdraw(c, cases.Member, ch, s.Today())
	if err != nil {
		return c, err
	}
	event := cases.Withdraw
	switch {
	case next.Withdrawing:
		event = cases.WithdrawalAsked
	case next.State == cases.ExitConfirmed:
		event = cases.ManualSet
	}
	return s.take(ctx, c, step{
		event: event, actor: cases.Member, move: func(context.Context, cases.Case) (cases.Case, error) { return next, nil },
		then: func(ctx context.Context, c *cases.Case) error {
			switch {
			case next.Withdrawing:
				return s.send(ctx, c, Envelope{Withdrawal: true, Channel: ch})
			case c.Side == cases.Releasing:
				return s.send(ctx, c, Envelope{Report: &cases.Report{Event: event, Channel: ch}})
			default:
				return nil
			}
		},
	})
}

// Decide keeps or undoes an exit that was confirmed before the member withdrew: an employee's decision, in the releasing fund.
func (s *Service) Decide(ctx context.Context, by Caller, id string, undo bool) (cases.Case, error) {
	var out cases.Case
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		c, err := s.get(ctx, by.Fund, id)
		if err != nil {
			return err
		}
		next, event, err := s.Machine.Decide(c, actorOf(c), by.Human(), undo, s.Today())
		if err != nil {
			return err
		}
		out, err = s.take(ctx, c, step{
			event: event, actor: cases.Releasing, move: to(next),
			then: func(ctx context.Context, c *cases.Case) error {
				return s.send(ctx, c, Envelope{Report: &cases.Report{Event: event}})
			},
		})
		return err
	})
	return out, err
}

// to is a move that was decided already.
func to(next cases.Case) func(context.Context, cases.Case) (cases.Case, error) {
	return func(context.Context, cases.Case) (cases.Case, error) { return next, nil }
}

// toldUndo is the receiving fund's answer to a releasing fund that wants to undo the exit.
func (s *Service) toldUndo(ctx context.Context, c cases.Case) (Outcome, error) {
	next, event, err := s.Machine.Undo(c, s.Today())
	if err != nil {
		return Refused, nil //nolint:nilerr // a fault of the other side, which is told so
	}
	if event == cases.UndoExit {
		done, err := s.Store.Undo(ctx, c.Subject, c.Other, c.Fund, c.Effective, c.ID)
		if err != nil {
			return 0, err
		}
		if !done { // the person has moved on from here, or is about to
			next, event = s.Machine.Keep(c), cases.KeepExit
		}
	}
	_, err = s.take(ctx, c, step{
		event: event, actor: cases.Releasing, move: to(next),
		then: func(ctx context.Context, c *cases.Case) error {
			return s.send(ctx, c, Envelope{Report: &cases.Report{Event: event}})
		},
	})
	return Applied, err
}

// Refused parks what the other fund refuses to be told about a transfer, and calls a person in.
func (s *Service) Refused(ctx context.Context, m store.Message) error {
	_, err := s.apply(ctx, m.Fund, m.TransferID, step{
		event: cases.ManualSet, actor: cases.System, timed: true,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) { return s.Machine.Refused(c), nil },
		then: func(ctx context.Context, c *cases.Case) error { return s.Store.Park(ctx, c.ID, c.Fund) },
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Resume tells the other fund again what it refused; an employee's act, once the cause was mended.
func (s *Service) Resume(ctx context.Context, by Caller, id string) (cases.Case, error) {
	var out cases.Case
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		c, err := s.get(ctx, by.Fund, id)
		if err != nil {
			return err
		}
		out, err = s.take(ctx, c, step{
			event: cases.ResumeExchange, actor: actorOf(c),
			move: func(_ context.Context, c cases.Case) (cases.Case, error) { return s.Machine.Resume(c, by.Human()) },
			then: func(ctx context.Context, c *cases.Case) error { return s.Store.Unpark(ctx, c.ID, c.Fund) },
		})
		return err
	})
	if err == nil {
		s.Wake()
	}
	return out, err
}
