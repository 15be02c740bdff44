package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Deps are what the use cases need. All are required but ProtectedAddressLaws.
type Deps struct {
	Persons Persons
	Feed    Feed
	Handles Handles
	Notes   Notes
	Clock   Clock
	Zone    *time.Location // whose civil dates decide; Stockholm and Copenhagen have the same
	Guard   *nationalid.Guard
	// ProtectedAddressLaws are the legal references on which an agency may have a protected Danish name and address; empty for
	// none.
	ProtectedAddressLaws []string
	// Registers are asked live, by the country whose register they are. Of a country without one, the local copy is all there is.
	Registers map[nationalid.Country]Register
	// CopyAge returns how old, by register time, the local copy of a country's followed person may be to be the answer; 0 while copies
	// are not kept up to date. Required with Registers.
	CopyAge func(country nationalid.Country) time.Duration
}

// Service holds the use cases. It keeps no state: a protection is looked at freshly every time (domain rule
// B.10, 1), in the register or, for a person whom a fund follows, in the copy that the register keeps up to date. It is safe for concurrent use.
type Service struct {
	persons              Persons
	feed                 Feed
	handles              Handles
	notes                Notes
	clock                Clock
	zone                 *time.Location
	guard                *nationalid.Guard
	protectedAddressLaws map[string]struct{}
	registers            map[nationalid.Country]Register
	copyAge              func(country nationalid.Country) time.Duration
}

// New returns the use cases, or an error that names what is missing.
func New(d Deps) (*Service, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, errors.New("identity: no "+what))
		}
	}
	need(d.Persons != nil, "persons")
	need(d.Feed != nil, "feed")
	need(d.Handles != nil, "handles")
	need(d.Notes != nil, "notes")
	need(d.Clock != nil, "clock")
	need(d.Zone != nil, "time zone")
	need(d.Guard != nil, "environment guard")
	need(d.CopyAge != nil || len(d.Registers) == 0, "word on how old local copies may be")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	laws := make(map[string]struct{}, len(d.ProtectedAddressLaws))
	for _, l := range d.ProtectedAddressLaws {
		if l == "" {
			return nil, errors.New("identity: an empty legal reference can't allow anything")
		}
		laws[l] = struct{}{}
	}
	return &Service{
		persons: d.Persons, feed: d.Feed, handles: d.Handles, notes: d.Notes, clock: d.Clock, zone: d.Zone, guard: d.Guard,
		protectedAddressLaws: laws, registers: d.Registers, copyAge: d.CopyAge,
	}, nil
}

// RawNumber is a national number as a caller writes it.
type RawNumber struct {
	Country nationalid.Country
	Text    string
}

func (s *Service) today() civil.Date { return civil.Of(s.clock.Now().In(s.zone)) }

// number reads a number and keeps those of other environments out (SEC-09).
func (s *Service) number(raw RawNumber, today civil.Date) (nationalid.Number, error) {
	n, err := nationalid.Parse(raw.Country, raw.Text, today)
	if err != nil {
		return nationalid.Number{}, fmt.Errorf("identity: number: %w", err)
	}
	if err := s.guard.Check(n); err != nil {
		return nationalid.Number{}, fmt.Errorf("identity: number: %w", err)
	}
	return n, nil
}

// byNumber looks a person up and notes whom the call is about. ok is false if the caller must not know that there is anybody;
// Person is set all the same, so that the same work can follow.
func (s *Service) byNumber(ctx context.Context, c Caller, n nationalid.Number, today civil.Date) (f Found, a access, ok bool, err error) {
	f, err = s.current(ctx, c, n, today)
	if err != nil {
		return Found{}, access{}, false, fmt.Errorf("identity: look up by number: %w", err)
	}
	a = s.accessOf(c, f.Person, today)
	subject, protected := f.Person.Number, a.level != LevelNone
	if !f.Known {
		subject, protected = n, false
	}
	s.notes.Subject(ctx, subject.Canonical(), protected)
	return f, a, visible(f, a), nil
}

// byHandle is byNumber for a handle. An unknown handle is nobody's, so then no subject is noted.
func (s *Service) byHandle(ctx context.Context, c Caller, handle string) (f Found, a access, err error) {
	f, err = s.persons.ByHandle(ctx, c.Controller, handle)
	if err != nil {
		return Found{}, access{}, fmt.Errorf("identity: look up by handle: %w", err)
	}
	return s.seen(ctx, c, f)
}

// seen is what the caller may know now of somebody who was looked up by handle, and notes whom the call is about.
func (s *Service) seen(ctx context.Context, c Caller, f Found) (_ Found, a access, err error) {
	today := s.today()
	if f.Known {
		if f, err = s.renewed(ctx, c, f, today); err != nil {
			return Found{}, access{}, fmt.Errorf("identity: look up by handle: %w", err)
		}
	}
	a = s.accessOf(c, f.Person, today)
	if f.Known {
		s.notes.Subject(ctx, f.Person.Number.Canonical(), a.level != LevelNone)
	}
	if !visible(f, a) {
		return Found{}, access{}, ErrNotFound
	}
	s.notes.Source(ctx, f.Person.Source, f.Person.RegisterTime)
	return f, a, nil
}

func visible(f Found, a access) bool {
	return f.Known && f.Person.exists() && a.disclosure != DiscloseNothing
}
