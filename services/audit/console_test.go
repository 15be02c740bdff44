package audit_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/suitetest"
)

const signInToken = "a-sign-in-token-of-the-tests-0123"

// freeAddress is a loopback address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

// startConsole runs the console of a real audit service on both of its listeners.
func startConsole(t *testing.T) (w *world, secure, local string) {
	t.Helper()
	secure, local = freeAddress(t), freeAddress(t)
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(signInToken+"\n"), 0o600))
	w = start(t, func(_ *suitetest.Options, c *audit.Config) {
		c.Console = audit.Console{
			Listen: secure, Viewers: []string{"spiffe://samvirke.example/org/DK/40000036/operations"}, Local: audit.Local{Listen: local, TokenFile: file},
		}
	})
	recorder, _, err := chassis.NewRecorder(context.Background(), w.DB, w.Keys, clock.System(), &auditv1.Writer{Service: "audit", Version: "test", Instance: "test"})
	must(t, err)
	components, err := w.parts.ConsoleComponents(t.Context(), w.Source, suitetest.TrustDomain, audit.Looks{
		Recorder: recorder, Names: func(id string) string { return map[string]string{fund: "The Fund"}[id] },
	})
	must(t, err)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Error("the token's file is still there")
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, c := range components {
		running.Go(func() { check(t, c.Run(ctx)) })
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		check(t, recorder.Close(context.Background()))
	})
	return w, secure, local
}

func body(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	resp, err := client.Get(address)
	must(t, err)
	raw, err := io.ReadAll(resp.Body)
	must(t, errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, string(raw)
}

func viewer(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	config.NextProtos = []string{"h2", "http/1.1"}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// The console over mutual TLS, on the real ledger: named viewers only, receipts that verify, nothing of the person, each look in the audit.
//
// covers: SEC-01 SEC-04 SEC-07
func TestConsoleOverMutualTLS(t *testing.T) {
	t.Parallel()
	w, secure, _ := startConsole(t)
	rec := recordOf()
	w.kept(rec)
	operations := viewer(t, w.ClientTLS(w.CA.Organisation("DK", "40000036", "operations")))
	status, list := body(t, operations, "https://"+secure+"/")
	if status != http.StatusOK || !strings.Contains(list, rec.GetEventId()) || !strings.Contains(list, "The Fund") {
		t.Errorf("%d %s", status, list)
	}
	_, exchange := body(t, operations, "https://"+secure+"/exchange/"+rec.GetEventId()+"/0")
	if !strings.Contains(exchange, "address.city") || !strings.Contains(exchange, "case-1") {
		t.Error(exchange)
	}
	status, proof := body(t, operations, "https://"+secure+"/receipt/"+rec.GetEventId()+"/0")
	wire := &auditv1.Receipt{}
	if status != http.StatusOK {
		t.Fatal(status, proof)
	}
	must(t, protojson.Unmarshal([]byte(proof), wire))
	got := receipt.Of(wire)
	if _, err := got.Verify(w.parts.Ledger.Keys()); err != nil || got.Parts[proofs.Exchange].Withheld() {
		t.Errorf("receipt: %v", err)
	}
	for i := range got.Parts {
		if i != proofs.Exchange && !got.Parts[i].Withheld() {
			t.Errorf("part %d is shown", i)
		}
	}
	_, services := body(t, operations, "https://"+secure+"/services?minutes=5")
	if !strings.Contains(services, "GetPostalAddress") || !strings.Contains(services, "certificate ") || strings.Contains(services, "needs attention") {
		t.Error(services)
	}
	if all := list + exchange + services + proof; strings.Contains(all, "emp-7") || strings.Contains(all, rec.GetSubjectRef()) {
		t.Error("person or employee are shown")
	}
	for name, config := range map[string]*tls.Config{
		"another system": w.ClientTLS(w.CA.Organisation("DK", "40000036", "caseworker")), "a service": w.ClientTLS(w.CA.Service("identity")), "a stranger": w.Stranger(nil),
	} {
		if resp, err := viewer(t, config).Get("https://" + secure + "/"); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was let in: %d", name, resp.StatusCode)
		}
	}
	looked := 0
	for _, r := range w.AllRecords() {
		if strings.HasPrefix(r.GetRpc(), "samvirke.audit.Console/") {
			looked++
			if r.GetPurpose() != vocabularyv1.Purpose_PURPOSE_AUDIT || !strings.HasSuffix(r.GetActor().GetWorkload(), "/operations") {
				t.Errorf("look %v", r)
			}
			if strings.HasSuffix(r.GetRpc(), "/Exchange") && r.GetCaseReference() != rec.GetEventId() {
				t.Errorf("look %v", r)
			}
		}
	}
	if looked != 3 {
		t.Errorf("%d looks in the audit, want 3", looked)
	}
}

func TestConsoleOfASandbox(t *testing.T) {
	t.Parallel()
	w, _, local := startConsole(t)
	w.kept(recordOf())
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	if _, page := body(t, client, "http://"+local+"/"); !strings.Contains(page, `id="sign-in"`) {
		t.Error(page)
	}
	resp, err := client.PostForm("http://"+local+"/sign-in", url.Values{"token": {signInToken}})
	must(t, err)
	must(t, resp.Body.Close())
	if status, page := body(t, client, "http://"+local+"/"); status != http.StatusOK || !strings.Contains(page, `id="exchanges"`) {
		t.Errorf("%d %s", status, page)
	}
	// A live view must not hold up the end of the service.
	live, err := client.Get("http://" + local + "/live")
	must(t, err)
	t.Cleanup(func() { _ = live.Body.Close() })
}

// Nothing opens when it is not, or wrongly, configured.
func TestConsoleConfiguration(t *testing.T) {
	t.Parallel()
	wrong := map[string]func(*audit.Config){
		"no viewers":         func(c *audit.Config) { c.Console.Listen = "0.0.0.0:8443" },
		"viewers are no ids": func(c *audit.Config) { c.Console.Viewers = []string{"bob"} },
		"not on loopback":    func(c *audit.Config) { c.Console.Local = audit.Local{Listen: "0.0.0.0:80", TokenFile: "x"} },
		"no token":           func(c *audit.Config) { c.Console.Local = audit.Local{Listen: "127.0.0.1:80"} },
		"sign-in in production": func(c *audit.Config) {
			c.Environment, c.Console.Local = "production", audit.Local{Listen: "127.0.0.1:80", TokenFile: "x"}
		},
		"a service twice":     func(c *audit.Config) { c.Usage.Services = []string{"a=b:1", "a=b:2"} },
		"no address":          func(c *audit.Config) { c.Usage.Services = []string{"identity"} },
		"a hold without time": func(c *audit.Config) { c.Usage.Withhold = []string{"ROLE_LAW_ENFORCEMENT"} },
		"a hold of nobody":    func(c *audit.Config) { c.Usage.Withhold = []string{"SOMEBODY=1h"} },
		"a hold of nothing":   func(c *audit.Config) { c.Usage.Withhold = []string{"ROLE_UNSPECIFIED=1h"} },
	}
	count := func(edit func(*audit.Config)) int {
		c := audit.DefaultConfig()
		edit(&c)
		return len(strings.Split(c.Validate().Error(), "\n"))
	}
	base := count(func(c *audit.Config) { c.Environment = "test" })
	right := func(c *audit.Config) {
		c.Environment = "test"
		c.Console = audit.Console{Listen: ":8443", Viewers: []string{"spiffe://x.example/org/DK/40000036/operations"}, Local: audit.Local{Listen: "127.0.0.1:0", TokenFile: "x"}}
		c.Usage = audit.Uses{Services: []string{"identity=localhost:1", "income=localhost:2"}, Withhold: []string{"ROLE_LAW_ENFORCEMENT=2160h", "PURPOSE_PAYMENT_CONTROL=720h"}}
	}
	if n := count(right); n != base {
		t.Errorf("a right configuration has %d problems more", n-base)
	}
	for name, edit := range wrong {
		if n := count(func(c *audit.Config) { c.Environment = "test"; edit(c) }); n <= base {
			t.Errorf("%s: no problem was told", name)
		}
	}
}
