package eindkomst

import (
	"strings"
	"time"

	"samvirke.dev/deploy/registers/soap"
)

// Namespaces of the service.
const (
	ns     = "http://rep.oio.dk/skat.dk/eindkomst/"
	class  = ns + "class/"
	dated  = "/xml/schemas/20071202/"
	nsHead = "http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/"
	nsCPR  = "http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/"
	nsSE   = "http://rep.oio.dk/skat.dk/motor/class/virksomhed/xml/schemas/20080401/"
	nsFrom = "http://rep.oio.dk/xkom.dk/xml/schemas/2006/09/01/"
	nsTo   = "http://rep.oio.dk/xkom.dk/xml/schemas/2007/04/15/"
	nsSpan = "http://rep.oio.dk/xkom.dk/xml/schemas/2007/09/01/"

	fileDate  = "20060102"
	fileMonth = "200601"
	seDigits  = 8
)

// Action is the SOAPAction of the operation, Path where SKAT serves it.
const (
	Action = "getIndkomstOplysningPersonHent"
	Path   = "/vericert/services/IndkomstOplysningPersonHentV2ServicePort"
)

// Subscription is an agreement under which the service answers.
type Subscription struct {
	AbonnentType, AbonnementType, Formaal string
	SENumber                              string
}

// request is an IndkomstOplysningPersonHent_I that obeys the schema.
type request struct {
	transaction  string
	subscription Subscription
	searches     []search
}

// search asks about one person, by pay period or by basis month, both YYYYMMDD and whole months.
type search struct {
	cpr       string
	reference string
	from, to  string // YYYYMMDD
	byMonth   bool
}

// finds reports whether a report is one of those asked for. The basis month of a report is that in which it was paid.
func (s search) finds(e entry) bool {
	if s.byMonth {
		return e.basis() >= s.from[:len(fileMonth)] && e.basis() <= s.to[:len(fileMonth)]
	}
	return e.From <= s.to && e.To >= s.from
}

func (e entry) basis() string {
	if len(e.Paid) == len(fileDate) {
		return e.Paid[:len(fileMonth)]
	}
	return e.To[:len(fileMonth)]
}

// isCPR is the schema's pattern for numbers, which knows only days that exist. Test persons have days raised by 60.
func isCPR(s string) bool {
	if len(s) != len("ddmmyynnnn") || strings.Trim(s, "0123456789") != "" {
		return false
	}
	const raised = '6' // of the first digit of a day
	day := s[:2]
	if day[0] >= raised {
		day = string(day[0]-6) + day[1:]
	}
	_, err := time.Parse("02012006", day+s[2:4]+"2000") // a leap year: the century is not looked at
	return err == nil
}

// read checks a request against the schema.
func read(n *soap.Node) (request, error) {
	var q request
	if n.Name.Space != ns || n.Name.Local != "IndkomstOplysningPersonHent_I" {
		return q, &soap.SchemaError{Element: "Body", Rule: "expected IndkomstOplysningPersonHent_I"}
	}
	c := soap.Sequence(n)
	if head := c.Required(nsHead, "HovedOplysninger"); head != nil {
		h := soap.Sequence(head)
		q.transaction = h.OptionalValue(nsHead, "TransaktionIdentifikator", soap.Length(1, 100))
		h.OptionalValue(nsHead, "TransaktionTid", moment)
		c.Join(h.End())
	}
	if data := c.Required(ns, "IndkomstOplysningPersonInddata"); data != nil {
		c.Join(q.data(data))
	}
	return q, c.End()
}

func moment(s string) bool {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if _, err := time.Parse(form, s); err == nil {
			return true
		}
	}
	return false
}

func (q *request) data(n *soap.Node) error {
	integer := soap.Pattern(`[0-9]{1,9}`)
	c := soap.Sequence(n)
	if access := c.Required(ns, "AbonnentAdgangStruktur"); access != nil {
		a := soap.Sequence(access)
		q.subscription.AbonnentType = a.Value(class+"abonnenttype"+dated, "AbonnentTypeKode", integer)
		q.subscription.AbonnementType = a.Value(class+"abonnementtype"+dated, "AbonnementTypeKode", integer)
		q.subscription.Formaal = a.Value(class+"adgangformaaltype"+dated, "AdgangFormaalTypeKode", integer)
		c.Join(a.End())
	}
	if subscriber := c.Required(ns, "AbonnentStruktur"); subscriber != nil {
		s := soap.Sequence(subscriber)
		if outer := s.Required(ns, "AbonnentVirksomhedStruktur"); outer != nil {
			o := soap.Sequence(outer)
			if inner := o.Required(ns, "AbonnentVirksomhed"); inner != nil {
				i := soap.Sequence(inner)
				q.subscription.SENumber = i.Value(nsSE, "VirksomhedSENummerIdentifikator", soap.Pattern(`[0-9]{8}`))
				o.Join(i.End())
			}
			s.Join(o.End())
		}
		s.OptionalValue(class+"indkomstoplysningadgangmedarbejderidentifikator"+dated, "IndkomstOplysningAdgangMedarbejderIdentifikator", soap.Length(1, 100))
		c.Join(s.End())
	}
	if choice := c.Required(ns, "IndkomstOplysningValg"); choice != nil {
		v := soap.Sequence(choice)
		if all := v.Required(ns, "IndkomstPersonSamling"); all != nil {
			p := soap.Sequence(all)
			for one := p.Required(ns, "PersonIndkomstSoegeStruktur"); one != nil; one = p.Optional(ns, "PersonIndkomstSoegeStruktur") {
				s, err := person(one)
				p.Join(err)
				q.searches = append(q.searches, s)
			}
			v.Join(p.End())
		}
		c.Join(v.End())
	}
	return c.End()
}

func person(n *soap.Node) (search, error) {
	var s search
	c := soap.Sequence(n)
	s.cpr = c.Value(nsCPR, "PersonCivilRegistrationIdentifier", isCPR)
	s.reference = c.OptionalValue(class+"indkomstoplysningadgangreferencenummer"+dated, "IndkomstOplysningAdgangReferenceNummerIdentifikator", soap.Length(1, 100))
	period, months := c.Optional(ns, "SoegePeriodeLukketStruktur"), c.Optional(ns, "SoegeAarMaanedLukketStruktur")
	switch {
	case (period == nil) == (months == nil):
		c.Fail("want a pay period or basis months")
	case period != nil:
		p := soap.Sequence(period)
		if span := p.Required(nsSpan, "DateInterval"); span != nil {
			i := soap.Sequence(span)
			from, _ := soap.Day(i.Value(nsFrom, "StartDate", soap.Date))
			to, _ := soap.Day(i.Value(nsTo, "EndDate", soap.Date))
			s.from, s.to = strings.ReplaceAll(from, "-", ""), strings.ReplaceAll(to, "-", "")
			p.Join(i.End())
		}
		c.Join(p.End())
	default:
		m := soap.Sequence(months)
		s.byMonth = true
		s.from = m.Value(class+"soegeaarmaanedfrakode"+dated, "SoegeAarMaanedFraKode", isMonth) + "01"
		s.to = m.Value(class+"soegeaarmaanedtilkode"+dated, "SoegeAarMaanedTilKode", isMonth) + "31"
		c.Join(m.End())
	}
	return s, c.End()
}

func isMonth(s string) bool {
	_, err := time.Parse(fileMonth, s)
	return err == nil
}
