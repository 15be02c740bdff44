package transfer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"flag"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/suitetest"
	"samvirke.dev/services/transfer"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The organisations of these tests. None of the numbers is anybody's.
const (
	nord, syd = "DK:10000009", "DK:20000018"
	ett, tva  = "SE:8020000017", "SE:8020000025"
	union     = "DK:40000036"
	agency    = "DK:30000027"
	stranger  = "DK:50000045"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// issuer signs powers of attorney, as the broker of a national eID would.
type issuer struct {
	name string
	key  ed25519.PrivateKey
	file string
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Algorithm: "EdDSA", Use: "sig"}}})
	must(t, err)
	i := &issuer{name: "https://issuer.example", key: private, file: filepath.Join(t.TempDir(), "jwks.json")}
	must(t, os.WriteFile(i.file, raw, 0o600))
	return i
}

// say is what an assertion says beside who signed it.
type say map[string]any

// poa signs a power of attorney; edits change what it says.
func (i *issuer) poa(t testing.TB, number, fund, current string, now time.Time, edits ...func(say)) string {
	t.Helper()
	claims := say{
		"iss": i.name, "sub": number, "aud": fund, "current_fund": current, "acr": "substantial", "jti": rand.Text(),
		"nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(80 * 24 * time.Hour).Unix(), "scope": []string{"contact_current_fund", "exit", "data"},
	}
	for _, e := range edits {
		e(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("JWT"))
	must(t, err)
	text, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	must(t, err)
	return text
}

// register is an identity service that knows everybody under a handle made of fund and number.
type register struct {
	identityv1.UnimplementedIdentityServiceServer

	mu        sync.Mutex
	protected map[string]bool // by handle
	opened    map[string]string
	closed    map[string]string
	away      bool
	broken    bool          // of calls about many
	batches   atomic.Int64  // calls about many
	asked     chan struct{} // gets a token of each call about many, unless nil
	gate      chan struct{} // which then waits until this is closed
}

func handleOf(fund, number string) string {
	return strings.NewReplacer(":", "-").Replace("handle-" + fund + "-" + number)
}

func (r *register) down() error {
	if r.away {
		return errs.New(commonv1.Reason_REASON_STORE_UNAVAILABLE)
	}
	return nil
}

func (r *register) ResolveSubject(_ context.Context, in *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := map[vocabularyv1.Country]string{1: "DK:", 2: "SE:"}[in.GetNationalId().GetCountry()] + in.GetNationalId().GetValue()
	return &identityv1.ResolveSubjectResponse{Handle: handleOf(in.GetContext().GetControllerId(), number)}, r.down()
}

func (r *register) GetProtectionStatus(_ context.Context, in *identityv1.GetProtectionStatusRequest) (*identityv1.GetProtectionStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !strings.HasPrefix(in.GetHandle(), "handle-") {
		return nil, errs.New(commonv1.Reason_REASON_SUBJECT_NOT_FOUND)
	}
	level := identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE
	if r.protected[in.GetHandle()] {
		level = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
	}
	return &identityv1.GetProtectionStatusResponse{Level: level}, r.down()
}

func (r *register) BatchGetProtectionStatuses(
	ctx context.Context, in *identityv1.BatchGetProtectionStatusesRequest,
) (*identityv1.BatchGetProtectionStatusesResponse, error) {
	r.batches.Add(1)
	if r.asked != nil {
		r.asked <- struct{}{}
		<-r.gate
	}
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	if broken {
		return nil, errs.New(commonv1.Reason_REASON_INTERNAL)
	}
	out := &identityv1.BatchGetProtectionStatusesResponse{}
	for _, p := range in.GetPersons() {
		status, err := r.GetProtectionStatus(ctx, &identityv1.GetProtectionStatusRequest{Context: in.GetContext(), Handle: p.GetHandle()})
		switch {
		case errs.ReasonOf(err) == commonv1.Reason_REASON_SUBJECT_NOT_FOUND:
			out.Results = append(out.Results, &identityv1.ProtectionStatusResult{Reason: commonv1.Reason_REASON_SUBJECT_NOT_FOUND})
		case err != nil:
			return nil, err
		default:
			out.Results = append(out.Results, &identityv1.ProtectionStatusResult{Status: status})
		}
	}
	return out, nil
}

func iso(d *commonv1.Date) string {
	return time.Date(int(d.GetYear()), time.Month(d.GetMonth()), int(d.GetDay()), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

func (r *register) OpenAddressSubscription(_ context.Context, in *identityv1.OpenAddressSubscriptionRequest) (*identityv1.OpenAddressSubscriptionResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.down(); err != nil {
		return nil, err
	}
	r.opened[in.GetHandle()+" "+in.GetMembershipReference()] = iso(in.GetEffectiveFrom())
	return &identityv1.OpenAddressSubscriptionResponse{OpenedOn: in.GetEffectiveFrom()}, nil
}

func (r *register) CloseAddressSubscription(_ context.Context, in *identityv1.CloseAddressSubscriptionRequest) (*identityv1.CloseAddressSubscriptionResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.down(); err != nil {
		return nil, err
	}
	r.closed[in.GetHandle()+" "+in.GetMembershipReference()] = iso(in.GetLastDay())
	return &identityv1.CloseAddressSubscriptionResponse{LastDay: in.GetLastDay()}, nil
}

func (r *register) set(change func(*register)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// serveRegister answers as the identity service, at an address of its own.
func serveRegister(t testing.TB, ca *certtest.CA) (*register, string) {
	t.Helper()
	r := &register{protected: map[string]bool{}, opened: map[string]string{}, closed: map[string]string{}}
	config, err := mtls.ServerConfig(ca.Source(ca.Service("identity")), mtls.Accept{
		TrustDomains: []string{suitetest.TrustDomain}, Kinds: []workload.Kind{workload.KindOrganisation},
	})
	must(t, err)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	identityv1.RegisterIdentityServiceServer(server, r)
	l := listen(t)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); served.Wait() })
	return r, l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

// softKey signs in memory, in place of Vault's transit engine.
type softKey struct{ key ed25519.PrivateKey }

func newSoftKey(t testing.TB) *softKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return &softKey{key}
}

func (s *softKey) Sign(_ context.Context, message []byte) ([]byte, int, error) {
	return ed25519.Sign(s.key, message), 1, nil
}

func (s *softKey) Versions() map[int]ed25519.PublicKey {
	public, _ := s.key.Public().(ed25519.PublicKey)
	return map[int]ed25519.PublicKey{1: public}
}

// shifted is the system's clock with an offset. A clock that stands still would not do: deadlines are measured in real time.
type shifted struct{ offset atomic.Int64 }

// Now implements clock.Clock.
func (s *shifted) Now() time.Time { return clock.System().Now().Add(time.Duration(s.offset.Load())) }

// Days shifts the clock further.
func (s *shifted) Days(n int) { s.offset.Add(int64(n) * int64(24*time.Hour)) }

// RPCs by what they need in an agreement.
func grants(own bool) []map[string]any {
	type m = map[string]any
	var out []m
	add := func(service, purpose string, fields map[string][]string, names ...string) {
		for _, n := range names {
			f := fields[n]
			if f == nil {
				f = fields[""]
			}
			out = append(out, m{"rpc": "samvirke.transfer.v1." + service + "/" + n, "fields": f, "purposes": []m{{
				"purpose": purpose, "legal_bases": []string{"LEGAL_BASIS_A6_1_C", "LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST"},
			}}})
		}
	}
	add("TransferExchangeService", "PURPOSE_FUND_TRANSFER", map[string][]string{"": {"outcome"}, "GetFundKeys": {"signing_keys"}}, "Exchange", "GetFundKeys")
	if !own {
		return out
	}
	add("TransferService", "PURPOSE_FUND_TRANSFER", map[string][]string{
		"": {"transfer"}, "ListTransfers": {"transfers"}, "ReadPackages": {"packages"}, "WatchTransfer": {"events"},
	}, "CreateTransfer", "SubmitTransfer", "VerifyPowerOfAttorney", "SendRequest", "CancelTransfer", "AcknowledgeTransfer", "RejectTransfer",
		"DeliverPackage", "ConfirmExit", "WithdrawPowerOfAttorney", "DecideWithdrawal", "ResumeExchange", "GetTransfer", "ListTransfers", "ReadPackages", "WatchTransfer")
	add("MembershipService", "PURPOSE_MEMBERSHIP_ADMIN", map[string][]string{
		"": {"standing"}, "AssessAdmission": {"outcome", "decision", "standing"}, "AssessDeletion": {"decision", "standing"},
		"UpholdComplaint": {"decision", "standing"}, "GetMembership": {"standing", "decisions"}, "RecordPayment": {"standing", "reinstated"},
	}, "AssessAdmission", "RecordDues", "RecordReminder", "RecordPayment", "OpenHearing", "RecordRemarks", "AssessDeletion", "UpholdComplaint", "GetMembership")
	return out
}

// deals are the agreements that let funds call for themselves, and each other about transfers.
func deals(t testing.TB, funds ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, controller := range funds {
		for _, recipient := range funds {
			if controller[:2] != recipient[:2] {
				continue
			}
			id := strings.ToLower(strings.ReplaceAll(controller+"--"+recipient, ":", "-"))
			raw, err := json.Marshal(map[string]any{
				"id": id, "version": 1, "controller": map[string]any{"id": controller, "name": "Fund " + controller},
				"recipient": map[string]any{"id": recipient, "name": "Fund " + recipient}, "role": "ROLE_FUND",
				"valid_from": "2020-01-01T00:00:00Z", "valid_until": "2100-01-01T00:00:00Z", "grants": grants(controller == recipient),
			})
			must(t, err)
			out[id+".yaml"] = string(raw)
		}
	}
	return out
}

// node is a running transfer service.
type node struct {
	*suitetest.Server

	parts  *transfer.Parts
	funds  []string
	cancel context.CancelFunc
	done   chan struct{}
}

// world is transfer services that know each other, with an identity service and an issuer.
type world struct {
	t      testing.TB
	ca     *certtest.CA
	clk    *shifted
	issuer *issuer
	reg    *register
	where  string
	nodes  []*node
	dir    []transfer.Organisation
	signer map[string]*softKey

	mu      sync.Mutex
	clients map[string]*client
}

// start starts one service for each group of funds; db opens the database of each.
func start(t testing.TB, db func(testing.TB) *sqlkit.DB, groups ...[]string) *world {
	t.Helper()
	w := &world{t: t, ca: certtest.New(t, suitetest.TrustDomain), clk: &shifted{}, issuer: newIssuer(t), signer: map[string]*softKey{}, clients: map[string]*client{}}
	w.reg, w.where = serveRegister(t, w.ca)
	var listeners []net.Listener
	w.dir = []transfer.Organisation{{ID: union, Kind: "union"}}
	for _, g := range groups {
		l := listen(t)
		listeners = append(listeners, l)
		for _, f := range g {
			w.dir = append(w.dir, transfer.Organisation{ID: f, Kind: "fund", Address: l.Addr().String(), Service: w.ca.Service("test").String()})
			w.signer[f] = newSoftKey(t)
		}
	}
	for i, g := range groups {
		w.nodes = append(w.nodes, w.node(db, listeners[i], g, nil))
	}
	return w
}

func (w *world) config(funds []string) transfer.Config {
	cfg := transfer.DefaultConfig()
	cfg.Directory, cfg.Identity = w.dir, transfer.Endpoint{Address: w.where, Service: w.ca.Service("identity").String()}
	cfg.Issuers = []transfer.Issuer{{Name: w.issuer.name, JWKSFile: w.issuer.file}}
	cfg.Watch, cfg.Exchange, cfg.Reload = 10*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	for _, f := range funds {
		cfg.Funds = append(cfg.Funds, transfer.Fund{ID: f, CertFile: "-", KeyFile: "-", CAFile: "-", SigningKey: "-"})
	}
	return cfg
}

// node starts one service.
func (w *world) node(db func(testing.TB) *sqlkit.DB, l net.Listener, funds []string, wrap *suitetest.LocalWrap) *node {
	w.t.Helper()
	n := &node{funds: funds}
	o := suitetest.Options{
		Migrations: sqlstore.Migrations(), Keysets: transfer.Keysets(), Agreements: deals(w.t, nord, syd, ett, tva), Clock: w.clk, CA: w.ca, Listener: l, Wrap: wrap,
	}
	if db != nil {
		o.DB = db(w.t)
	}
	o.Register = func(s *suitetest.Server, _ grpc.ServiceRegistrar) {
		parts, err := transfer.NewParts(w.t.Context(), w.config(funds), transfer.Outside{
			DB: s.DB, Keys: s.Keys, Recorder: s.Recorder(), Clock: w.clk, Log: s.Log(),
			Signer: func(_ context.Context, f transfer.Fund) (transfer.Signer, error) { return w.signer[f.ID], nil },
			Source: func(f transfer.Fund) (mtls.Source, error) { return w.ca.Source(w.system(f.ID)), nil },
		})
		must(w.t, err)
		parts.Register(s.RPC)
		n.parts = parts
	}
	n.Server = suitetest.Start(w.t, o)
	n.run(w.t)
	w.t.Cleanup(func() {
		n.stop()
		must(w.t, n.parts.Close())
	})
	return n
}

// run begins what tells other funds.
func (n *node) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	n.cancel, n.done = cancel, done
	go func() {
		defer close(done)
		var running sync.WaitGroup
		for _, c := range n.parts.Components() {
			running.Go(func() {
				if err := c.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
	}()
}

// stop ends what tells other funds.
func (n *node) stop() {
	n.cancel()
	<-n.done
}

// later lets days pass; keys are confirmed anew, as they are while the service runs.
func (w *world) later(days int) {
	w.t.Helper()
	w.clk.Days(days)
	for _, n := range w.nodes {
		must(w.t, n.Keys.Refresh(w.t.Context()))
	}
}

// system is the workload of a fund.
func (w *world) system(fund string) workload.ID {
	country, number, _ := strings.Cut(fund, ":")
	return w.ca.Organisation(country, number, "caseworker")
}

// client is a fund's system at the service that serves it.
type client struct {
	w    *world
	fund string
	node *node
	transferv1.TransferServiceClient
	members transferv1.MembershipServiceClient
	peer    transferv1.TransferExchangeServiceClient
}

// as is the fund's system at the service that serves it; one connection for each.
func (w *world) as(fund string) *client {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.clients[fund]; c != nil {
		return c
	}
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return slices.Contains(n.funds, fund) })
	n := w.nodes[max(i, 0)]
	conn := n.Dial(w.system(fund))
	c := &client{w, fund, n, transferv1.NewTransferServiceClient(conn), transferv1.NewMembershipServiceClient(conn), transferv1.NewTransferExchangeServiceClient(conn)}
	w.clients[fund] = c
	return c
}

// why is a context that is right for a call of the fund for itself.
func (c *client) why() *commonv1.RequestContext { return why(c.fund) }

func why(fund string) *commonv1.RequestContext {
	basis := vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C
	if fund[:2] == "SE" {
		basis = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST
	}
	return &commonv1.RequestContext{
		ControllerId: fund, Purpose: vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER, LegalBasis: basis, LegalReference: fund[:2] + ":ALF",
		CaseReference: "case-1", ActorId: "emp-7",
	}
}

func whyMember(fund string) *commonv1.RequestContext {
	out := why(fund)
	out.Purpose = vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN
	return out
}

func date(d time.Time) *commonv1.Date {
	return &commonv1.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

// refused checks the reason and, where given, the violation of a refusal.
func refused(t testing.TB, err error, code codes.Code, reason, violation string) {
	t.Helper()
	st := status.Convert(err)
	got, violations := "", []string{}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			got = d.GetReason()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				violations = append(violations, v.GetDescription())
			}
		}
	}
	if st.Code() != code || got != reason || (violation != "" && !slices.Contains(violations, violation)) {
		t.Errorf("got %v %s %v (%v), want %v %s %s", st.Code(), got, violations, st.Message(), code, reason, violation)
	}
}

// within polls until ok, or fails the test.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
