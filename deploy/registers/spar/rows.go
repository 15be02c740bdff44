package spar

import (
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
)

// dates go with a row only where the customer takes history.
func (v view) dates(w *soap.Writer, p persons.Period) {
	if v.history {
		w.Value("dt:DatumFrom", p.From)
		w.Value("dt:DatumTill", p.To)
	}
}

func (v view) name(w *soap.Writer, n persons.SwedishName) {
	if !v.shows(n.Period) {
		return
	}
	w.Open("namn:Namn")
	v.dates(w, n.Period)
	w.Optional("dnamn:Aviseringsnamn", n.Notice)
	w.Optional("dnamn:Fornamn", n.Given)
	w.Optional("dnamn:Tilltalsnamn", n.Call)
	w.Optional("dnamn:Mellannamn", n.Middle)
	w.Optional("dnamn:Efternamn", n.Family)
	w.Close("namn:Namn")
}

func (v view) details(w *soap.Writer, p *persons.Swede) {
	w.Open("pdt:Persondetaljer")
	v.dates(w, persons.Period{From: p.Changed, To: persons.Forever})
	mark(w, p)
	w.Value("skydd:SkyddadFolkbokforing", yesNo(p.Registration))
	deregistration(w, p)
	w.Optional("pdt:Fodelsedatum", p.Born)
	if v.has(RightTaxation) {
		w.Optional("pdt:FodelselanKod", p.BirthCounty)
		w.Optional("pdt:Fodelseforsamling", p.BirthParish)
	}
	w.Optional("pdt:Kon", p.Sex)
	if v.has(RightCitizenship) {
		w.Value("pdt:SvenskMedborgare", yesNo(p.Citizen))
	}
	for _, r := range p.References {
		w.Open("hanv:Hanvisning")
		w.Value("person:IdNummer", r.Number)
		w.Optional("hanv:Typ", r.Type)
		w.Close("hanv:Hanvisning")
	}
	if c := p.Coordination; c != nil {
		w.Optional("sn:SnStatus", c.Status)
		w.Optional("sn:SnTilldelningsdatum", c.Assigned)
		w.Optional("sn:SnPreliminartVilandeforklaringsdatum", c.Preliminary)
		w.Optional("sn:SnFornyelsedatum", c.Renewed)
		w.Optional("sn:SnVilandeorsak", c.Reason)
		w.Optional("sn:SnVilandeforklaringsdatum", c.Dormant)
		w.Optional("sn:SnAvlidendatum", c.Died)
	}
	w.Close("pdt:Persondetaljer")
}

func deregistration(w *soap.Writer, p *persons.Swede) {
	w.Optional("avreg:AvregistreringsorsakKod", p.DeregCode)
	w.Optional("avreg:Avregistreringsdatum", p.DeregDate)
	w.Optional("avreg:Avlidendatum", p.Died)
	w.Optional("avreg:AntraffadDodDatum", p.FoundDead)
}

func (v view) registration(w *soap.Writer, r persons.Registration) {
	if !v.shows(r.Period) {
		return
	}
	w.Open("fb:Folkbokforing")
	v.dates(w, r.Period)
	w.Optional("fb:FolkbokfordLanKod", r.County)
	w.Optional("fb:FolkbokfordKommunKod", r.Municipality)
	w.Optional("fb:Hemvist", r.Residence)
	w.Optional("fb:Folkbokforingsdatum", r.Date)
	w.Optional("fb:DistriktKod", r.District)
	w.Close("fb:Folkbokforing")
}

func (v view) swedish(w *soap.Writer, element string, a persons.SwedishAddress) {
	if !v.shows(a.Period) {
		return
	}
	w.Open(element)
	w.Open("adr:SvenskAdress")
	v.dates(w, a.Period)
	w.Optional("adr:CareOf", a.CareOf)
	w.Optional("adr:Utdelningsadress1", a.Line1)
	w.Optional("adr:Utdelningsadress2", a.Line2)
	w.Optional("adr:PostNr", a.PostalCode)
	w.Optional("adr:Postort", a.City)
	w.Close("adr:SvenskAdress")
	w.Close(element)
}

func (v view) foreign(w *soap.Writer, element string, a persons.ForeignAddress) {
	if !v.shows(a.Period) {
		return
	}
	w.Open(element)
	w.Open("adr:InternationellAdress")
	v.dates(w, a.Period)
	w.Optional("adr:Utdelningsadress1", a.Line1)
	w.Optional("adr:Utdelningsadress2", a.Line2)
	w.Optional("adr:Utdelningsadress3", a.Line3)
	w.Optional("adr:Land", a.Country)
	w.Close("adr:InternationellAdress")
	w.Close(element)
}

func (v view) either(w *soap.Writer, element string, a persons.EitherAddress) {
	switch {
	case a.Swedish != nil:
		v.swedish(w, element, *a.Swedish)
	case a.Foreign != nil:
		v.foreign(w, element, *a.Foreign)
	}
}

func (v view) relation(w *soap.Writer, r persons.Relation) {
	if !v.shows(r.Period) {
		return
	}
	w.Open("rel:Relation")
	v.dates(w, r.Period)
	w.Value("rel:Relationstyp", r.Kind)
	w.Optional("person:IdNummer", r.Number)
	w.Optional("dnamn:Fornamn", r.Given)
	w.Optional("dnamn:Mellannamn", r.Middle)
	w.Optional("dnamn:Efternamn", r.Family)
	w.Close("rel:Relation")
}
