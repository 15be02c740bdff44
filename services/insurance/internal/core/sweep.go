package core

import (
	"context"
	"fmt"
	"time"
)

// sweepPage is how many shares are looked at in one go.
const sweepPage = 200

// Sweep looks at every share that goes on, and stops those that are no longer allowed: consents and agreements that ran out, times that
// are over, members who are protected now (domain rule B.10, 4). It returns how many it stopped. Each page is a transaction of its
// own, so it can be interrupted and run again at any time. Who can't be asked about is left for the next time: nothing is given out
// meanwhile. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	stopped, after := 0, int64(0)
	for {
		shares, err := s.store.SharesAfter(ctx, after, sweepPage)
		if err != nil || len(shares) == 0 {
			return stopped, err
		}
		after = shares[len(shares)-1].ID
		n, err := s.sweep(ctx, shares)
		if err != nil {
			return stopped, err
		}
		stopped += n
	}
}

func (s *Service) sweep(ctx context.Context, shares []Share) (stopped int, err error) {
	byController := map[string][]string{}
	for _, share := range shares {
		byController[share.Controller] = append(byController[share.Controller], share.Handle)
	}
	protected := map[int64]bool{} // by share
	for controller, handles := range byController {
		answers := s.ask(ctx, controller, false, handles...)
		for _, share := range shares {
			if share.Controller == controller {
				standing := s.standing(answers, share.Handle)
				protected[share.ID] = standing.Protected && !standing.Unreachable
			}
		}
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		stopped = 0
		for _, share := range shares {
			n, err := s.lookAt(ctx, share.ID, protected[share.ID])
			if err != nil {
				return err
			}
			stopped += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("insurance: sweep: %w", err)
	}
	return stopped, nil
}

// lookAt checks one share as it is now, inside the transaction, and returns 1 if it was stopped.
func (s *Service) lookAt(ctx context.Context, id int64, protected bool) (int, error) {
	now, err := s.store.SharesAfter(ctx, id-1, 1)
	if err != nil || len(now) == 0 || now[0].ID != id {
		return 0, err
	}
	m, err := s.store.MemberByID(ctx, now[0].Member)
	if err != nil {
		return 0, err
	}
	if err := s.check(ctx, m, &now[0], protected); err != nil || !now[0].Stopped {
		return 0, err
	}
	return 1, nil
}

// Retention says how long things are kept.
type Retention struct {
	Contact     int           // years after the end of the membership that contact data are kept (LED-17)
	Items       time.Duration // confirmed items of mailboxes
	Disclosures time.Duration // the record of who got what (RET-13)
}

// Tidied says what was removed.
type Tidied struct{ Members, Items, Disclosures int }

// tidyPage is how much is removed in one transaction.
const tidyPage = 500

// Tidy removes what is kept no longer. Partners are told to stop using what they have of a member whose data are erased. It can be run at
// any time and again. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Tidy(ctx context.Context, keep Retention) (Tidied, error) {
	var done Tidied
	now := s.clock.Now()
	for {
		n, err := s.erase(ctx, s.today().AddYears(-keep.Contact))
		done.Members += n
		if err != nil {
			return done, err
		}
		if n < tidyPage {
			break
		}
	}
	var err error
	if done.Items, err = repeat(ctx, now.Add(-keep.Items), s.store.ForgetItems); err != nil {
		return done, fmt.Errorf("insurance: tidy mailboxes: %w", err)
	}
	if done.Disclosures, err = repeat(ctx, now.Add(-keep.Disclosures), s.store.ForgetDisclosures); err != nil {
		return done, fmt.Errorf("insurance: tidy disclosures: %w", err)
	}
	return done, nil
}

func (s *Service) erase(ctx context.Context, before Day) (n int, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		members, err := s.store.Erase(ctx, before, tidyPage)
		if err != nil {
			return err
		}
		for _, id := range members {
			shares, err := s.store.SharesOf(ctx, id)
			if err != nil {
				return err
			}
			for i := range shares {
				if err := s.stop(ctx, &shares[i]); err != nil {
					return err
				}
			}
		}
		n = len(members)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("insurance: erase: %w", err)
	}
	return n, nil
}

func repeat(ctx context.Context, before time.Time, do func(context.Context, time.Time, int) (int, error)) (int, error) {
	total := 0
	for {
		n, err := do(ctx, before, tidyPage)
		total += n
		if err != nil || n < tidyPage {
			return total, err
		}
	}
}
