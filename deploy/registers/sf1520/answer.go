package sf1520

import (
	"strconv"
	"strings"
	"time"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
)

// adult is the age from which on a child counts no longer.
const adult = 18

// write writes the answer about a person. The order of elements is the schema's.
func (s *Service) write(p *persons.Dane) []byte {
	var w soap.Writer
	w.Open("PersonLookupResponse", "xmlns", s.space)
	s.person(&w, p)
	address(&w, p)
	s.relations(&w, p)
	w.Close("PersonLookupResponse")
	return w.Bytes()
}

func (s *Service) person(w *soap.Writer, p *persons.Dane) {
	w.Open("persondata")
	w.Value("personnummer", p.Number)
	w.Optional("gaeldendePersonnummer", p.Current)
	name(w, p.Name)
	date(w, "foedselsdato", p.Born, p.BornUncertain)
	if p.BirthPlace != "" || p.BirthPlaceText != "" {
		w.Open("foedselsregistreringsOplysninger")
		w.Optional("foedselsregistreringsstedKode", number(p.BirthPlace))
		w.Optional("supplerendeFoedselsregistreringssted", p.BirthPlaceText)
		w.Close("foedselsregistreringsOplysninger")
	}
	date(w, "startdato", p.Start, p.StartUncertain)
	date(w, "slutdato", p.End, false)
	if age, ok := s.age(p); ok {
		w.Int("alder", age)
	}
	w.Value("koen", p.Sex)
	w.Int("antalBoernUnder18", s.minors(p))
	w.Optional("stilling", p.Occupation)
	w.Open("status")
	w.Value("status", number(p.Status))
	moment(w, "statusdato", p.StatusSince, p.StatusUncertain)
	w.Close("status")
	civil(w, p)
	if p.Citizenship.Country != "" {
		w.Open("statsborgerskab")
		w.Value("landekode", number(p.Citizenship.Country))
		moment(w, "statsborgerskabDato", p.Citizenship.Since, false)
		w.Close("statsborgerskab")
	}
	moment(w, "forsvindingsdato", p.Disappeared, p.StatusUncertain)
	protection(w, "adressebeskyttelse", p.Protection(persons.NameAndAddress))
	protection(w, "vejviserbeskyttelse", p.Protection(persons.LocalDirectory))
	protection(w, "markedsfoeringsbeskyttelse", p.Protection(persons.Marketing))
	w.Close("persondata")
}

func name(w *soap.Writer, n persons.DanishName) {
	w.Open("navn")
	w.Value("personadresseringsnavn", n.Addressing) // mandatory, and empty for a child without name
	w.Optional("fornavn", n.Given)
	w.Optional("mellemnavn", n.Middle)
	w.Optional("efternavn", n.Family)
	w.Optional("mellemnavnMarkering", n.MiddleMark)
	moment(w, "navnestartdato", n.Since, false)
	w.Close("navn")
}

func civil(w *soap.Writer, p *persons.Dane) {
	if p.Separated != "" {
		w.Open("separation")
		w.Value("separeret", "true")
		moment(w, "separationsdato", strings.ReplaceAll(p.Separated, "-", "")+"0000", false)
		w.Close("separation")
	}
	if p.Civil.Status != "" {
		w.Open("civilstand")
		w.Value("civilstand", p.Civil.Status)
		moment(w, "civilstandsdato", p.Civil.Since, false)
		w.Close("civilstand")
	}
}

func protection(w *soap.Writer, element string, p *persons.Protection) {
	w.Open(element)
	if p != nil {
		w.Optional("startdato", p.From)
		w.Optional("slutdato", p.End())
	}
	w.Value("beskyttet", strconv.FormatBool(p.Holds()))
	w.Close(element)
}

func (s *Service) relations(w *soap.Writer, p *persons.Dane) {
	w.Open("relationer")
	relation(w, "aegtefaelle", p.Civil.Spouse, p.Civil.SpouseName)
	for _, child := range p.Children {
		relation(w, "barn", child, "")
	}
	relation(w, "mor", p.Mother, "")
	relation(w, "far", p.Father, "")
	if age, ok := s.age(p); ok && age < adult {
		authority(w, "3", p.Mother)
		authority(w, "4", p.Father)
	}
	w.Close("relationer")
}

func relation(w *soap.Writer, element, number, name string) {
	if number == "" && name == "" {
		return
	}
	w.Open(element)
	if number != "" { // the schema allows the number or the name
		w.Value("personnummer", number)
	} else {
		w.Value("navn", name)
	}
	w.Close(element)
}

func authority(w *soap.Writer, kind, number string) {
	if number == "" {
		return
	}
	w.Open("foraeldremyndighed")
	w.Value("foraeldremyndighedtype", kind)
	w.Value("relationPersonnummer", number)
	w.Close("foraeldremyndighed")
}

// age is in whole years at the time of asking, whatever the status.
func (s *Service) age(p *persons.Dane) (int, bool) {
	born, err := time.Parse(time.DateOnly, p.Born)
	if err != nil {
		return 0, false
	}
	return cpr.Age(born, s.register.Now()), true
}

// minors counts active children under eighteen.
func (s *Service) minors(p *persons.Dane) int {
	n := 0
	for _, number := range p.Children {
		if child := s.register.Lookup(number); child != nil && active(child.Status) {
			if age, ok := s.age(child); ok && age < adult {
				n++
			}
		}
	}
	return n
}

func active(status string) bool {
	return status == "01" || status == "03" || status == "05" || status == "07"
}

// number is a code without leading zeros, as this service writes them; empty for no code.
func number(code string) string {
	if code == "" {
		return ""
	}
	if short := strings.TrimLeft(code, "0"); short != "" {
		return short
	}
	return "0"
}
