package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
)

// browser is a real one. Everything that goes wrong in it is collected: outside requests, messages of its console, boxes that open.
type browser struct {
	context.Context
	t testing.TB

	mu      sync.Mutex
	trouble []string
}

// open starts the browser, or skips where there is none; SAMVIRKE_TEST_STRICT makes that a failure.
func open(t testing.TB, w *world) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			t.Fatal("no browser: install chromium")
		}
		t.Skip("no browser: install chromium to run this test")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stopAlloc := chromedp.NewExecAllocator(ctx, options...)
	tab, stopTab := chromedp.NewContext(alloc)
	t.Cleanup(func() { _ = chromedp.Cancel(tab); stopTab(); stopAlloc(); cancel() })
	b := &browser{Context: tab, t: t}
	chromedp.ListenTarget(tab, func(ev any) { b.watch(ev, w.server.URL) })
	b.do(network.Enable(), cdplog.Enable(), runtime.Enable())
	return b
}

func (b *browser) watch(ev any, own string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(ev.Request.URL, own) && !strings.HasPrefix(ev.Request.URL, "data:") { // data: the browser's own icons in form fields
			b.trouble = append(b.trouble, "outside request: "+ev.Request.URL)
		}
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level == cdplog.LevelError || ev.Entry.Level == cdplog.LevelWarning {
			b.trouble = append(b.trouble, "log: "+ev.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "exception: "+ev.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, fmt.Sprint("console: ", ev.Args))
	case *page.EventJavascriptDialogOpening:
		b.trouble = append(b.trouble, "dialog: "+ev.Message)
		go func() { _ = chromedp.Run(b, page.HandleJavaScriptDialog(true)) }()
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// clean fails if anything went wrong in the browser so far.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.trouble {
		b.t.Error(s)
	}
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	var out string
	b.do(chromedp.Text(selector, &out, chromedp.ByQuery))
	return out
}

func (b *browser) eval(script string) (out string) {
	b.t.Helper()
	b.do(chromedp.Evaluate("String("+script+")", &out))
	return out
}

// until waits for a condition in the page, also over the loading of another.
func (b *browser) until(condition string) {
	b.t.Helper()
	var last string
	ctx, cancel := context.WithTimeout(b, 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		var ok bool
		err := chromedp.Run(ctx, chromedp.Evaluate("Boolean("+condition+")", &ok), chromedp.Evaluate("location.href + document.body.innerText", &last))
		if err == nil && ok {
			return
		}
	}
	b.t.Fatalf("never became true: %s; last at %s", condition, last)
}

// shot keeps a picture where SAMVIRKE_TEST_SHOTS names a folder, for people to look at.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("SAMVIRKE_TEST_SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.do(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) colours(scheme string) {
	b.t.Helper()
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})) //nolint:misspell // the name in CSS
}

// signIn opens the address that a sandbox prints.
func (b *browser) signIn(w *world) {
	b.t.Helper()
	b.do(chromedp.Navigate(w.server.URL+"/sign-in#"+token), chromedp.WaitVisible("#exchanges", chromedp.ByQuery))
	if at := b.eval("location.href"); at != w.server.URL+"/" {
		b.t.Fatalf("sign-in ended at %s", at)
	}
}

func TestInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 30 {
		w.add(call(n+100, func(r *auditv1.Record) {
			if n%7 == 3 {
				refused(r)
			}
			if n%10 == 4 {
				r.Decision, r.StatusCode = 0, 14
			}
		}))
	}
	w.add(chain(10)...)
	b := open(t, w)
	b.signIn(w)
	for _, scheme := range []string{"light", "dark"} {
		b.colours(scheme)
		b.do(chromedp.Navigate(w.server.URL + "/"))
		b.shot("exchanges-" + scheme)
		b.do(chromedp.Navigate(w.server.URL + "/services?minutes=60"))
		b.shot("services-" + scheme)
		b.do(chromedp.Navigate(w.server.URL + "/refusals"))
		b.shot("refusals-" + scheme)
		b.do(chromedp.Navigate(w.server.URL+"/exchange/"+eventID(12)+"/0"), chromedp.WaitVisible("#check", chromedp.ByQuery),
			chromedp.Click("#check", chromedp.ByQuery), chromedp.WaitVisible("#checks[data-done]", chromedp.ByQuery))
		checks := b.text("#checks")
		if strings.Count(checks, "✓") != 3 || strings.Contains(checks, "✕") {
			t.Errorf("receipt: %s", checks)
		}
		b.shot("exchange-" + scheme)
		if light := b.eval("getComputedStyle(document.body).backgroundColor"); (light == "rgb(255, 255, 255)") != (scheme == "light") {
			t.Errorf("%s page has ground %s", scheme, light)
		}
	}
	b.clean()
}

// What a forger could change is found by the page itself.
func TestReceiptIsCheckedInThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 9 {
		w.add(call(n + 1))
	}
	b := open(t, w)
	b.signIn(w)
	verify := func(tamper func(*auditv1.Receipt)) string {
		w.mu.Lock()
		w.tamper = tamper
		w.mu.Unlock()
		b.do(chromedp.Navigate(w.server.URL+"/exchange/"+eventID(5)+"/0"), chromedp.WaitVisible("#check", chromedp.ByQuery),
			chromedp.Click("#check", chromedp.ByQuery), chromedp.WaitVisible("#checks[data-done]", chromedp.ByQuery))
		return b.text("#checks")
	}
	if got := verify(nil); strings.Count(got, "✓") != 3 || strings.Contains(got, "✕") {
		t.Errorf("sound: %s", got)
	}
	for name, forge := range map[string]func(*auditv1.Receipt){
		"record changed":    func(r *auditv1.Receipt) { r.Exchange.Content[7] ^= 1 },
		"salt changed":      func(r *auditv1.Receipt) { r.Exchange.Salt[0] ^= 1 },
		"withheld changed":  func(r *auditv1.Receipt) { r.Subject.Digest[0] ^= 1 },
		"exchange withheld": func(r *auditv1.Receipt) { r.Exchange = &auditv1.Part{Digest: make([]byte, 32)} },
		"part missing":      func(r *auditv1.Receipt) { r.Staff = nil },
		"place changed":     func(r *auditv1.Receipt) { r.Index++ },
		"place outside":     func(r *auditv1.Receipt) { r.Index = 1000 },
		"proof shortened":   func(r *auditv1.Receipt) { r.Proof = r.Proof[1:] },
		"proof lengthened":  func(r *auditv1.Receipt) { r.Proof = append(r.Proof, make([]byte, 32), make([]byte, 32)) },
		"checkpoint forged": func(r *auditv1.Receipt) {
			r.Checkpoint = strings.Replace(r.Checkpoint, "— audit.test/ledger/202611 ", "— audit.test/ledger/202611 A", 1)
		},
		"checkpoint unsigned": func(r *auditv1.Receipt) {
			r.Checkpoint, _, _ = strings.Cut(r.Checkpoint, "— ")
			r.Checkpoint += "— x y\n"
		},
		"checkpoint empty": func(r *auditv1.Receipt) { r.Checkpoint = "" },
		"another log":      func(r *auditv1.Receipt) { r.Origin = "other/202611" },
		"another event":    func(r *auditv1.Receipt) { r.EventId = eventID(6) },
	} {
		if got := verify(forge); !strings.Contains(got, "✕") {
			t.Errorf("%s: %s", name, got)
		}
	}
	b.clean()
}

// hostile is put into every text of a record: whatever of it were run or parsed would show.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'` + "`" + `${alert(3)}{{7*7}}</td></title><svg/onload=alert(4)>&lt;b&gt;` + "\u202e\u0000\n" + `javascript:alert(5)`

func poison(r *auditv1.Record) {
	r.Writer = &auditv1.Writer{Service: hostile, Version: hostile, Instance: hostile}
	r.Actor.Workload, r.Actor.Organisation, r.Actor.Via, r.ControllerId, r.Rpc = hostile, hostile, hostile, hostile, hostile+"/"+hostile
	r.Fields = []string{hostile, "a"}
	r.LegalReference, r.CaseReference, r.RetentionClass = hostile, hostile, hostile
	r.Agreement.Id, r.Recipient.Id, r.Recipient.TransferBasis = hostile, hostile, hostile
}

// covers: SEC-06
func TestHostileStringsAreShownAndNotRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 15 {
		w.add(call(n+1, poison, refused))
	}
	b := open(t, w)
	b.signIn(w)
	inert := func(where string) {
		t.Helper()
		// Elements that no template makes exist only if something of a record was parsed.
		if n := b.eval(`document.querySelectorAll("main img, main script, main b, [onerror], [onload], a[href^='javascript']").length`); n != "0" {
			t.Errorf("%s: %s elements came out of a record", where, n)
		}
		if !strings.Contains(b.eval(`document.querySelector("main").textContent`), `<script>alert(1)</script>`) {
			t.Errorf("%s: the text is not shown as it is", where)
		}
		if b.eval(`/[\u202e\u0000]/.test(document.body.textContent)`) != "false" {
			t.Errorf("%s: a text turns round what stands beside it", where)
		}
	}
	for _, path := range []string{"/", "/refusals", "/services?minutes=60", "/exchange/" + eventID(1) + "/0"} {
		b.do(chromedp.Navigate(w.server.URL+path), chromedp.WaitReady("main", chromedp.ByQuery))
		inert(path)
	}
	b.shot("hostile")
	b.do(chromedp.Navigate(w.server.URL+"/"), chromedp.WaitVisible("#live", chromedp.ByQuery), chromedp.Click("#live", chromedp.ByQuery))
	b.do(chromedp.Poll(`fetch("/services").then(() => true)`, nil)) // the stream was asked for before this
	ctx, cancel := context.WithTimeout(b, 30*time.Second)
	defer cancel()
	for n := 50; ctx.Err() == nil; n++ { // until one is seen: the stream begins with what is there when it opens
		w.add(call(n, poison, refused))
		var rows string
		b.do(chromedp.Evaluate(`String(document.querySelectorAll("tr.fresh").length)`, &rows))
		if rows != "0" {
			break
		}
	}
	inert("live")
	if b.eval(`document.querySelectorAll("tr.fresh").length`) == "0" {
		t.Error("the live view showed nothing")
	}
	b.shot("live")
	b.do(chromedp.Click("#live", chromedp.ByQuery))
	b.clean()
}

// Everything can be reached and done without a mouse, and what has the focus can be seen.
func TestByKeyboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(call(1), call(2, refused))
	b := open(t, w)
	b.signIn(w)
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := b.eval("document.activeElement.textContent"); got != "Skip to content" {
		t.Errorf("first stop is %q", got)
	}
	if got := b.eval(`getComputedStyle(document.activeElement).outlineStyle`); got == "none" {
		t.Error("the focus can't be seen")
	}
	b.do(chromedp.KeyEvent("/"))
	if got := b.eval("document.activeElement.id"); got != "organisation" {
		t.Errorf("/ went to %q", got)
	}
	b.do(chromedp.KeyEvent(kb.Backspace + "DK:10000001" + kb.Enter)) // the tool types the / where a keyboard would not
	b.until(`location.search.includes("organisation=DK") && document.readyState === "complete"`)
	stops := map[string]bool{}
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		stops[b.eval(`document.activeElement.id || document.activeElement.getAttribute("href") || document.activeElement.textContent`)] = true
		if b.eval(`document.activeElement.getAttribute("href")`) == "/exchange/"+eventID(2)+"/0" {
			break
		}
	}
	for _, want := range []string{"organisation", "service", "rpc", "purpose", "decision", "trace", "from", "until", "live", "/exchange/" + eventID(2) + "/0"} {
		if !stops[want] {
			t.Errorf("no way to %s by Tab: %v", want, stops)
		}
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("check") && !document.getElementById("check").hidden`)
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if b.eval("document.activeElement.id") == "check" {
			break
		}
	}
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#checks[data-done]", chromedp.ByQuery))
	if got := b.text("#checks"); strings.Count(got, "✓") != 3 {
		t.Errorf("receipt by keyboard: %s", got)
	}
	if n := b.eval(`[...document.querySelectorAll("input,select")].filter((e) => !e.labels.length).length`); n != "0" {
		t.Errorf("%s fields without a label", n)
	}
	b.clean()
}
