package spar

import (
	"math"

	"samvirke.dev/deploy/registers/soap"
)

// The namespaces of the contract that requests and answers need.
const (
	component = "http://statenspersonadressregister.se/schema/komponent/"

	nsQuestion = "http://statenspersonadressregister.se/schema/personsok/2021.1/personsokningfraga"
	nsAnswer   = "http://statenspersonadressregister.se/schema/personsok/2021.1/personsokningsvar"
	nsIdent    = component + "metadata/identifieringsinformationWs-1.1"
	nsSearch   = component + "sok/personsokningsokparametrar-1.1"
	nsArgument = component + "sok/sokargument-1.2"
	nsPerson   = component + "person/person-1.2"

	addresses = component + "person/adress/" //nolint:misspell // Swedish
)

// The extended permissions.
const (
	RightRelations   = "Relationer"
	RightCitizenship = "Medborgarskap"
	RightTaxation    = "Taxering"
	RightSecrecy     = "Sekretess"
)

const maxRights = 4

// question is a SPARPersonsokningFraga that obeys the schema.
type question struct {
	recipient, customer, assignment int64
	rights                          []string
	number                          string // empty for a field search
	fields                          fields
}

// fields are the arguments of a field search; empty ones were not given.
type fields struct {
	phonetic                           string // JA or NEJ
	name, given, family                string
	street, city                       string
	postal, postalFrom, postalTo       string
	born, bornFrom, bornTo             string
	sex, county, municipality          string
	district, districtFrom, districtTo string
}

// schema holds the checks, made once.
type schema struct {
	customer, assignment, user, right, number, yesNo             soap.Check
	name, family, street, city, postal, sex, twoDigits, district soap.Check
}

func newSchema() schema {
	const leastCustomer, mostCustomer = 500001, 599999
	return schema{
		customer:   soap.Integer(leastCustomer, mostCustomer),
		assignment: soap.Integer(1, math.MaxInt64),
		user:       soap.Length(1, 256),
		right:      soap.OneOf(RightRelations, RightCitizenship, RightTaxation, RightSecrecy),
		number:     soap.Pattern(`[1-9][0-9]{11}`),
		yesNo:      soap.OneOf("JA", "NEJ"),
		name:       soap.Words("*-'", 80),
		family:     soap.Words("*-'", 60),
		street:     soap.Words("*-/.,:", 100),
		city:       soap.Words("*-", 27),
		postal:     soap.Pattern(`[1-9][0-9]{4}`),
		sex:        soap.OneOf("MAN", "KVINNA"),
		twoDigits:  soap.Pattern(`[0-9]{2}`),
		district:   soap.Pattern(`[1-9][0-9]{5}`),
	}
}

// read checks a request against the schema.
func (s schema) read(n *soap.Node) (question, error) {
	if n.Name.Space != nsQuestion || n.Name.Local != "SPARPersonsokningFraga" {
		return question{}, &soap.SchemaError{Element: "Body", Rule: "expected SPARPersonsokningFraga"}
	}
	var q question
	c := soap.Sequence(n)
	if ident := c.Required(nsIdent, "Identifieringsinformation"); ident != nil {
		c.Join(s.identification(ident, &q))
	}
	if search := c.Required(nsSearch, "PersonsokningFraga"); search != nil {
		c.Join(s.search(search, &q))
	}
	return q, c.End()
}

func (s schema) identification(n *soap.Node, q *question) error {
	c := soap.Sequence(n)
	q.recipient, _ = soap.Int(c.Value(nsIdent, "KundNrLeveransMottagare", s.customer))
	q.customer, _ = soap.Int(c.Value(nsIdent, "KundNrSlutkund", s.customer))
	q.assignment, _ = soap.Int(c.Value(nsIdent, "UppdragId", s.assignment))
	c.Value(nsIdent, "SlutAnvandarId", s.user)
	for range maxRights {
		if right := c.OptionalValue(nsIdent, "SlutAnvandarUtokadBehorighet", s.right); right != "" {
			q.rights = append(q.rights, right)
		}
	}
	return c.End()
}

func (s schema) search(n *soap.Node, q *question) error {
	c := soap.Sequence(n)
	if c.Is(nsPerson, "IdNummer") {
		q.number = c.Value(nsPerson, "IdNummer", s.number)
		return c.End()
	}
	f := &q.fields
	f.phonetic = c.OptionalValue(nsArgument, "FonetiskSokning", s.yesNo)
	if c.Is(nsArgument, "NamnSokArgument") {
		f.name = c.Value(nsArgument, "NamnSokArgument", s.name)
	} else {
		f.given = c.OptionalValue(nsArgument, "FornamnSokArgument", s.name)
		f.family = c.OptionalValue(nsArgument, "MellanEfternamnSokArgument", s.family)
	}
	f.street = c.OptionalValue(nsArgument, "UtdelningsadressSokArgument", s.street)
	f.city = c.OptionalValue(nsArgument, "PostortSokArgument", s.city)
	f.postal, f.postalFrom, f.postalTo = span(c, "PostNr", s.postal)
	f.born, f.bornFrom, f.bornTo = span(c, "Fodelsedatum", soap.Date)
	f.sex = c.OptionalValue(nsArgument, "Kon", s.sex)
	f.county = c.OptionalValue(nsArgument, "LanKod", s.twoDigits)
	f.municipality = c.OptionalValue(nsArgument, "KommunKod", s.twoDigits)
	f.district, f.districtFrom, f.districtTo = span(c, "DistriktKod", s.district)
	return c.End()
}

// span reads a single value or both ends of a range, or nothing.
func span(c *soap.Cursor, name string, check soap.Check) (one, from, to string) {
	if c.Is(nsArgument, name+"From") {
		return "", c.Value(nsArgument, name+"From", check), c.Value(nsArgument, name+"Tom", check)
	}
	return c.OptionalValue(nsArgument, name, check), "", ""
}
