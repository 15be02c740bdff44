package spar

import (
	"slices"
	"strings"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
)

// address returns where letters to a person in that state go today, or nil; see the package comment.
func (r *record) address(state string, today civil.Date) *core.Address {
	switch core.StatusOf(state) {
	case core.StatusCurrent:
		return choose(today, true, r.Special, r.Registered, r.Contact, r.Abroad)
	case core.StatusEmigrated:
		return choose(today, false, r.Abroad, r.Special, r.Contact)
	default:
		return nil
	}
}

// choose returns the first address that holds, in the order of the kinds.
func choose(today civil.Date, inSweden bool, kinds ...[]address) *core.Address {
	for _, kind := range kinds {
		for _, a := range kind {
			for i := range a.Swedish {
				if s := &a.Swedish[i]; inSweden && s.holds(today) && !s.empty() {
					return s.address()
				}
			}
			for i := range a.Foreign {
				if f := &a.Foreign[i]; f.holds(today) && !f.empty() {
					return f.address()
				}
			}
		}
	}
	return nil
}

func (s *swedish) empty() bool { return s.Line1+s.Line2+s.PostalCode+s.City == "" }

func (s *swedish) address() *core.Address {
	return &core.Address{
		CareOf: s.CareOf, Lines: lines(s.Line1, s.Line2), PostalCode: s.PostalCode, City: s.City, Country: "SE",
		ValidFrom: s.From.civil(),
	}
}

func (f *foreign) empty() bool { return f.Line1+f.Line2+f.Line3 == "" }

func (f *foreign) address() *core.Address {
	return &core.Address{Lines: lines(f.Line1, f.Line2, f.Line3), Country: country(f.Country), ValidFrom: f.From.civil()}
}

func lines(all ...string) []string {
	return slices.DeleteFunc(all, func(line string) bool { return line == "" })
}

// country returns the ISO 3166-1 alpha-2 code of a neighbour, or else SPAR's own word, as core.Address has it.
func country(name string) string {
	switch strings.ToUpper(name) {
	case "SVERIGE":
		return "SE"
	case "DANMARK":
		return "DK"
	case "NORGE":
		return "NO"
	case "FINLAND":
		return "FI"
	case "ISLAND":
		return "IS"
	case "FÄRÖARNA":
		return "FO"
	case "GRÖNLAND":
		return "GL"
	case "TYSKLAND":
		return "DE"
	default:
		return name
	}
}
