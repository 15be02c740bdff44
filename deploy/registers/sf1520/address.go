package sf1520

import (
	"strconv"
	"strings"
	"time"

	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
)

func address(w *soap.Writer, p *persons.Dane) {
	w.Open("adresse")
	if p.Address != nil {
		current(w, p.Address, p.Name.Addressing)
	}
	if d := p.Departure; d != nil {
		w.Open("udrejseoplysninger")
		w.Optional("udrejselandekode", number(d.Country))
		moment(w, "udrejsedato", d.Since, false)
		lines(w, "udlandsadresse", "", d.Lines)
		w.Close("udrejseoplysninger")
	}
	if c := p.Contact; c != nil {
		w.Open("kontaktAdresse")
		lines(w, "kontaktAdr", "", c.Lines)
		w.Optional("startdato", c.From)
		w.Optional("slettedato", c.To)
		w.Close("kontaktAdresse")
	}
	for i := range p.Addresses {
		history(w, &p.Addresses[i])
	}
	w.Close("adresse")
}

func current(w *soap.Writer, a *persons.DanishAddress, addressee string) {
	w.Open("aktuelAdresse")
	place(w, a)
	w.Optional("standardadresse", a.Standard)
	w.Optional("adresseringsnavn", addressee)
	w.Optional("vejadresseringsnavn", a.Street)
	moment(w, "tilflytningsdato", a.Since, false)
	lines(w, "adr", "-supladr", a.Extra)
	w.Close("aktuelAdresse")
}

func history(w *soap.Writer, a *persons.DanishAddress) {
	w.Open("adresseHistorik")
	place(w, a)
	w.Optional("retFortrydMarkering", a.Mark)
	moment(w, "tilflytningsdato", a.Since, false)
	moment(w, "fraflytningsdato", a.Until, false)
	w.Close("adresseHistorik")
}

// place is what a current and an earlier address have in common.
func place(w *soap.Writer, a *persons.DanishAddress) {
	w.Optional("kommunekode", number(a.Municipality))
	w.Optional("vejkode", number(a.Road))
	w.Optional("husnummer", a.House)
	w.Optional("etage", a.Floor)
	w.Optional("sidedoer", a.Door)
	w.Optional("bygningsnummer", a.Building)
	w.Optional("conavn", a.CareOf)
	w.Optional("lokalitet", a.Locality)
	w.Optional("bynavn", a.Town)
	w.Optional("postnummer", a.PostalCode)
	w.Optional("postdistrikt", a.District)
	w.Optional("vejnavn", a.Street)
}

// lines are numbered elements; an empty line is left out and keeps its number.
func lines(w *soap.Writer, before, after string, texts []string) {
	for i, text := range texts {
		w.Optional(before+strconv.Itoa(i+1)+after, text)
	}
}

// date writes a day that may be uncertain; nothing for a day that does not exist.
func date(w *soap.Writer, element, day string, uncertain bool) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return
	}
	w.Open(element)
	w.Value("dato", day)
	if uncertain {
		w.Value("usikkerhedsmarkering", "*")
	}
	w.Close(element)
}

// moment writes a CPR moment, which may have a star for uncertainty at its end, as a dateTime. A day that does not exist gives nothing; a time of day that does not, such as minute 99 for
// unknown, gives midnight and the mark of uncertainty.
func moment(w *soap.Writer, element, stamp string, uncertain bool) {
	const dayLen = 8
	stamp, starred := strings.CutSuffix(stamp, "*")
	uncertain = uncertain || starred
	if len(stamp) != dayLen+4 {
		return
	}
	day, err := time.Parse("20060102", stamp[:dayLen])
	if err != nil {
		return
	}
	clock, err := time.Parse("1504", stamp[dayLen:])
	if err != nil {
		clock, uncertain = time.Time{}, true
	}
	w.Open(element)
	w.Value("dato", day.Format(time.DateOnly)+"T"+clock.Format(time.TimeOnly))
	if uncertain {
		w.Value("usikkerhedsmarkering", "*")
	}
	w.Close(element)
}
