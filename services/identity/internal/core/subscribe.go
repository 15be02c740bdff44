package core

import (
	"context"
	"fmt"
	"slices"

	"samvirke.dev/services/identity/internal/core/civil"
)

// Opening is what a fund says of a member whom it wants to follow.
type Opening struct {
	Handle    string
	Reference string     // the fund's own reference of the membership
	From      civil.Date // first day of the membership
	Phones    []string   // E.164; replace those given before
}

// OpenSubscription follows a member of the calling fund and returns the first day on which changes are told. It runs in the caller's
// transaction. Opening again changes the phone numbers and nothing else. Errors: ErrNotFound for a handle that is not the fund's,
// ErrNotYet before the membership takes effect, ErrClosed after it has ended, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) OpenSubscription(ctx context.Context, c Caller, o Opening) (civil.Date, error) {
	today := s.today()
	if !o.From.CertainlyNotAfter(today) {
		return civil.Date{}, ErrNotYet
	}
	f, err := s.member(ctx, c, o.Handle)
	if err != nil {
		return civil.Date{}, err
	}
	p := f.Person
	at := p.membership(c.Controller, o.Reference)
	switch {
	case at < 0:
		p.Memberships = append(p.Memberships, Membership{Controller: c.Controller, From: o.From, Reference: o.Reference, Phones: o.Phones})
	case !p.Memberships[at].Until.IsZero():
		return civil.Date{}, ErrClosed
	default:
		p.Memberships[at].Phones = o.Phones
	}
	if err := s.persons.Write(ctx, p); err != nil {
		return civil.Date{}, fmt.Errorf("identity: open subscription: %w", err)
	}
	if at < 0 {
		err = s.follow(ctx, c, f.Ref, o.Reference, p)
	}
	if err == nil {
		err = s.feed.SetTerms(ctx, f.Ref, c.Controller, termsOf(p, c.Controller, today))
	}
	if err != nil {
		return civil.Date{}, fmt.Errorf("identity: open subscription: %w", err)
	}
	return p.Memberships[max(p.membership(c.Controller, o.Reference), 0)].From, nil
}

// follow begins to follow a member. The facts are fetched at once by those who poll.
func (s *Service) follow(ctx context.Context, c Caller, ref int64, reference string, p *Person) error {
	if err := s.feed.Subscribe(ctx, MembershipOf{Ref: ref, Controller: c.Controller, Reference: reference}); err != nil {
		return err
	}
	if err := s.feed.Follow(ctx, ref, p.Number.Country(), s.clock.Now()); err != nil {
		return err
	}
	return s.feed.Append(ctx, []Change{{Controller: c.Controller, Ref: ref, Kind: ChangeOpened}})
}

// Closing is what a fund says of a member who leaves.
type Closing struct {
	Handle    string
	Reference string
	LastDay   civil.Date // of the membership
}

// CloseSubscription ends a subscription with the last day of the membership and returns that day. It runs in the caller's transaction.
// Closing again on the same day changes nothing. Errors: ErrNotFound if it was never open, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) CloseSubscription(ctx context.Context, c Caller, closing Closing) (civil.Date, error) {
	f, err := s.member(ctx, c, closing.Handle)
	if err != nil {
		return civil.Date{}, err
	}
	p, m := f.Person, MembershipOf{Ref: f.Ref, Controller: c.Controller, Reference: closing.Reference}
	at := p.membership(c.Controller, closing.Reference)
	if at < 0 {
		return civil.Date{}, ErrNotFound
	}
	if p.Memberships[at].Until == closing.LastDay {
		return closing.LastDay, nil
	}
	if ended := p.Memberships[at].Until; !ended.IsZero() && ended.CertainlyNotAfter(s.today()) {
		return ended, nil // what is over stays as it was
	}
	p.Memberships[at].Until = closing.LastDay
	if err := s.persons.Write(ctx, p); err != nil {
		return civil.Date{}, fmt.Errorf("identity: close subscription: %w", err)
	}
	if err := s.feed.EndOn(ctx, m, closing.LastDay); err != nil {
		return civil.Date{}, fmt.Errorf("identity: close subscription: %w", err)
	}
	if !s.today().CertainlyNotAfter(closing.LastDay) {
		if err := s.end(ctx, m); err != nil {
			return civil.Date{}, fmt.Errorf("identity: close subscription: %w", err)
		}
	}
	return closing.LastDay, nil
}

// endPage is how many memberships end in one go.
const endPage = 200

// EndMemberships ends the subscriptions whose last day is over, each in a transaction of its own, and says how many. It can be run at
// any time and again. Errors: ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) EndMemberships(ctx context.Context) (int, error) {
	done := 0
	for {
		page, err := s.feed.Ended(ctx, s.today(), endPage)
		if err != nil || len(page) == 0 {
			return done, err
		}
		for _, m := range page {
			if err := s.persons.InTx(ctx, func(ctx context.Context) error { return s.end(ctx, m) }); err != nil {
				return done, fmt.Errorf("identity: end subscription: %w", err)
			}
			done++
		}
	}
}

// end closes a subscription: the fund is told, finds the member no longer, and of a person whom nobody follows any more only the number
// is kept.
func (s *Service) end(ctx context.Context, m MembershipOf) error {
	f, err := s.persons.ByRef(ctx, m.Ref)
	if err != nil {
		return err
	}
	p, today := f.Person, s.today()
	if at := p.membership(m.Controller, m.Reference); at >= 0 {
		p.Memberships[at].Phones = nil
	}
	if !p.followed(today) {
		if s.registers[p.Number.Country()] != nil {
			p.forget()
		}
		if err := s.feed.Polled(ctx, m.Ref, s.clock.Now(), 0); err != nil { // Poll takes leave of the register
			return err
		}
	}
	if err := s.persons.Write(ctx, p); err != nil {
		return err
	}
	if err := s.feed.SetTerms(ctx, m.Ref, m.Controller, termsOf(p, m.Controller, today)); err != nil {
		return err
	}
	if err := s.feed.Unsubscribe(ctx, m); err != nil {
		return err
	}
	return s.feed.Append(ctx, []Change{{Controller: m.Controller, Ref: m.Ref, Kind: ChangeClosed}})
}

// member finds the person behind a handle of the calling fund in the store, without asking a register, and notes the subject.
func (s *Service) member(ctx context.Context, c Caller, handle string) (Found, error) {
	f, err := s.persons.ByHandle(ctx, c.Controller, handle)
	if err != nil {
		return Found{}, fmt.Errorf("identity: look up by handle: %w", err)
	}
	if !f.Known {
		return Found{}, ErrNotFound
	}
	s.notes.Subject(ctx, f.Person.Number.Canonical(), f.Person.level(s.today()) != LevelNone)
	return f, nil
}

// membership returns where the fund's membership of that reference stands, or -1.
func (p *Person) membership(controller, reference string) int {
	return slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.Controller == controller && m.Reference == reference })
}

// forget leaves the numbers, and the memberships that were.
func (p *Person) forget() {
	*p = Person{
		Number: p.Number, Earlier: p.Earlier, Memberships: p.Memberships, Source: p.Source, RegisterTime: p.RegisterTime,
		RegisterState: p.RegisterState,
	}
}
