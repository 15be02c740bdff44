package insurance_test

import (
	"context"
	"encoding/json"
	"flag"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/certs/workload"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/insurance"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/suitetest"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The organisations of these tests. None of the numbers is anybody's.
const (
	fundDK   = "DK:10000009" // as DFH: an agency, balancing of interests
	unionSE  = "SE:8020000017"
	sekSE    = "SE:8020000025" // shares nothing for commercial purposes
	minDK    = "DK:20000018"   // consents hold a year
	agency   = "DK:70000063"   // the fund's insurance agency
	insurer  = "SE:8020000041" // administers the union's income insurance
	printer  = "DK:70000071"   // prints and posts for the fund
	campaign = "DK:70000080"   // runs campaigns for minDK
	lapsed   = "DK:70000098"   // whose agreement has expired
	nobody   = "DK:50000045"   // without any agreement
)

// RPCs as agreements name them.
const (
	fundService   = "samvirke.insurance.v1.InsuranceService/"
	shareService  = "samvirke.insurance.v1.ShareService/"
	memberService = "samvirke.insurance.v1.MemberDirectoryService/"
)

// The handles of test members: those of nobody.
func handle(i int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return "k00000001." + strings.Repeat("A", 24) + string(letters[i/52/52%52]) + string(letters[i/52%52]) + string(letters[i%52])
}

type m = map[string]any

func fundRPCs() []string {
	return []string{
		"RegisterAgreement", "RecordBalancing", "ShareContact", "EndShare", "RecordConsent", "WithdrawConsent", "RecordOptOut",
		"RecordMarketingObjection", "SetRestriction", "ListDisclosures",
	}
}

func purposes(bases []string, names ...string) []m {
	var out []m
	for _, p := range names {
		out = append(out, m{"purpose": "PURPOSE_" + p, "legal_bases": bases, "special_bases": []string{"SPECIAL_BASIS_A9_2_A", "SPECIAL_BASIS_A9_2_D"}})
	}
	return out
}

// everyPurpose grants what the schema allows; the rules of the service decide.
func everyPurpose() []m {
	out := purposes([]string{"LEGAL_BASIS_A6_1_B"}, "INCOME_INSURANCE_ADMIN", "MEMBER_INSURANCE_ADMIN")
	out = append(out, purposes([]string{"LEGAL_BASIS_A6_1_A", "LEGAL_BASIS_A6_1_F"},
		"INSURANCE_OFFER", "UNION_SALES", "MEMBER_INSURANCE_OFFER", "MARKETING", "NEWSLETTER", "WINBACK")...)
	out = append(out, purposes([]string{"LEGAL_BASIS_A6_1_F"}, "KNOWLEDGE_EXCHANGE")...)
	return append(out, purposes([]string{"LEGAL_BASIS_A6_1_B", "LEGAL_BASIS_A6_1_C"}, "MEMBERSHIP_ADMIN")...)
}

// deal writes an agreement on the API. JSON is YAML.
func deal(controller, recipient, role, until string) (file, text string) {
	admin := append(purposes([]string{"LEGAL_BASIS_A6_1_C"}, "MEMBERSHIP_ADMIN"), purposes([]string{"LEGAL_BASIS_A6_1_C"}, "RIGHTS_FULFILMENT")...)
	var grants []m
	if role == "ROLE_FUND" || role == "ROLE_UNION" {
		for _, rpc := range fundRPCs() {
			grant := m{"rpc": fundService + rpc, "fields": []string{"context"}, "purposes": admin}
			switch rpc {
			case "ShareContact":
				grant["fields"], grant["purposes"] = []string{"partner_subject_id"}, everyPurpose()
			case "RecordConsent":
				grant["fields"] = []string{"last_day"}
			case "ListDisclosures":
				grant["fields"], grant["purposes"] = []string{"disclosures"}, admin[1:]
			case "SetRestriction":
				grant["fields"], grant["purposes"] = []string{"effective_at"}, admin[1:]
			case "RegisterAgreement", "RecordBalancing":
				grant["fields"], grant["purposes"] = []string{map[string]string{"RegisterAgreement": "registered_at", "RecordBalancing": "recorded_at"}[rpc]}, admin[:1]
			case "EndShare":
				grant["fields"] = []string{"ended_at"}
			case "WithdrawConsent":
				grant["fields"] = []string{"withdrawn_at"}
			default:
				grant["fields"] = []string{"effective_at"}
			}
			grants = append(grants, grant)
		}
		grants = append(grants, m{"rpc": memberService + "ImportMembers", "fields": []string{"event_id"}, "purposes": admin[:1]})
	} else {
		grants = append(grants,
			m{"rpc": shareService + "FetchShares", "fields": released(recipient, "shares"), "purposes": everyPurpose()},
			m{"rpc": shareService + "GetSharedSubject", "fields": released(recipient, "subject"), "purposes": everyPurpose()})
	}
	id := strings.ToLower(strings.ReplaceAll(controller+"-"+recipient, ":", "-"))
	raw, err := json.Marshal(m{
		"id": id, "version": 1, "controller": m{"id": controller, "name": "Controller"}, "recipient": m{"id": recipient, "name": "Recipient"},
		"role": role, "valid_from": "2020-01-01T00:00:00Z", "valid_until": until, "grants": grants, "balancing_id": "b", "processing_agreement_id": "p",
	})
	if err != nil {
		return "", err.Error()
	}
	return id + ".yaml", string(raw)
}

// released are the fields of an answer that an agreement releases: for the fund's agency exactly what its class can have, so that an agreement
// may be as narrow as that (domain rule B.11: what a partner wants less of is decided by its list of fields); for the others all.
func released(recipient, field string) []string {
	switch {
	case recipient != agency:
		return []string{field}
	case field == "shares":
		return []string{"shares.kind", "shares.partner_subject_id", "shares.content.agency_contact"}
	default:
		return []string{"subject.agency_contact"}
	}
}

func deals() map[string]string {
	out := map[string]string{}
	add := func(controller, recipient, role, until string) {
		file, text := deal(controller, recipient, role, until)
		out[file] = text
	}
	const until = "2100-01-01T00:00:00Z"
	for _, fund := range []string{fundDK, sekSE, minDK} {
		add(fund, fund, "ROLE_FUND", until)
	}
	add(unionSE, unionSE, "ROLE_UNION", until)
	add(fundDK, agency, "ROLE_PARTNER", until)
	add(sekSE, agency, "ROLE_PARTNER", until)
	add(unionSE, insurer, "ROLE_PARTNER", until)
	add(fundDK, printer, "ROLE_PROCESSOR", until)
	add(minDK, campaign, "ROLE_PROCESSOR", until)
	add(fundDK, lapsed, "ROLE_PARTNER", "2021-01-01T00:00:00Z")
	return out
}

func controllers() []insurance.Controller {
	offers := []string{"INSURANCE_OFFER", "UNION_SALES", "MEMBERSHIP_ADMIN"}
	var all []string
	for _, p := range core.Purposes() {
		all = append(all, string(p))
	}
	return []insurance.Controller{
		{ID: fundDK, Classes: []string{"INSURANCE_AGENCY", "PRINT_MAIL"}, Purposes: offers},
		{ID: unionSE, Union: true, Purposes: all, Classes: []string{"INCOME_INSURANCE_ADMIN", "MEMBER_INSURANCE", "RIGHTS_SAFEGUARD", "PROCESSOR", "GROUP_COMPANY"}},
		{ID: sekSE, NoCommerce: true, Purposes: all, Classes: []string{"INSURANCE_AGENCY", "PRINT_MAIL"}},
		{ID: minDK, ConsentYears: 1, Purposes: all, Classes: []string{"PROCESSOR", "PRINT_MAIL"}},
	}
}

// register is the identity service as these tests have it.
type register struct {
	mu    sync.Mutex
	state map[string]core.Standing
	asked int
}

// Standings implements core.Identity.
func (r *register) Standings(_ context.Context, _ string, handles []string, address bool) []core.Standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]core.Standing, len(handles))
	for i, handle := range handles {
		r.asked++
		got, ok := r.state[handle]
		if !ok && address {
			got.Address = &core.PostalAddress{Lines: []string{"Prøvevej 1"}, PostalCode: "0000", City: "Prøveby", Country: "DK"}
		}
		out[i] = got
	}
	return out
}

func (r *register) set(handle string, s core.Standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state[handle] = s
}

// count is about how many handles it was asked, each time that it was asked about one.
func (r *register) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// world is a running insurance service.
type world struct {
	*suitetest.Server

	parts    *insurance.Parts
	register *register
	clock    *shifted
	t        testing.TB
}

// shifted is the system's clock with an offset. A clock that stands still would not do: deadlines are measured in real time.
type shifted struct{ offset atomic.Int64 }

// Now implements clock.Clock.
func (s *shifted) Now() time.Time { return clock.System().Now().Add(time.Duration(s.offset.Load())) }

// Advance shifts the clock further.
func (s *shifted) Advance(d time.Duration) { s.offset.Add(int64(d)) }

// edit changes how a world starts.
type edit func(*suitetest.Options, *insurance.Config)

func start(t testing.TB, edits ...edit) *world {
	t.Helper()
	w := &world{t: t, register: &register{state: map[string]core.Standing{}}, clock: &shifted{}}
	cfg := insurance.DefaultConfig()
	cfg.Controllers = controllers()
	o := suitetest.Options{Migrations: sqlstore.Migrations(), Keysets: insurance.Keysets(), Agreements: deals(), Clock: w.clock}
	for _, e := range edits {
		e(&o, &cfg)
	}
	o.Register = func(s *suitetest.Server, _ grpc.ServiceRegistrar) {
		parts, err := insurance.NewParts(cfg, s.DB, s.Keys, o.Clock, w.register)
		must(t, err)
		must(t, parts.Prepare(t.Context()))
		parts.Register(s.RPC)
		w.parts = parts
	}
	w.Server = suitetest.Start(t, o)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) workloadOf(org string) workload.ID {
	country, number, _ := strings.Cut(org, ":")
	return w.CA.Organisation(country, number, "system")
}

// client is one organisation's system that acts for a controller.
type client struct {
	w          *world
	controller string
	fund       insurancev1.InsuranceServiceClient
	share      insurancev1.ShareServiceClient
	members    insurancev1.MemberDirectoryServiceClient
}

func (w *world) as(org, controller string) *client {
	w.t.Helper()
	conn := w.Dial(w.workloadOf(org))
	return &client{
		w: w, controller: controller, fund: insurancev1.NewInsuranceServiceClient(conn), share: insurancev1.NewShareServiceClient(conn),
		members: insurancev1.NewMemberDirectoryServiceClient(conn),
	}
}

func (c *client) why(p vocabularyv1.Purpose, b vocabularyv1.LegalBasis, special ...vocabularyv1.SpecialBasis) *commonv1.RequestContext {
	out := &commonv1.RequestContext{ControllerId: c.controller, Purpose: p, LegalBasis: b, LegalReference: "DK:A-1", CaseReference: "case-1"}
	if len(special) > 0 {
		out.SpecialBasis = special[0]
	}
	return out
}

// Short names of what the tests use most.
const (
	offerPurpose  = vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER
	adminPurpose  = vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN
	rightsPurpose = vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT
	incomePurpose = vocabularyv1.Purpose_PURPOSE_INCOME_INSURANCE_ADMIN
	marketing     = vocabularyv1.Purpose_PURPOSE_MARKETING
	consented     = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A
	contract      = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_B
	law           = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C
	interest      = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F
	explicit      = vocabularyv1.SpecialBasis_SPECIAL_BASIS_A9_2_A
	phoned        = insurancev1.ContactChannel_CONTACT_CHANNEL_PHONE
)

func (c *client) admin() *commonv1.RequestContext  { return c.why(adminPurpose, law) }
func (c *client) rights() *commonv1.RequestContext { return c.why(rightsPurpose, law) }
func (c *client) offer() *commonv1.RequestContext  { return c.why(offerPurpose, interest) }

func dateOf(t time.Time) *commonv1.Date {
	return &commonv1.Date{Year: int32(t.Year()), Month: int32(t.Month()), Day: int32(t.Day())}
}

// member is a test member in the form of the import.
func member(i int) *insurancev1.Member {
	return &insurancev1.Member{
		Handle: handle(i), FullName: "Åse Prøve " + handle(i)[len(handle(i))-3:], PhoneNumber: "+4500000001", Email: "member@example.org",
		MembershipFrom: &commonv1.Date{Year: 2020, Month: 1, Day: 1}, SourceChannel: "SELF_SERVICE", CoverCode: "A1",
	}
}

func (c *client) load(members ...*insurancev1.Member) (*insurancev1.ImportMembersResponse, error) {
	stream, err := c.members.ImportMembers(c.w.t.Context())
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&insurancev1.ImportMembersRequest{Context: c.admin(), Members: members}); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	out, err := stream.Recv()
	if err == nil {
		_, _ = stream.Recv() // the end
	}
	return out, err
}

// agree registers an agreement of a class, with everything that the class can have.
func (c *client) agree(partner string, class insurancev1.PartnerClass, p vocabularyv1.Purpose, b vocabularyv1.LegalBasis, edits ...func(*insurancev1.PartnerAgreement)) error {
	a := &insurancev1.PartnerAgreement{
		AgreementId: "a-1", Version: 1, PartnerId: partner, PartnerName: "Partner", PartnerClass: class, ProcessingCountry: "DK",
		Purposes: []*insurancev1.AgreedPurpose{{Purpose: p, LegalBases: []vocabularyv1.LegalBasis{b}}}, ProcessingAgreementId: "dpa-1",
		ValidFrom: dateOf(c.w.clock.Now().AddDate(0, 0, -10)), ValidUntil: dateOf(c.w.clock.Now().AddDate(0, 0, 10)), BalancingId: "bal-1",
	}
	for f := range insurancev1.SharedField_name {
		if f > 0 && core.Fields(1<<f).Within(core.RuleOf(core.Class(strings.TrimPrefix(class.String(), "PARTNER_CLASS_"))).Fields) {
			a.Fields = append(a.Fields, insurancev1.SharedField(f))
		}
	}
	for _, e := range edits {
		e(a)
	}
	_, err := c.fund.RegisterAgreement(c.w.t.Context(), &insurancev1.RegisterAgreementRequest{Context: c.admin(), Agreement: a})
	return err
}

func (c *client) balance(p vocabularyv1.Purpose) {
	c.w.t.Helper()
	_, err := c.fund.RecordBalancing(c.w.t.Context(), &insurancev1.RecordBalancingRequest{
		Context: c.admin(), BalancingId: "bal-1", AssessedPurpose: p, AssessedOn: &commonv1.Date{Year: 2026, Month: 1, Day: 2},
	})
	must(c.w.t, err)
}

// offers makes a world in which the Danish fund shares offers with its agency, and returns both.
func offers(w *world) (fund, partner *client) {
	w.t.Helper()
	fund = w.as(fundDK, fundDK)
	must(w.t, fund.agree(agency, insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, offerPurpose, interest))
	fund.balance(offerPurpose)
	return fund, w.as(agency, fundDK)
}

func (c *client) send(why *commonv1.RequestContext, partner string, i int, edits ...func(*insurancev1.ShareContactRequest)) (string, error) {
	in := &insurancev1.ShareContactRequest{Context: why, Handle: handle(i), PartnerId: partner}
	for _, e := range edits {
		e(in)
	}
	out, err := c.fund.ShareContact(c.w.t.Context(), in)
	return out.GetPartnerSubjectId(), err
}

// sent shares a member who must be shared.
func (c *client) sent(why *commonv1.RequestContext, partner string, i int, edits ...func(*insurancev1.ShareContactRequest)) string {
	c.w.t.Helper()
	subject, err := c.send(why, partner, i, edits...)
	must(c.w.t, err)
	return subject
}

func (c *client) fetch(why *commonv1.RequestContext, cursor string) (*insurancev1.FetchSharesResponse, error) {
	return c.share.FetchShares(c.w.t.Context(), &insurancev1.FetchSharesRequest{Context: why, Cursor: cursor})
}

// fetched reads a mailbox that must answer.
func (c *client) fetched(why *commonv1.RequestContext, cursor string) ([]*insurancev1.Share, string) {
	c.w.t.Helper()
	out, err := c.fetch(why, cursor)
	must(c.w.t, err)
	return out.GetShares(), out.GetNextCursor()
}

func (c *client) subject(why *commonv1.RequestContext, subject string, fields ...insurancev1.SharedField) (*insurancev1.SharedSubject, error) {
	out, err := c.share.GetSharedSubject(c.w.t.Context(), &insurancev1.GetSharedSubjectRequest{Context: why, PartnerSubjectId: subject, Fields: fields})
	return out.GetSubject(), err
}

func (c *client) optOut(i int) error {
	_, err := c.fund.RecordOptOut(c.w.t.Context(), &insurancev1.RecordOptOutRequest{Context: c.rights(), Handle: handle(i), Channel: phoned})
	return err
}

// reasons are the code and all reasons of a refusal.
func reasons(err error) (codes.Code, string) {
	st := status.Convert(err)
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			if all := info.GetMetadata()[errs.MetaReasons]; all != "" {
				return st.Code(), all
			}
			return st.Code(), info.GetReason()
		}
	}
	return st.Code(), ""
}

// want checks the reasons of a refusal.
func want(t testing.TB, err error, code codes.Code, all string) {
	t.Helper()
	if c, r := reasons(err); c != code || r != all {
		t.Errorf("got %v %s (%v), want %v %s", c, r, err, code, all)
	}
}

// later lets time pass, with Vault in reach all the while.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.clock.Advance(d)
	must(w.t, w.Keys.Refresh(w.t.Context()))
}
