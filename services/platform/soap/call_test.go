package soap_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/services/platform/soap"
)

const utf8XML = "text/xml; charset=utf-8"

func TestCall(t *testing.T) {
	t.Parallel()
	var connections sync.Map
	r := startRegister(t, func(w http.ResponseWriter, req *http.Request) {
		connections.Store(req.RemoteAddr, true)
		if len(req.TLS.PeerCertificates) == 0 || req.Method != http.MethodPost || req.URL.Path != "/ask" ||
			req.Header.Get("Content-Type") != utf8XML || req.Header.Get("SOAPAction") != `"`+action+`"` ||
			req.Header.Get("Traceparent") != "" || req.Header.Get("Idempotency-Key") != "" {
			t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
		}
		var q question
		if err := soap.Decode(req.Body, limit, &q); err != nil || q.Number != "<7>" {
			t.Errorf("%v %v", q, err)
		}
		tells(http.StatusOK, utf8XML, enclose(good))(w, req)
	})
	c := r.client(t)
	for range 5 {
		var a answer
		if err := c.Call(t.Context(), action, question{Number: "<7>"}, &a); err != nil || a.Name != "Åse" || len(a.Rows) != 2 {
			t.Fatalf("%+v %v", a, err)
		}
	}
	n := 0
	connections.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections for calls one after the other", n)
	}
}

func TestCharacterSetOfTheTransport(t *testing.T) {
	t.Parallel()
	for contentType, ok := range map[string]bool{
		"text/xml": true, "text/xml;charset=UTF-8": true, `text/xml; charset="utf-8"`: true, "TEXT/XML": true,
		"text/xml; charset=iso-8859-1": false, // for what is UTF-8: names would come out wrong, and do below
		"text/xml; charset=utf-7":      false, "text/html": false, "application/soap+xml": false, "application/json": false, "": false,
	} {
		r := startRegister(t, tells(http.StatusOK, contentType, enclose(good)))
		var a answer
		err := r.client(t).Call(t.Context(), action, question{}, &a)
		if got := err == nil && a.Name == "Åse"; got != ok || err != nil && !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%q: %q %v", contentType, a.Name, err)
		}
	}
	// The transport's word goes before the declaration's.
	r := startRegister(t, tells(http.StatusOK, "text/xml; charset=ISO-8859-1", strings.ReplaceAll(enclose(good), "Å", "\xc5")))
	var a answer
	if err := r.client(t).Call(t.Context(), action, question{}, &a); err != nil || a.Name != "Åse" {
		t.Errorf("%q %v", a.Name, err)
	}
}

const fault = `<s:Fault><faultcode>s:Server</faultcode><faultstring>no 19850314-9802</faultstring><faultactor>http://x.example/</faultactor>
	<detail><a:Other xmlns:a="http://a.example/"/><t:Why t:level="3" xml:lang="sv"><t:Code>K&amp;7</t:Code><t:Text>19850314</t:Text></t:Why></detail></s:Fault>`

type why struct {
	XMLName xml.Name `xml:"http://register.example/told Why"`
	Level   string   `xml:"http://register.example/told level,attr"`
	Code    string   `xml:"http://register.example/told Code"`
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		r := startRegister(t, tells(status, utf8XML, enclose(fault)))
		err := r.client(t).Call(t.Context(), action, question{}, &answer{})
		f, ok := errors.AsType[*soap.Fault](err)
		if !ok || f.Code != "Server" || f.String != "no 19850314-9802" || f.Actor != "http://x.example/" || f.ByCaller() {
			t.Fatalf("%d: %v", status, err)
		}
		if err.Error() != "soap: fault Server" {
			t.Errorf("%d: %v", status, err)
		}
		var w why
		if err := f.DecodeDetail(&w); err != nil || w.Code != "K&7" || w.Level != "3" {
			t.Errorf("%d: %+v %v", status, w, err)
		}
		if err := f.DecodeDetail(&answer{}); !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%d: %v", status, err)
		}
		// A fault that goes out again comes in as the same.
		raw, err := soap.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := errors.AsType[*soap.Fault](soap.Decode(bytes.NewReader(raw), limit, &answer{}))
		if !ok || again.Code != f.Code || again.String != f.String || again.Actor != f.Actor || again.DecodeDetail(&w) != nil {
			t.Errorf("%d: %s", status, raw)
		}
	}
}

func TestFaultCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"s:Client.Authentication": "Client.Authentication", " s:Server\n": "Server", "Server": "Server", "K4711": "K4711",
		"": "of another kind", "198503149802": "of another kind", "Anna Berg": "of another kind", "s:" + strings.Repeat("x", 65): "of another kind",
	} {
		err := soap.Decode(strings.NewReader(enclose("<s:Fault><faultcode>"+code+"</faultcode></s:Fault>")), limit, &answer{})
		f, ok := errors.AsType[*soap.Fault](err)
		if !ok || err.Error() != "soap: fault "+want || f.Detail != nil || f.ByCaller() != strings.Contains(code, "Client") {
			t.Errorf("%q: %v", code, err)
			continue
		}
		if err := f.DecodeDetail(&why{}); !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%q: %v", code, err)
		}
	}
	if err := soap.Decode(strings.NewReader(enclose("<s:Fault><faultcode></s:Fault>")), limit, &answer{}); !errors.Is(err, soap.ErrMalformed) {
		t.Errorf("%v", err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, temporary := range map[int]bool{
		202: false, 204: false, 301: false, 302: false, 307: false, 400: false, 404: false, 408: true, 415: false, 429: true,
		500: true, 502: true, 503: true, 504: true,
	} {
		var calls atomic.Int32
		r := startRegister(t, func(w http.ResponseWriter, req *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "/elsewhere")
			tells(status, "text/html", enclose(good))(w, req)
		})
		err := r.client(t).Call(t.Context(), action, question{}, &answer{})
		h, ok := errors.AsType[*soap.HTTPError](err)
		if !ok || h.Status != status || h.Temporary() != temporary || calls.Load() != 1 || errors.Is(err, soap.ErrRefused) {
			t.Errorf("%d: %v after %d calls", status, err, calls.Load())
		}
	}
	for _, status := range []int{401, 403} {
		r := startRegister(t, tells(status, "text/html", "go away"))
		if err := r.client(t).Call(t.Context(), action, question{}, &answer{}); !errors.Is(err, soap.ErrRefused) {
			t.Errorf("%d: %v", status, err)
		}
	}
	// An answer with status 500 is none.
	r := startRegister(t, tells(500, utf8XML, enclose(good)))
	var a answer
	if _, ok := errors.AsType[*soap.HTTPError](r.client(t).Call(t.Context(), action, question{}, &a)); !ok {
		t.Errorf("%+v", a)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5_000)
	for name, handler := range map[string]http.HandlerFunc{
		"announced": tells(http.StatusOK, utf8XML, enclose("<t:Told><t:Name>"+long+"</t:Name></t:Told>")),
		"streamed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", utf8XML)
			for range 100 {
				_, _ = io.WriteString(w, long)
			}
		},
	} {
		r := startRegister(t, handler)
		c := r.client(t, func(d *soap.Deps) { d.MaxAnswer = 4_096 })
		if err := c.Call(t.Context(), action, question{}, &answer{}); !errors.Is(err, soap.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hijacked answers with raw bytes and then does what it likes with the connection.
func hijacked(t *testing.T, raw string, then func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, raw)
		then(c)
	}
}

func shut(c net.Conn) { _ = c.Close() }

func reset(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		if tcp, ok := t.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
}

// halfOpen leaves the connection until the other side gives up.
func halfOpen(c net.Conn) {
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	header := "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n"
	for name, c := range map[string]struct {
		raw     string
		then    func(net.Conn)
		timeout bool
	}{
		"shut at once":        {"", shut, false},
		"reset at once":       {"", reset, false},
		"no HTTP":             {"SSH-2.0-x\r\n", shut, false},
		"shut in the header":  {header[:20], shut, false},
		"truncated":           {header + enclose(good), shut, false},
		"reset in the answer": {header + enclose(good), reset, false},
		"silent":              {"", halfOpen, true},
		"stuck in the header": {header[:20], halfOpen, true},
		"stuck in the answer": {header + enclose(good), halfOpen, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRegister(t, hijacked(t, c.raw, c.then))
			client := r.client(t, func(d *soap.Deps) {
				d.Timeout = time.Minute // never reached
				if c.timeout {
					d.Timeout = 300 * time.Millisecond
				}
			})
			err := client.Call(t.Context(), action, question{}, &answer{})
			if !errors.Is(err, soap.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) != c.timeout {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	r := startRegister(t, hijacked(t, "", halfOpen))
	c := r.client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, action, question{}, &answer{}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, soap.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := c.Call(ctx, action, question{}, &answer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	r := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)))
	c := r.client(t)
	r.Close()
	if err := c.Call(t.Context(), action, question{}, &answer{}); !errors.Is(err, soap.ErrUnreachable) || strings.Contains(err.Error(), "/ask") {
		t.Errorf("%v", err)
	}
}

// A register that closes idle connections is asked again on a new one, if its operations only read.
func TestIdleConnectionClosed(t *testing.T) {
	t.Parallel()
	r := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)))
	c := r.client(t, func(d *soap.Deps) { d.Repeatable = true })
	for range 20 {
		if err := c.Call(t.Context(), action, question{}, &answer{}); err != nil {
			t.Fatal(err)
		}
		r.CloseClientConnections()
	}
}

// covers: SEC-01
func TestCertificates(t *testing.T) {
	t.Parallel()
	stranger := certtest.New(t, "other.example")
	call := func(r *register, conf *tls.Config, q question) error {
		return r.client(t, func(d *soap.Deps) { d.TLS = conf }).Call(t.Context(), action, q, &answer{})
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)))
		for name, bend := range map[string]func(*tls.Config){
			"expired": func(c *tls.Config) { c.Certificates = r.clientTLS(certtest.Expired()).Certificates },
			"early":   func(c *tls.Config) { c.Certificates = r.clientTLS(certtest.NotYetValid()).Certificates },
			"usage": func(c *tls.Config) {
				c.Certificates = r.clientTLS(certtest.Usages(x509.ExtKeyUsageServerAuth)).Certificates
			},
			"stranger": func(c *tls.Config) { c.Certificates = []tls.Certificate{*stranger.Issue(stranger.Service("identity"))} },
			"none": func(c *tls.Config) {
				c.Certificates = nil
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
			},
			"their authority": func(c *tls.Config) { c.RootCAs = stranger.Roots() },
			"their name":      func(c *tls.Config) { c.ServerName = "other.example" },
		} {
			// Often, because in TLS 1.3 the refusal races with our request.
			for i := range 20 {
				conf := r.clientTLS()
				conf.MaxVersion = version
				large := question{Number: strings.Repeat("x", i*20_000)}
				bend(conf)
				if err := call(r, conf, large); !errors.Is(err, soap.ErrRefused) || errors.Is(err, soap.ErrUnreachable) {
					t.Fatalf("%s with %s, call %d: %v", name, tls.VersionName(version), i+1, err)
				}
			}
		}
	}
	expired := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)), certtest.Expired())
	if err := call(expired, expired.clientTLS(), question{}); !errors.Is(err, soap.ErrRefused) {
		t.Errorf("the register's certificate is over: %v", err)
	}
	old := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)))
	conf := old.clientTLS()
	conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := call(old, conf, question{}); err == nil {
		t.Error("spoke TLS 1.1")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	r := startRegister(t, tells(http.StatusOK, utf8XML, enclose(good)))
	for name, bend := range map[string]func(*soap.Deps){
		"nothing":          func(d *soap.Deps) { *d = soap.Deps{} },
		"http":             func(d *soap.Deps) { d.URL = "http://register.example/" },
		"http on loopback": func(d *soap.Deps) { d.URL = "http://127.0.0.1:1/" },
		"no host":          func(d *soap.Deps) { d.URL = "https:///x" },
		"query":            func(d *soap.Deps) { d.URL += "?a=1" },
		"password":         func(d *soap.Deps) { d.URL = "https://a:b@register.example/" },
		"fragment":         func(d *soap.Deps) { d.URL += "#a" },
		"no URL":           func(d *soap.Deps) { d.URL = "\x00" },
		"no TLS":           func(d *soap.Deps) { d.TLS = nil },
		"no certificate":   func(d *soap.Deps) { d.TLS = &tls.Config{RootCAs: r.ca.Roots(), MinVersion: tls.VersionTLS13} },
		"unverified":       func(d *soap.Deps) { d.TLS.InsecureSkipVerify = true },
		"size below zero":  func(d *soap.Deps) { d.MaxAnswer = -1 },
		"time below zero":  func(d *soap.Deps) { d.Timeout = -1 },
	} {
		d := soap.Deps{URL: r.URL, TLS: r.clientTLS()}
		bend(&d)
		if _, err := soap.New(d); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	c := r.client(t, func(d *soap.Deps) {
		d.Transport = &http.Transport{MaxConnsPerHost: 1, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	})
	if err := c.Call(t.Context(), action, question{}, &answer{}); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{`a"b`, "a\r\nX: y", "å"} {
		if err := c.Call(t.Context(), wrong, question{}, &answer{}); err == nil {
			t.Errorf("%q: sent", wrong)
		}
	}
	if err := c.Call(t.Context(), action, make(chan int), &answer{}); err == nil {
		t.Error("sent what can't be rendered")
	}
}

// covers: SEC-06
func TestSpansHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	handler := tells(http.StatusInternalServerError, utf8XML, enclose(strings.ReplaceAll(fault, "s:Server", "Anna 19850314")))
	r := startRegister(t, handler)
	c := r.client(t, func(d *soap.Deps) { d.TracerProvider = provider })
	if err := c.Call(t.Context(), action, question{Number: "198503149802"}, &answer{}); err == nil {
		t.Fatal("no fault")
	}
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != soap.SpanName {
		t.Fatalf("%v", ended)
	}
	var got []string
	for _, kv := range ended[0].Attributes() {
		got = append(got, string(kv.Key)+"="+kv.Value.String())
	}
	slices.Sort(got)
	want := []string{"error.type=fault of another kind", "http.response.status_code=" + strconv.Itoa(500), "samvirke.register=TEST"}
	if !slices.Equal(got, want) || ended[0].Status().Description != "" || len(ended[0].Events()) != 0 {
		t.Errorf("%v, want %v", got, want)
	}
}
