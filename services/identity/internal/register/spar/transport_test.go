package spar_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/soap"
)

func failure(t *testing.T, client *soap.Client, want error) {
	t.Helper()
	p, err := register(t, deps(t, client)).Lookup(t.Context(), inquiry(t, asked))
	if p != nil {
		t.Error("a person all the same")
	}
	only(t, err, want)
}

// covers: REG-01, SEC-01
func TestCertificates(t *testing.T) {
	t.Parallel()
	good := &spard{answers: map[string][]byte{asked: answer(record(asked))}}
	foreign := certtest.New(t, "test.example")
	for name, c := range map[string]struct {
		server []certtest.Option
		bend   func(*service, *soap.Deps)
	}{
		"server expired": {[]certtest.Option{certtest.Expired()}, func(*service, *soap.Deps) {}},
		"server foreign": {nil, func(_ *service, d *soap.Deps) { d.TLS.RootCAs = foreign.Roots() }},
		"client expired": {nil, func(s *service, d *soap.Deps) { d.TLS = s.clientTLS(certtest.Expired()) }},
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

// covers: REG-01
func TestBadServices(t *testing.T) {
	t.Parallel()
	reply := func(status int, contentType string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	const xmlType = "text/xml; charset=utf-8"
	whole := envelope(answer(record(asked)))
	hang := func(before []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", xmlType)
			if len(before) > 0 {
				_, _ = w.Write(before)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*tls.Conn).NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"slow":           {hang(nil), core.ErrRegisterUnavailable},
		"stops half-way": {hang(whole[:len(whole)/2]), core.ErrRegisterUnavailable},
		"resets":         {reset, core.ErrRegisterUnavailable},
		"huge":           {reply(200, xmlType, append(bytes.Clone(whole), bytes.Repeat([]byte(" "), 1<<20)...)), core.ErrRegisterUnavailable},
		"a page":         {reply(200, "text/html", []byte("secret text")), core.ErrRegisterUnavailable},
		"403":            {reply(403, "text/html", []byte("secret text")), core.ErrRegisterRefused},
		"another path":   {reply(404, "text/html", []byte("secret text")), core.ErrRegisterRefused},
		"maintenance":    {reply(503, "text/html", []byte("secret text")), core.ErrRegisterUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure(t, start(t, c.handler).client(t, func(d *soap.Deps) { d.Timeout, d.MaxAnswer = time.Second, 1<<20 }), c.want)
		})
	}
}

// A port that takes connections and says nothing, and one that nobody listens on.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	s := start(t, &spard{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := s.client(t, func(d *soap.Deps) {
		d.URL, d.Timeout = fmt.Sprintf("https://%s/", listener.Addr()), 300*time.Millisecond
	})
	failure(t, client, core.ErrRegisterUnavailable)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	failure(t, client, core.ErrRegisterUnavailable)
}

// The caller's own deadline is told as such.
func TestOwnDeadline(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := register(t, deps(t, s.client(t))).Lookup(ctx, inquiry(t, asked))
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, core.ErrRegisterUnavailable) {
		t.Errorf("got %v", err)
	}
}
