package nationalid

import (
	"samvirke.dev/services/identity/internal/core/civil"
)

// RefusalError is why a text is refused as a national number. It is an error; compare with errors.Is.
type RefusalError string

// The reasons.
const (
	// ErrCountry: the country is not one that we know numbers of.
	ErrCountry RefusalError = "unknown country"
	// ErrForm: not the digits and separators of a number of that country.
	ErrForm RefusalError = "not in the form of a national number"
	// ErrDate: the birth date in the number does not exist.
	ErrDate RefusalError = "no such birth date"
	// ErrFuture: the birth date lies in the future.
	ErrFuture RefusalError = "birth date in the future"
	// ErrCheckDigit: the Swedish control digit is wrong.
	ErrCheckDigit RefusalError = "wrong check digit"
	// ErrOrganisation: the number of an organisation, not of a person.
	ErrOrganisation RefusalError = "an organisation number, not a person's"
	// ErrImmunity: SPAR says that the number is an immunitetsnummer. The digits alone don't show it.
	ErrImmunity RefusalError = "an immunity number, not a person's number"
	// ErrKind: the register's word for the kind and the digits contradict each other.
	ErrKind RefusalError = "not of the kind stated"
)

// Error returns the reason. It never holds the input.
func (r RefusalError) Error() string { return "nationalid: " + string(r) }

// Parse reads a number in one of its written forms. Swedish: 12 digits, or 10 whose century follows from today, with an optional
// hyphen before the last four; a plus sign there means that the person has turned 100 or does so this year. Danish: 10 digits
// with an optional hyphen. today is the present civil date in the country. All errors are of type RefusalError.
func Parse(country Country, raw string, today civil.Date) (Number, error) {
	fig, n, sep, ok := split(raw)
	if !ok {
		return Number{}, ErrForm
	}
	switch country {
	case Sweden:
		return parseSE(fig[:n], sep, today)
	case Denmark:
		return parseDK(fig[:n], sep, today)
	default:
		return Number{}, ErrCountry
	}
}

// ParseCanonical reads the form that Canonical writes. Errors: as Parse.
func ParseCanonical(s string, today civil.Date) (Number, error) {
	if len(s) < 3 || s[2] != ':' {
		return Number{}, ErrForm
	}
	country := CountryUnknown
	switch s[:2] {
	case "SE":
		country = Sweden
	case "DK":
		country = Denmark
	}
	n, err := Parse(country, s[3:], today)
	if err == nil && len(s)-3 != len(n.figures()) {
		return Number{}, ErrForm
	}
	return n, err
}

// ParseTyped is Parse for a number whose register says what it is: PERSONNUMMER, SAMORDNINGSNUMMER, IMMUNITETSNUMMER or CPR. An
// immunity number looks like a personnummer, so only its type gives it away. Errors: as Parse, ErrImmunity, ErrKind.
func ParseTyped(country Country, registerType, raw string, today civil.Date) (Number, error) {
	if registerType == "IMMUNITETSNUMMER" {
		return Number{}, ErrImmunity
	}
	n, err := Parse(country, raw, today)
	if err == nil && n.kind.String() != registerType {
		return Number{}, ErrKind
	}
	return n, err
}

// split takes the digits and the one separator before the last four apart.
func split(raw string) (fig [digitsSE]byte, n int, sep byte, ok bool) {
	for i := range len(raw) {
		c := raw[i]
		switch {
		case c >= '0' && c <= '9':
			if n == len(fig) {
				return fig, 0, 0, false
			}
			fig[n] = c
			n++
		case (c == '-' || c == '+') && sep == 0 && len(raw)-i == 5:
			sep = c
		default:
			return fig, 0, 0, false
		}
	}
	return fig, n, sep, true
}

func parseSE(fig []byte, sep byte, today civil.Date) (Number, error) {
	n := Number{country: Sweden, kind: Personnummer}
	switch len(fig) {
	case digitsSE:
		if sep == '+' {
			return Number{}, ErrForm
		}
		copy(n.digits[:], fig)
		// A 12-digit field holds an organisation number behind the prefix 16.
		if n.num(0, 2) == 16 && fig[4] >= '2' {
			return Number{}, ErrOrganisation
		}
	case digitsSE - 2:
		if fig[2] >= '2' {
			return Number{}, ErrOrganisation
		}
		n = n.inCentury(fig, sep, today)
	default:
		return Number{}, ErrForm
	}
	return n.checkSE(today)
}

// inCentury completes ten digits. The separator decides by the year alone: a plus sign stands from the year in which the person
// turns 100. Without any separator the latest year is taken in which the birth date is not in the future.
func (n Number) inCentury(fig []byte, sep byte, today civil.Date) Number {
	copy(n.digits[2:], fig)
	short := n.num(2, 4)
	year := today.Year - (today.Year-short)%100
	if sep == '+' {
		year -= 100
	}
	n.setYear(year)
	if sep == 0 && n.BirthDate().CertainlyAfter(today) {
		n.setYear(year - 100)
	}
	return n
}

func (n *Number) setYear(year int) {
	for i := 3; i >= 0; i-- {
		n.digits[i] = byte('0' + year%10)
		year /= 10
	}
}

// firstYear is the earliest birth year in a Swedish number; the century is one of 18, 19 and 20.
const firstYear = 1800

func (n Number) checkSE(today civil.Date) (Number, error) {
	day := n.num(6, 8)
	if day >= dayOffset {
		n.kind = Samordningsnummer
	}
	birth := n.BirthDate()
	switch {
	case birth.Year < firstYear || !birth.Valid():
		return Number{}, ErrDate
	case birth.Partial() && n.kind == Personnummer:
		return Number{}, ErrDate
	case !luhn(n.digits[2:]):
		return Number{}, ErrCheckDigit
	case birth.CertainlyAfter(today):
		return Number{}, ErrFuture
	}
	return n, nil
}

// cvrLen is the length of a Danish company number.
const cvrLen = 8

func parseDK(fig []byte, sep byte, today civil.Date) (Number, error) {
	switch {
	case len(fig) == cvrLen && sep == 0:
		return Number{}, ErrOrganisation
	case len(fig) != digitsDK || sep == '+':
		return Number{}, ErrForm
	}
	n := Number{country: Denmark, kind: CPR}
	copy(n.digits[:], fig)
	birth := n.BirthDate()
	switch {
	case !birth.Valid() || birth.Partial():
		return Number{}, ErrDate
	case birth.CertainlyAfter(today):
		return Number{}, ErrFuture
	}
	return n, nil
}

// cprYear returns the year of birth: the seventh digit and the two digits of the year give the century.
func cprYear(seventh, yy int) int {
	switch {
	case seventh <= 3:
		return 1900 + yy
	case seventh == 4 || seventh == 9:
		if yy <= 36 {
			return 2000 + yy
		}
		return 1900 + yy
	case yy <= 57:
		return 2000 + yy
	default:
		return 1800 + yy
	}
}

// luhn checks ten digits whose last is the control digit.
func luhn(fig []byte) bool {
	sum := 0
	for i, c := range fig {
		v := int(c - '0')
		if i%2 == 0 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return sum%10 == 0
}

// modulus11 checks ten digits against the weights that CPR published.
func modulus11(fig []byte) bool {
	const weights = "4327654321"
	sum := 0
	for i, c := range fig {
		sum += int(c-'0') * int(weights[i]-'0')
	}
	return sum%11 == 0
}

var _ error = RefusalError("")
