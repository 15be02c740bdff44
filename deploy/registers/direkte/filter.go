package direkte

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/persons"
)

// FilterKind is what a filter looks at.
type FilterKind int

// The kinds of filters.
const (
	Ages         FilterKind = iota + 1 // persons whose age in whole years is from From to To, both included
	Municipality                       // persons with an address in the municipality with the number From
	Change                             // persons to whom an event with Code has happened since the last delivery
)

// Filter puts persons into deliveries without their numbers being named. The contract doesn't say how filters of several kinds work
// together; here a person comes whom any of them selects. Who is selected by Ages or Municipality is treated as subscribed as long as
// that holds; who is selected by Change comes whole in that one delivery.
type Filter struct {
	Kind     FilterKind
	From, To int
	Code     string
}

// AddFilter adds a filter and reports whether it was not there.
func (s *Deliveries) AddFilter(f Filter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filters[f] {
		return false
	}
	s.filters[f] = true
	return true
}

// RemoveFilter removes a filter and reports whether it was there. Whom no other filter selects comes no more.
func (s *Deliveries) RemoveFilter(f Filter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.filters[f]
	delete(s.filters, f)
	s.release()
	return was
}

// RemoveFilters removes all filters of a kind.
func (s *Deliveries) RemoveFilters(kind FilterKind) {
	for _, f := range s.Filters(kind) {
		s.RemoveFilter(f)
	}
}

// Filters are the filters of a kind in order.
func (s *Deliveries) Filters(kind FilterKind) []Filter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Filter
	for f := range s.filters {
		if f.Kind == kind {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b Filter) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Code, b.Code))
	})
	return found
}

// catch subscribes to those whom filters select, and returns how many events every person had by then.
func (s *Deliveries) catch() map[string]int {
	totals := map[string]int{}
	for _, number := range s.deps.Register.Numbers() {
		p, events, total := s.deps.Register.Snapshot(number, s.seen[number])
		totals[number] = total
		switch {
		case s.subs[number] != nil:
		case s.selects(p):
			s.subs[number] = &subscription{since: s.now(), events: total}
		case s.reports(events):
			s.subs[number] = &subscription{since: s.now(), events: s.seen[number], delivered: true}
		}
	}
	return totals
}

// release ends the subscriptions that only a filter has made and no filter makes any longer.
func (s *Deliveries) release() {
	for number, sub := range s.subs {
		if !sub.named && !s.selects(s.deps.Register.Lookup(number)) {
			delete(s.subs, number)
		}
	}
}

func (s *Deliveries) selects(p *persons.Dane) bool {
	for f := range s.filters {
		switch {
		case p == nil:
		case f.Kind == Ages && s.aged(p, f.From, f.To), f.Kind == Municipality && livesIn(p, f.From):
			return true
		}
	}
	return false
}

func (s *Deliveries) reports(events []cpr.Event) bool {
	return slices.ContainsFunc(events, func(e cpr.Event) bool { return s.filters[Filter{Kind: Change, Code: e.Code}] })
}

func (s *Deliveries) aged(p *persons.Dane, from, to int) bool {
	born, err := time.Parse(time.DateOnly, p.Born)
	if err != nil || p.Status == "90" {
		return false
	}
	age := cpr.Age(born, s.deps.Register.Now())
	return age >= from && age <= to
}

func livesIn(p *persons.Dane, municipality int) bool {
	if p.Address == nil || !p.Resident() {
		return false
	}
	code, err := strconv.Atoi(p.Address.Municipality)
	return err == nil && code == municipality
}
