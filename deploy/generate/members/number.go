package members

import (
	"fmt"
	"time"
)

// register gives out numbers, each once.
type register struct {
	used map[string]bool
}

// birth returns the birth date that a draw stands for: 1963-01-01 to 2006-12-31.
func birth(r uint64) time.Time {
	const days = 16071
	return time.Date(1963, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(r%days))
}

// dane returns an unused CPR number with the day of birth raised by 60, which no real person has. Of members whose index ends in 10 of 20,
// the control digit is wrong on purpose: numbers without modulus 11 are valid since 2007.
func (g *register) dane(born time.Time, r uint64, i int) string {
	century := 1
	if born.Year() >= 2000 {
		century = 4
	}
	for serial := int(r % 100); ; serial = (serial + 1) % 100 {
		nine := fmt.Sprintf("%02d%02d%02d%d%02d", born.Day()+60, int(born.Month()), born.Year()%100, century, serial)
		control, ok := modulus11(nine)
		if !ok || g.used[nine] {
			continue
		}
		g.used[nine] = true
		if i%20 == 10 {
			control = (control + 2) % 10
		}
		return fmt.Sprintf("%s%d", nine, control)
	}
}

// modulus11 returns the control digit, or false where it would be 10.
func modulus11(nine string) (int, bool) {
	sum := 0
	for i, weight := range []int{4, 3, 2, 7, 6, 5, 4, 3, 2} {
		sum += weight * int(nine[i]-'0')
	}
	control := (11 - sum%11) % 11
	return control, control < 10
}

// swede returns an unused personal number with a birth number that only test persons have, or a coordination number, and the birth date
// in it, which may be later than asked for.
func (g *register) swede(born time.Time, draws *splitMix, coordination bool) (string, time.Time) {
	for {
		number := 980
		if born.Year() >= 1990 {
			number = 238
		}
		number += int(draws.next() % 2)
		day := born.Day()
		if coordination {
			day += 60
		}
		eleven := fmt.Sprintf("%04d%02d%02d%03d", born.Year(), int(born.Month()), day, number)
		if !g.used[eleven] {
			g.used[eleven] = true
			return fmt.Sprintf("%s%d", eleven, luhn(eleven[2:])), born
		}
		born = born.AddDate(0, 0, 1)
	}
}

// luhn returns the control digit of nine digits.
func luhn(nine string) int {
	sum := 0
	for i := range nine {
		d := int(nine[i]-'0') * (2 - i%2)
		sum += d/10 + d%10
	}
	return (10 - sum%10) % 10
}
