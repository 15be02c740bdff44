package cpr

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"samvirke.dev/deploy/registers/persons"
)

// retire makes the current address history.
func retire(p *persons.Dane, now string) {
	if p.Address == nil {
		return
	}
	old := *p.Address
	old.Until = now
	p.Addresses = append(slices.Clone(p.Addresses), old)
	p.Address = nil
}

// field is a text with the room that CPR has for it.
type field struct {
	text string
	most int
}

// checkAddress refuses what CPR's records have no room or no letters for.
func checkAddress(a *persons.DanishAddress) error {
	fields := [...]field{
		{a.House, 4}, {a.Floor, 2}, {a.Door, 4}, {a.Building, 4}, {a.CareOf, 34}, {a.Locality, 34}, {a.Standard, 34}, {a.Town, 34},
		{a.Street, 20}, {a.District, 20},
	}
	fits := func(f field) bool { return utf8.RuneCountInString(f.text) <= f.most && printable(f.text) }
	ok := true
	for _, f := range fields {
		ok = ok && fits(f)
	}
	for _, line := range a.Extra {
		ok = ok && fits(field{line, 34})
	}
	if !ok {
		return fmt.Errorf("%w: a text is too long or has letters outside ISO 8859-1", ErrInvalid)
	}
	if !fourDigits(a.Municipality) || !fourDigits(a.Road) || !fourDigits(a.PostalCode) || a.Standard == "" || len(a.Extra) > 5 {
		return fmt.Errorf("%w: municipality, road and postal code are four digits, and a standard address is needed", ErrInvalid)
	}
	if a.ExtraMunicipality != "" && !fourDigits(a.ExtraMunicipality) || !day(a.ExtraFrom) || !day(a.ExtraTo) {
		return fmt.Errorf("%w: the municipality or a day of the supplementary lines", ErrInvalid)
	}
	return nil
}

// day reports whether a text is empty or `YYYY-MM-DD`.
func day(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return s == "" || err == nil
}

func fourDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(s) == 4
}

// printable reports whether ISO 8859-1 has every character and none is a control.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > 0xFF || r >= 0x7F && r < 0xA0 {
			return false
		}
	}
	return utf8.ValidString(s)
}
