package sf1520_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/soap"
)

// failure looks the asked number up and wants exactly that kind of failure.
func failure(t *testing.T, client *soap.Client, want error) {
	t.Helper()
	p, err := register(t, deps(t, client)).Lookup(t.Context(), inquiry(t))
	if p != nil || err == nil {
		t.Fatal("no failure")
	}
	for _, kind := range []error{core.ErrRegisterUnavailable, core.ErrRegisterRefused, core.ErrNotFound, context.DeadlineExceeded} {
		if errors.Is(err, kind) != (kind == want) { //nolint:errorlint // which one it is
			t.Errorf("got %v, want %v", err, want)
		}
	}
	impersonal(t, err)
}

// covers: REG-02
func TestCertificates(t *testing.T) {
	t.Parallel()
	good := &cprd{answers: map[string][]byte{asked: testdata(t, "01")}}
	foreign := certtest.New(t, "test.example")
	for name, c := range map[string]struct {
		server []certtest.Option
		bend   func(*service, *soap.Deps)
	}{
		"server expired":       {[]certtest.Option{certtest.Expired()}, func(*service, *soap.Deps) {}},
		"server not yet valid": {[]certtest.Option{certtest.NotYetValid()}, func(*service, *soap.Deps) {}},
		"server foreign":       {nil, func(_ *service, d *soap.Deps) { d.TLS.RootCAs = foreign.Roots() }},
		"client expired":       {nil, func(s *service, d *soap.Deps) { d.TLS = s.clientTLS(certtest.Expired()) }},
		"client foreign": {nil, func(_ *service, d *soap.Deps) {
			d.TLS.Certificates = []tls.Certificate{*foreign.Issue(foreign.Service("identity"))}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, good, c.server...)
			failure(t, s.client(t, func(d *soap.Deps) { c.bend(s, d) }), core.ErrRegisterRefused)
		})
	}
	t.Cleanup(func() {
		if len(good.asked) != 0 {
			t.Error("a number was sent over a connection that is not mutually trusted")
		}
	})
}

func TestBadServices(t *testing.T) {
	t.Parallel()
	reply := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const xmlType = "text/xml; charset=utf-8"
	whole := string(envelope(testdata(t, "01")))
	hang := func(before string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if before != "" {
				w.Header().Set("Content-Type", xmlType)
				_, _ = io.WriteString(w, before)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}
	}
	reset := func(before string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, before)
			if tcp, ok := conn.(*tls.Conn).NetConn().(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
				_ = tcp.Close()
			}
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"slow":              {hang(""), core.ErrRegisterUnavailable},
		"stops half-way":    {hang(whole[:len(whole)/2]), core.ErrRegisterUnavailable},
		"resets":            {reset(""), core.ErrRegisterUnavailable},
		"resets half-way":   {reset("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 100000\r\n\r\n" + whole[:200]), core.ErrRegisterUnavailable},
		"huge":              {reply(200, xmlType, whole+string(bytes.Repeat([]byte(" "), 1<<20))), core.ErrRegisterUnavailable},
		"short":             {reply(200, xmlType, whole[:len(whole)-30]), core.ErrRegisterUnavailable},
		"empty":             {reply(200, xmlType, ""), core.ErrRegisterUnavailable},
		"a page":            {reply(200, "text/html", "<html>"+asked+"</html>"), core.ErrRegisterUnavailable},
		"403":               {reply(403, "text/html", asked), core.ErrRegisterRefused},
		"401":               {reply(401, "text/html", asked), core.ErrRegisterRefused},
		"no such endpoint":  {reply(404, "text/html", asked), core.ErrRegisterRefused},
		"elsewhere":         {reply(302, "text/html", asked), core.ErrRegisterRefused},
		"too many":          {reply(429, "text/html", asked), core.ErrRegisterUnavailable},
		"maintenance":       {reply(503, "text/html", asked), core.ErrRegisterUnavailable},
		"500 without fault": {reply(500, xmlType, whole), core.ErrRegisterUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t, c.handler).client(t, func(d *soap.Deps) { d.Timeout, d.MaxAnswer = time.Second, 1<<20 })
			failure(t, client, c.want)
		})
	}
}

// A port that takes connections and says nothing, and one that nobody listens on.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	s := start(t, &cprd{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := func(d *soap.Deps) {
		d.URL, d.Timeout = fmt.Sprintf("https://%s/", listener.Addr()), 300*time.Millisecond
	}
	client := s.client(t, to) // nothing accepts: the kernel completes the connection and that is all
	failure(t, client, core.ErrRegisterUnavailable)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	failure(t, client, core.ErrRegisterUnavailable)
}

// The caller's own deadline is told as such, at once.
func TestOwnDeadline(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := register(t, deps(t, s.client(t))).Lookup(ctx, inquiry(t))
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, core.ErrRegisterUnavailable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// covers: REG-02
func TestConcurrentLookups(t *testing.T) {
	t.Parallel()
	answers := map[string][]byte{asked: testdata(t, "60"), next: testdata(t, "successor")}
	r := register(t, deps(t, start(t, &cprd{answers: answers}).client(t)))
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			in := inquiry(t)
			if i%2 == 0 {
				in.Number = number(t, next)
			}
			p, err := r.Lookup(t.Context(), in)
			if err != nil || p.Number != number(t, next) || len(p.Earlier) != i%2 {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}
