package direkte

import (
	"cmp"
	"strings"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/persons"
)

// person is everything that CPR has on a person on the day, in the order of the record types: a receiver that meets 001 throws away
// what it had and takes what follows.
func person(p *persons.Dane, events []cpr.Event) []*line {
	lines := []*line{information(p)}
	if p.Address != nil && p.Resident() {
		lines = append(lines, current(p))
	}
	lines = append(lines, written(p))
	for i := range p.Protections {
		if q := &p.Protections[i]; q.Holds() {
			lines = append(lines, record("004", 37, p.Number).at(14, 4, q.Type).at(18, 10, q.From).at(28, 10, q.End()))
		}
	}
	lines = append(lines, away(p)...)
	lines = append(lines, names(p)...)
	lines = append(lines, family(p)...)
	lines = append(lines, history(p)...)
	for _, e := range events {
		lines = append(lines, record("099", 45, p.Number).digits(14, 12, e.At).at(26, 3, e.Code))
	}
	return lines
}

func information(p *persons.Dane) *line {
	return record("001", 106, p.Number).at(14, 10, p.Current).at(24, 2, p.Status).digits(26, 12, p.StatusSince).
		mark(38, p.StatusUncertain).at(39, 1, p.Sex).at(40, 10, p.Born).mark(50, p.BornUncertain).at(51, 10, p.Start).
		mark(61, p.StartUncertain).at(62, 10, p.End).at(73, 34, p.Occupation)
}

func current(p *persons.Dane) *line {
	a := p.Address
	l := record("002", 306, p.Number).at(14, 4, a.Municipality).at(18, 4, a.Road).at(22, 4, a.House).at(26, 2, a.Floor).
		door(28, a.Door).at(32, 4, a.Building).at(36, 34, a.CareOf).moment(70, a.Since).moment(83, a.MunicipalitySince).
		digits(96, 4, a.FromMunicipality).moment(100, a.FromUntil).digits(113, 4, a.ExtraMunicipality).at(287, 10, a.ExtraFrom).at(297, 10, a.ExtraTo)
	for i, text := range a.Extra {
		l.at(117+34*i, 34, text)
	}
	return l
}

// written is the address as it is written on letters; without an address it holds the name and zeros.
func written(p *persons.Dane) *line {
	l := record("003", 249, p.Number).at(14, 34, p.Name.Addressing)
	a := p.Address
	if a == nil || !p.Resident() {
		return l.digits(184, 4, "").digits(208, 4, "").digits(212, 4, "")
	}
	return l.at(48, 34, a.CareOf).at(82, 34, a.Locality).at(116, 34, a.Standard).at(150, 34, a.Town).at(184, 4, a.PostalCode).
		at(188, 20, a.District).at(208, 4, a.Municipality).at(212, 4, a.Road).at(216, 4, a.House).at(220, 2, a.Floor).
		door(222, a.Door).at(226, 4, a.Building).at(230, 20, a.Street)
}

// away is where somebody is who does not live at an address.
func away(p *persons.Dane) []*line {
	var lines []*line
	if d := p.Departure; d != nil {
		l := record("005", 200, p.Number).digits(14, 4, d.Country).moment(18, d.Since)
		for i, text := range d.Lines {
			l.at(31+34*i, 34, text)
		}
		lines = append(lines, l)
	}
	if c := p.Contact; c != nil {
		l := record("006", 203, p.Number).at(184, 10, c.From).at(194, 10, c.To)
		for i, text := range c.Lines {
			l.at(14+34*i, 34, text)
		}
		lines = append(lines, l)
	}
	if p.Disappeared != "" {
		lines = append(lines, record("007", 26, p.Number).digits(14, 12, p.Disappeared).mark(26, p.StatusUncertain))
	}
	return lines
}

func names(p *persons.Dane) []*line {
	n := p.Name
	return []*line{
		record("008", 193, p.Number).at(14, 50, n.Given).at(65, 40, n.Middle).at(105, 1, n.MiddleMark).at(106, 40, n.Family).
			moment(147, n.Since).at(160, 34, p.Name.Addressing),
		record("009", 37, p.Number).digits(14, 4, p.BirthPlace).at(18, 20, p.BirthPlaceText),
		record("010", 30, p.Number).digits(14, 4, p.Citizenship.Country).moment(18, p.Citizenship.Since),
	}
}

func family(p *persons.Dane) []*line {
	civil := record("012", 95, p.Number).at(14, 1, p.Civil.Status).at(15, 10, p.Civil.Spouse).at(36, 34, p.Civil.SpouseName).
		moment(71, p.Civil.Since)
	lines := []*line{civil}
	if p.Separated != "" {
		at := cmp.Or(p.SeparatedAt, strings.ReplaceAll(p.Separated, "-", "")+"0000")
		civil.digits(84, 12, at)
		lines = append(lines, record("013", 36, p.Number).digits(14, 12, at).at(26, 10, p.Separated))
	}
	for _, child := range p.Children {
		lines = append(lines, record("014", 23, p.Number).at(14, 10, child))
	}
	return append(lines, record("015", 147, p.Number).day(14, p.MotherSince).digits(25, 10, p.Mother).
		day(81, p.FatherSince).digits(92, 10, p.Father))
}

func history(p *persons.Dane) []*line {
	lines := make([]*line, 0, len(p.EarlierNumbers)+len(p.Addresses)+len(p.Names))
	for _, e := range p.EarlierNumbers {
		lines = append(lines, record("022", 45, p.Number).at(14, 10, e.Number).day(24, e.From).at(35, 10, e.To))
	}
	for i := range p.Addresses {
		a := &p.Addresses[i]
		lines = append(lines, record("023", 96, p.Number).at(14, 1, a.Mark).at(15, 4, a.Municipality).at(19, 4, a.Road).
			at(23, 4, a.House).at(27, 2, a.Floor).door(29, a.Door).at(33, 4, a.Building).at(37, 34, a.CareOf).moment(71, a.Since).
			moment(84, a.Until))
	}
	for i := range p.Names {
		n := &p.Names[i]
		lines = append(lines, record("026", 173, p.Number).at(14, 1, n.Mark).at(15, 50, n.Given).at(66, 40, n.Middle).
			at(106, 1, n.MiddleMark).at(107, 40, n.Family).moment(148, n.Since).moment(161, n.Until))
	}
	return lines
}
