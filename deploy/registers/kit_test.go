package registers_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/sf1520"
	"samvirke.dev/deploy/registers/spar"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests play: the demo persons' children are grown up, and the planned ends of their protections long over.
func now() time.Time { return time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC) }

// bench is a running simulator with a client that it lets in.
type bench struct {
	sim    *registers.Simulator
	clk    *clock.Fake
	ca     *certtest.CA
	client *http.Client
	dir    string // of deliveries
}

func start(t *testing.T, bend ...func(*registers.Config)) *bench {
	t.Helper()
	ca := certtest.New(t, "register.test")
	cfg := registers.Config{
		SPAR: "127.0.0.1:0", SF1520: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: serverTLS(t, ca), Deliveries: t.TempDir(),
		Income: registers.Income{Listen: "127.0.0.1:0"},
	}
	for _, b := range bend {
		b(&cfg)
	}
	clk := clock.NewFake(now())
	sim, err := registers.New(cfg, registers.Deps{Clock: clk, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &bench{sim: sim, clk: clk, ca: ca, client: client(t, ca, ca.Issue(ca.Service("identity"))), dir: cfg.Deliveries}
}

func onLoopback(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }

func benchCA(b *testing.B) *tls.Config {
	b.Helper()
	ca := certtest.New(b, "register.test")
	return registers.MutualTLS(*ca.Issue(ca.Service("register"), onLoopback), ca.Roots())
}

// handlerForFuzz is the admin interface of a simulator without listeners.
func handlerForFuzz(f *testing.F) http.Handler {
	f.Helper()
	ca := certtest.New(f, "register.test")
	sim, err := registers.New(registers.Config{
		TLS: registers.MutualTLS(*ca.Issue(ca.Service("register")), ca.Roots()), Deliveries: f.TempDir(),
	}, registers.Deps{Clock: clock.NewFake(now()), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	return sim.AdminHandler()
}

func serverTLS(t *testing.T, ca *certtest.CA) *tls.Config {
	t.Helper()
	return registers.MutualTLS(*ca.Issue(ca.Service("register"), onLoopback), ca.Roots())
}

// client calls with a certificate, or with none, and trusts servers of the authority.
func client(t *testing.T, trusted *certtest.CA, cert *tls.Certificate) *http.Client {
	t.Helper()
	conf := &tls.Config{RootCAs: trusted.Roots(), MinVersion: tls.VersionTLS12}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	transport := &http.Transport{TLSClientConfig: conf}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// reply is what came back over HTTP.
type reply struct {
	status int
	kind   string // Content-Type
	raw    []byte
}

func (b *bench) post(t *testing.T, url, action, body string) reply {
	t.Helper()
	r, err := b.try(t, url, action, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) try(t *testing.T, url, action, body string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", `"`+action+`"`)
	resp, err := b.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), raw}, err
}

const envelopeHead = `<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>`

func envelope(body string) string { return envelopeHead + body + `</e:Body></e:Envelope>` }

// question is a SPARPersonsokningFraga; zero fields take the published customer's.
type question struct {
	customer, assignment int
	rights               []string
	number               string
	fields               string // elements of a field search, with the prefix a
}

const sparComponent = "http://statenspersonadressregister.se/schema/komponent/"

func (q question) xml() string {
	if q.customer == 0 {
		q.customer = registers.Customer
	}
	if q.assignment == 0 {
		q.assignment = registers.Assignment
	}
	var b strings.Builder
	b.WriteString(`<f:SPARPersonsokningFraga xmlns:f="http://statenspersonadressregister.se/schema/personsok/2021.1/personsokningfraga" xmlns:i="` +
		sparComponent + `metadata/identifieringsinformationWs-1.1" xmlns:s="` + sparComponent + `sok/personsokningsokparametrar-1.1" xmlns:a="` +
		sparComponent + `sok/sokargument-1.2" xmlns:p="` + sparComponent + `person/person-1.2"><i:Identifieringsinformation>`)
	fmt.Fprintf(&b, `<i:KundNrLeveransMottagare>%[1]d</i:KundNrLeveransMottagare><i:KundNrSlutkund>%[1]d</i:KundNrSlutkund>`+
		`<i:UppdragId>%[2]d</i:UppdragId><i:SlutAnvandarId>officer-7</i:SlutAnvandarId>`, q.customer, q.assignment)
	for _, r := range q.rights {
		b.WriteString(`<i:SlutAnvandarUtokadBehorighet>` + r + `</i:SlutAnvandarUtokadBehorighet>`)
	}
	b.WriteString(`</i:Identifieringsinformation><s:PersonsokningFraga>`)
	if q.number != "" {
		b.WriteString(`<p:IdNummer>` + q.number + `</p:IdNummer>`)
	}
	b.WriteString(q.fields + `</s:PersonsokningFraga></f:SPARPersonsokningFraga>`)
	return b.String()
}

// spar asks SPAR and returns the body's content, flattened.
func (b *bench) spar(t *testing.T, q question) []string {
	t.Helper()
	return answered(t, b.post(t, b.sim.SPARURL(), spar.Action, envelope(q.xml())))
}

func invocation(i serviceplatform.Invocation) string {
	return `<v:InvocationContext xmlns:v="http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"><v:ServiceAgreementUUID>` + i.ServiceAgreement +
		`</v:ServiceAgreementUUID><v:UserSystemUUID>` + i.UserSystem + `</v:UserSystemUUID><v:UserUUID>` + i.User + `</v:UserUUID><v:ServiceUUID>` +
		i.Service + `</v:ServiceUUID></v:InvocationContext>`
}

func pnr(number string) string {
	return `<c:PNR xmlns:c="http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/">` + number + `</c:PNR>`
}

func lookup(version, inside string) string {
	return `<PersonLookupRequest xmlns="http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/` + version + `/">` + inside +
		`</PersonLookupRequest>`
}

// cpr asks SF1520, version 4, about a number.
func (b *bench) cpr(t *testing.T, number string) reply {
	t.Helper()
	return b.post(t, b.sim.SF1520URL(), sf1520.Action(sf1520.Version4), envelope(lookup("4", invocation(registers.DefaultInvocation())+pnr(number))))
}

func subscriptionCall(operation, inside string) string {
	return `<s:` + operation + ` xmlns:s="http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/">` +
		invocation(registers.DefaultSubscription()) + inside + `</s:` + operation + `>`
}

// subscription calls an operation of the subscription service and returns the answer, flattened.
func (b *bench) subscription(t *testing.T, operation, inside string) []string {
	t.Helper()
	return answered(t, b.post(t, b.sim.SubscriptionURL(), "", envelope(subscriptionCall(operation, inside))))
}

// answered is the content of an answer that is no fault.
func answered(t *testing.T, r reply) []string {
	t.Helper()
	if r.status != http.StatusOK || r.kind != "text/xml; charset=utf-8" {
		t.Fatalf("status %d, %s:\n%s", r.status, r.kind, r.raw)
	}
	return flat(t, inside(t, r.raw))
}

// fault checks that an answer is a fault and returns its code and the codes of errors in its detail.
func fault(t *testing.T, r reply) (code string, errs []string) {
	t.Helper()
	var f struct {
		Code   string   `xml:"Body>Fault>faultcode"`
		Text   string   `xml:"Body>Fault>faultstring"`
		Errors []string `xml:"Body>Fault>detail>ServiceplatformFault>ErrorList>Error>ErrorCode"`
	}
	if err := xml.Unmarshal(r.raw, &f); err != nil || r.status != http.StatusInternalServerError || f.Text == "" {
		t.Fatalf("no fault (%v), status %d:\n%s", err, r.status, r.raw)
	}
	_, code, _ = strings.Cut(f.Code, ":")
	return code, f.Errors
}

// inside is the content of the body of an envelope.
func inside(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var e struct {
		XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
		Body    struct {
			Inside []byte `xml:",innerxml"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(envelope, &e); err != nil {
		t.Fatalf("%v:\n%s", err, envelope)
	}
	return bytes.TrimSpace(e.Body.Inside)
}

// flat turns a document into one line for each element with text or attributes, in order: the local names from the root, and the namespace
// of the last. It reads with encoding/xml and nothing of the simulators' own.
func flat(t *testing.T, doc []byte) []string {
	t.Helper()
	var lines, path []string
	text := ""
	var attrs strings.Builder
	leaf := false
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, doc)
		}
		switch k := tok.(type) {
		case xml.StartElement:
			path, text, leaf = append(path, k.Name.Local), "", true
			attrs.Reset()
			for _, a := range k.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					attrs.WriteString(" @" + a.Name.Local + "=" + a.Value)
				}
			}
		case xml.CharData:
			text += string(k)
		case xml.EndElement:
			if leaf {
				lines = append(lines, strings.Join(path, "/")+attrs.String()+" {"+k.Name.Space+"} "+strings.TrimSpace(text))
			}
			path, leaf = path[:len(path)-1], false
		}
	}
}

// texts are the texts at the end of a path, in order.
func texts(lines []string, path string) []string {
	var found []string
	for _, line := range lines {
		at, rest, _ := strings.Cut(line, " {")
		_, text, _ := strings.Cut(rest, "} ")
		at, _, _ = strings.Cut(at, " @")
		if strings.HasSuffix("/"+at, "/"+path) {
			found = append(found, text)
		}
	}
	return found
}

// text is the first of texts, empty for none.
func text(lines []string, path string) string {
	if all := texts(lines, path); len(all) > 0 {
		return all[0]
	}
	return ""
}

// missing skips a test for something that the machine does not have, and fails it where nothing may be missing.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// shared is a path among the official schemas and samples, which lie beside the repository.
func shared(t *testing.T, path ...string) string {
	t.Helper()
	full, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "..", "shared", "registers"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(full); err != nil {
		missing(t, "the official schemas and samples are not there")
	}
	return full
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
