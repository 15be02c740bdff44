// Package nationalid reads Swedish personnummer and samordningsnummer and Danish CPR numbers.
//
// Rules and vectors come from the registers' public descriptions. The Swedish control digit (Luhn) is reliable and enforced. The
// Danish one (modulus 11) is not: numbers without it have been issued since October 2007, so it only gives a warning.
//
// A Number never shows itself by accident: formatted, logged or marshalled it prints a placeholder. Canonical is the one way to
// its digits. No error of this package repeats its input.
package nationalid

import (
	"fmt"
	"log/slog"

	"samvirke.dev/services/identity/internal/core/civil"
)

// Country is the country whose register issued a number.
type Country uint8

// The countries.
const (
	CountryUnknown Country = iota
	Denmark
	Sweden
)

// String returns the ISO 3166-1 alpha-2 code, or "" for an unknown country.
func (c Country) String() string {
	switch c {
	case Denmark:
		return "DK"
	case Sweden:
		return "SE"
	default:
		return ""
	}
}

// Kind is what a number is in its register.
type Kind uint8

// The kinds.
const (
	KindUnknown Kind = iota
	Personnummer
	Samordningsnummer
	CPR
)

// String returns the register's own word for the kind.
func (k Kind) String() string {
	switch k {
	case Personnummer:
		return "PERSONNUMMER"
	case Samordningsnummer:
		return "SAMORDNINGSNUMMER"
	case CPR:
		return "CPR"
	default:
		return ""
	}
}

// Warning is a set of doubts about a number that is accepted all the same.
type Warning uint8

// NoModulus11 means that a CPR number fails modulus 11. Such numbers have been issued since October 2007.
const NoModulus11 Warning = 1

// Has reports whether the set holds w.
func (s Warning) Has(w Warning) bool { return s&w != 0 }

// Lengths of the canonical digits.
const (
	digitsSE = 12
	digitsDK = 10
)

// dayOffset is added to the day in a samordningsnummer, and in a fictitious CPR number.
const dayOffset = 60

// Number is a valid national number. It is comparable: two written forms of one number give equal values. The zero value is no
// number.
type Number struct {
	digits  [digitsSE]byte // as ASCII; a CPR number leaves the last two zero
	country Country
	kind    Kind
}

// IsZero reports whether n is no number.
func (n Number) IsZero() bool { return n == Number{} }

// Country returns the country whose register issued the number.
func (n Number) Country() Country { return n.country }

// Kind returns what the number is in its register.
func (n Number) Kind() Kind { return n.kind }

// Canonical returns the country and the digits, `SE:198503149802` or `DK:7403851013`: the form that pseudonyms are made of. It is
// national-id data: never put it into a log, an error, a metric or a URL. The zero Number gives "".
func (n Number) Canonical() string {
	if n.IsZero() {
		return ""
	}
	return n.country.String() + ":" + string(n.figures())
}

func (n *Number) figures() []byte {
	if n.country == Denmark {
		return n.digits[:digitsDK]
	}
	return n.digits[:]
}

// BirthDate returns the birth date in the number, with the synthetic or coordination offset taken off. That of a
// samordningsnummer may be partial. The register's own birth date may differ and goes before it.
func (n Number) BirthDate() civil.Date {
	switch n.country {
	case Sweden:
		day := n.num(6, 8)
		if day >= dayOffset {
			day -= dayOffset
		}
		return civil.Date{Year: n.num(0, 4), Month: n.num(4, 6), Day: day}
	case Denmark:
		day := n.num(0, 2)
		if day > dayOffset {
			day -= dayOffset
		}
		return civil.Date{Year: cprYear(n.num(6, 7), n.num(4, 6)), Month: n.num(2, 4), Day: day}
	default:
		return civil.Date{}
	}
}

// Warnings returns the doubts about the number.
func (n Number) Warnings() Warning {
	if n.country == Denmark && !modulus11(n.figures()) {
		return NoModulus11
	}
	return 0
}

func (n *Number) num(from, to int) int {
	v := 0
	for _, c := range n.digits[from:to] {
		v = v*10 + int(c-'0')
	}
	return v
}

// redacted is what a number shows of itself: nothing.
const redacted = "[national-id]"

// String returns a placeholder.
func (n Number) String() string { return redacted }

// GoString returns a placeholder.
func (n Number) GoString() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (n Number) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (n Number) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which keeps the number out of JSON and the like.
func (n Number) MarshalText() ([]byte, error) { return []byte(redacted), nil }

var (
	_ fmt.Formatter  = Number{}
	_ slog.LogValuer = Number{}
)
