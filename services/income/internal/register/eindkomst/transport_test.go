package eindkomst_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/register/eindkomst/wssec"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

// failure asks and wants exactly that kind of failure.
func failure(t *testing.T, client *soap.Client, want error) {
	t.Helper()
	_, err := register(t, deps(client)).Month(t.Context(), question(0))
	if err == nil {
		t.Fatal("no failure")
	}
	for _, kind := range []error{core.ErrRegisterUnavailable, core.ErrRegisterRefused, context.DeadlineExceeded} {
		if errors.Is(err, kind) != (kind == want) { //nolint:errorlint // which one it is
			t.Errorf("got %v, want %v", err, want)
		}
	}
	impersonal(t, err)
}

// covers: REG-02
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	s := start(t, answering(t, nil, func(q asked) string {
		return told(q.Transaction, "", person(q.CPR[0], pay("12345674", "a", "52.50", "1")))
	}))
	got, err := register(t, deps(s.client(t))).Month(t.Context(), question(0))
	if err != nil || len(got.Records) != 1 || got.Records[0].Hours != 5250 {
		t.Errorf("%+v %v", got, err)
	}
	foreign := certtest.New(t, "test.example")
	for name, bend := range map[string]func(*soap.Deps){
		"expired": func(d *soap.Deps) { d.TLS = s.clientTLS(certtest.Expired()) },
		"foreign": func(d *soap.Deps) {
			d.TLS.Certificates = []tls.Certificate{*foreign.Issue(foreign.Service("income"))}
		},
		"server foreign": func(d *soap.Deps) { d.TLS.RootCAs = foreign.Roots() },
	} {
		t.Run(name, func(t *testing.T) { failure(t, s.client(t, bend), core.ErrRegisterRefused) })
	}
}

func pair(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func security(t *testing.T, signer, other *tls.Certificate) *wssec.Security {
	t.Helper()
	s, err := wssec.New(wssec.Deps{
		Certificate: func() (*tls.Certificate, error) { return signer, nil }, Register: []*x509.Certificate{other.Leaf}, Clock: clock.NewFake(now()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Signed both ways. An answer that is signed by somebody else, or not at all, is refused, and nothing of it is read.
func TestSignedBody(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t), pair(t)
	answer := func(q asked) string {
		return told(q.Transaction, "", person(q.CPR[0], pay("12345674", "a", "52.50", "1")))
	}
	signed := func(s soap.Security) func(*soap.Deps) { return func(d *soap.Deps) { d.Security = s } }
	s := start(t, answering(t, security(t, theirs, ours), answer))
	got, err := register(t, deps(s.client(t, signed(security(t, ours, theirs))))).Month(t.Context(), question(0))
	if err != nil || len(got.Records) != 1 || got.Records[0].Hours != 5250 {
		t.Errorf("%+v %v", got, err)
	}
	failure(t, s.client(t, signed(security(t, ours, ours))), core.ErrRegisterRefused)

	unsigned := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, envelope(told("x", "")))
	}))
	failure(t, unsigned.client(t, signed(security(t, ours, theirs))), core.ErrRegisterRefused)
}

func TestFaultsAndBadServices(t *testing.T) {
	t.Parallel()
	reply := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	fault := func(code string) string {
		return envelope(`<S:Fault><faultcode>S:` + code + `</faultcode><faultstring>tekst om ` + number(0) + `</faultstring></S:Fault>`)
	}
	const xmlType = "text/xml; charset=utf-8"
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"server fault":     {reply(500, xmlType, fault("Server")), core.ErrRegisterUnavailable},
		"client fault":     {reply(500, xmlType, fault("Client")), core.ErrRegisterRefused},
		"403":              {reply(403, "text/html", number(0)), core.ErrRegisterRefused},
		"no such endpoint": {reply(404, "text/html", number(0)), core.ErrRegisterRefused},
		"maintenance":      {reply(503, "text/html", number(0)), core.ErrRegisterUnavailable},
		"a page":           {reply(200, "text/html", number(0)), core.ErrRegisterUnavailable},
		"empty":            {reply(200, xmlType, ""), core.ErrRegisterUnavailable},
		"huge":             {reply(200, xmlType, envelope(told("x", ""))+strings.Repeat(" ", 1<<20)), core.ErrRegisterRefused},
		"a bomb":           {reply(200, xmlType, `<!DOCTYPE a [<!ENTITY b "cc">]>`+envelope("&b;")), core.ErrRegisterUnavailable},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, core.ErrRegisterUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure(t, start(t, c.handler).client(t, func(d *soap.Deps) { d.Timeout, d.MaxAnswer = time.Second, 1<<18 }), c.want)
		})
	}
}

// A dead register is left alone: its guard opens, and nobody waits for it.
func TestGuard(t *testing.T) {
	t.Parallel()
	c := &canned{answer: func(asked) string { return "nothing" }}
	d := deps(c)
	d.Guard.MinCalls, d.Batch = 2, 1
	for i, r := range register(t, d).Months(t.Context(), questions(10)) {
		if !errors.Is(r.Err, core.ErrRegisterUnavailable) {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	if len(c.requests) != 2 {
		t.Errorf("asked %d times", len(c.requests))
	}
	// A refusal is an answer: an operator must mend something, and what is mended must be seen at once.
	c = &canned{answer: func(q asked) string { return told(q.Transaction, fejl("1")) }}
	d.Caller = c
	register(t, d).Months(t.Context(), questions(10))
	if len(c.requests) != 10 {
		t.Errorf("asked %d times", len(c.requests))
	}
	// Trouble that passes: half an answer, nothing, then everything twice.
	times := 0
	c = &canned{answer: func(q asked) string {
		times++
		whole := told(q.Transaction, "", person(q.CPR[0], pay("12345674", "a", "10", "1"), pay("12345674", "a", "10", "1")), person(q.CPR[0], pay("12345674", "a", "10", "1")))
		return []string{whole[:len(whole)/2], "", whole}[times-1]
	}}
	d.Caller, d.Guard.MinCalls, d.Guard.Window, d.Guard.Retries = c, 10, time.Minute, 2
	got, err := register(t, d).Month(t.Context(), question(0))
	if err != nil || len(got.Records) != 1 || got.Records[0].Hours != 1000 {
		t.Errorf("%+v %v", got, err)
	}
}
