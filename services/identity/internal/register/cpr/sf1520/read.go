package sf1520

import (
	"encoding"

	"samvirke.dev/services/platform/soap"
)

// reader reads elements and keeps the error of a value that the schema does not allow.
type reader struct {
	err error
}

// value reads the child with a name; a missing one is like an empty one.
func value[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](r *reader, e soap.Element, name string) T {
	var out T
	if err := P(&out).UnmarshalText([]byte(e.Text(name))); err != nil {
		r.err = err
	}
	return out
}

func (r *reader) day(e soap.Element, name string) Day   { return value[Day](r, e, name) }
func (r *reader) code(e soap.Element, name string) Code { return value[Code](r, e, name) }

func (r *reader) date(e soap.Element, name string) Date {
	child := e.Child(name)
	return Date{Day: r.day(child, "dato"), Mark: child.Text("usikkerhedsmarkering")}
}

func (r *reader) record(e soap.Element) Record {
	out := Record{Address: r.addresses(e.Child("adresse"))}
	if person := e.Child("persondata"); person.Exists() {
		out.Person = r.person(person)
	}
	return out
}

func (r *reader) person(e soap.Element) *PersonData {
	status := e.Child("status")
	return &PersonData{
		Number:      e.Text("personnummer"),
		Current:     e.Text("gaeldendePersonnummer"),
		Name:        r.name(e.Child("navn")),
		Birth:       r.date(e, "foedselsdato"),
		From:        r.date(e, "startdato"),
		Until:       r.date(e, "slutdato"),
		Status:      Status{Code: r.code(status, "status"), Since: r.date(status, "statusdato")},
		Disappeared: r.date(e, "forsvindingsdato"),
		NameAddress: r.protection(e.Child("adressebeskyttelse")),
		Directory:   r.protection(e.Child("vejviserbeskyttelse")),
		Marketing:   r.protection(e.Child("markedsfoeringsbeskyttelse")),
	}
}

func (r *reader) name(e soap.Element) Name {
	return Name{
		Addressing: e.Text("personadresseringsnavn"),
		Given:      e.Text("fornavn"),
		Middle:     e.Text("mellemnavn"),
		Family:     e.Text("efternavn"),
		GivenMark:  e.Text("fornavnMarkering"),
		MiddleMark: e.Text("mellemnavnMarkering"),
		FamilyMark: e.Text("efternavnMarkering"),
		From:       r.date(e, "navnestartdato"),
	}
}

func (r *reader) protection(e soap.Element) Protection {
	return Protection{
		Present:   e.Exists(),
		From:      r.day(e, "startdato"),
		Until:     r.day(e, "slutdato"),
		Protected: value[Flag](r, e, "beskyttet"),
	}
}

func (r *reader) addresses(e soap.Element) Addresses {
	out := Addresses{
		Current: r.registered(e.Child("aktuelAdresse")),
		Abroad:  r.abroad(e.Child("udrejseoplysninger")),
		Contact: r.contact(e.Child("kontaktAdresse")),
	}
	for former := range e.All("adresseHistorik") {
		out.History = append(out.History, r.registered(former))
	}
	return out
}

func (r *reader) registered(e soap.Element) Registered {
	return Registered{
		Municipality: r.code(e, "kommunekode"),
		RoadCode:     r.code(e, "vejkode"),
		House:        e.Text("husnummer"),
		Floor:        e.Text("etage"),
		Door:         e.Text("sidedoer"),
		Building:     e.Text("bygningsnummer"),
		CareOf:       e.Text("conavn"),
		Locality:     e.Text("lokalitet"),
		Place:        e.Text("bynavn"),
		PostalCode:   e.Text("postnummer"),
		District:     e.Text("postdistrikt"),
		Road:         e.Text("vejnavn"),
		Line:         e.Text("standardadresse"),
		Addressee:    e.Text("adresseringsnavn"),
		ShortRoad:    e.Text("vejadresseringsnavn"),
		From:         r.date(e, "tilflytningsdato"),
		Until:        r.date(e, "fraflytningsdato"),
		Correction:   e.Text("retFortrydMarkering"),
		Extra1:       e.Text("adr1-supladr"),
		Extra2:       e.Text("adr2-supladr"),
		Extra3:       e.Text("adr3-supladr"),
		Extra4:       e.Text("adr4-supladr"),
		Extra5:       e.Text("adr5-supladr"),
	}
}

func (r *reader) abroad(e soap.Element) Abroad {
	return Abroad{
		Country:     r.code(e, "udrejselandekode"),
		CountryName: e.Text("udrejselandekodeMyndighedsnavn"),
		Since:       r.date(e, "udrejsedato"),
		Line1:       e.Text("udlandsadresse1"),
		Line2:       e.Text("udlandsadresse2"),
		Line3:       e.Text("udlandsadresse3"),
		Line4:       e.Text("udlandsadresse4"),
		Line5:       e.Text("udlandsadresse5"),
	}
}

func (r *reader) contact(e soap.Element) Contact {
	return Contact{
		Line1:   e.Text("kontaktAdr1"),
		Line2:   e.Text("kontaktAdr2"),
		Line3:   e.Text("kontaktAdr3"),
		Line4:   e.Text("kontaktAdr4"),
		Line5:   e.Text("kontaktAdr5"),
		From:    r.day(e, "startdato"),
		Deleted: r.day(e, "slettedato"),
	}
}
