package spar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"samvirke.dev/deploy/registers/persons"
)

// Errors of a change. They never repeat what was asked.
var (
	ErrUnknown = errors.New("spar: no person under this number")
	ErrInvalid = errors.New("spar: the change is not one that SPAR would take")
)

// SetMaxAnswers changes how many persons one answer holds at most, so that a register of few persons can answer too many.
func (s *Service) SetMaxAnswers(n int) error {
	if n < 1 || n > DefaultMaxAnswers {
		return fmt.Errorf("%w: at least 1 and at most %d answers", ErrInvalid, DefaultMaxAnswers)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = n
	return nil
}

// change replaces a person by what edit makes of a copy; the day of the last change becomes today.
func (s *Service) change(number string, edit func(p *persons.Swede, today string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.people[number]
	if old == nil {
		return ErrUnknown
	}
	next, today := *old, s.now().Format(time.DateOnly)
	if err := edit(&next, today); err != nil {
		return err
	}
	next.Changed = today
	s.people[number] = &next
	return nil
}

// now is in Swedish civil time.
func (s *Service) now() time.Time { return s.clk.Now().In(s.zone) }

// SetAddress registers a person at an address from today on; the one before becomes history. The period is set here.
func (s *Service) SetAddress(number string, a persons.SwedishAddress) error {
	if err := checkAddress(a); err != nil {
		return err
	}
	return s.change(number, func(p *persons.Swede, today string) error {
		if p.DeregCode != "" || p.Blank {
			return fmt.Errorf("%w: not registered", ErrInvalid)
		}
		a.Period = persons.Period{From: today, To: persons.Forever}
		p.Addresses = slices.Insert(ended(p.Addresses, today), 0, a)
		return nil
	})
}

// SetProtection sets or ends the sekretessmarkering and the skyddad folkbokföring. A registration without a mark makes SPAR set the
// mark itself. The dates of what ended stay, as in SPAR.
func (s *Service) SetProtection(number string, mark, registration bool) error {
	return s.change(number, func(p *persons.Swede, today string) error {
		if p.Blank {
			return fmt.Errorf("%w: a blank record", ErrInvalid)
		}
		was := p.Mark || p.MarkBySPAR
		bySPAR := registration && !mark
		if (mark || bySPAR) && !was {
			p.MarkDate = today
		}
		if registration && !p.Registration {
			p.RegistrationDate = today
		}
		p.Mark, p.MarkBySPAR, p.Registration = mark, bySPAR, registration
		return nil
	})
}

// SetDeath notes a death. The day is `YYYY-MM-DD`, where month and day may be 00 for unknown, and not after today.
func (s *Service) SetDeath(number, day string) error {
	full := strings.ReplaceAll(day, "-00", "-01")
	if _, err := time.Parse(time.DateOnly, full); err != nil || full > s.now().Format(time.DateOnly) {
		return fmt.Errorf("%w: day of death", ErrInvalid)
	}
	return s.change(number, func(p *persons.Swede, today string) error {
		if p.DeregCode != "" || p.Blank {
			return fmt.Errorf("%w: not registered", ErrInvalid)
		}
		p.DeregCode, p.Died = "AV", day
		p.Addresses = ended(p.Addresses, today)
		p.Registrations = slices.Clone(p.Registrations)
		for i := range p.Registrations {
			end(&p.Registrations[i].Period, today)
		}
		return nil
	})
}

// ended is a copy in which no row holds any longer.
func ended(rows []persons.SwedishAddress, today string) []persons.SwedishAddress {
	rows = slices.Clone(rows)
	for i := range rows {
		end(&rows[i].Period, today)
	}
	return rows
}

func end(p *persons.Period, today string) {
	if p.Current() {
		p.To = today
	}
}

// checkAddress refuses what the schema of the answer has no room for.
func checkAddress(a persons.SwedishAddress) error {
	const line, city, postal = 35, 27, 5
	for text, most := range map[string]int{a.CareOf: line, a.Line1: line, a.Line2: line, a.City: city} {
		if utf8.RuneCountInString(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, control) {
			return fmt.Errorf("%w: a line is too long or has control characters", ErrInvalid)
		}
	}
	if len(a.PostalCode) != postal || a.PostalCode[0] == '0' || strings.Trim(a.PostalCode, "0123456789") != "" || a.City == "" {
		return fmt.Errorf("%w: a postal code of five digits and a city are needed", ErrInvalid)
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r >= 0x7F && r < 0xA0 || r == 0xFFFE || r == 0xFFFF }
