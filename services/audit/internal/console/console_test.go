package console_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/console"
)

func wantAll(t *testing.T, body string, parts ...string) {
	t.Helper()
	body = strings.ReplaceAll(body, "&#43;", "+") // html/template writes a plus so
	for _, p := range parts {
		if !strings.Contains(lines(body), p) {
			t.Errorf("page lacks %q:\n%s", p, lines(body))
		}
	}
}

func wantNone(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(body, p) {
			t.Errorf("page holds %q", p)
		}
	}
}

func TestSearchNarrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	w.add(call(1), call(2, refused), call(3, func(r *auditv1.Record) { r.Writer.Service, r.StatusCode, r.Decision = "income", 13, 0 }))
	w.add(call(4, func(r *auditv1.Record) { r.Actor.Organisation, r.ControllerId = "SE:8020000017", "SE:8020000017" }))
	for query, want := range map[string][]int{
		"":                         {4, 3, 2, 1},
		"organisation=DK:10000001": {3, 2, 1},
		"service=income":           {3},
		"rpc=samvirke.identity.v1.IdentityService/VerifyIdentity": {4, 3, 2, 1},
		"purpose=PURPOSE_ADDRESS_UPDATE":                          nil,
		"purpose=PURPOSE_IDENTIFICATION&decision=deny":            {2},
		"decision=allow":                    {4, 1},
		"decision=failed":                   {3},
		"decision=none":                     {3},
		"trace=" + strings.Repeat("02", 16): {2},
		"from=2026-11-01T01:30:03":          {4, 3},
		"until=2026-11-01T01:30:03":         {2, 1},
	} {
		_, body, _ := w.get("/?" + query)
		var got []int
		for n := 4; n > 0; n-- {
			if strings.Contains(body, "/exchange/"+eventID(n)+"/0") {
				got = append(got, n)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if w.seen(console.ReadSearch) < 12 {
		t.Error("readings were not noted in the audit")
	}
}

func TestPagesGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	for n := range 120 {
		w.add(call(n + 1))
	}
	seen, path := 0, "/?service=identity"
	for range 3 {
		_, body, _ := w.get(path)
		seen += strings.Count(body, `href="/exchange/`)
		_, rest, more := strings.Cut(body, `<a href="/?`)
		if !more {
			break
		}
		next, _, _ := strings.Cut(rest, `"`)
		path = "/?" + strings.ReplaceAll(next, "&amp;", "&")
	}
	if seen != 120 {
		t.Errorf("%d of 120 exchanges over the pages", seen)
	}
}

func TestWrongFormsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	for _, query := range []string{
		"organisation=" + url.QueryEscape(`"><script>`), "service=UPPER", "rpc=a+b", "trace=xyz", "purpose=NO", "decision=maybe", "from=tomorrow", "until=x", "after=1",
		"after=" + url.QueryEscape("999999999999999999.99999999999999999999"),
	} {
		status, body, _ := w.get("/?" + query)
		if status != http.StatusBadRequest || strings.Contains(body, "<script>") || strings.Contains(body, "UPPER") {
			t.Errorf("%s: %d %s", query, status, lines(body))
		}
	}
	for path, want := range map[string]int{
		"/exchange/x/0": 400, "/exchange/" + eventID(1) + "/x": 400, "/exchange/" + eventID(1) + "/0": 404, "/receipt/" + eventID(1) + "/0": 404,
		"/nowhere": 404, "/live?trace=x": 400,
	} {
		if status, _, _ := w.get(path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}

// One exchange: who, why, on which basis, which fields, the way across the services; not whom it is about.
// covers: SEC-04
func TestExchangePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	w.add(chain(10)...)
	w.add(call(20, refused))
	_, body, _ := w.get("/exchange/" + eventID(12) + "/0")
	wantAll(t, body, "Fund &lt;One&gt; &amp; Sons", "GDPR art. 6(1)(c)", "identification", "DK:ALF§41", "case-1", "fund-one, version 2", "verdict",
		"SendRequest", "ResolveSubject", "GetPostalAddress", `class="here" aria-current="true"`, "40 ms in all", "depth-2",
		`x="300" y="1" width="500"`, "MatchMonth begins +12 ms and lasts 20 ms")
	order := []string{">SendRequest<", ">ResolveSubject<", ">MatchMonth<", ">GetPostalAddress<"}
	_, rest, _ := strings.Cut(body, "waterfall")
	at := -1
	for _, o := range order {
		i := strings.Index(rest, strings.Trim(o, "<>")+"</a>")
		if i <= at {
			t.Errorf("%s is not in its place", o)
		}
		at = i
	}
	_, denied, _ := w.get("/exchange/" + eventID(20) + "/0")
	wantAll(t, denied, "PURPOSE_NOT_ALLOWED", "FIELDS_EXCEED", "State the true purpose", "None.")
	_, list, _ := w.get("/")
	_, refusals, _ := w.get("/refusals")
	_, receipt, _ := w.get("/receipt/" + eventID(12) + "/0")
	wantAll(t, refusals, "PURPOSE_NOT_ALLOWED")
	wantNone(t, body+denied+list+refusals+receipt, "SECRET")
	for _, what := range []string{console.ReadEvent, console.ReadReceipt, console.ReadRefused} {
		if w.seen(what) == 0 {
			t.Errorf("%s left no record", what)
		}
	}
}

// A record that names itself, or another that names it, as its caller must neither hang the page nor vanish from it.
func TestWaterfallOfForgedParents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	records := chain(10)
	records[0].ParentSpanId = records[3].GetSpanId()
	records[1].ParentSpanId = records[1].GetSpanId()
	records[2].ParentSpanId = []byte("nobodys!")
	w.add(records...)
	_, body, _ := w.get("/exchange/" + eventID(10) + "/0")
	wantAll(t, body, "SendRequest", "ResolveSubject", "MatchMonth", "GetPostalAddress")
}

func TestErasedRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	w.add(chain(10)...)
	if _, err := w.store.Erase(t.Context(), 202611, 100); err != nil {
		t.Fatal(err)
	}
	status, body, _ := w.get("/exchange/" + eventID(10) + "/0")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	wantAll(t, body, "The record was erased")
}

func TestServicesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	for n := range 30 {
		w.add(call(n+1, func(r *auditv1.Record) {
			if n%3 == 0 {
				refused(r)
			}
		}))
	}
	_, body, _ := w.get("/services?minutes=60")
	wantAll(t, body, `<td class="number">30</td>`, "33.33 %", "8 h left", "50 min left", "5 min left", "not known", "healthy", w.verifier[:20], "audit.test/ledger/202611")
	_, fresh, _ := w.get("/services?minutes=5")
	wantAll(t, fresh, "No calls.")
	_, odd, _ := w.get("/refusals")
	wantAll(t, odd, "Many refusals", "10 of 30 calls in an hour", "One caller is refused often", "10 refusals in an hour")
}

// Nothing is shown that could not be noted in the audit.
// covers: SEC-07
func TestReadingIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	w.add(call(1))
	w.noteErr = errors.New("the disk is full")
	for _, path := range []string{"/", "/exchange/" + eventID(1) + "/0", "/receipt/" + eventID(1) + "/0", "/refusals", "/live"} {
		status, body, _ := w.get(path)
		if status != http.StatusServiceUnavailable || strings.Contains(body, eventID(1)) || strings.Contains(body, "disk") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	for _, path := range []string{"/", "/nowhere", "/static/console.js", "/static/console.css", "/sign-in"} {
		_, body, h := w.get(path)
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
		if strings.HasSuffix(path, ".js") || strings.HasSuffix(path, ".css") {
			continue
		}
		for _, inline := range []string{"<script>", "<style", " style=", " onclick", " onload", "javascript:", "//cdn", "https://"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s holds %q", path, inline)
			}
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, body, _ := w.get("/"); !strings.Contains(body, `id="sign-in"`) {
		t.Error("a stranger was not sent to the sign-in")
	}
	post := func(token string) int {
		resp, err := w.client.PostForm(w.server.URL+"/sign-in", url.Values{"token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := post("wrong"); got != http.StatusForbidden {
		t.Errorf("wrong token: %d", got)
	}
	w.signIn()
	cookies := w.client.Jar.Cookies(must(url.Parse(w.server.URL)))
	if len(cookies) != 1 || len(cookies[0].Value) < 40 {
		t.Errorf("cookies %v", cookies)
	}
	if got := post(token); got != http.StatusForbidden {
		t.Errorf("the token worked twice: %d", got)
	}
	ask := func(edit func(*http.Request)) int {
		req := httptest.NewRequest(http.MethodGet, w.server.URL+"/services", nil)
		req.RemoteAddr = "127.0.0.1:999"
		req.AddCookie(cookies[0])
		edit(req)
		out := httptest.NewRecorder()
		w.console.ServeHTTP(out, req)
		return out.Code
	}
	if got := ask(func(*http.Request) {}); got != http.StatusOK {
		t.Errorf("with cookie: %d", got)
	}
	for name, edit := range map[string]func(*http.Request){
		"from another machine":         func(r *http.Request) { r.RemoteAddr = "10.0.0.9:999" },
		"under another name (rebound)": func(r *http.Request) { r.Host = "evil.example:80" },
		"with a guessed cookie":        func(r *http.Request) { r.Header.Set("Cookie", "samvirke-console=guess") },
	} {
		if got := ask(edit); got == http.StatusOK {
			t.Errorf("let in %s", name)
		}
	}
	resp, err := w.client.Post(w.server.URL+"/sign-out", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := ask(func(*http.Request) {}); got == http.StatusOK {
		t.Error("still in after signing out")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Unconfigured is closed.
func TestRefusesToComeUpUnguarded(t *testing.T) {
	t.Parallel()
	gate, err := console.NewGate(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	deps := console.Deps{Records: w.store, Exchange: nil, Logger: slog.New(slog.DiscardHandler), Clock: still{}, Gate: gate}
	if _, err := console.New(deps); err == nil {
		t.Error("came up without its parts")
	}
	if _, err := console.NewGate(nil, "short"); err == nil {
		t.Error("a short token was taken")
	}
}

func TestLiveView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn()
	w.add(call(1))
	resp, err := w.client.Get(w.server.URL + "/live?service=identity")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("type %q", resp.Header.Get("Content-Type"))
	}
	in := bufio.NewScanner(resp.Body)
	in.Scan() // the first beat: what is there is known
	w.add(call(2), call(3, func(r *auditv1.Record) { r.Writer.Service = "income" }))
	deadline := time.AfterFunc(20*time.Second, func() { _ = resp.Body.Close() })
	defer deadline.Stop()
	for in.Scan() {
		if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
			if !strings.Contains(data, eventID(2)) || strings.Contains(data, eventID(1)) || strings.Contains(data, eventID(3)) || strings.Contains(data, "SECRET") {
				t.Errorf("live: %s", data)
			}
			return
		}
	}
	t.Error("nothing came")
}
