package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/clock"
)

// The source policy: a followed, unprotected person is answered from the local copy while the register keeps it fresh. Everybody else
// is asked for in the register. Of a country whose register is not connected the local copy is all there is.

// current returns what is known now of the person under a number. Without an answer of the register nothing is said of anybody:
// ErrRegisterUnavailable, the same for persons known here and unknown ones.
func (s *Service) current(ctx context.Context, c Caller, n nationalid.Number, today civil.Date) (Found, error) {
	f, err := s.persons.ByNumber(ctx, n)
	if err != nil || s.suffices(f, n.Country(), today) {
		return f, err
	}
	if answer, ok := ctx.Value(fetchedKey{}).(*fetched); ok && answer.number == n {
		return s.learn(ctx, c, f, answer.person, answer.err, today)
	}
	asked := n
	if f.Known {
		asked = f.Person.Number
	}
	person, err := s.ask(ctx, c, asked)
	return s.learn(ctx, c, f, person, err, today)
}

// renewed returns what is known now of a person who was found by handle. If the register does not answer, the person counts as
// protected (domain rule B.10, 1): whoever has a handle knows already that there is somebody.
func (s *Service) renewed(ctx context.Context, c Caller, f Found, today civil.Date) (Found, error) {
	if s.suffices(f, f.Person.Number.Country(), today) {
		return f, nil
	}
	person, err := s.ask(ctx, c, f.Person.Number)
	if NoAnswer(err) {
		hidden := *f.Person
		hidden.Protections = append(slices.Clone(hidden.Protections), Protection{Kind: ProtectionUnknown})
		f.Person = &hidden
		return f, nil
	}
	return s.learn(ctx, c, f, person, err, today)
}

// learn merges what the register told into what the store had. A protection that the store did not know of is an event like any other:
// the copy is purged at once and the funds that follow the person are told (domain rule B.10, 4). Not on a question of somebody who must
// not know that there is such a person, who could tell by the time that it takes: the next other question or fetch does it then.
func (s *Service) learn(ctx context.Context, c Caller, f Found, person *Person, err error, today civil.Date) (Found, error) {
	out, err := merge(f, person, err)
	if err != nil || !f.Known || !out.Known || f.Person.level(today) != LevelNone || out.Person.level(today) == LevelNone ||
		s.accessOf(c, out.Person, today).disclosure == DiscloseNothing {
		return out, err
	}
	if f.Person.followed(today) {
		_, err := s.Apply(ctx, []*Person{out.Person})
		return out, err
	}
	fresh := *out.Person
	fresh.Earlier = allNumbers(f.Person, out.Person)
	fresh.Withhold(today, true)
	return out, s.persons.Write(ctx, &fresh)
}

// suffices reports whether the local copy is the answer.
func (s *Service) suffices(f Found, country nationalid.Country, today civil.Date) bool {
	if s.registers[country] == nil {
		return true
	}
	return f.Known && f.Person.followed(today) && f.Person.level(today) == LevelNone &&
		s.clock.Now().Sub(f.Person.RegisterTime) < s.copyAge(country) && !s.ahead(f.Person.RegisterTime)
}

// ahead reports whether a time was told by a clock that was wrong: it is yet to come. Nothing may rest on it, or a copy would count for as
// long as that clock was ahead.
func (s *Service) ahead(t time.Time) bool { return t.Sub(s.clock.Now()) > clock.Skew }

func (s *Service) ask(ctx context.Context, c Caller, n nationalid.Number) (*Person, error) {
	return s.registers[n.Country()].Lookup(ctx, Inquiry{Number: n, Controller: c.Controller, EndUser: c.EndUser})
}

// merge puts what the register told in the place of what the store had, which knows who is a member of what. Somebody whom the register
// does not know is nobody.
func merge(f Found, person *Person, err error) (Found, error) {
	switch {
	case errors.Is(err, ErrNotFound):
		return Found{Person: f.Person}, nil
	case err != nil:
		return Found{}, err
	case f.Known:
		person.Memberships = f.Person.Memberships
		return Found{Person: person, Known: true, Ref: f.Ref}, nil
	default:
		return Found{Person: person, Known: true}, nil
	}
}

// fetched is an answer of a register that was fetched before a transaction began.
type fetched struct {
	number nationalid.Number
	person *Person
	err    error
}

type fetchedKey struct{}

// Fetch asks the register for the person under a number, if a use case that changes something will need it, and returns the context in
// which that use case finds the answer: no transaction may wait for a register. Errors are those of the use case, which tells them.
func (s *Service) Fetch(ctx context.Context, c Caller, raw RawNumber) context.Context {
	today := s.today()
	n, err := s.number(raw, today)
	if err != nil || s.registers[n.Country()] == nil {
		return ctx
	}
	f, err := s.persons.ByNumber(ctx, n)
	if err != nil || s.suffices(f, n.Country(), today) {
		return ctx
	}
	asked := n
	if f.Known {
		asked = f.Person.Number
	}
	person, err := s.ask(ctx, c, asked)
	return context.WithValue(ctx, fetchedKey{}, &fetched{number: n, person: person, err: err})
}
