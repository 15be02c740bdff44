package core

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
)

// Search is what a fund knows of a member whom it looks for. All that is given must hold.
type Search struct {
	Name  string // words of the name; empty for none
	Birth civil.Date
	Phone string // E.164; empty for none
}

// scanLimit is how many candidates one search looks at: a search that has more is too wide to answer wholly.
const scanLimit = 500

// SearchMembers returns the handles of members of the calling fund who answer the search (MIN-12), at most limit, and whether there are
// more. Protected persons are never among them (domain rule B.10, 3), nor are former members and the dead. Errors:
// ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) SearchMembers(ctx context.Context, c Caller, search Search, limit int) (handles []string, more bool, err error) {
	terms := search.terms()
	if len(terms) == 0 {
		return nil, false, nil
	}
	today := s.today()
	found, err := s.feed.Find(ctx, c.Controller, terms, scanLimit)
	if err != nil {
		return nil, false, fmt.Errorf("identity: search: %w", err)
	}
	for _, m := range found {
		p := m.Person
		switch {
		case m.Handle == "", !p.memberOf(c.Controller, today), p.level(today) != LevelNone, p.deceased(), !p.exists():
		case search.Name != "" && !names.Contains(search.Name, p.Name):
		case len(handles) == limit:
			return handles, true, nil
		default:
			handles = append(handles, m.Handle)
		}
	}
	return handles, len(found) == scanLimit, nil
}

// terms returns the words to look for, the most telling first.
func (s Search) terms() []string {
	var out []string
	if s.Phone != "" {
		out = append(out, phoneTerm(s.Phone))
	}
	if !s.Birth.IsZero() {
		out = append(out, birthTerm(s.Birth))
	}
	words := names.Words(s.Name)
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // longer words are rarer
	for _, w := range words {
		out = append(out, nameTerm(w))
	}
	if s.Name != "" && len(words) == 0 {
		return nil
	}
	return out
}

// termsOf returns the words under which a fund finds a member: none for one who is protected or has left.
func termsOf(p *Person, controller string, today civil.Date) []string {
	if !p.memberOf(controller, today) || p.level(today) != LevelNone {
		return nil
	}
	var out []string
	for _, part := range [...]string{p.Name.Given, p.Name.Middle, p.Name.Family, p.Name.Addressing} {
		for _, w := range names.Words(part) {
			out = append(out, nameTerm(w))
		}
	}
	if birth := p.birth(); !birth.Partial() {
		out = append(out, birthTerm(birth))
	}
	for _, m := range p.Memberships {
		if m.Controller == controller && m.active(today) {
			for _, phone := range m.Phones {
				out = append(out, phoneTerm(phone))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func nameTerm(word string) string      { return "name " + word }
func birthTerm(date civil.Date) string { return "birth " + date.String() }
func phoneTerm(number string) string   { return "phone " + number }
