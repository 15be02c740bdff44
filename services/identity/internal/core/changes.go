package core

import (
	"context"
	"fmt"
	"time"
)

// ChangeAnswer is a change as a fund is told it, with what holds now.
type ChangeAnswer struct {
	Handle       string
	Kind         ChangeKind
	Addressee    string   // empty if there is no address to give
	Address      *Address // nil if the person is protected, dead, no longer a member, or the register has none
	Protection   Level
	Source       Source
	RegisterTime time.Time
}

// ChangePage is the greatest number of changes that Changes returns.
const ChangePage = 100

// Changes returns what the calling fund is to be told after a position of its feed, at most ChangePage, and the position after it. The
// address told is the one in force now, and only while the membership lasts; of a protected person the protection alone is told, even
// to a fund that may ask for more (domain rule B.10, 4). item gives the context in which the n-th change (from 0) leaves its own record. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Changes(
	ctx context.Context, c Caller, after int64, item func(ctx context.Context, i int) context.Context,
) (out []ChangeAnswer, last int64, err error) {
	told, err := s.feed.After(ctx, c.Controller, after, ChangePage)
	if err != nil {
		return nil, after, fmt.Errorf("identity: changes: %w", err)
	}
	today, last := s.today(), after
	for _, t := range told {
		last = t.Seq
		if t.Handle == "" {
			continue // the fund has no name for the person, so it can't be told
		}
		ctx := item(ctx, len(out))
		p, answer := t.Person, ChangeAnswer{Handle: t.Handle, Kind: t.Kind}
		level := p.level(today)
		s.notes.Subject(ctx, p.Number.Canonical(), level != LevelNone)
		if p.memberOf(c.Controller, today) {
			s.notes.Source(ctx, p.Source, p.RegisterTime)
			answer.Protection, answer.Source, answer.RegisterTime = level, p.Source, p.RegisterTime
			if level == LevelNone && p.mayBeWrittenTo() {
				answer.Address, answer.Addressee = p.Address, p.addressee()
			}
		}
		out = append(out, answer)
	}
	return out, last, nil
}

// Waiting reports whether the calling fund's feed has anything after a position. Errors: ErrStoreUnavailable.
func (s *Service) Waiting(ctx context.Context, c Caller, after int64) (bool, error) {
	last, err := s.feed.Last(ctx, c.Controller)
	if err != nil {
		return false, fmt.Errorf("identity: changes: %w", err)
	}
	return last > after, nil
}

// forgetPage is how many changes are deleted in one go.
const forgetPage = 5000

// ForgetChanges deletes changes older than keep and says how many. Errors: ErrStoreUnavailable.
func (s *Service) ForgetChanges(ctx context.Context, keep time.Duration) (int, error) {
	done := 0
	for {
		n, err := s.feed.Forget(ctx, s.clock.Now().Add(-keep), forgetPage)
		done += n
		if err != nil || n < forgetPage {
			return done, err
		}
	}
}
