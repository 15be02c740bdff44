package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/identity/internal/store/sqlstore"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/suitetest"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The organisations of these tests. None of the numbers is anybody's.
const (
	fundDK     = "DK:10000009"
	fundSE     = "SE:8020000017"
	otherFund  = "DK:20000018"
	agency     = "DK:30000027"
	employment = "SE:8020000033"
	narrow     = "DK:40000036" // whose agreement grants VerifyIdentity alone
	lapsed     = "DK:60000054" // whose agreement has expired
	nobody     = "DK:50000045" // without any agreement
	partner    = "DK:70000063" // an insurer with an agreement about something else
)

// lawForAddress is the law on which an agency may have a protected Danish name and address.
const lawForAddress = "DK:CPRL§42"

// RPCs as agreements name them.
const (
	service = "samvirke.identity.v1.IdentityService/"
	resolve = service + "ResolveSubject"
	verify  = service + "VerifyIdentity"
	batch   = service + "BatchVerify"
	address = service + "GetPostalAddress"
	level   = service + "GetProtectionStatus"
	levels  = service + "BatchGetProtectionStatuses"
	letters = service + "BatchGetPostalAddresses"
	secrecy = service + "RecordSecrecyTest"
	search  = service + "SearchMembers"
	open    = service + "OpenAddressSubscription"
	closing = service + "CloseAddressSubscription"
	changes = service + "StreamAddressChanges"
)

// allRPCs are those that funds and agencies may call; fundRPCs those for funds alone.
func allRPCs() []string {
	return []string{resolve, verify, batch, address, level, letters, levels, secrecy}
}
func fundRPCs() []string { return append(allRPCs(), search, open, closing, changes) }

// deal writes an agreement between the organisation as controller and itself as caller. JSON is YAML.
func deal(org, role, until string, rpcs ...string) (file, text string) {
	type m = map[string]any
	fields := map[string][]string{
		resolve: {"handle"}, verify: {"verdict"}, batch: {"results", "event_id"},
		address: {"address", "valid_from", "source", "register_time", "protection"}, level: {"level", "register_time"}, secrecy: {"recorded_at"},
		letters: {"results"}, levels: {"results"},
		search: {"handles"}, open: {"opened_on"}, closing: {"last_day"}, changes: {"changes"},
	}
	purposes := map[string][]string{
		resolve: {"PURPOSE_IDENTIFICATION", "PURPOSE_ADDRESS_UPDATE"}, verify: {"PURPOSE_IDENTIFICATION"}, batch: {"PURPOSE_IDENTIFICATION"},
		address: {"PURPOSE_ADDRESS_UPDATE"}, level: {"PURPOSE_IDENTIFICATION"}, secrecy: {"PURPOSE_IDENTIFICATION"},
		letters: {"PURPOSE_ADDRESS_UPDATE"}, levels: {"PURPOSE_IDENTIFICATION"},
		search: {"PURPOSE_IDENTIFICATION"}, open: {"PURPOSE_ADDRESS_UPDATE"}, closing: {"PURPOSE_ADDRESS_UPDATE"},
		changes: {"PURPOSE_ADDRESS_UPDATE"},
	}
	var grants []m
	for _, rpc := range rpcs {
		var allowed []m
		for _, p := range purposes[rpc] {
			allowed = append(allowed, m{"purpose": p, "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}})
		}
		grants = append(grants, m{"rpc": rpc, "fields": fields[rpc], "purposes": allowed})
	}
	if len(grants) == 0 { // another service's RPC
		grants = []m{{"rpc": "samvirke.insurance.v1.InsuranceService/GetShare", "fields": []string{"share"}, "purposes": []m{
			{"purpose": "PURPOSE_INCOME_INSURANCE_ADMIN", "legal_bases": []string{"LEGAL_BASIS_A6_1_B"}}}}}
	}
	id := strings.ToLower(strings.ReplaceAll(org, ":", "-"))
	party := m{"id": org, "name": "Organisation " + org}
	raw, err := json.Marshal(m{
		"id": id, "version": 1, "controller": party, "recipient": party, "role": role,
		"valid_from": "2020-01-01T00:00:00Z", "valid_until": until, "grants": grants,
	})
	if err != nil {
		return "", err.Error()
	}
	return id + ".yaml", string(raw)
}

// deals are the agreements of all organisations.
func deals() map[string]string {
	out := map[string]string{}
	add := func(org, role, until string, rpcs ...string) {
		file, text := deal(org, role, until, rpcs...)
		out[file] = text
	}
	const until = "2100-01-01T00:00:00Z"
	add(fundDK, "ROLE_FUND", until, fundRPCs()...)
	add(fundSE, "ROLE_FUND", until, fundRPCs()...)
	add(otherFund, "ROLE_FUND", until, fundRPCs()...)
	add(agency, "ROLE_AGENCY", until, allRPCs()...)
	add(employment, "ROLE_AGENCY_EMPLOYMENT_SE", until, allRPCs()...)
	add(narrow, "ROLE_FUND", until, verify)
	add(lapsed, "ROLE_FUND", "2021-01-01T00:00:00Z", fundRPCs()...)
	add(partner, "ROLE_PARTNER", until)
	return out
}

func controllers() []string { return []string{fundDK, fundSE, otherFund, agency, employment, narrow} }

// world is a running identity service.
type world struct {
	*suitetest.Server

	parts *identity.Parts
	clock clock.Clock
	t     testing.TB
	// registers are asked live; none unless an edit sets them.
	registers map[nationalid.Country]core.Register
}

// edit changes how a world starts.
type edit func(*suitetest.Options, *identity.Config)

// published are test persons that the registers themselves publish.
func published() []string {
	return []string{"SE:198106039228", "SE:199411091722", "SE:198203249274", "DK:0107529039", "DK:0101520013", "DK:0709614118"}
}

func start(t testing.TB, edits ...edit) *world {
	t.Helper()
	return startLive(t, nil, edits...)
}

// startLive starts the service with registers that are asked live.
func startLive(t testing.TB, registers map[nationalid.Country]core.Register, edits ...edit) *world {
	t.Helper()
	w := &world{t: t, registers: registers}
	cfg := identity.DefaultConfig()
	cfg.Environment, cfg.TestPersons, cfg.ProtectedAddressLaws = "test", published(), []string{lawForAddress}
	o := suitetest.Options{Migrations: sqlstore.Migrations(), Keysets: identity.Keysets(), Agreements: deals(), Clock: clock.System()}
	for _, e := range edits {
		e(&o, &cfg)
	}
	w.clock = o.Clock
	o.Register = func(s *suitetest.Server, _ grpc.ServiceRegistrar) {
		parts, err := identity.NewParts(t.Context(), cfg, s.DB, s.Keys, o.Clock, w.registers)
		must(t, err)
		t.Cleanup(func() { must(t, parts.Close(context.WithoutCancel(t.Context()))) })
		for _, c := range controllers() {
			must(t, parts.Prepare(t.Context(), c))
		}
		parts.Register(s.RPC)
		w.parts = parts
	}
	w.Server = suitetest.Start(t, o)
	return w
}

// shifted is the system's clock with an offset. A clock that stands still would not do: deadlines are measured in real time.
type shifted struct{ offset atomic.Int64 }

// Now implements clock.Clock.
func (s *shifted) Now() time.Time { return clock.System().Now().Add(time.Duration(s.offset.Load())) }

// Advance shifts the clock further.
func (s *shifted) Advance(d time.Duration) { s.offset.Add(int64(d)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load imports persons.
func (w *world) load(lines ...importer.Line) {
	w.t.Helper()
	var file bytes.Buffer
	for _, l := range lines {
		must(w.t, json.NewEncoder(&file).Encode(l))
	}
	report, err := w.parts.Import(w.t.Context(), bytes.NewReader(file.Bytes()))
	must(w.t, err)
	if report.Stored != len(lines) {
		w.t.Fatalf("%d of %d persons were stored", report.Stored, len(lines))
	}
}

// line is a synthetic person as a register would give it.
func line(i int, protections ...string) importer.Line { return lineOf(synthetic.At(i), protections...) }

func lineOf(m synthetic.Member, protections ...string) importer.Line {
	l := importer.Line{
		Number: m.Number, GivenNames: m.GivenName, FamilyName: m.FamilyName, BirthDate: m.Birth.Format(time.DateOnly),
		Address:      &importer.Address{Lines: []string{m.Street}, PostalCode: m.PostalCode, City: m.City, Country: m.Country},
		Memberships:  []importer.Membership{{Controller: fundDK, From: "2020-01-01"}, {Controller: fundSE, From: "2020-01-01"}},
		RegisterTime: "2026-01-01T00:00:00Z",
	}
	for _, p := range protections {
		l.Protections = append(l.Protections, importer.Protection{Kind: p})
	}
	return l
}

// workloadOf is the system of an organisation that calls in these tests.
func (w *world) workloadOf(org string) workload.ID {
	country, number, _ := strings.Cut(org, ":")
	return w.CA.Organisation(country, number, "caseworker")
}

// as connects an organisation.
func (w *world) as(org string) *client {
	w.t.Helper()
	conn := w.Dial(w.workloadOf(org))
	return &client{w: w, org: org, conn: conn, rpc: identityv1.NewIdentityServiceClient(conn)}
}

// client is one organisation's system.
type client struct {
	w    *world
	org  string
	law  string // instead of the usual one
	conn *grpc.ClientConn
	rpc  identityv1.IdentityServiceClient
}

// why is a context that is right for the RPC.
func (c *client) why(rpc string) *commonv1.RequestContext { return why(c.org, rpc, c.law) }

func why(org, rpc, law string) *commonv1.RequestContext {
	purpose := vocabularyv1.Purpose_PURPOSE_IDENTIFICATION
	switch rpc {
	case address, letters, open, closing, changes:
		purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
	}
	if law == "" {
		law = "DK:ALF§90b"
	}
	return &commonv1.RequestContext{
		ControllerId: org, Purpose: purpose, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: law, CaseReference: "case-1", ActorId: "emp-7",
	}
}

// number writes a canonical number as requests do.
func number(canonical string) *commonv1.NationalId {
	country := vocabularyv1.Country_COUNTRY_SE
	if strings.HasPrefix(canonical, "DK:") {
		country = vocabularyv1.Country_COUNTRY_DK
	}
	return &commonv1.NationalId{Country: country, Value: canonical[len("SE:"):]}
}

func date(iso string) *commonv1.Date {
	d, err := time.Parse(time.DateOnly, iso)
	if err != nil {
		return nil
	}
	return &commonv1.Date{Year: int32(d.Year()), Month: int32(d.Month()), Day: int32(d.Day())}
}

func (c *client) resolve(canonical string) (string, error) {
	out, err := c.rpc.ResolveSubject(c.w.t.Context(), &identityv1.ResolveSubjectRequest{Context: c.why(resolve), NationalId: number(canonical)})
	return out.GetHandle(), err
}

// handle resolves a number that must be known.
func (c *client) handle(canonical string) string {
	c.w.t.Helper()
	h, err := c.resolve(canonical)
	must(c.w.t, err)
	return h
}

func (c *client) verify(canonical, name, birth string) (identityv1.Verdict, error) {
	out, err := c.rpc.VerifyIdentity(c.w.t.Context(), &identityv1.VerifyIdentityRequest{
		Context: c.why(verify), NationalId: number(canonical), FullName: name, BirthDate: date(birth),
	})
	return out.GetVerdict(), err
}

func (c *client) address(handle string, opts ...grpc.CallOption) (*identityv1.GetPostalAddressResponse, error) {
	return c.rpc.GetPostalAddress(c.w.t.Context(), &identityv1.GetPostalAddressRequest{Context: c.why(address), Handle: handle}, opts...)
}

func (c *client) level(handle string) (identityv1.ProtectionLevel, error) {
	out, err := c.rpc.GetProtectionStatus(c.w.t.Context(), &identityv1.GetProtectionStatusRequest{Context: c.why(level), Handle: handle})
	return out.GetLevel(), err
}

// levels and letters ask about many persons in one call.
func (c *client) levels(handles ...string) ([]*identityv1.ProtectionStatusResult, error) {
	out, err := c.rpc.BatchGetProtectionStatuses(c.w.t.Context(), &identityv1.BatchGetProtectionStatusesRequest{Context: c.why(levels), Persons: people(handles...)})
	return out.GetResults(), err
}

func (c *client) letters(handles ...string) ([]*identityv1.PostalAddressResult, error) {
	out, err := c.rpc.BatchGetPostalAddresses(c.w.t.Context(), &identityv1.BatchGetPostalAddressesRequest{Context: c.why(letters), Persons: people(handles...)})
	return out.GetResults(), err
}

func people(handles ...string) (out []*identityv1.BatchPerson) {
	for _, h := range handles {
		out = append(out, &identityv1.BatchPerson{Handle: h})
	}
	return out
}

// subscribe opens a subscription that must open.
func (c *client) subscribe(handle, reference, from string, phones ...string) {
	c.w.t.Helper()
	_, err := c.open(handle, reference, from, phones...)
	must(c.w.t, err)
}

func (c *client) open(handle, reference, from string, phones ...string) (*identityv1.OpenAddressSubscriptionResponse, error) {
	return c.rpc.OpenAddressSubscription(c.w.t.Context(), &identityv1.OpenAddressSubscriptionRequest{
		Context: c.why(open), Handle: handle, MembershipReference: reference, EffectiveFrom: date(from), PhoneNumbers: phones,
	})
}

func (c *client) close(handle, reference, last string) error {
	_, err := c.rpc.CloseAddressSubscription(c.w.t.Context(), &identityv1.CloseAddressSubscriptionRequest{
		Context: c.why(closing), Handle: handle, MembershipReference: reference, LastDay: date(last),
	})
	return err
}

// told reads the fund's feed from a token until it has n changes, and returns them with the token after them.
func (c *client) told(token string, n int) (got []*identityv1.AddressChange, next string) {
	c.w.t.Helper()
	ctx, cancel := context.WithTimeout(c.w.t.Context(), 10*time.Second)
	defer cancel()
	stream, err := c.rpc.StreamAddressChanges(ctx, &identityv1.StreamAddressChangesRequest{Context: c.why(changes), ResumeToken: token})
	must(c.w.t, err)
	for first := true; first || len(got) < n; first = false {
		message, err := stream.Recv()
		must(c.w.t, err)
		got, next = append(got, message.GetChanges()...), message.GetResumeToken()
	}
	return got, next
}

// find searches the fund's members.
func (c *client) find(name, birth, phone string) []string {
	c.w.t.Helper()
	out, err := c.rpc.SearchMembers(c.w.t.Context(), &identityv1.SearchMembersRequest{
		Context: c.why(search), Name: name, BirthDate: date(birth), PhoneNumber: phone,
	})
	must(c.w.t, err)
	return out.GetHandles()
}

// batch verifies birth dates in one message of one stream.
func (c *client) batch(lines ...importer.Line) (*identityv1.BatchVerifyResponse, error) {
	request := &identityv1.BatchVerifyRequest{Context: c.why(batch)}
	for _, l := range lines {
		request.Items = append(request.Items, &identityv1.BatchItem{NationalId: number(l.Number), BirthDate: date(l.BirthDate)})
	}
	ctx, cancel := context.WithCancel(c.w.t.Context())
	defer cancel()
	stream, err := c.rpc.BatchVerify(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return stream.Recv()
}

// invalidHandle has the form of a handle and is nobody's.
const invalidHandle = "k00000000.aaaaaaaaaaaaaaaaaaaaaaaaaaa"

// requests are one right request for each RPC.
func requests(org string, l importer.Line, handle string) map[string]proto.Message {
	return map[string]proto.Message{
		resolve: &identityv1.ResolveSubjectRequest{Context: why(org, resolve, ""), NationalId: number(l.Number)},
		verify: &identityv1.VerifyIdentityRequest{
			Context: why(org, verify, ""), NationalId: number(l.Number), FullName: l.GivenNames + " " + l.FamilyName, BirthDate: date(l.BirthDate),
		},
		batch: &identityv1.BatchVerifyRequest{Context: why(org, batch, ""), Items: []*identityv1.BatchItem{
			{NationalId: number(l.Number), BirthDate: date(l.BirthDate)}, {NationalId: number(l.Number), FullName: l.FamilyName},
		}},
		address: &identityv1.GetPostalAddressRequest{Context: why(org, address, ""), Handle: handle},
		level:   &identityv1.GetProtectionStatusRequest{Context: why(org, level, ""), Handle: handle},
		levels:  &identityv1.BatchGetProtectionStatusesRequest{Context: why(org, levels, ""), Persons: people(handle, handle)},
		letters: &identityv1.BatchGetPostalAddressesRequest{Context: why(org, letters, ""), Persons: people(handle, handle)},
		secrecy: &identityv1.RecordSecrecyTestRequest{
			Context: why(org, secrecy, ""), Handle: handle, Fields: []string{"postal_address"}, Outcome: identityv1.SecrecyOutcome_SECRECY_OUTCOME_REFUSE,
		},
		search: &identityv1.SearchMembersRequest{Context: why(org, search, ""), Name: l.FamilyName},
		open: &identityv1.OpenAddressSubscriptionRequest{
			Context: why(org, open, ""), Handle: handle, MembershipReference: "m-1", EffectiveFrom: date("2020-01-01"),
		},
		closing: &identityv1.CloseAddressSubscriptionRequest{
			Context: why(org, closing, ""), Handle: handle, MembershipReference: "m-0", LastDay: date("2099-01-01"),
		},
		changes: &identityv1.StreamAddressChangesRequest{Context: why(org, changes, "")},
	}
}

// refusal is what a caller can see of an error, without the ids that differ from call to call.
type refusal struct {
	code    codes.Code
	reason  string
	message string
	details string
	fields  []string
}

func refusalOf(err error) refusal {
	st := status.Convert(err)
	out := refusal{code: st.Code(), message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			out.reason = d.GetReason()
			out.details += fmt.Sprintf("info %s %s;", d.GetDomain(), withoutIDs(d.GetMetadata()))
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				out.fields = append(out.fields, v.GetField())
				out.details += fmt.Sprintf("field %s %s;", v.GetField(), v.GetDescription())
			}
		case *errdetails.RequestInfo:
			out.details += "request id;"
		default:
			out.details += fmt.Sprintf("%T;", d)
		}
	}
	return out
}

func withoutIDs(meta map[string]string) string {
	var parts []string
	for k, v := range meta {
		if strings.HasSuffix(k, "_id") {
			v = "some"
		}
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// want checks the reason of a refusal.
func want(t testing.TB, err error, code codes.Code, reason string) {
	t.Helper()
	if got := refusalOf(err); got.code != code || got.reason != reason {
		t.Errorf("got %v %s (%v), want %v %s", got.code, got.reason, err, code, reason)
	}
}

// within polls until ok, or fails the test.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}
