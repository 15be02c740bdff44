// Package cpr is the register behind the Danish simulators: the published demo persons, and what is told about them at run time. The
// look-up service (sf1520) and the deliveries (direkte) read the same register, as in life.
package cpr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/services/platform/clock"
)

// Errors of a change. They never repeat what was asked.
var (
	ErrUnknown = errors.New("cpr: no person under this number")
	ErrInvalid = errors.New("cpr: the change is not one that CPR would take")

	errUnchanged = errors.New("cpr: nothing to change")
)

// The codes of events that changes leave, for record 099.
const (
	EventMove       = "A01"
	EventDeath      = "A21"
	EventProtection = "A33"
	EventSubscribed = "A45"
	EventLapse      = "P11"
)

// Stamp is the layout of a moment in CPR.
const Stamp = "200601021504"

// Event is something that happened to a person.
type Event struct {
	At   string // Stamp
	Code string
}

// Register is safe for concurrent use.
type Register struct {
	clk  clock.Clock
	zone *time.Location

	mu     sync.RWMutex
	people map[string]*persons.Dane // the values are never changed, only replaced
	events map[string][]Event       // by number, in order
}

// New returns a register with the published persons.
func New(clk clock.Clock) (*Register, error) {
	if clk == nil {
		return nil, errors.New("cpr: no clock")
	}
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		return nil, fmt.Errorf("cpr: %w", err)
	}
	people, err := persons.Danes()
	if err != nil {
		return nil, err
	}
	return &Register{clk: clk, zone: zone, people: people, events: map[string][]Event{}}, nil
}

// Lookup returns the person under a number, nil for nobody. The person must not be changed.
func (r *Register) Lookup(number string) *persons.Dane {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.people[number]
}

// Numbers are all numbers in order.
func (r *Register) Numbers() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.people))
}

// Now is the register's time, in Danish civil time.
func (r *Register) Now() time.Time { return r.clk.Now().In(r.zone) }

// Snapshot returns a person with the events since the first n and the number of all of them, taken at one moment.
func (r *Register) Snapshot(number string, n int) (*persons.Dane, []Event, int) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := r.events[number]
	return r.people[number], slices.Clone(all[min(n, len(all)):]), len(all)
}

// change replaces a person by what edit makes of a copy, and notes the event.
func (r *Register) change(number, code string, edit func(p *persons.Dane, now string) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.people[number]
	if old == nil {
		return ErrUnknown
	}
	next, now := *old, r.Now().Format(Stamp)
	switch err := edit(&next, now); {
	case errors.Is(err, errUnchanged):
		return nil
	case err != nil:
		return err
	}
	r.people[number] = &next
	r.events[number] = append(r.events[number], Event{At: now, Code: code})
	return nil
}

// SetAddress moves a resident to an address from now on; the one before becomes history. Its times, its mark and the municipality moved from
// are set here.
func (r *Register) SetAddress(number string, a persons.DanishAddress) error {
	if err := checkAddress(&a); err != nil {
		return err
	}
	return r.change(number, EventMove, func(p *persons.Dane, now string) error {
		if !p.Resident() {
			return fmt.Errorf("%w: not resident", ErrInvalid)
		}
		a.Mark, a.Since, a.Until = "", now, ""
		a.MunicipalitySince, a.FromMunicipality, a.FromUntil = now, "", ""
		if old := p.Address; old != nil && old.Municipality == a.Municipality {
			a.MunicipalitySince, a.FromMunicipality, a.FromUntil = old.MunicipalitySince, old.FromMunicipality, old.FromUntil
		} else if old != nil {
			a.FromMunicipality, a.FromUntil = old.Municipality, now
		}
		retire(p, now)
		p.Address = &a
		return nil
	})
}

// SetProtection sets a protection from today on, or ends those of the type that hold. What is so already stays, without an event.
func (r *Register) SetProtection(number, kind string, on bool) error {
	if kind < persons.NameAndAddress || kind > persons.Research || len(kind) != len(persons.Research) {
		return fmt.Errorf("%w: protection type", ErrInvalid)
	}
	code := EventProtection
	if !on {
		code = EventLapse
	}
	return r.change(number, code, func(p *persons.Dane, _ string) error {
		if p.Protection(kind).Holds() == on {
			return errUnchanged
		}
		today := r.Now().Format(time.DateOnly)
		p.Protections = slices.Clone(p.Protections)
		for i := range p.Protections {
			if q := &p.Protections[i]; q.Type == kind && q.Holds() {
				q.To, q.Ended = today, true
			}
		}
		if on {
			p.Protections = append(p.Protections, persons.Protection{Type: kind, From: today})
		}
		return nil
	})
}

// SetDeath notes a death on a day, `YYYY-MM-DD`, not after today.
func (r *Register) SetDeath(number, day string) error {
	died, err := time.Parse(time.DateOnly, day)
	if err != nil || day > r.Now().Format(time.DateOnly) {
		return fmt.Errorf("%w: day of death", ErrInvalid)
	}
	return r.change(number, EventDeath, func(p *persons.Dane, now string) error {
		if p.Status == "90" || p.Current != "" {
			return fmt.Errorf("%w: dead already, or not a number in force", ErrInvalid)
		}
		retire(p, now)
		p.Status, p.StatusSince, p.StatusUncertain = "90", died.Format(Stamp), false
		p.Civil = persons.Civil{Status: "D", Spouse: p.Civil.Spouse, Since: died.Format(Stamp)}
		return nil
	})
}

// Age is in whole years on a day.
func Age(born, day time.Time) int {
	years := day.Year() - born.Year()
	if day.Month() < born.Month() || day.Month() == born.Month() && day.Day() < born.Day() {
		years--
	}
	return years
}
