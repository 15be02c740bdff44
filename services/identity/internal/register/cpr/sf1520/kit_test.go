package sf1520_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
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
	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Numbers of testdata: asked, its successor, and one after that.
const (
	asked = "7403851013"
	next  = "7403851021"
	third = "7403851048"
)

const space4 = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/4/"

func now() time.Time { return time.Date(2026, 11, 23, 22, 59, 0, 0, time.UTC) } // a minute before midnight in Denmark

func number(tb testing.TB, digits string) nationalid.Number {
	tb.Helper()
	n, err := nationalid.Parse(nationalid.Denmark, digits, civil.Of(now()))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func copenhagen(tb testing.TB) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

func agreement() sf1520.Context {
	return sf1520.Context{
		ServiceAgreementUUID: "11111111-2222-4333-8444-555555555501",
		UserSystemUUID:       "11111111-2222-4333-8444-555555555502",
		UserUUID:             "11111111-2222-4333-8444-555555555503",
		ServiceUUID:          "11111111-2222-4333-8444-555555555504",
	}
}

func deps(tb testing.TB, caller sf1520.Caller) sf1520.Deps {
	tb.Helper()
	return sf1520.Deps{Caller: caller, Context: agreement(), Clock: clock.NewFake(now()), Zone: copenhagen(tb)}
}

func inquiry(tb testing.TB) core.Inquiry {
	tb.Helper()
	return core.Inquiry{Number: number(tb, asked), Controller: "DK:12345678", EndUser: "user-7"}
}

// envelope wraps the inside of a body; whole envelopes stay as they are.
func envelope(inside []byte) []byte {
	if bytes.Contains(inside, []byte(":Envelope>")) {
		return inside
	}
	if _, after, ok := bytes.Cut(inside, []byte("?>")); ok {
		inside = after // a declaration stands before the envelope only
	}
	return slices.Concat([]byte(`<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="`+soap.Namespace+`"><S:Body>`), inside,
		[]byte(`</S:Body></S:Envelope>`))
}

func testdata(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// fault is a fault of Serviceplatformen with these codes.
func fault(codes ...string) []byte {
	var list strings.Builder
	for _, c := range codes {
		list.WriteString("<f:Error><f:ErrorCode>" + c + "</f:ErrorCode><f:ErrorText>text about " + asked + "</f:ErrorText></f:Error>")
	}
	return []byte(`<?xml version="1.0"?><S:Fault><faultcode>S:Server</faultcode><faultstring>failed for ` + asked + `</faultstring>` +
		`<detail><f:ServiceplatformFault xmlns:f="http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"><f:ErrorList>` +
		list.String() + `</f:ErrorList></f:ServiceplatformFault></detail></S:Fault>`)
}

// cprd stands in for the service: it answers by number, and keeps what it was asked.
type cprd struct {
	answers map[string][]byte // envelope or inside of its body, by number; without an entry nobody is found

	mu      sync.Mutex
	asked   []string // numbers
	actions []string
	bodies  [][]byte // envelopes
}

func (c *cprd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request struct {
		PNR string `xml:"Body>PersonLookupRequest>PNR"`
	}
	_ = xml.Unmarshal(body, &request)
	n := request.PNR
	c.mu.Lock()
	c.asked = append(c.asked, n)
	c.actions = append(c.actions, r.Header.Get("SOAPAction"))
	c.bodies = append(c.bodies, body)
	answer, ok := c.answers[n]
	c.mu.Unlock()
	if !ok {
		answer = fault("172")
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	if bytes.Contains(answer, []byte(":Fault>")) {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(envelope(answer))
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
	leaf := s.ca.Issue(s.ca.Service("cpr"), append(server, onLoopback)...)
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
	d := soap.Deps{URL: s.URL + "/service/CPR/PersonBaseDataExtended/4", TLS: s.clientTLS(), Register: "CPR"}
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

func register(tb testing.TB, d sf1520.Deps) *sf1520.Register {
	tb.Helper()
	r, err := sf1520.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// ask looks the asked number up at a service that has these answers, over TLS.
func ask(t *testing.T, answers map[string][]byte, bend ...func(*sf1520.Deps)) (*core.Person, *cprd, error) {
	t.Helper()
	c := &cprd{answers: answers}
	d := deps(t, start(t, c).client(t))
	for _, b := range bend {
		b(&d)
	}
	p, err := register(t, d).Lookup(t.Context(), inquiry(t))
	return p, c, err
}

// shared returns the path of something beside the project, or skips; with SAMVIRKE_TEST_STRICT=1 it fails instead.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	const root = "../../../../../.." // of the repository
	path := filepath.Join(append([]string{root, "..", "shared", "registers", "cpr"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "the registers' schemas and samples are not beside the project")
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

// canned answers without a network: it decodes an envelope as the SOAP client does.
type canned []byte

// Call implements sf1520.Caller.
func (c canned) Call(_ context.Context, _ string, _, answer any) error {
	return soap.Decode(bytes.NewReader(c), soap.DefaultMaxAnswer, answer)
}
