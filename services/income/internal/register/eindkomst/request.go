package eindkomst

import (
	"context"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"samvirke.dev/services/income/internal/core/civil"
)

// request is an IndkomstOplysningPersonHent_I.
type request struct {
	XMLName xml.Name `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstOplysningPersonHent_I"`
	Head    head     `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ HovedOplysninger"`
	Data    inddata  `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstOplysningPersonInddata"`
}

type head struct {
	Transaction string `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ TransaktionIdentifikator"`
	Time        string `xml:"http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/ TransaktionTid"`
}

type inddata struct {
	Access     access     `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AbonnentAdgangStruktur"`
	Subscriber subscriber `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AbonnentStruktur"`
	Persons    []search   `xml:"http://rep.oio.dk/skat.dk/eindkomst/ IndkomstOplysningValg>IndkomstPersonSamling>PersonIndkomstSoegeStruktur"`
}

type access struct {
	AbonnentType   string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/abonnenttype/xml/schemas/20071202/ AbonnentTypeKode"`
	AbonnementType string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/abonnementtype/xml/schemas/20071202/ AbonnementTypeKode"`
	Formaal        string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/adgangformaaltype/xml/schemas/20071202/ AdgangFormaalTypeKode"`
}

type subscriber struct {
	Enterprise enterprise `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AbonnentVirksomhedStruktur"`
	Employee   string     `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/indkomstoplysningadgangmedarbejderidentifikator/xml/schemas/20071202/ IndkomstOplysningAdgangMedarbejderIdentifikator,omitempty"`
}

type enterprise struct {
	Inner seNumber `xml:"http://rep.oio.dk/skat.dk/eindkomst/ AbonnentVirksomhed"`
}

type seNumber struct {
	Number string `xml:"http://rep.oio.dk/skat.dk/motor/class/virksomhed/xml/schemas/20080401/ VirksomhedSENummerIdentifikator"`
}

type search struct {
	CPR       string  `xml:"http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/ PersonCivilRegistrationIdentifier"`
	Reference string  `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/indkomstoplysningadgangreferencenummer/xml/schemas/20071202/ IndkomstOplysningAdgangReferenceNummerIdentifikator,omitempty"`
	Period    *period `xml:"http://rep.oio.dk/skat.dk/eindkomst/ SoegePeriodeLukketStruktur,omitempty"`
	Months    *months `xml:"http://rep.oio.dk/skat.dk/eindkomst/ SoegeAarMaanedLukketStruktur,omitempty"`
}

type period struct {
	Interval interval `xml:"http://rep.oio.dk/xkom.dk/xml/schemas/2007/09/01/ DateInterval"`
}

type interval struct {
	From string `xml:"http://rep.oio.dk/xkom.dk/xml/schemas/2006/09/01/ StartDate"`
	To   string `xml:"http://rep.oio.dk/xkom.dk/xml/schemas/2007/04/15/ EndDate"`
}

type months struct {
	From string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/soegeaarmaanedfrakode/xml/schemas/20071202/ SoegeAarMaanedFraKode"`
	To   string `xml:"http://rep.oio.dk/skat.dk/eindkomst/class/soegeaarmaanedtilkode/xml/schemas/20071202/ SoegeAarMaanedTilKode"`
}

// call sends one request and reads its answer.
func (r *Register) call(ctx context.Context, controller string, month civil.Month, batch []asked) (*reading, error) {
	transaction := uuid.NewString()
	var got answer
	if err := r.d.Caller.Call(ctx, Action, r.request(controller, transaction, month, batch), &got); err != nil {
		return nil, fmt.Errorf("eindkomst: %w", meaning(ctx, err))
	}
	reading, err := r.read(&got, transaction, batch)
	if err != nil {
		return nil, fmt.Errorf("eindkomst: %w", err)
	}
	reading.at = r.d.Clock.Now()
	return reading, nil
}

func (r *Register) request(controller, transaction string, month civil.Month, batch []asked) *request {
	s, ok := r.d.Controllers[controller]
	if !ok {
		s = r.d.Subscription
	}
	q := &request{
		Head: head{Transaction: transaction, Time: r.d.Clock.Now().UTC().Format(time.RFC3339)},
		Data: inddata{
			Access:     access{AbonnentType: s.AbonnentType, AbonnementType: s.AbonnementType, Formaal: s.Formaal},
			Subscriber: subscriber{Enterprise: enterprise{Inner: seNumber{Number: s.SENumber}}, Employee: s.Employee},
			Persons:    make([]search, 0, len(batch)),
		},
	}
	seen := make(map[string]bool, len(batch))
	for _, a := range batch {
		if seen[a.number] {
			continue // one answer serves both questions
		}
		seen[a.number] = true
		p := search{CPR: a.number, Reference: a.reference}
		if r.d.Search == ByBasisMonth {
			y, m := month.YM()
			code := strconv.Itoa(y*100 + m)
			p.Months = &months{From: code, To: code}
		} else {
			p.Period = &period{Interval: interval{From: month.First().String(), To: month.Last().String()}}
		}
		q.Data.Persons = append(q.Data.Persons, p)
	}
	return q
}
