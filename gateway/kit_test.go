package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"samvirke.dev/certs/bootstrap"
	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/signing"
	"samvirke.dev/certs/vaulttest"
	"samvirke.dev/certs/workload"
	"samvirke.dev/gateway"
	"samvirke.dev/gateway/internal/problem"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	verifyPath  = "/v1/identities:verify"
	resolvePath = "/v1/subjects:resolve"
	whyJSON     = `"context":{"controllerId":"DK:10000009","purpose":"PURPOSE_IDENTIFICATION","legalBasis":"LEGAL_BASIS_A6_1_C","legalReference":"DK:ALF§41","caseReference":"case-1"}`
	personJSON  = `"nationalId":{"country":"COUNTRY_DK","value":"7403851013"}`
	verifyJSON  = `{` + whyJSON + `,` + personJSON + `,"fullName":"Ane Prøve"}`
	resolveJSON = `{` + whyJSON + `,` + personJSON + `}`
)

// agreements: the fund may verify and resolve, the other fund may verify three times a minute.
func agreements() map[string]string {
	return map[string]string{
		"fund.yaml": agreementOf("fund", "DK:10000009", ""), "other.yaml": agreementOf("other", "DK:10000017", "    quota: {requests: 3, per: 86400s}\n"),
	}
}

func agreementOf(id, org, quota string) string {
	return `id: ` + id + `
version: 1
controller: {id: "` + org + `", name: Fund}
recipient: {id: "` + org + `", name: Fund}
role: ROLE_FUND
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
grants:
  - rpc: samvirke.identity.v1.IdentityService/VerifyIdentity
    fields: [verdict]
` + quota + `    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
  - rpc: samvirke.identity.v1.IdentityService/ResolveSubject
    fields: [handle]
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
`
}

// service answers as each test wants.
type service struct {
	identityv1.UnimplementedIdentityServiceServer
	verify   func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error)
	mu       sync.Mutex
	resolved int
}

func (s *service) VerifyIdentity(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	if s.verify != nil {
		return s.verify(ctx, r)
	}
	audit.Subject(ctx, "DK:7403851013", false)
	return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, nil
}

func (s *service) ResolveSubject(ctx context.Context, _ *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	s.mu.Lock()
	s.resolved++
	s.mu.Unlock()
	audit.Subject(ctx, "DK:7403851013", false)
	return &identityv1.ResolveSubjectResponse{Handle: "h-1"}, nil
}

// world is a gateway in front of a service, over real sockets with mutual TLS.
type world struct {
	*suitetest.Server

	t       testing.TB
	service *service
	url     string // https://127.0.0.1:port
	public  string
	logs    *suitetest.SafeBuffer
	api     http.Handler // the REST listener's, without the listener
	stop    func()
	stopped chan error
}

// testConfig is the configuration of these tests, but for the services.
func testConfig() gateway.Config {
	cfg := gateway.DefaultConfig()
	cfg.TrustDomain, cfg.Listen, cfg.Public.Listen, cfg.URL = suitetest.TrustDomain, "127.0.0.1:0", "127.0.0.1:0", "https://localhost"
	cfg.PKI.Names, cfg.Instance = []string{"localhost"}, "gateway-1"
	cfg.Vault.Address, cfg.Vault.CAFile, cfg.Vault.RoleIDFile, cfg.Vault.SecretIDFile = "https://unused", "unused", "unused", "unused"
	return cfg
}

type edit func(*gateway.Config, *suitetest.Options)

// start runs both until the test ends.
func start(t testing.TB, edits ...edit) *world {
	t.Helper()
	w := &world{t: t, service: &service{}, logs: &suitetest.SafeBuffer{}, stopped: make(chan error, 1)}
	cfg := testConfig()
	opts := suitetest.Options{
		Name: "identity", Clock: clock.System(), Agreements: agreements(),
		Limits: func(c *rpc.Config) { c.ActFor = rpc.ActFor{Edges: []string{"gateway"}} },
		Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, w.service)
		},
	}
	for _, e := range edits {
		e(&cfg, &opts)
	}
	w.Server = suitetest.Start(t, opts)
	if cfg.Services == nil {
		cfg.Services = map[string]string{}
	}
	cfg.Services["identity"] = w.Addr
	w.run(cfg)
	return w
}

func (w *world) run(cfg gateway.Config) {
	w.t.Helper()
	var transit signing.Transit
	if cfg.Token.Key != "" {
		v := vaulttest.StartDev(w.t)
		vaulttest.Bootstrap(w.t, v, bootstrap.Spec{TrustDomain: suitetest.TrustDomain, Keys: []bootstrap.Key{{Name: cfg.Token.Key, Type: bootstrap.Ed25519}}})
		transit = vaulttest.Root(w.t, v).Logical()
	}
	source := w.CA.Source(w.CA.Service("gateway"), certtest.DNS("localhost"))
	app, err := gateway.NewWith(w.t.Context(), cfg, w.logs, source, transit)
	if err != nil {
		w.t.Fatal(err)
	}
	w.api = app.Handler()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.stop = cancel
	ready := make(chan struct{})
	go func() {
		err := app.Run(ctx, func(api, public string) {
			w.url, w.public = "https://"+api, "https://"+public
			close(ready)
		})
		w.stopped <- errors.Join(err, app.Close(context.WithoutCancel(ctx)))
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := <-w.stopped; err != nil {
			w.t.Errorf("the gateway ended with %v", err)
		}
		w.stopped <- nil // for a test that asked before
	})
	select {
	case <-ready:
	case err := <-w.stopped:
		w.stopped <- err
		w.t.Fatalf("the gateway does not run: %v", err)
	}
}

// client is an HTTP client of an organisation's system.
func (w *world) client(org string, opts ...certtest.Option) *http.Client {
	w.t.Helper()
	country, number, _ := strings.Cut(org, ":")
	return w.clientWith(w.CA.Issue(w.CA.Organisation(country, number, "caseworker"), opts...))
}

func (w *world) clientWith(cert *tls.Certificate) *http.Client {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: w.CA.Roots(), ServerName: "localhost"}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

const fund, otherFund = "DK:10000009", "DK:10000017"

// reply is an answer that was read.
type reply struct {
	*http.Response

	body []byte
}

func (r reply) problem(t testing.TB) problem.Problem {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != problem.ContentType {
		t.Errorf("content type %q: %s", got, r.body)
	}
	var p problem.Problem
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	if p.Status != r.StatusCode || p.Type != problem.TypePrefix+p.Reason || p.Title == "" || p.Actor == "" || p.Action == "" || p.TraceID == "" {
		t.Errorf("incomplete problem %+v", p)
	}
	return p
}

// post calls a route with JSON; headers are pairs.
func (w *world) post(c *http.Client, path, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.do(c, req)
}

func (w *world) do(c *http.Client, req *http.Request) reply {
	w.t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(resp)
}

func (w *world) read(resp *http.Response) reply {
	w.t.Helper()
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{resp, body}
}

func (w *world) get(c *http.Client, url string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(c, req)
}

func (w *world) system(org string) workload.ID {
	country, number, _ := strings.Cut(org, ":")
	return w.CA.Organisation(country, number, "caseworker")
}
