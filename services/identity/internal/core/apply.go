package core

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Applied counts what became of updates.
type Applied struct {
	Changed   int // persons about whom something changed that funds are told
	Unchanged int // persons about whom nothing did
	Ignored   int // persons whom nobody follows: nothing of them is kept
	Stale     int // persons of whom something newer is known: they are fetched again at once
}

func (a *Applied) add(b Applied) {
	a.Changed, a.Unchanged, a.Ignored, a.Stale = a.Changed+b.Changed, a.Unchanged+b.Unchanged, a.Ignored+b.Ignored, a.Stale+b.Stale
}

// Apply takes what a register tells of persons, in one transaction: it replaces the local copies, purges what a protection forbids to
// keep, and tells the funds that follow them (domain rule B.10, 4). Telling the same again changes nothing. Errors: ErrStoreUnavailable,
// ErrKeysUnavailable; nothing was changed then.
func (s *Service) Apply(ctx context.Context, persons []*Person) (Applied, error) {
	var done Applied
	err := s.persons.InTx(ctx, func(ctx context.Context) error {
		done = Applied{}
		batch := update{service: s, today: s.today()}
		for _, p := range persons {
			if err := batch.take(ctx, p); err != nil {
				return err
			}
		}
		done = batch.done
		return batch.write(ctx)
	})
	if err != nil {
		return Applied{}, fmt.Errorf("identity: apply: %w", err)
	}
	return done, nil
}

// update is one Apply under way.
type update struct {
	service *Service
	today   civil.Date
	done    Applied
	persons []*Person
	changes []Change
	terms   []retermed
	stale   []int64 // references
}

type retermed struct {
	ref    int64
	person *Person
}

func (u *update) take(ctx context.Context, p *Person) error {
	f, err := u.known(ctx, p)
	if err != nil {
		return err
	}
	old := f.Person
	switch {
	case !f.Known || !old.followed(u.today):
		u.done.Ignored++
		return nil
	case p.RegisterTime.Before(old.RegisterTime) && !u.service.ahead(old.RegisterTime):
		// A delivery names the day of its making and no time, so what is older by that may yet tell of something that the copy lacks.
		u.done.Stale++
		u.stale = append(u.stale, f.Ref)
		return nil
	}
	fresh := *p
	fresh.Memberships = old.Memberships
	fresh.Earlier = allNumbers(old, p)
	fresh.Withhold(u.today, u.service.registers[fresh.Number.Country()] != nil)
	u.persons = append(u.persons, &fresh)
	kinds := difference(old, &fresh, u.today)
	if len(kinds) == 0 {
		u.done.Unchanged++
	} else {
		u.done.Changed++
	}
	for _, fund := range fresh.followers(u.today) {
		for _, kind := range kinds {
			u.changes = append(u.changes, Change{Controller: fund, Ref: f.Ref, Kind: kind})
		}
	}
	findable := slices.ContainsFunc(kinds, func(k ChangeKind) bool { return k != ChangeAddress })
	if findable || old.Name != fresh.Name || old.birth() != fresh.birth() { // an address is no term
		u.terms = append(u.terms, retermed{f.Ref, &fresh})
	}
	return nil
}

// known finds the local copy under any of the person's numbers.
func (u *update) known(ctx context.Context, p *Person) (Found, error) {
	f, err := u.service.persons.ByNumber(ctx, p.Number)
	for i := 0; err == nil && !f.Known && i < len(p.Earlier); i++ {
		f, err = u.service.persons.ByNumber(ctx, p.Earlier[i])
	}
	return f, err
}

func (u *update) write(ctx context.Context) error {
	s := u.service
	if err := s.persons.Write(ctx, u.persons...); err != nil {
		return err
	}
	for _, ref := range u.stale {
		if err := s.feed.Polled(ctx, ref, s.clock.Now(), 0); err != nil {
			return err
		}
	}
	for _, t := range u.terms {
		var done []string
		for _, m := range t.person.Memberships {
			if slices.Contains(done, m.Controller) {
				continue
			}
			done = append(done, m.Controller)
			if err := s.feed.SetTerms(ctx, t.ref, m.Controller, termsOf(t.person, m.Controller, u.today)); err != nil {
				return err
			}
		}
	}
	return s.feed.Append(ctx, u.changes)
}

// allNumbers returns the numbers that were in force before: those known until now and those that the register names.
func allNumbers(old, fresh *Person) []nationalid.Number {
	out := slices.Clone(fresh.Earlier)
	for _, n := range append([]nationalid.Number{old.Number}, old.Earlier...) {
		if n != fresh.Number && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// difference says what funds are told of a person: in the order in which it matters. While somebody is protected only the end of it,
// another number and death are told (domain rule B.10, 4).
func difference(old, fresh *Person, today civil.Date) []ChangeKind {
	var out []ChangeKind
	was, is := old.level(today), fresh.level(today)
	if is != LevelNone && is != was {
		out = append(out, ChangeProtectionSet)
	}
	if is == LevelNone && was != LevelNone {
		out = append(out, ChangeProtectionCleared)
	}
	if fresh.Number != old.Number {
		out = append(out, ChangeNumber)
	}
	if fresh.deceased() && !old.deceased() {
		out = append(out, ChangeDeath)
	}
	if is == LevelNone && was == LevelNone && !reflect.DeepEqual(old.Address, fresh.Address) {
		out = append(out, ChangeAddress)
	}
	return out
}
