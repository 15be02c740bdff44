package direkte

import (
	"strings"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/register/cpr"
)

// Postal codes as CPR writes them.
const (
	postalWidth     = 4
	noPostalCode    = "0000"
	greenlandPrefix = "39"
)

// takeWritten reads the address as it goes on an envelope: locality, road, village. Its road code stands in where there is no 002.
func (d *draft) takeWritten(r Record) {
	if d.road == 0 {
		d.road = value(r.Get("VEJKOD"))
	}
	d.called = r.Text("ADRNVN")
	city, place := r.Text("POSTDISTTXT"), r.Text("BYNVN")
	a := &core.Address{CareOf: r.Text("CONVN"), City: city, PostalCode: r.Text("POSTNR")}
	if a.PostalCode == noPostalCode {
		a.PostalCode = ""
	}
	if road := r.Text("STANDARDADR"); road != "" {
		a.Lines = lines(r, "LOKALITET", "STANDARDADR")
		if place != "" && !strings.EqualFold(place, city) {
			a.Lines = append(a.Lines, place)
		}
	}
	d.home = a
}

// takeAbroad reads the foreign address: free text, from which nothing is taken apart. A country of which we don't know the ISO code keeps
// the number that CPR gives it.
func (d *draft) takeAbroad(r Record) {
	a := &core.Address{Lines: lines(r, "UDLANDADR1", "UDLANDADR2", "UDLANDADR3", "UDLANDADR4", "UDLANDADR5")}
	a.ValidFrom, _, _ = stampOf(r.Get("UDRDTO"))
	code := r.Get("UDR_LANDEKOD")
	if a.Country = cpr.Country(value(code)); a.Country == "" && !zeros(code) {
		a.Country = string(code)
	}
	if len(a.Lines) > 0 {
		d.abroad = a
	}
}

// takeContact reads the contact address while it holds: free text, of which a last line in the form of a Danish postal code and city is
// taken apart.
func (d *draft) takeContact(r Record, produced civil.Date) {
	if !holds(r, produced) {
		return
	}
	a := &core.Address{Lines: lines(r, "ADR1-KONTAKTADR", "ADR2-KONTAKTADR", "ADR3-KONTAKTADR", "ADR4-KONTAKTADR", "ADR5-KONTAKTADR")}
	if len(a.Lines) == 0 {
		return
	}
	a.ValidFrom, _ = dayOf(r.Get("START_DT-ADRTXT"))
	d.other = a
	last := len(a.Lines) - 1
	code, city, ok := strings.Cut(a.Lines[last], " ")
	if !ok || last == 0 || len(code) != postalWidth || !digits([]byte(code)) {
		return
	}
	a.Lines, a.PostalCode, a.City = a.Lines[:last], code, strings.TrimSpace(city)
	a.Country = cpr.HomeCountry(cpr.StateResident)
	if strings.HasPrefix(code, greenlandPrefix) {
		a.Country = cpr.HomeCountry(cpr.StateGreenland)
	}
}

// address returns the address that letters go to in the person's state, or nil.
func (d *draft) address() *core.Address {
	switch cpr.PostFor(d.state) {
	case cpr.PostRegistered:
		if home := d.registered(); home != nil {
			return home
		}
		return d.other
	case cpr.PostContact:
		return d.other
	case cpr.PostElsewhere:
		if d.other != nil {
			return d.other
		}
		return d.abroad
	case cpr.PostAbroad:
		return d.abroad
	default:
		return nil
	}
}

// registered returns the address where the person lives, or nil if it can't be written to.
func (d *draft) registered() *core.Address {
	a := d.home
	if a == nil || cpr.SpecialRoad(d.state, d.road) {
		return nil
	}
	if len(a.Lines) == 0 {
		a.Lines = d.extra
	}
	if len(a.Lines) == 0 {
		return nil
	}
	a.Country, a.ValidFrom = cpr.HomeCountry(d.state), d.moved
	return a
}
