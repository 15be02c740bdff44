package subscription_test

import (
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
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/identity/internal/register/cpr/subscription"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	asked     = "7403851013"
	namespace = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"
)

func agreement() serviceplatform.Context {
	return serviceplatform.Context{
		ServiceAgreementUUID: "11111111-2222-4333-8444-555555555501",
		UserSystemUUID:       "11111111-2222-4333-8444-555555555502",
		UserUUID:             "11111111-2222-4333-8444-555555555503",
		ServiceUUID:          "11111111-2222-4333-8444-555555555504",
	}
}

func inquiry(tb testing.TB) core.Inquiry {
	tb.Helper()
	n, err := nationalid.Parse(nationalid.Denmark, asked, civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		tb.Fatal(err)
	}
	return core.Inquiry{Number: n, Controller: "DK:12345678", EndUser: "user-7"}
}

func envelope(inside string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="` + soap.Namespace + `"><S:Body>` + inside + `</S:Body></S:Envelope>`
}

// says is the answer to an operation with a word.
func says(operation, word string) string {
	return `<ns2:` + operation + `Response xmlns:ns2="` + namespace + `"><ns2:Result>` + word + `</ns2:Result></ns2:` + operation + `Response>`
}

// fault is a fault of Serviceplatformen with these codes.
func fault(codes ...string) string {
	var list strings.Builder
	for _, c := range codes {
		list.WriteString("<f:Error><f:ErrorCode>" + c + "</f:ErrorCode><f:ErrorText>text about " + asked + "</f:ErrorText></f:Error>")
	}
	return `<S:Fault><faultcode>S:Server</faultcode><faultstring>failed for ` + asked + `</faultstring>` +
		`<detail><f:ServiceplatformFault xmlns:f="http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/"><f:ErrorList>` +
		list.String() + `</f:ErrorList></f:ServiceplatformFault></detail></S:Fault>`
}

// listd stands in for the service. It keeps the list, unless it is told what to answer, and what it was sent.
type listd struct {
	answer string // inside of the body; "" for what the list says

	mu     sync.Mutex
	list   map[string]bool // numbers by agreement
	sent   [][]byte        // envelopes
	action []string
}

func (l *listd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	type inside struct {
		Agreement string `xml:"InvocationContext>ServiceAgreementUUID"`
		PNR       string `xml:"PNR"`
	}
	var e struct {
		Add    *inside `xml:"Body>AddPNRSubscription"`
		Remove *inside `xml:"Body>RemovePNRSubscription"`
	}
	_ = xml.Unmarshal(body, &e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, body)
	l.action = append(l.action, r.Header.Get("SOAPAction"))
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	answer := l.answer
	switch {
	case answer != "":
	case e.Add != nil:
		answer = says("AddPNRSubscription", map[bool]string{true: "ALREADY_EXISTED", false: "ADDED"}[l.list[e.Add.Agreement+e.Add.PNR]])
		l.list[e.Add.Agreement+e.Add.PNR] = true
	case e.Remove != nil:
		answer = says("RemovePNRSubscription", map[bool]string{true: "REMOVED", false: "NON_EXISTING_PNR"}[l.list[e.Remove.Agreement+e.Remove.PNR]])
		delete(l.list, e.Remove.Agreement+e.Remove.PNR)
	}
	if strings.Contains(answer, ":Fault>") {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = io.WriteString(w, envelope(answer))
}

// start serves over mutual TLS, and returns a client as in production.
func start(tb testing.TB, handler http.Handler, opts ...certtest.Option) *soap.Client {
	tb.Helper()
	ca := certtest.New(tb, "test.example")
	server := httptest.NewUnstartedServer(handler)
	loopback := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }
	server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*ca.Issue(ca.Service("cpr"), loopback)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Roots(),
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	tb.Cleanup(server.Close)
	c, err := soap.New(soap.Deps{
		URL: server.URL + "/service/CprSubscription/CprSubscription/1/", Register: "CPR", Repeatable: true,
		TLS: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ca.Roots(), Certificates: []tls.Certificate{*ca.Issue(ca.Service("identity"), opts...)},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func list(tb testing.TB, d subscription.Deps) *subscription.List {
	tb.Helper()
	l, err := subscription.New(d)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// impersonal fails if an error shows anything of question or answer.
func impersonal(tb testing.TB, err error) {
	tb.Helper()
	for _, secret := range []string{asked, "text about", "failed for", "user-7", "SECRET"} {
		if strings.Contains(err.Error(), secret) {
			tb.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

// shared returns the path of something beside the project, or skips; with SAMVIRKE_TEST_STRICT=1 it fails instead.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	const root = "../../../../../.." // of the repository
	path := filepath.Join(append([]string{root, "..", "shared", "registers", "cpr", "serviceplatformen-older"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "the registers' schemas are not beside the project")
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
