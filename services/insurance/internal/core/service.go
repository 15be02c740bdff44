package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deps are what the use cases need. All are required.
type Deps struct {
	Store    Store
	Identity Identity
	Subjects Subjects
	Notes    Notes
	Clock    Clock
	Zone     *time.Location // whose civil dates decide
	Policies []Policy
}

// Service holds the use cases. It keeps no state but the policies. It is safe for concurrent use.
type Service struct {
	store    Store
	identity Identity
	subjects Subjects
	notes    Notes
	clock    Clock
	zone     *time.Location
	policies map[string]*Policy
}

// New returns the use cases, or an error that names what is missing.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Identity == nil || d.Subjects == nil || d.Notes == nil || d.Clock == nil || d.Zone == nil {
		return nil, errors.New("insurance: store, identity, subjects, notes, clock and time zone are required")
	}
	s := &Service{
		store: d.Store, identity: d.Identity, subjects: d.Subjects, notes: d.Notes, clock: d.Clock, zone: d.Zone, policies: map[string]*Policy{},
	}
	for _, p := range d.Policies {
		if s.policies[p.Controller] != nil {
			return nil, errors.New("insurance: two policies of one controller")
		}
		s.policies[p.Controller] = &p
	}
	return s, nil
}

func (s *Service) today() Day { return DayOf(s.clock.Now().In(s.zone)) }

// dealing is what holds between a controller and a partner today, for one purpose.
type dealing struct {
	policy    *Policy
	agreement *Agreement // nil if there is none
	balanced  bool
}

func (s *Service) dealing(ctx context.Context, box Box) (dealing, error) {
	t, err := s.store.Terms(ctx, box)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return dealing{}, fmt.Errorf("insurance: agreement: %w", err)
	}
	return s.dealt(box, &t), nil
}

// dealt reads terms for one purpose.
func (s *Service) dealt(box Box, t *Terms) dealing {
	d := dealing{policy: s.policies[box.Controller], agreement: t.Agreement}
	if b := t.Balancing; b != nil {
		d.balanced = b.Purpose == box.Purpose && !b.Assessed.After(s.today())
	}
	return d
}

// facts are those of a call without a person.
func (s *Service) facts(d dealing, p Purpose, b Basis, special Special, wanted Fields) Facts {
	return Facts{
		Policy: d.policy, Agreement: d.agreement, Balanced: d.balanced, Purpose: p, Basis: b, Special: special, Wanted: wanted, Today: s.today(),
	}
}

// person gathers what the rules ask about a member.
func (s *Service) person(ctx context.Context, m *Member, protected, ended bool) (*PersonFacts, error) {
	consents, refusals, err := s.store.Said(ctx, m.ID)
	if err != nil {
		return nil, fmt.Errorf("insurance: consents and refusals: %w", err)
	}
	return (&Known{Member: m, Consents: consents, Refusals: refusals}).facts(protected, ended), nil
}

// facts are what the rules ask about the member.
func (k *Known) facts(protected, ended bool) *PersonFacts {
	c := k.Member.Contact
	p := &PersonFacts{
		Consents: k.Consents, Objected: c.AdvertisingBlock, Protected: protected, Channel: c.Channel, Ended: ended || k.Member.Erased,
	}
	for _, r := range k.Refusals {
		switch r.Kind {
		case KindObjection:
			p.Objected = true
		case KindRestriction:
			p.Restricted = true
		default:
			p.Refusals = append(p.Refusals, Refusal{Partner: r.Partner, Purpose: r.Purpose})
		}
	}
	return p
}

// agreed returns the fields that a class can have and the agreement grants.
func (d dealing) agreed() Fields {
	if d.agreement == nil {
		return 0
	}
	return d.agreement.Fields & RuleOf(d.agreement.Class).Fields
}

// member finds the member behind a handle of the calling controller, and notes the subject.
func (s *Service) member(ctx context.Context, c Caller, handle string) (*Member, error) {
	m, err := s.store.MemberByHandle(ctx, c.Controller, handle)
	if err != nil {
		return nil, fmt.Errorf("insurance: member: %w", err)
	}
	if !m.Known() {
		return nil, ErrNotFound
	}
	s.notes.Subject(ctx, handle, asked(ctx) && s.standing(ctx, handle).Protected)
	return m, nil
}
