package core

import (
	"errors"
	"slices"
	"strings"
)

// Errors of Numbering.Canonical. They never repeat the number.
var (
	ErrNumber      = errors.New("income: not a national number")
	ErrEnvironment = errors.New("income: a national number of another environment")
)

// Numbering says which national numbers may be enrolled. It looks at the form and at the environment only: whether the number is
// somebody's, the identity service has found out before it gave the handle.
type Numbering struct {
	Production bool
	Published  []string // canonical numbers of published test persons, accepted outside production
}

// Sizes of canonical numbers.
const (
	danishLen  = 10
	swedishLen = 12
	dayOffset  = 60 // of synthetic Danish numbers (id.dk.synthetic_day_offset)
)

// Canonical returns the number as registers take it: DK:7403851013. A test number is refused in production, every other one outside of it
// (SEC-09).
func (n Numbering) Canonical(country, value string) (string, error) {
	digits := strings.NewReplacer("-", "", "+", "").Replace(value)
	want := danishLen
	if country == "SE" {
		want = swedishLen
	}
	if len(digits) != want || (country != "DK" && country != "SE") || strings.Trim(digits, "0123456789") != "" {
		return "", ErrNumber
	}
	canonical := country + ":" + digits
	if n.test(country, digits, canonical) == n.Production {
		return "", ErrEnvironment
	}
	return canonical, nil
}

// test says whether the number is one of a test person.
func (n Numbering) test(country, digits, canonical string) bool {
	if slices.Contains(n.Published, canonical) {
		return true
	}
	if country == "SE" {
		return slices.Contains([]string{"238", "239", "980", "981"}, digits[8:11])
	}
	day := int(digits[0]-'0')*10 + int(digits[1]-'0')
	return day > dayOffset && day <= dayOffset+31
}
