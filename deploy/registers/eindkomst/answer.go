package eindkomst

import (
	"fmt"
	"strconv"
	"time"

	"samvirke.dev/deploy/registers/soap"
)

// Codes of the simulator's errors and notes. SKAT's own are not published; these are made up.
const (
	CodeAccess  = "9001" // no such subscription
	CodePeriod  = "9002" // the period ends before it begins
	CodeTooMuch = "9003" // more than one answer may hold
	CodeGeneral = "9999"
	codeNothing = "9100" // a note: nothing is known
)

// retrieval are the fields of sheet 16001 by upload field (registers.md, 3.2 and 3.5).
func retrieval() map[string]string {
	return map[string]string{
		"0013": "057", "0014": "058", "0015": "059", "0016": "060", "0036": "070", "0038": "071", "0046": "076", "0048": "078", "0083": "094", "0113": "217",
		"0147": "197", "0148": "198", "0200": "096",
	}
}

// Units as SKAT's demo system writes them.
const (
	unitMoment = "100000003"
	unitSE     = "100000005"
	unitMonth  = "100000009"
	unitMark   = "100000010"
	unitLetter = "100000012"
	unitCode   = "100000014"
	unitMoney  = "100000016"
	unitHours  = "100000021"
)

// writer writes an answer.
type writer struct {
	soap.Writer
	fields map[string]string
	zone   *time.Location
	// positive writes the figures of reversals without sign.
	positive bool
}

// begin writes the head; svar is written inside SvarStruktur.
func (w *writer) begin(transaction string, now time.Time, svar func()) {
	w.Open("e:IndkomstOplysningPersonHent_O", "xmlns:e", ns, "xmlns:k", nsHead, "xmlns:c", nsCPR, "xmlns:se", nsSE, "xmlns:x1", nsFrom, "xmlns:x2", nsTo,
		"xmlns:ang", class+"angivelse"+dated, "xmlns:bl", class+"blanket"+dated, "xmlns:bf", class+"blanketfelt"+dated, "xmlns:fe", class+"feltenhedtype"+dated,
		"xmlns:af", class+"angivelsefelt"+dated, "xmlns:ans", class+"ansaettelseforhold"+dated, "xmlns:ig", class+"indkomstpersongruppe"+dated,
		"xmlns:ref", class+"indkomstoplysningadgangreferencenummer"+dated)
	w.Open("k:HovedOplysningerSvar")
	w.Optional("k:TransaktionIdentifikator", transaction)
	w.Value("k:ServiceIdentifikator", "IndkomstOplysningPersonHent")
	w.Value("k:TransaktionTid", now.In(w.zone).Format("2006-01-02T15:04:05.000-07:00"))
	w.Open("k:SvarStruktur")
	svar()
	w.Close("k:SvarStruktur")
	w.Close("k:HovedOplysningerSvar")
}

func (w *writer) end() { w.Close("e:IndkomstOplysningPersonHent_O") }

// person writes what was found about one person; reports are sorted by employer.
func (w *writer) person(s search, reports []entry) {
	w.Open("e:IndkomstOplysningPersonStruktur")
	w.Value("c:PersonCivilRegistrationIdentifier", s.cpr)
	w.Optional("ref:IndkomstOplysningAdgangReferenceNummerIdentifikator", s.reference)
	w.Open("e:IndkomstOplysningSamling")
	for i := range reports {
		first := i == 0 || reports[i-1].Employer != reports[i].Employer
		if first {
			w.Open("e:IndberetningPligtigVirksomhed")
			w.Open("e:IndberetningPligtigVirksomhedStruktur")
			w.Open("e:IndberetningPligtigVirksomhed")
			w.Value("se:VirksomhedSENummerIdentifikator", reports[i].Employer)
			w.Close("e:IndberetningPligtigVirksomhed")
			w.Close("e:IndberetningPligtigVirksomhedStruktur")
			w.Open("e:IndkomstLoenPeriodeSamling")
		}
		w.report(&reports[i])
		if i+1 == len(reports) || reports[i+1].Employer != reports[i].Employer {
			w.Close("e:IndkomstLoenPeriodeSamling")
			w.Close("e:IndberetningPligtigVirksomhed")
		}
	}
	w.Close("e:IndkomstOplysningSamling")
	w.Close("e:IndkomstOplysningPersonStruktur")
}

func (w *writer) report(e *entry) {
	w.Open("e:LoenPeriodeOplysningStruktur")
	w.Value("ang:AngivelseVirksomhedEgenIdentifikator", e.ID)
	w.Open("e:AngivelsePeriodeStruktur")
	w.Open("ang:AngivelsePeriode")
	w.Value("x1:StartDate", hyphens(e.From))
	w.Value("x2:EndDate", hyphens(e.To))
	w.Close("ang:AngivelsePeriode")
	w.Close("e:AngivelsePeriodeStruktur")
	w.Optional("ans:AnsaettelseforholdMedarbejderIdentifikator", e.Employee)
	w.Optional("ig:IndkomstPersonGruppeDispositionDato", hyphens(e.Paid))
	w.Open("e:AngivelseBlanketIndholdStruktur")
	w.Open("e:AngivelseOplysningSamling")
	w.sheet(1, "11000", func() { w.top(e) }, func() {
		w.sheet(2, "16000", func() {
			w.field("019", unitCode, "0")
			w.field("021", unitMark, mark(e.reversal))
		}, func() {
			w.sheet(3, "16001", func() { w.figures(e) }, func() {})
		})
	})
	w.Close("e:AngivelseOplysningSamling")
	w.Close("e:AngivelseBlanketIndholdStruktur")
	w.Close("e:LoenPeriodeOplysningStruktur")
}

// sheet writes a sheet at a level, with those below it.
func (w *writer) sheet(level int, number string, fields, below func()) {
	name := "e:AngivelseNiveau" + strconv.Itoa(level)
	w.Open(name)
	w.Value("bl:BlanketNummerIdentifikator", number)
	w.Open("e:AngivelseFeltSamling")
	fields()
	w.Close("e:AngivelseFeltSamling")
	w.Open("e:UnderAngivelseSamling")
	below()
	w.Close("e:UnderAngivelseSamling")
	w.Close(name)
}

func (w *writer) top(e *entry) {
	art := "I"
	if e.reversal {
		art = "T"
	}
	w.field("001", unitSE, e.Employer)
	w.field("011", unitLetter, art)
	kind, _ := strconv.Atoi(e.Kind) // two digits
	w.field("012", unitCode, strconv.Itoa(kind))
	w.field("016", unitMonth, e.basis())
	w.field("151", unitMark, mark(e.Corrects))
	w.field("191", unitMoment, e.registered.In(w.zone).Format("2006-01-02-15.04.05.000000"))
}

func (w *writer) figures(e *entry) {
	for _, f := range e.Figures {
		number, ok := w.fields[f.Field]
		if !ok {
			continue
		}
		unit, n := unitMoney, f.Hundredths
		if number == "096" || number == "094" {
			unit = unitHours
		}
		if e.reversal && w.positive {
			n = -n
		}
		w.field(number, unit, decimal(n))
	}
}

func (w *writer) field(number, unit, text string) {
	w.Open("e:AngivelseFeltIndholdStruktur")
	w.Open("e:BlanketFeltEnhedStruktur")
	w.Value("bf:BlanketFeltNummerIdentifikator", "100000000000000"+number)
	w.Value("fe:FeltEnhedTypeKode", unit)
	w.Close("e:BlanketFeltEnhedStruktur")
	w.Value("af:AngivelseFeltIndholdTekst", text)
	w.Close("e:AngivelseFeltIndholdStruktur")
}

func mark(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// decimal writes hundredths as the register does: no decimals where there are none.
func decimal(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	if n%100 == 0 {
		return sign + strconv.FormatInt(n/100, 10)
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

func hyphens(day string) string {
	if len(day) != len(fileDate) {
		return ""
	}
	return day[:4] + "-" + day[4:6] + "-" + day[6:]
}
