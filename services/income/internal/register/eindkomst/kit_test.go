package eindkomst_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/register/eindkomst"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/resilience"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func now() time.Time { return time.Date(2026, 4, 11, 8, 0, 0, 0, time.UTC) }

func march() civil.Month {
	m, err := civil.NewMonth(2026, 3)
	if err != nil {
		panic(err)
	}
	return m
}

// Numbers of members m0, m1 and so on.
func number(i int) string { return fmt.Sprintf("74038510%02d", i) }

const fund = "DK:12345678"

// register knows the numbers.
type numbers struct{}

func (numbers) Number(_ context.Context, _ string, handle facts.Handle) (string, error) {
	switch h := string(handle); h {
	case "swede":
		return "SE:199001012385", nil
	case "nobody":
		return "", core.ErrNotEnrolled
	default:
		var i int
		if _, err := fmt.Sscanf(h, "m%d", &i); err != nil {
			return "", errors.New("store away")
		}
		return "DK:" + number(i), nil
	}
}

func question(i int) core.Question {
	return core.Question{Controller: fund, Handle: facts.Handle(fmt.Sprintf("m%d", i)), Month: march(), CaseReference: fmt.Sprintf("case-%d", i)}
}

func questions(n int) []core.Question {
	out := make([]core.Question, n)
	for i := range out {
		out[i] = question(i)
	}
	return out
}

func deps(caller eindkomst.Caller) eindkomst.Deps {
	guard := resilience.DefaultConfig()
	guard.HedgeAfter, guard.Retries = 0, 0
	return eindkomst.Deps{
		Caller:       caller,
		Subscription: eindkomst.Subscription{AbonnentType: "750", AbonnementType: "3153", Formaal: "171", SENumber: "12345674", Employee: "samvirke"},
		Numbers:      numbers{}, Clock: clock.NewFake(now()), Guard: guard, Logger: slog.New(slog.DiscardHandler),
		Meter: noop.NewMeterProvider().Meter("test"),
	}
}

func register(tb testing.TB, d eindkomst.Deps) *eindkomst.Register {
	tb.Helper()
	r, err := eindkomst.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// report is a report as eIndkomst would tell it; strings so that nonsense can be written.
type report struct {
	se, id, employee, from, to string
	art, kind                  string
	figures                    string // sheet 16001: `096=12.50 057=2250`
	benefit                    string // sheet 16000
	extra                      string // more fields of sheet 11000
}

func pay(se, id, hours, income string) report {
	return report{se: se, id: id, from: "2026-03-01", to: "2026-03-31", art: "I", kind: "0", figures: "096=" + hours + " 057=" + income}
}

func (r report) but(change func(*report)) report {
	change(&r)
	return r
}

const prefixes = `xmlns:e="http://rep.oio.dk/skat.dk/eindkomst/" xmlns:k="http://rep.oio.dk/skat.dk/basis/kontekst/xml/schemas/2006/09/01/" ` +
	`xmlns:c="http://rep.oio.dk/cpr.dk/xml/schemas/core/2005/03/18/" xmlns:se="http://rep.oio.dk/skat.dk/motor/class/virksomhed/xml/schemas/20080401/" ` +
	`xmlns:ang="http://rep.oio.dk/skat.dk/eindkomst/class/angivelse/xml/schemas/20071202/" xmlns:bl="http://rep.oio.dk/skat.dk/eindkomst/class/blanket/xml/schemas/20071202/" ` +
	`xmlns:bf="http://rep.oio.dk/skat.dk/eindkomst/class/blanketfelt/xml/schemas/20071202/" xmlns:af="http://rep.oio.dk/skat.dk/eindkomst/class/angivelsefelt/xml/schemas/20071202/" ` +
	`xmlns:ans="http://rep.oio.dk/skat.dk/eindkomst/class/ansaettelseforhold/xml/schemas/20071202/" xmlns:x1="http://rep.oio.dk/xkom.dk/xml/schemas/2006/09/01/" ` +
	`xmlns:x2="http://rep.oio.dk/xkom.dk/xml/schemas/2007/04/15/"`

func fields(list string) string {
	var b strings.Builder
	for _, f := range strings.Fields(list) {
		number, text, _ := strings.Cut(f, "=")
		b.WriteString(`<e:AngivelseFeltIndholdStruktur><e:BlanketFeltEnhedStruktur><bf:BlanketFeltNummerIdentifikator>100000000000000` + number +
			`</bf:BlanketFeltNummerIdentifikator></e:BlanketFeltEnhedStruktur><af:AngivelseFeltIndholdTekst>` + text + `</af:AngivelseFeltIndholdTekst></e:AngivelseFeltIndholdStruktur>`)
	}
	return `<e:AngivelseFeltSamling>` + b.String() + `</e:AngivelseFeltSamling>`
}

func (r report) xml() string {
	employee := ""
	if r.employee != "" {
		employee = `<ans:AnsaettelseforholdMedarbejderIdentifikator>` + r.employee + `</ans:AnsaettelseforholdMedarbejderIdentifikator>`
	}
	return `<e:LoenPeriodeOplysningStruktur><ang:AngivelseVirksomhedEgenIdentifikator>` + r.id + `</ang:AngivelseVirksomhedEgenIdentifikator>` +
		`<e:AngivelsePeriodeStruktur><ang:AngivelsePeriode><x1:StartDate>` + r.from + `</x1:StartDate><x2:EndDate>` + r.to + `</x2:EndDate></ang:AngivelsePeriode></e:AngivelsePeriodeStruktur>` +
		employee + `<e:AngivelseBlanketIndholdStruktur><e:AngivelseOplysningSamling><e:AngivelseNiveau1><bl:BlanketNummerIdentifikator>11000</bl:BlanketNummerIdentifikator>` +
		fields("011="+r.art+" 012="+r.kind+" "+r.extra) + `<e:UnderAngivelseSamling><e:AngivelseNiveau2><bl:BlanketNummerIdentifikator>16000</bl:BlanketNummerIdentifikator>` +
		fields("019=0 "+r.benefit) + `<e:UnderAngivelseSamling><e:AngivelseNiveau3><bl:BlanketNummerIdentifikator>16001</bl:BlanketNummerIdentifikator>` + fields(r.figures) +
		`<e:UnderAngivelseSamling/></e:AngivelseNiveau3></e:UnderAngivelseSamling></e:AngivelseNiveau2></e:UnderAngivelseSamling></e:AngivelseNiveau1>` +
		`</e:AngivelseOplysningSamling></e:AngivelseBlanketIndholdStruktur></e:LoenPeriodeOplysningStruktur>`
}

func person(cpr string, reports ...report) string {
	var b strings.Builder
	for _, r := range reports {
		b.WriteString(`<e:IndberetningPligtigVirksomhed><e:IndberetningPligtigVirksomhedStruktur><e:IndberetningPligtigVirksomhed><se:VirksomhedSENummerIdentifikator>` + r.se +
			`</se:VirksomhedSENummerIdentifikator></e:IndberetningPligtigVirksomhed></e:IndberetningPligtigVirksomhedStruktur><e:IndkomstLoenPeriodeSamling>` + r.xml() +
			`</e:IndkomstLoenPeriodeSamling></e:IndberetningPligtigVirksomhed>`)
	}
	return `<e:IndkomstOplysningPersonStruktur><c:PersonCivilRegistrationIdentifier>` + cpr + `</c:PersonCivilRegistrationIdentifier><e:IndkomstOplysningSamling>` +
		b.String() + `</e:IndkomstOplysningSamling></e:IndkomstOplysningPersonStruktur>`
}

// told is an answer to a transaction; svar is the inside of SvarStruktur.
func told(transaction, svar string, persons ...string) string {
	data := ""
	if len(persons) > 0 {
		data = `<e:IndkomstPersonUddata><e:IndkomstOplysningPersonSamling>` + strings.Join(persons, "") + `</e:IndkomstOplysningPersonSamling></e:IndkomstPersonUddata>`
	}
	return `<e:IndkomstOplysningPersonHent_O ` + prefixes + `><k:HovedOplysningerSvar><k:TransaktionIdentifikator>` + transaction + `</k:TransaktionIdentifikator>` +
		`<k:SvarStruktur>` + svar + `</k:SvarStruktur></k:HovedOplysningerSvar>` + data + `</e:IndkomstOplysningPersonHent_O>`
}

func fejl(code string) string {
	return `<k:FejlStruktur><k:FejlIdentifikator>` + code + `</k:FejlIdentifikator><k:FejlTekst>tekst om ` + number(0) + `</k:FejlTekst></k:FejlStruktur>`
}

func envelope(body string) string {
	return `<S:Envelope xmlns:S="` + soap.Namespace + `"><S:Body>` + body + `</S:Body></S:Envelope>`
}

// asked is a request as the register reads it.
type asked struct {
	Transaction string   `xml:"HovedOplysninger>TransaktionIdentifikator"`
	CPR         []string `xml:"IndkomstOplysningPersonInddata>IndkomstOplysningValg>IndkomstPersonSamling>PersonIndkomstSoegeStruktur>PersonCivilRegistrationIdentifier"`
	Reference   []string `xml:"IndkomstOplysningPersonInddata>IndkomstOplysningValg>IndkomstPersonSamling>PersonIndkomstSoegeStruktur>IndkomstOplysningAdgangReferenceNummerIdentifikator"`
	SE          string   `xml:"IndkomstOplysningPersonInddata>AbonnentStruktur>AbonnentVirksomhedStruktur>AbonnentVirksomhed>VirksomhedSENummerIdentifikator"`
}

// canned answers without a network: it renders the request, gives it to a function and reads what that writes.
type canned struct {
	answer func(asked) string

	mu       sync.Mutex
	requests []asked
	raw      [][]byte
}

func (c *canned) Call(ctx context.Context, action string, body, into any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if action != "getIndkomstOplysningPersonHent" {
		return errors.New("another action")
	}
	raw, err := xml.Marshal(body)
	if err != nil {
		return err
	}
	var q asked
	if err := xml.Unmarshal(raw, &q); err != nil {
		return err
	}
	c.mu.Lock()
	c.requests, c.raw = append(c.requests, q), append(c.raw, raw)
	c.mu.Unlock()
	return soap.Decode(strings.NewReader(envelope(c.answer(q))), soap.DefaultMaxAnswer, into)
}

// about answers about each person who was asked for with what the function tells.
func about(reports func(cpr string) []report) *canned {
	return &canned{answer: func(q asked) string {
		var persons []string
		for _, cpr := range q.CPR {
			if all := reports(cpr); len(all) > 0 {
				persons = append(persons, person(cpr, all...))
			}
		}
		return told(q.Transaction, "", persons...)
	}}
}

// ask asks about m0 a register that tells these reports.
func ask(t *testing.T, reports []report, bend ...func(*eindkomst.Deps)) (facts.Answer, error) {
	t.Helper()
	d := deps(about(func(string) []report { return reports }))
	for _, b := range bend {
		b(&d)
	}
	return register(t, d).Month(t.Context(), question(0))
}

// impersonal fails if an error shows anything of question or answer.
func impersonal(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{number(0), "tekst om", "12345674", "case-0", "7403851"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

// service is a service on loopback that wants to see certificates.
type service struct {
	*httptest.Server
	ca *certtest.CA
}

func onLoopback(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }

func start(tb testing.TB, handler http.Handler, server ...certtest.Option) *service {
	tb.Helper()
	s := &service{Server: httptest.NewUnstartedServer(handler), ca: certtest.New(tb, "test.example")}
	leaf := s.ca.Issue(s.ca.Service("skat"), append(server, onLoopback)...)
	s.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*leaf},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Roots(),
	}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

func (s *service) clientTLS(opts ...certtest.Option) *tls.Config {
	leaf := s.ca.Issue(s.ca.Service("income"), opts...)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.ca.Roots(), Certificates: []tls.Certificate{*leaf}}
}

// client returns a SOAP client as in production.
func (s *service) client(tb testing.TB, bend ...func(*soap.Deps)) *soap.Client {
	tb.Helper()
	d := soap.Deps{URL: s.URL + "/service", TLS: s.clientTLS(), Register: eindkomst.Name}
	for _, b := range bend {
		b(&d)
	}
	c, err := soap.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// answering is a handler that answers each request by a function, sealed by a security if there is one.
func answering(tb testing.TB, security soap.Security, answer func(asked) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err == nil && security != nil {
			raw, err = security.Open(raw)
		}
		var q struct {
			Inner asked `xml:"Body>IndkomstOplysningPersonHent_I"`
		}
		if err == nil {
			err = xml.Unmarshal(raw, &q)
		}
		if err != nil {
			tb.Errorf("request: %v", err)
		}
		out := []byte(envelope(answer(q.Inner)))
		if security != nil {
			if out, err = security.Seal(out); err != nil {
				tb.Errorf("answer: %v", err)
			}
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.Copy(w, bytes.NewReader(out))
	}
}

// shared returns what lies beside the project, or skips; with SAMVIRKE_TEST_STRICT=1 it fails instead.
func shared(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	const root = "../../../../.." // of the repository
	raw, err := os.ReadFile(filepath.Join(append([]string{root, "..", "shared", "registers", "eindkomst"}, parts...)...))
	if err != nil {
		const why = "the registers' samples are not beside the project"
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			tb.Fatal(why)
		}
		tb.Skip(why)
	}
	return raw
}
