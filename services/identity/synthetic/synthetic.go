// Package synthetic makes persons who do not exist: as many as are asked for, always the same ones, with numbers that no register
// gives to anybody. Benchmarks, the sandbox and tests use them.
//
// The numbers follow a written rule, so that other programs can make the same ones. Member i draws from SplitMix64 started at
// 0x5EED0000 + i. The first draw gives a birth date between 1963-01-01 and 2006-12-31. Even members are Danish (day plus 60, two
// serial digits, control digit by modulus 11; every member with i mod 20 = 10 gets a wrong one on purpose, as real numbers may
// have), odd ones Swedish (birth number 238 or 239 from 1990 on, else 980 or 981; every member with i mod 25 = 19 has a
// coordination number). A number that an earlier member has is left out.
//
// Beyond that rule, since large benchmarks need more members than it can number: days go on from 2006-12-31 to 1963-01-01; a Danish day
// whose hundred serials are used gives way to the next day; and when the Swedish numbers of a kind are used up (32 142 of each), odd
// members are Danish.
package synthetic

import (
	"fmt"
	"time"
)

// Countries of a member, as ISO 3166-1 alpha-2 codes.
const (
	Denmark = "DK"
	Sweden  = "SE"
)

// Member is a person who does not exist.
type Member struct {
	Index      int
	Number     string    // canonical, `SE:198007119806` or `DK:7004631298`
	Country    string    // DK or SE
	Birth      time.Time // midnight UTC
	GivenName  string
	FamilyName string
	Street     string // invented street with house number
	PostalCode string // all zeros: no such postal code
	City       string // invented
}

// FullName returns given and family name.
func (m Member) FullName() string { return m.GivenName + " " + m.FamilyName }

// The span of birth dates, in days.
const (
	days      = 16071
	firstYear = 1963
)

// Numbers that the rule offers in all.
const (
	serials      = 100      // two serial digits of a Danish number
	swedishTotal = 2 * days // two birth numbers on each day, for each kind of number
)

// Generator makes members in order. It is not safe for concurrent use.
type Generator struct {
	next   int
	danish bitset
	full   bitset // days without any Danish number left
	// Swedish numbers by kind: personnummer and coordination numbers.
	swedish [2]bitset
	used    [2]int
}

// NewGenerator returns a generator that begins with member 0. It takes about 220 kB, however many members it makes.
func NewGenerator() *Generator {
	return &Generator{
		danish:  newBitset(days * serials),
		full:    newBitset(days),
		swedish: [2]bitset{newBitset(swedishTotal), newBitset(swedishTotal)},
	}
}

// Members returns the first n members.
func Members(n int) []Member {
	out := make([]Member, n)
	g := NewGenerator()
	for i := range out {
		out[i] = g.Next()
	}
	return out
}

// At returns member i. It makes all members before it as well, because a number depends on which ones are taken.
func At(i int) Member {
	g := NewGenerator()
	for range i {
		g.Next()
	}
	return g.Next()
}

// Next returns the next member, or the zero Member when all numbers are used, which is after more than a million.
func (g *Generator) Next() Member {
	i := g.next
	g.next++
	draw := NewSplitMix64(0x5EED0000 + uint64(i)) //nolint:gosec // an index is not negative
	day := int(draw.Next() % days)
	kind := 0
	if i%25 == 19 {
		kind = 1
	}
	if i%2 == 0 || g.used[kind] == swedishTotal {
		return g.dane(i, day, draw)
	}
	return g.swede(i, day, kind, draw)
}

func (g *Generator) dane(i, day int, draw *SplitMix64) Member {
	start := int(draw.Next() % serials)
	for range days {
		if g.full.has(day) {
			day = (day + 1) % days
			continue
		}
		birth := date(day)
		for step := range serials {
			serial := (start + step) % serials
			if g.danish.has(day*serials + serial) {
				continue
			}
			century := 1
			if birth.Year() >= 2000 {
				century = 4
			}
			nine := fmt.Sprintf("%02d%02d%02d%d%02d", birth.Day()+60, birth.Month(), birth.Year()%100, century, serial)
			control := modulus11(nine)
			if control == 10 {
				continue
			}
			g.danish.set(day*serials + serial)
			if i%20 == 10 {
				control = (control + 2) % 10
			}
			return describe(i, Denmark, fmt.Sprintf("DK:%s%d", nine, control), birth)
		}
		g.full.set(day)
		day = (day + 1) % days
	}
	return Member{}
}

func (g *Generator) swede(i, day, kind int, draw *SplitMix64) Member {
	for ; ; day = (day + 1) % days {
		pick := int(draw.Next() % 2)
		if g.swedish[kind].has(day*2 + pick) {
			continue
		}
		g.swedish[kind].set(day*2 + pick)
		g.used[kind]++
		birth, birthNumber := date(day), 980+pick
		if birth.Year() >= 1990 {
			birthNumber = 238 + pick
		}
		eleven := fmt.Sprintf("%04d%02d%02d%d", birth.Year(), birth.Month(), birth.Day()+60*kind, birthNumber)
		return describe(i, Sweden, fmt.Sprintf("SE:%s%d", eleven, luhn(eleven[2:])), birth)
	}
}

func date(day int) time.Time { return time.Date(firstYear, 1, 1+day, 0, 0, 0, 0, time.UTC) }

// modulus11 returns the control digit of nine digits, or 10 if there is none.
func modulus11(nine string) int {
	const weights = "432765432"
	sum := 0
	for i := range len(nine) {
		sum += int(nine[i]-'0') * int(weights[i]-'0')
	}
	return (11 - sum%11) % 11
}

// luhn returns the control digit of nine digits.
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

// describe adds what is not part of the written rule for numbers: it follows from the index alone.
func describe(i int, country, number string, birth time.Time) Member {
	given, family, street, city := danishNames(), danishFamilies(), "Prøvevej", "Prøveby"
	if country == Sweden {
		given, family, street, city = swedishNames(), swedishFamilies(), "Provgatan", "Provstad"
	}
	code := "0000"
	if country == Sweden {
		code = "00000"
	}
	return Member{
		Index: i, Number: number, Country: country, Birth: birth,
		GivenName: given[(i/2)%len(given)], FamilyName: family[(i/16)%len(family)],
		Street: fmt.Sprintf("%s %d", street, i%200+1), PostalCode: code, City: city,
	}
}

func danishNames() [8]string {
	return [8]string{"Anker", "Birthe", "Conny", "Ditlev", "Esther", "Frode", "Gurli", "Håkan"}
}

func danishFamilies() [8]string {
	return [8]string{"Prøvesen", "Eksempelgård", "Tænkt", "Opfundet", "Mønstersen", "Fiktivsen", "Digtet", "Påhit"}
}

func swedishNames() [8]string {
	return [8]string{"Alva", "Bertil", "Cajsa", "Dag", "Elsa", "Folke", "Greta", "Hjördis"}
}

func swedishFamilies() [8]string {
	return [8]string{"Provsson", "Exempelgren", "Påhittad", "Mallberg", "Testlund", "Fiktivsson", "Övningsdotter", "Låtsas"}
}

// bitset is a set of small numbers.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bitset) set(i int) { b[i/64] |= 1 << (i % 64) }
