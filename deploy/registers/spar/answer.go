package spar

import (
	"encoding/xml"
	"slices"

	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
	"samvirke.dev/services/platform/ids"
)

// view is what a customer may see.
type view struct {
	history bool
	rights  []string
}

func (v view) has(right string) bool { return slices.Contains(v.rights, right) }

// shows reports whether a row is told: the present ones, and with history all.
func (v view) shows(p persons.Period) bool { return v.history || p.Current() }

// spaces are the prefixes of an answer.
func spaces() []string {
	return []string{
		"xmlns:svar", nsAnswer,
		"xmlns:sok", nsSearch,
		"xmlns:arg", nsArgument,
		"xmlns:undantag", component + "sok/undantag-1.0",
		"xmlns:dt", component + "generellt/datumtid-1.1",
		"xmlns:person", nsPerson,
		"xmlns:skydd", component + "person/skyddadepersonuppgifter-1.1",
		"xmlns:pdt", component + "person/persondetaljer-1.2",
		"xmlns:avreg", component + "person/avregistrering-1.0",
		"xmlns:hanv", component + "person/hanvisning-1.0",
		"xmlns:sn", component + "person/samordningsnummer-1.0",
		"xmlns:fb", component + "person/folkbokforing-1.0",
		"xmlns:inkomst", component + "person/inkomsttaxering-1.2",
		"xmlns:rel", component + "person/relation-1.2",
		"xmlns:namn", component + "person/namn/namn-1.0",
		"xmlns:dnamn", component + "person/namn/deladenamnelement-1.0",
		"xmlns:adr", addresses + "deladeadresselement-1.1",
		"xmlns:fba", addresses + "folkbokforingsadress-1.1",
		"xmlns:spa", addresses + "sarskildpostadress-1.1",
		"xmlns:ua", addresses + "utlandsadress-1.1",
		"xmlns:ka", addresses + "kontaktadress-1.0",
	}
}

// frame writes an answer with the question repeated, what content writes, and a new UUID.
func frame(request *soap.Node, content func(w *soap.Writer)) []byte {
	var w soap.Writer
	w.Open("svar:SPARPersonsokningSvar", spaces()...)
	for _, n := range request.Children {
		if n.Name == (xml.Name{Space: nsSearch, Local: "PersonsokningFraga"}) {
			repeat(&w, n)
		}
	}
	content(&w)
	w.Value("svar:UUID", ids.NewEventID())
	w.Close("svar:SPARPersonsokningSvar")
	return w.Bytes()
}

// repeat writes the question, which has been checked, with our prefixes.
func repeat(w *soap.Writer, n *soap.Node) {
	w.Open("sok:PersonsokningFraga")
	for _, child := range n.Children {
		prefix := "arg:"
		if child.Name.Space == nsPerson {
			prefix = "person:"
		}
		w.Value(prefix+child.Name.Local, child.Text)
	}
	w.Close("sok:PersonsokningFraga")
}

func answer(request *soap.Node, v view, found []*persons.Swede) soap.Answer {
	outcome := OutcomePersons
	if len(found) == 0 {
		outcome = OutcomeNoHit
	}
	return soap.Answer{Outcome: outcome, Body: frame(request, func(w *soap.Writer) {
		for _, p := range found {
			v.person(w, p)
		}
	})}
}

func exception(request *soap.Node, code, text, outcome string) soap.Answer {
	return soap.Answer{Outcome: outcome, Body: frame(request, func(w *soap.Writer) {
		w.Open("undantag:Undantag")
		w.Value("undantag:Kod", code)
		w.Value("undantag:Beskrivning", text)
		w.Close("undantag:Undantag")
	})}
}

func tooMany(request *soap.Node, found, most int) soap.Answer {
	return soap.Answer{Outcome: OutcomeTooMany, Body: frame(request, func(w *soap.Writer) {
		w.Open("undantag:OverstigerMaxAntalSvarsposter")
		w.Int("undantag:AntalPoster", found)
		w.Int("undantag:MaxAntalSvarsposter", most)
		w.Close("undantag:OverstigerMaxAntalSvarsposter")
	})}
}

// person writes a record. The order of elements is the schema's.
func (v view) person(w *soap.Writer, p *persons.Swede) {
	w.Open("svar:PersonsokningSvarspost")
	w.Open("person:PersonId")
	w.Value("person:IdNummer", p.Number)
	w.Value("person:Typ", p.Type)
	w.Close("person:PersonId")
	mark(w, p)
	w.Optional("skydd:SekretessDatum", p.MarkDate)
	w.Value("skydd:SkyddadFolkbokforing", yesNo(p.Registration))
	w.Optional("skydd:SkyddadFolkbokforingDatum", p.RegistrationDate)
	switch {
	case p.Blank:
	case p.Protected() && !v.has(RightSecrecy):
		w.Optional("person:SenasteAndringSPAR", p.Changed)
		withheld(w, p)
	default:
		w.Optional("person:SenasteAndringSPAR", p.Changed)
		v.content(w, p)
	}
	w.Close("svar:PersonsokningSvarspost")
}

func mark(w *soap.Writer, p *persons.Swede) {
	if p.MarkBySPAR && !p.Mark {
		w.Value("skydd:Sekretessmarkering", "JA", "sattAvSPAR", "JA")
		return
	}
	w.Value("skydd:Sekretessmarkering", yesNo(p.Mark))
}

// withheld is what remains of a protected person besides number and flags: that the person is no longer registered.
func withheld(w *soap.Writer, p *persons.Swede) {
	if p.DeregCode == "" {
		return
	}
	w.Open("pdt:Persondetaljer")
	deregistration(w, p)
	w.Close("pdt:Persondetaljer")
}

func (v view) content(w *soap.Writer, p *persons.Swede) {
	if v.has(RightTaxation) {
		w.Optional("inkomst:SummeradInkomst", p.Income)
		w.Optional("inkomst:InkomstAr", p.IncomeYear)
	}
	for _, n := range p.Names {
		v.name(w, n)
	}
	v.details(w, p)
	for _, r := range p.Registrations {
		v.registration(w, r)
	}
	for _, a := range p.Addresses {
		v.swedish(w, "fba:Folkbokforingsadress", a)
	}
	for _, a := range p.Special {
		v.either(w, "spa:SarskildPostadress", a)
	}
	for _, a := range p.Abroad {
		v.foreign(w, "ua:Utlandsadress", a)
	}
	for _, a := range p.Contacts {
		v.either(w, "ka:Kontaktadress", a)
	}
	if v.has(RightRelations) {
		for _, r := range p.Relations {
			v.relation(w, r)
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "JA"
	}
	return "NEJ"
}
