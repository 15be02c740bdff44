package soap_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/platform/soap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	action = "http://register.example/Ask"
	told   = "http://register.example/told"
)

type question struct {
	XMLName xml.Name `xml:"http://register.example/ask Ask"`
	Number  string   `xml:"http://register.example/ask Number"`
}

type answer struct {
	XMLName xml.Name `xml:"http://register.example/told Told"`
	Name    string   `xml:"http://register.example/told Name"`
	Rows    []string `xml:"http://register.example/told Row"`
}

// enclose returns an envelope around the inside of a body.
func enclose(inside string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="` + soap.Namespace + `" xmlns:t="` + told + `"><s:Body>` + inside + `</s:Body></s:Envelope>`
}

const good = `<t:Told><t:Name>Åse</t:Name><t:Unknown><t:Name>x</t:Name></t:Unknown><t:Row>1</t:Row><t:Row>2</t:Row></t:Told>`

// register is a register on loopback that wants to see certificates.
type register struct {
	*httptest.Server
	ca *certtest.CA
}

// onLoopback names the addresses that tests listen on.
func onLoopback(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }

func startRegister(tb testing.TB, handler http.HandlerFunc, server ...certtest.Option) *register {
	tb.Helper()
	ca := certtest.New(tb, "test.example")
	r := &register{Server: httptest.NewUnstartedServer(handler), ca: ca}
	leaf := ca.Issue(ca.Service("register"), append(server, onLoopback)...)
	r.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*leaf},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Roots(),
	}
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.StartTLS()
	tb.Cleanup(r.Close)
	return r
}

// clientTLS is the configuration of a caller whom the register knows.
func (r *register) clientTLS(opts ...certtest.Option) *tls.Config {
	leaf := r.ca.Issue(r.ca.Service("identity"), opts...)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.ca.Roots(), Certificates: []tls.Certificate{*leaf}}
}

func (r *register) client(tb testing.TB, bend ...func(*soap.Deps)) *soap.Client {
	tb.Helper()
	d := soap.Deps{URL: r.URL + "/ask", TLS: r.clientTLS(), Register: "TEST"}
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

// tells answers every call with the same.
func tells(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
