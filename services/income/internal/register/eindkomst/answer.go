package eindkomst

import "encoding/xml"

// answer is an IndkomstOplysningPersonHent_O, as far as it is read. What is in another namespace is passed over.
type answer struct {
	XMLName xml.Name `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstOplysningPersonHent_O"`
	Head    *svar    `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ HovedOplysningerSvar"`
	Persons []person `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstPersonUddata>IndkomstOplysningPersonSamling>IndkomstOplysningPersonStruktur"`
}

type svar struct {
	Transaction string `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ TransaktionIdentifikator"`
	Faults      []fejl `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ SvarStruktur>FejlStruktur"`
}

// fejl is an error of SKAT. Its notes (AdvisStruktur) are not read: none says that anything is missing.
type fejl struct {
	Code string `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ FejlIdentifikator"`
}

type person struct {
	CPR       string     `xml:"http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/ PersonCivilRegistrationIdentifier"`
	Employers []employer `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstOplysningSamling>IndberetningPligtigVirksomhed"`
}

type employer struct {
	Enterprise struct {
		Inner seNumber `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndberetningPligtigVirksomhed"`
	} `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndberetningPligtigVirksomhedStruktur"`
	Reports []report `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstLoenPeriodeSamling>LoenPeriodeOplysningStruktur"`
}

// report is a LoenPeriodeOplysningStruktur: what an employer reported about a pay period. Who a person without CPR number is
// (SupplerendePersonOplysningStruktur) is not read.
type report struct {
	ID       string    `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/angivelse/xml/schemas/20071202/ AngivelseVirksomhedEgenIdentifikator"`
	Period   angivelse `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelsePeriodeStruktur"`
	Employee string    `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/ansaettelseforhold/xml/schemas/20071202/ AnsaettelseforholdMedarbejderIdentifikator"`
	Sheets   []sheet   `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelseBlanketIndholdStruktur>AngivelseOplysningSamling>AngivelseNiveau1"`
}

type angivelse struct {
	Interval interval `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/angivelse/xml/schemas/20071202/ AngivelsePeriode"`
}

// sheet is a sheet (blanket) at any level, with those below it.
type sheet struct {
	Number string  `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/blanket/xml/schemas/20071202/ BlanketNummerIdentifikator"`
	Fields []field `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelseFeltSamling>AngivelseFeltIndholdStruktur"`
	Under  under   `xml:"http://rep.oio.dk/skat.dk/eindkomst/ UnderAngivelseSamling"`
}

type under struct {
	Second []sheet `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelseNiveau2"`
	Third  []sheet `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelseNiveau3"`
	Fourth []sheet `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AngivelseNiveau4"`
}

type field struct {
	ID   unit   `xml:"http://rep.oio.dk/skat.dk/eindkomst/ BlanketFeltEnhedStruktur"`
	Text string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/angivelsefelt/xml/schemas/20071202/ AngivelseFeltIndholdTekst"`
}

type unit struct {
	Number string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/blanketfelt/xml/schemas/20071202/ BlanketFeltNummerIdentifikator"`
}

// all calls f with the sheet and every one below it.
func (s *sheet) all(f func(*sheet)) {
	f(s)
	for _, level := range [][]sheet{s.Under.Second, s.Under.Third, s.Under.Fourth} {
		for i := range level {
			level[i].all(f)
		}
	}
}
