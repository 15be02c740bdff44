package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samvirke.dev/gateway"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

// held makes the service wait in each call until release is called; waiting tells of each call that does.
func (w *world) held() (waiting chan string, release func()) {
	waiting = make(chan string, 1000)
	gate := make(chan struct{})
	w.service.verify = func(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		waiting <- r.GetContext().GetControllerId()
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		audit.Subject(ctx, "DK:7403851013", false)
		return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, nil
	}
	return waiting, sync.OnceFunc(func() { close(gate) })
}

// An organisation that floods the gateway waits for itself: its calls above the limit are told to come again at once, and another
// organisation is served meanwhile.
func TestFlood(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *gateway.Config, _ *suitetest.Options) { c.Limits.InFlight = 4 })
	waiting, release := w.held()
	defer release()
	flood := w.client(fund)
	var running sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		running.Go(func() {
			if w.post(flood, verifyPath, verifyJSON).StatusCode == http.StatusOK {
				served.Add(1)
			}
		})
	}
	for range 4 {
		<-waiting
	}
	got := w.post(flood, verifyPath, verifyJSON)
	if p := got.problem(t); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "1" || p.Reason != "QUOTA_EXCEEDED" {
		t.Errorf("the fifth: %d %+v", got.StatusCode, p)
	}
	running.Go(func() {
		if w.post(w.client(otherFund), verifyPath, strings.ReplaceAll(verifyJSON, fund, otherFund)).StatusCode == http.StatusOK {
			served.Add(1)
		}
	})
	if who := <-waiting; who != otherFund {
		t.Errorf("%s was served", who)
	}
	release()
	running.Wait()
	if served.Load() != 5 {
		t.Errorf("%d served", served.Load())
	}
	if got := w.post(flood, verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
		t.Errorf("after the flood: %d", got.StatusCode)
	}
}

// A call under way when the gateway is told to stop gets its answer.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := start(t)
	waiting, release := w.held()
	defer release()
	answered := make(chan int, 1)
	go func() { answered <- w.post(w.client(fund), verifyPath, verifyJSON).StatusCode }()
	<-waiting
	w.stop()
	probe := w.clientWith(nil)
	for { // new connections are refused from now on
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.public+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := probe.Do(req)
		if err != nil {
			break
		}
		_ = resp.Body.Close()
		probe.CloseIdleConnections()
	}
	release()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the call under way got %d", status)
	}
}

// A service that goes away in the middle of a call, or is not there, is told as such, and readiness says it before anybody calls.
func TestServiceGone(t *testing.T) {
	t.Parallel()
	w := start(t)
	open := w.clientWith(nil)
	if got := w.get(open, w.public+"/readyz"); got.StatusCode != http.StatusOK {
		t.Fatalf("not ready: %d", got.StatusCode)
	}
	waiting, release := w.held()
	answered := make(chan reply, 1)
	go func() { answered <- w.post(w.client(fund), verifyPath, verifyJSON) }()
	<-waiting
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // at once: calls are cut
	if err := w.RPC.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	release()
	if p := (<-answered).problem(t); p.Status != http.StatusServiceUnavailable && p.Status != 499 {
		t.Errorf("cut in the middle: %+v", p)
	}
	if p := w.post(w.client(fund), verifyPath, verifyJSON).problem(t); p.Status != http.StatusServiceUnavailable || p.Reason != "NOT_SERVING" {
		t.Errorf("not there: %+v", p)
	}
	if got := w.get(open, w.public+"/readyz"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", got.StatusCode)
	}
	if got := w.get(open, w.public+"/livez"); got.StatusCode != http.StatusNoContent {
		t.Errorf("not alive: %d", got.StatusCode)
	}
}

// A service that is away takes its own routes along and no others, unless it is one of those without which nothing can be done.
func TestReadiness(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		required []string
		want     int
	}{"one is away": {nil, http.StatusOK}, "a required one is away": {[]string{"identity", "insurance"}, http.StatusServiceUnavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if err := closed.Close(); err != nil {
				t.Fatal(err)
			}
			w := start(t, func(c *gateway.Config, _ *suitetest.Options) {
				c.Services, c.Required = map[string]string{"insurance": closed.Addr().String()}, tc.required
			})
			open := w.clientWith(nil)
			got := w.get(open, w.public+"/readyz")
			if got.StatusCode != tc.want || !strings.Contains(string(got.body), `"services":{"identity":true,"insurance":false}`) {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
			for service, want := range map[string]int{"identity": http.StatusOK, "insurance": http.StatusServiceUnavailable, "nobody": http.StatusNotFound} {
				if got := w.get(open, w.public+"/readyz/"+service); got.StatusCode != want {
					t.Errorf("%s: %d", service, got.StatusCode)
				}
			}
			c := w.client(fund)
			if got := w.post(c, verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
				t.Errorf("a route of the other: %d", got.StatusCode)
			}
			if p := w.post(c, "/v1/shares:fetch", "{}").problem(t); p.Status != http.StatusServiceUnavailable || p.Reason != "NOT_SERVING" {
				t.Errorf("a route of the one that is away: %+v", p)
			}
		})
	}
}

// raw opens a connection of HTTP/1.1 over which anything can be sent.
func (w *world) raw() net.Conn {
	w.t.Helper()
	cert := w.CA.Issue(w.system(fund))
	conf := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: w.CA.Roots(), ServerName: "localhost", Certificates: []tls.Certificate{*cert}, NextProtos: []string{"http/1.1"}}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.url, "https://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Requests that two parsers would read in two ways are refused, and nothing of what follows on the connection is taken for a request.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	w := start(t)
	head := "POST " + verifyPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	hidden := "POST " + resolvePath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(resolveJSON)) + "\r\n\r\n" + resolveJSON
	for name, request := range map[string]string{
		"length and chunked":     head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":            head + "Content-Length: 2\r\nContent-Length: " + strconv.Itoa(len(hidden)+2) + "\r\n\r\n{}" + hidden,
		"negative length":        head + "Content-Length: -1\r\n\r\n{}" + hidden,
		"unknown coding":         head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
		"space before the colon": head + "Content-Length : 2\r\n\r\n{}",
		"bare line feed in name": head + "X-A\nB: 1\r\nContent-Length: 2\r\n\r\n{}",
		"absolute path":          "POST https://elsewhere.example" + verifyPath + "?a=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
		"upgrade":                head + "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
		"no host":                "POST " + verifyPath + " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
		"huge headers":           head + "X-Long: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := w.raw()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, request); err != nil {
				return // closed already: refused
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return
			}
			defer resp.Body.Close() //nolint:errcheck // the test ends
			if resp.StatusCode < 400 || resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented {
				t.Errorf("answered %d", resp.StatusCode)
			}
		})
	}
	t.Cleanup(func() {
		if w.service.resolved != 0 {
			t.Error("a hidden request reached the service")
		}
	})
}

// Whoever sends slowly, or nothing, holds a connection for as long as the limits say and no call; others are served meanwhile.
func TestSlowAndIdle(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *gateway.Config, _ *suitetest.Options) {
		c.Limits.HeaderTime, c.Limits.RequestTime = 500*time.Millisecond, time.Second
	})
	var running sync.WaitGroup
	for i := range 100 {
		conn := w.raw()
		running.Go(func() {
			if i%2 == 0 { // headers, and half a body
				_, _ = io.WriteString(conn, "POST "+verifyPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"fullName\":\"")
			}
			_, _ = io.Copy(io.Discard, conn) // until the gateway has had enough
		})
	}
	if got := w.post(w.client(fund), verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
		t.Errorf("beside them: %d", got.StatusCode)
	}
	running.Wait()
	if got := w.post(w.client(fund), verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
		t.Errorf("after them: %d", got.StatusCode)
	}
	if n := len(w.AllRecords()); n != 2 {
		t.Errorf("%d calls reached the service, want 2", n)
	}
}

// In a planned window the routes concerned answer 503 with the time to wait; the others go on.
//
// covers: MIN-01
func TestMaintenanceWindow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	windows, err := maintenance.Parse([]string{
		now.Add(-time.Hour).Format(time.RFC3339) + "/" + now.Add(time.Hour).Format(time.RFC3339) + " samvirke.identity.v1.IdentityService/ResolveSubject",
	})
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(_ *gateway.Config, o *suitetest.Options) {
		before := o.Limits
		o.Limits = func(c *rpc.Config) { before(c); c.Maintenance = windows }
	})
	c := w.client(fund)
	got := w.post(c, resolvePath, resolveJSON)
	wait, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if p := got.problem(t); got.StatusCode != http.StatusServiceUnavailable || p.Reason != "MAINTENANCE" || err != nil || wait < 1 || wait > 3600 || p.RetryAfter != int64(wait) {
		t.Errorf("%d %+v %q", got.StatusCode, p, got.Header.Get("Retry-After"))
	}
	if got := w.post(c, verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
		t.Errorf("another route: %d", got.StatusCode)
	}
}
