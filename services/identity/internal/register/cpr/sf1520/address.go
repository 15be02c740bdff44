package sf1520

import (
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/register/cpr"
)

// addressOf returns the address that letters go to in that state, or nil if there is none.
func addressOf(a *Addresses, state string, today civil.Date, zone *time.Location) *core.Address {
	var out *core.Address
	switch cpr.PostFor(state) {
	case cpr.PostRegistered:
		if out = a.Current.postal(state, zone); out == nil {
			out = a.Contact.postal(today, zone)
		}
	case cpr.PostContact:
		out = a.Contact.postal(today, zone)
	case cpr.PostElsewhere:
		if out = a.Contact.postal(today, zone); out == nil {
			out = a.Abroad.postal(zone)
		}
	case cpr.PostAbroad:
		out = a.Abroad.postal(zone)
	case cpr.PostNowhere:
	}
	return out
}

// postal returns the address as it goes on an envelope: locality, road, village. The supplementary lines, a free text of the
// municipality, stand in for a missing road and else add nothing.
func (r *Registered) postal(state string, zone *time.Location) *core.Address {
	if cpr.SpecialRoad(state, int(r.RoadCode)) {
		return nil
	}
	city := strings.TrimSpace(r.District)
	place := strings.TrimSpace(r.Place)
	if strings.EqualFold(place, city) {
		place = ""
	}
	lines := written(r.Extra1, r.Extra2, r.Extra3, r.Extra4, r.Extra5)
	if road := r.road(); road != "" {
		lines = written(r.Locality, road, place)
	}
	if len(lines) == 0 {
		return nil
	}
	return &core.Address{
		CareOf: strings.TrimSpace(r.CareOf), Lines: lines, PostalCode: postalCode(r.PostalCode), City: city,
		Country: cpr.HomeCountry(state), ValidFrom: r.From.Day.In(zone),
	}
}

// road returns road, house, floor and door in one line, as the register writes it or, where it left that out, by its rule:
// `Prøvevej 77A, 1. tv`.
func (r *Registered) road() string {
	if line := strings.TrimSpace(r.Line); line != "" {
		return line
	}
	line := strings.TrimSpace(r.Road)
	if line == "" {
		line = strings.TrimSpace(r.ShortRoad)
	}
	if line == "" {
		return ""
	}
	if house := unpadded(r.House); house != "" {
		line += " " + house
	} else if building := unpadded(r.Building); building != "" {
		line += " B-" + building
	}
	floor, door := unpadded(r.Floor), unpadded(r.Door)
	if floor != "" {
		floor += "."
	}
	if within := strings.Join(written(floor, door), " "); within != "" {
		line += ", " + within
	}
	return line
}

func unpadded(s string) string { return strings.TrimLeft(strings.TrimSpace(s), "0") }

// postal returns the contact address while it holds. Its lines are free text; a last line in the form of a Danish postal code and
// city is taken apart.
func (c *Contact) postal(today civil.Date, zone *time.Location) *core.Address {
	from, deleted := c.From.In(zone), c.Deleted.In(zone)
	lines := written(c.Line1, c.Line2, c.Line3, c.Line4, c.Line5)
	if len(lines) == 0 || from.CertainlyAfter(today) || !deleted.IsZero() && deleted.CertainlyNotAfter(today) {
		return nil
	}
	out := &core.Address{Lines: lines, ValidFrom: from}
	last := lines[len(lines)-1]
	code, city, ok := strings.Cut(last, " ")
	if !ok || len(lines) == 1 || len(code) != postalDigits || strings.Trim(code, "0123456789") != "" {
		return out
	}
	out.Lines, out.PostalCode, out.City = lines[:len(lines)-1], code, strings.TrimSpace(city)
	out.Country = cpr.HomeCountry(cpr.StateResident)
	if strings.HasPrefix(code, greenlandPrefix) {
		out.Country = cpr.HomeCountry(cpr.StateGreenland)
	}
	return out
}

const (
	postalDigits    = 4
	greenlandPrefix = "39" // postal codes of Greenland
)

// postal returns the foreign address: free text, from which nothing is taken apart.
func (a *Abroad) postal(zone *time.Location) *core.Address {
	lines := written(a.Line1, a.Line2, a.Line3, a.Line4, a.Line5)
	if len(lines) == 0 {
		return nil
	}
	country := cpr.Country(int(a.Country))
	if country == "" {
		country = strings.TrimSpace(a.CountryName)
	}
	return &core.Address{Lines: lines, Country: country, ValidFrom: a.Since.Day.In(zone)}
}

// written returns the lines that hold anything, trimmed.
func written(lines ...string) []string {
	var out []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// postalCode gives a postal code its leading zeros back and drops one of zeros only, which means none.
func postalCode(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case strings.Trim(s, "0") == "":
		return ""
	case len(s) < postalDigits:
		return strings.Repeat("0", postalDigits-len(s)) + s
	default:
		return s
	}
}
