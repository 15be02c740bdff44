// Package canary makes synthetic persons whose data can't occur by accident, and finds them again in whatever a system
// puts out: spans, logs, metrics, errors (domain.md C.4). Everything is generated; nobody real is meant.
package canary

import (
	"fmt"
	"strings"
	"time"
)

// Countries of a Person.
const (
	Sweden  = "SE"
	Denmark = "DK"
)

// Person is one synthetic person of the generator of domain.md D.2.
type Person struct {
	// Index is the member's number in the generator.
	Index int
	// Country is Sweden (odd Index) or Denmark (even Index).
	Country string
	// ID is the normalised national id: 12 digits in Sweden, 10 in Denmark, always of a synthetic range.
	ID string
	// Birth is the date of birth, midnight UTC.
	Birth time.Time
	// GivenName and FamilyName are invented and unique.
	GivenName, FamilyName string
	// Street, Email and Phone are placeholders of ranges that nobody has.
	Street, Email, Phone string
	// Amount is a unique sum in minor units of the country's currency.
	Amount int64
}

// Parameters of the generator, as domain.md D.2 fixes them.
const (
	seedBase     = 0x5EED0000
	birthDays    = 16071
	seOld, seNew = 980, 238
)

// People returns the first n persons of the generator. The same n always gives the same persons.
func People(n int) []Person {
	g := generator{used: make(map[string]bool, n)}
	out := make([]Person, n)
	for i := range out {
		out[i] = g.person(i)
	}
	return out
}

type generator struct{ used map[string]bool }

func (g *generator) person(i int) Person {
	r := &splitMix{state: seedBase + uint64(i)} //nolint:gosec // i is an index, never negative
	birth := time.Date(1963, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(r.next()%birthDays))
	p := Person{Index: i, Country: Denmark, Birth: birth}
	if i%2 == 0 {
		p.ID = g.danish(r, i, birth)
	} else {
		p.Country = Sweden
		p.ID, p.Birth = g.swedish(r, i, birth)
	}
	p.decorate()
	return p
}

// danish adds 60 to the day: no such number is ever issued.
func (g *generator) danish(r *splitMix, i int, birth time.Time) string {
	century := 1
	if birth.Year() >= 2000 {
		century = 4
	}
	for serial := int(r.next() % 100); ; serial = (serial + 1) % 100 {
		nine := fmt.Sprintf("%02d%02d%02d%d%02d", birth.Day()+60, int(birth.Month()), birth.Year()%100, century, serial)
		check := modulus11(nine)
		if check == 10 || g.used[nine] {
			continue
		}
		g.used[nine] = true
		if i%20 == 10 {
			check = (check + 2) % 10
		}
		return fmt.Sprintf("%s%d", nine, check)
	}
}

// swedish uses only birth numbers of the published test series.
func (g *generator) swedish(r *splitMix, i int, birth time.Time) (string, time.Time) {
	for ; ; birth = birth.AddDate(0, 0, 1) {
		number, day := seOld, birth.Day()
		if birth.Year() >= 1990 {
			number = seNew
		}
		if i%25 == 19 {
			day += 60
		}
		number += int(r.next() % 2)
		nine := fmt.Sprintf("%02d%02d%02d%03d", birth.Year()%100, int(birth.Month()), day, number)
		full := fmt.Sprintf("%02d%s%d", birth.Year()/100, nine, luhn(nine))
		if !g.used[full] {
			g.used[full] = true
			return full, birth
		}
	}
}

// modulus11 returns the Danish control digit of nine digits, or 10 where there is none.
func modulus11(nine string) int {
	sum := 0
	for i, w := range [...]int{4, 3, 2, 7, 6, 5, 4, 3, 2} {
		sum += w * int(nine[i]-'0')
	}
	return (11 - sum%11) % 11
}

// luhn returns the Swedish control digit of nine digits.
func luhn(nine string) int {
	sum := 0
	for i := range len(nine) {
		v := int(nine[i] - '0')
		if i%2 == 0 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return (10 - sum%10) % 10
}

// splitMix is the SplitMix64 generator, fixed by the catalogue so that every implementation draws the same persons.
type splitMix struct{ state uint64 }

func (s *splitMix) next() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// syllables spell an index; no two share a first letter, so every spelling is unique.
var syllables = [...]string{"bra", "dvi", "fjo", "gny", "hjö", "kvu", "lje", "mnå", "pra", "skø"}

func spell(i int) string {
	var b strings.Builder
	for _, d := range fmt.Sprintf("%05d", i) {
		b.WriteString(syllables[d-'0'])
	}
	return b.String()
}

// decorate adds what is not part of the id. The numbers lie in ranges that are reserved or unassigned.
func (p *Person) decorate() {
	name := spell(p.Index)
	p.GivenName, p.FamilyName = "Qvi"+name, "Zet"+name
	p.Email = fmt.Sprintf("member%05d@example.org", p.Index)
	p.Amount = 700_000_001 + int64(p.Index)*7_919
	if p.Country == Denmark {
		p.Street = fmt.Sprintf("Prøvevej %05d", p.Index)
		p.Phone = fmt.Sprintf("+45000%05d", p.Index)
		return
	}
	p.Street = fmt.Sprintf("Provgatan %05d", p.Index)
	p.Phone = fmt.Sprintf("+467017%05d", p.Index)
}
