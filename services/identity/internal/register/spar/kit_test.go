package spar_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/spar"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Published test numbers: asked, the number that takes its place in these tests, and one after that.
const (
	asked = "199101112390"
	next  = "199111022399"
	third = "198111309285"
)

const uuid = "00000000-0000-4000-8000-000000000001"

func now() time.Time { return time.Date(2026, 11, 23, 22, 59, 0, 0, time.UTC) } // a minute before midnight in Sweden

func number(tb testing.TB, digits string) nationalid.Number {
	tb.Helper()
	n, err := nationalid.ParseCanonical("SE:"+digits, civil.Of(now()))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func stockholm(tb testing.TB) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

func assignment() spar.Assignment {
	return spar.Assignment{Recipient: 500243, Customer: 500244, ID: 637}
}

func deps(tb testing.TB, caller spar.Caller) spar.Deps {
	tb.Helper()
	return spar.Deps{Caller: caller, Assignment: assignment(), Clock: clock.NewFake(now()), Zone: stockholm(tb)}
}

func register(tb testing.TB, d spar.Deps) *spar.Register {
	tb.Helper()
	r, err := spar.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func inquiry(tb testing.TB, digits string) core.Inquiry {
	tb.Helper()
	return core.Inquiry{Number: number(tb, digits), Controller: "SE:8020000017", EndUser: "user-7"}
}

// The namespaces of 2021.1 under the prefixes that these tests use.
const spaces = ` xmlns:v="http://statenspersonadressregister.se/schema/personsok/2021.1/personsokningsvar"` +
	` xmlns:p="http://statenspersonadressregister.se/schema/komponent/person/person-1.2"` +
	` xmlns:s="http://statenspersonadressregister.se/schema/komponent/person/skyddadepersonuppgifter-1.1"` +
	` xmlns:d="http://statenspersonadressregister.se/schema/komponent/person/persondetaljer-1.2"` +
	` xmlns:g="http://statenspersonadressregister.se/schema/komponent/person/avregistrering-1.0"` +
	` xmlns:h="http://statenspersonadressregister.se/schema/komponent/person/hanvisning-1.0"` +
	` xmlns:n="http://statenspersonadressregister.se/schema/komponent/person/namn/namn-1.0"` +
	` xmlns:e="http://statenspersonadressregister.se/schema/komponent/person/namn/deladenamnelement-1.0"` +
	` xmlns:a="http://statenspersonadressregister.se/schema/komponent/person/adress/deladeadresselement-1.1"` +
	` xmlns:f="http://statenspersonadressregister.se/schema/komponent/person/adress/folkbokforingsadress-1.1"` +
	` xmlns:sp="http://statenspersonadressregister.se/schema/komponent/person/adress/sarskildpostadress-1.1"` +
	` xmlns:u="http://statenspersonadressregister.se/schema/komponent/person/adress/utlandsadress-1.1"` +
	` xmlns:k="http://statenspersonadressregister.se/schema/komponent/person/adress/kontaktadress-1.0"` +
	` xmlns:sn="http://statenspersonadressregister.se/schema/komponent/person/samordningsnummer-1.0"` +
	` xmlns:t="http://statenspersonadressregister.se/schema/komponent/generellt/datumtid-1.1"` +
	` xmlns:x="http://statenspersonadressregister.se/schema/komponent/sok/undantag-1.0"`

// answer is a whole answer around records, or an exception.
func answer(inside ...string) []byte {
	return []byte(`<v:SPARPersonsokningSvar` + spaces + `>` + strings.Join(inside, "") + `<v:UUID>` + uuid + `</v:UUID></v:SPARPersonsokningSvar>`)
}

// record is an unprotected person with this content.
func record(digits string, content ...string) string {
	return flagged(digits, "NEJ", "NEJ", content...)
}

func flagged(digits, mark, registration string, content ...string) string {
	return `<v:PersonsokningSvarspost><p:PersonId><p:IdNummer>` + digits + `</p:IdNummer><p:Typ>PERSONNUMMER</p:Typ></p:PersonId>` +
		`<s:Sekretessmarkering>` + mark + `</s:Sekretessmarkering><s:SkyddadFolkbokforing>` + registration + `</s:SkyddadFolkbokforing>` +
		strings.Join(content, "") + `</v:PersonsokningSvarspost>`
}

// details is a row of details with this content.
func details(content ...string) string {
	return `<d:Persondetaljer>` + strings.Join(content, "") + `</d:Persondetaljer>`
}

// when are the dates of a row; empty ones are left out.
func when(from, to string) string {
	out := ""
	if from != "" {
		out += `<t:DatumFrom>` + from + `</t:DatumFrom>`
	}
	if to != "" {
		out += `<t:DatumTill>` + to + `</t:DatumTill>`
	}
	return out
}

func reason(code string) string {
	return `<g:AvregistreringsorsakKod>` + code + `</g:AvregistreringsorsakKod>`
}

func pointer(kind, digits string) string {
	if kind != "" {
		kind = `<h:Typ>` + kind + `</h:Typ>`
	}
	return `<h:Hanvisning><p:IdNummer>` + digits + `</p:IdNummer>` + kind + `</h:Hanvisning>`
}

// atHome is an address in Sweden of one kind.
func atHome(kind, street string, dates ...string) string {
	return `<` + kind + `><a:SvenskAdress>` + strings.Join(dates, "") + `<a:CareOf>C/o Test</a:CareOf><a:Utdelningsadress2>` + street +
		`</a:Utdelningsadress2><a:PostNr>99901</a:PostNr><a:Postort>PROVSTAD</a:Postort></a:SvenskAdress></` + kind + `>`
}

// elsewhere is an address abroad of one kind.
func elsewhere(kind, street, land string, dates ...string) string {
	return `<` + kind + `><a:InternationellAdress>` + strings.Join(dates, "") + `<a:Utdelningsadress1>` + street +
		`</a:Utdelningsadress1><a:Utdelningsadress3>99 Testby</a:Utdelningsadress3><a:Land>` + land + `</a:Land></a:InternationellAdress></` + kind + `>`
}

// envelope wraps the inside of a body; whole envelopes stay as they are.
func envelope(inside []byte) []byte {
	if bytes.Contains(inside, []byte(":Envelope")) {
		return inside
	}
	return slices.Concat([]byte(`<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="`+soap.Namespace+`"><S:Body>`), inside,
		[]byte(`</S:Body></S:Envelope>`))
}

// spard stands in for the service: it answers by number, and keeps what it was asked.
type spard struct {
	answers map[string][]byte // inside of a body or envelope, by number or "" for searches; without an entry nobody is found

	mu      sync.Mutex
	asked   []string // numbers
	actions []string
	bodies  [][]byte // envelopes
}

func (s *spard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request struct {
		Number string `xml:"Body>SPARPersonsokningFraga>PersonsokningFraga>IdNummer"`
	}
	_ = xml.Unmarshal(body, &request)
	s.mu.Lock()
	s.asked = append(s.asked, request.Number)
	s.actions = append(s.actions, r.Header.Get("SOAPAction"))
	s.bodies = append(s.bodies, body)
	out, ok := s.answers[request.Number]
	s.mu.Unlock()
	if !ok {
		out = answer()
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if bytes.Contains(out, []byte(":Fault>")) {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(envelope(out))
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
	leaf := s.ca.Issue(s.ca.Service("spar"), append(server, onLoopback)...)
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
	leaf := s.ca.Issue(s.ca.Service("identity"), opts...)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.ca.Roots(), Certificates: []tls.Certificate{*leaf}}
}

// client returns a SOAP client as in production.
func (s *service) client(tb testing.TB, bend ...func(*soap.Deps)) *soap.Client {
	tb.Helper()
	d := soap.Deps{URL: s.URL + "/2021.1/", TLS: s.clientTLS(), Register: "SPAR", Repeatable: true}
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

// canned answers without a network: it decodes an envelope as the SOAP client does.
type canned map[string][]byte

// Call implements spar.Caller.
func (c canned) Call(_ context.Context, _ string, body, answered any) error {
	raw, err := soap.Encode(body)
	if err != nil {
		return err
	}
	for digits, out := range c {
		if bytes.Contains(raw, []byte(">"+digits+"<")) {
			return soap.Decode(bytes.NewReader(envelope(out)), soap.DefaultMaxAnswer, answered)
		}
	}
	return soap.Decode(bytes.NewReader(envelope(answer())), soap.DefaultMaxAnswer, answered)
}

// ask looks the asked number up where these records answer.
func ask(t *testing.T, records ...string) (*core.Person, error) {
	t.Helper()
	return register(t, deps(t, canned{asked: answer(records...)})).Lookup(t.Context(), inquiry(t, asked))
}

// must is ask where somebody must be found.
func must(t *testing.T, records ...string) *core.Person {
	t.Helper()
	p, err := ask(t, records...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// only wants exactly that kind of failure.
func only(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatal("no failure")
	}
	for _, kind := range []error{
		core.ErrRegisterUnavailable, core.ErrRegisterRefused, core.ErrRegisterTooMany, core.ErrNotFound, context.DeadlineExceeded, spar.ErrFields,
	} {
		if errors.Is(err, kind) != (kind == want) { //nolint:errorlint // which one it is
			t.Errorf("got %v, want %v", err, want)
		}
	}
	for _, secret := range []string{asked, next, third, "Prov", "secret text", "user-7"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

// shared returns the path of something beside the project, or skips; with SAMVIRKE_TEST_STRICT=1 it fails instead.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	const root = "../../../../.." // of the repository
	path := filepath.Join(append([]string{root, "..", "shared", "registers", "spar"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "SPAR's schemas and samples are not beside the project")
	}
	return path
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}
