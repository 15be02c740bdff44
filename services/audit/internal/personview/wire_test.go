package personview_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/personview"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/subjects"
	"samvirke.dev/services/platform/suitetest"
)

const number = "7403851013"

// deal is the fund's agreement with itself over the RPCs named.
func deal(rpcs ...string) map[string]string {
	var grants []map[string]any
	for _, g := range rpcs {
		name, purpose, _ := strings.Cut(g, " ")
		fields := map[string][]string{
			"FindUsage": {"total_usages", "usages", "older_before"}, "UsagePeriod": {"period_start"}, "Heartbeat": {"status", "message"},
			"VerifyIdentity": {"verdict"}, "ResolveSubject": {"handle"},
		}[name[strings.LastIndexByte(name, '/')+1:]]
		grants = append(grants, map[string]any{"rpc": name, "fields": fields, "purposes": []map[string]any{{"purpose": purpose, "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}}}})
	}
	party := map[string]string{"id": fund, "name": "Min A-kasse"}
	raw, err := json.Marshal(map[string]any{
		"id": "fund", "version": 1, "controller": party, "recipient": party, "role": "ROLE_FUND", "valid_from": "2020-01-01T00:00:00Z",
		"valid_until": "2100-01-01T00:00:00Z", "grants": grants,
	})
	if err != nil {
		panic(err)
	}
	return map[string]string{"fund.yaml": string(raw)}
}

// member is a service whose records know the person by its own pseudonym.
type member struct {
	identityv1.UnimplementedIdentityServiceServer
	noted string
}

func (m member) VerifyIdentity(ctx context.Context, _ *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	audit.Subject(ctx, m.noted, false)
	return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, nil
}

func (m member) ResolveSubject(_ context.Context, r *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	if r.GetNationalId().GetValue() != number {
		return nil, errs.New(commonv1.Reason_REASON_SUBJECT_NOT_FOUND)
	}
	return &identityv1.ResolveSubjectResponse{Handle: "handle-1"}, nil
}

const identity = "samvirke.identity.v1.IdentityService/"

// startMember runs a service that answers FindSubject for its records, in which it notes the person as given.
func startMember(t *testing.T, noted string) (*suitetest.Server, *subjects.Server) {
	t.Helper()
	var own *subjects.Server
	s := suitetest.Start(t, suitetest.Options{
		Agreements: deal(identity+"VerifyIdentity PURPOSE_IDENTIFICATION", identity+"ResolveSubject PURPOSE_IDENTIFICATION"),
		Limits:     func(c *rpc.Config) { c.ActFor.Services = []string{"audit"} },
		Register: func(s *suitetest.Server, r grpc.ServiceRegistrar) {
			refs, err := s.Keys.PRF("audit.subjects")
			if err != nil {
				t.Fatal(err)
			}
			own = subjects.New(refs, "audit")
			auditv1.RegisterSubjectServiceServer(r, own)
			identityv1.RegisterIdentityServiceServer(r, member{noted: noted})
		},
	})
	return s, own
}

// use calls the service as the fund does, so that it leaves a record about the person.
func use(t *testing.T, s *suitetest.Server) {
	t.Helper()
	client := identityv1.NewIdentityServiceClient(s.Dial(s.CA.Organisation("DK", "10000009", "caseworker")))
	_, err := client.VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{
		Context: &commonv1.RequestContext{
			ControllerId: fund, Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
			LegalReference: "DK:ALF§41", CaseReference: "case-1",
		},
		NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: number}, FullName: "Ane",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rig is two services, each with its own key, and the audit service that asks them.
type rig struct {
	identity, income *suitetest.Server
	audit            *suitetest.Server
	book             *book
	asked            personview.Services
	fund             auditv1.UsageServiceClient
	conn             *grpc.ClientConn
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{book: newBook(t)}
	var known *subjects.Server
	r.identity, known = startMember(t, "DK:"+number)
	known.Note(func(_ context.Context, controller, handle string) ([]string, error) { // identity maps the handle to the number
		if controller == fund && handle == "handle-1" {
			return []string{"DK:" + number}, nil
		}
		return nil, nil
	})
	r.income, _ = startMember(t, "handle-1")
	r.asked = personview.Services{
		Conns: map[string]grpc.ClientConnInterface{
			"identity": r.identity.Dial(r.identity.CA.Service("audit")), "income": r.income.Dial(r.income.CA.Service("audit")),
		},
		Identity: "identity", TrustDomain: suitetest.TrustDomain, Own: func(string) ([]string, error) { return nil, nil },
	}
	view, err := personview.New(personview.Deps{
		Records: r.book.store, Subjects: &r.asked, Exchange: exchange, Period: 60 * 30 * 24 * time.Hour, Clock: clock.System(),
		Names: func(string) string { return "Min A-kasse" },
	})
	if err != nil {
		t.Fatal(err)
	}
	const usage = "samvirke.audit.v1.UsageService/"
	r.audit = suitetest.Start(t, suitetest.Options{
		Agreements: deal(usage+"FindUsage PURPOSE_RIGHTS_FULFILMENT", usage+"UsagePeriod PURPOSE_RIGHTS_FULFILMENT", usage+"Heartbeat PURPOSE_RIGHTS_FULFILMENT"),
		Register: func(_ *suitetest.Server, reg grpc.ServiceRegistrar) {
			auditv1.RegisterUsageServiceServer(reg, personview.NewServer(view))
		},
	})
	r.conn = r.audit.Dial(r.audit.CA.Organisation("DK", "10000009", "portal"))
	r.fund = auditv1.NewUsageServiceClient(r.conn)
	return r
}

// ship puts what the services wrote into the ledger's store.
func (r *rig) ship() {
	for i, s := range []*suitetest.Server{r.identity, r.income} {
		records := s.AllRecords()
		for _, rec := range records {
			rec.Writer.Service = []string{"identity", "income"}[i]
		}
		r.book.keep(records...)
	}
}

func byNumber(value string) *auditv1.Person {
	return &auditv1.Person{By: &auditv1.Person_NationalId{NationalId: &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: value}}}
}

func ask(p *auditv1.Person) *auditv1.FindUsageRequest {
	return &auditv1.FindUsageRequest{Context: why(fund), Person: p, Ground: auditv1.Ground_GROUND_SELF, Language: auditv1.Language_LANGUAGE_EN}
}

// Each service has its own key, none knows another's, and yet one person's uses are found in all of them, by handle and by number, also those
// under a key that was rotated since.
//
// covers: DFH-43 SEC-04 SEC-10
func TestOnePersonAcrossServices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	use(t, r.identity)
	if err := r.identity.Keys.Rotate(t.Context(), "audit.subjects"); err != nil {
		t.Fatal(err)
	}
	use(t, r.identity)
	use(t, r.income)
	r.ship()
	refs := map[string]bool{}
	for _, s := range []*suitetest.Server{r.identity, r.income} {
		for _, rec := range s.AllRecords() {
			refs[rec.GetSubjectRef()] = true
		}
	}
	if len(refs) != 3 {
		t.Fatalf("%d pseudonyms, want three different ones", len(refs))
	}
	for name, person := range map[string]*auditv1.Person{"handle": handle("handle-1"), "number": byNumber(number)} {
		got, err := r.fund.FindUsage(t.Context(), ask(person))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.GetTotalUsages() != 3 || len(got.GetUsages()) != 3 || got.GetUsages()[0].GetReceiverSystem() != "caseworker" || !got.GetUsages()[0].GetAllowed() {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, person := range map[string]*auditv1.Person{"handle": handle("handle-2"), "number": byNumber("0101010007")} {
		if got, err := r.fund.FindUsage(t.Context(), ask(person)); err != nil || got.GetTotalUsages() != 0 {
			t.Errorf("another %s: %v %v", name, got, err)
		}
	}
	page := ask(handle("handle-1"))
	page.Offset, page.Limit = 1, 1
	if got, err := r.fund.FindUsage(t.Context(), page); err != nil || got.GetTotalUsages() != 3 || len(got.GetUsages()) != 1 {
		t.Errorf("a page: %v %v", got, err)
	}
	for _, rec := range append(r.identity.AllRecords(), r.income.AllRecords()...) {
		if strings.HasSuffix(rec.GetRpc(), "FindSubject") && (rec.GetSubjectRef() == "" && rec.GetWriter().GetService() == "income" || rec.GetActor().GetWorkload() == "") {
			t.Errorf("asking left %v", rec)
		}
	}
}

// A list with holes would be wrong: when one service does not answer there is none.
func TestAllServicesMustAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	use(t, r.identity)
	r.ship()
	for name, fault := range map[string]grpc.ClientConnInterface{"income": away{}, "identity": away{}} {
		working := r.asked.Conns[name]
		r.asked.Conns[name] = fault
		for _, person := range []*auditv1.Person{handle("handle-1"), byNumber(number)} {
			if got, err := r.fund.FindUsage(t.Context(), ask(person)); status.Code(err) != codes.Unavailable || got != nil {
				t.Errorf("without %s: %v %v", name, got, err)
			}
		}
		r.asked.Conns[name] = working
	}
	delete(r.asked.Conns, "identity")
	if _, err := r.fund.FindUsage(t.Context(), ask(byNumber(number))); status.Code(err) != codes.Unavailable {
		t.Errorf("without identity's address: %v", err)
	}
}

type away struct{}

// Invoke implements grpc.ClientConnInterface.
func (away) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(codes.Unavailable, "away")
}

// NewStream implements grpc.ClientConnInterface.
func (away) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("away")
}

// Only the audit service may ask for pseudonyms, in its own name.
// covers: SEC-02
func TestOnlyTheAuditServiceMayAskForPseudonyms(t *testing.T) {
	t.Parallel()
	s, _ := startMember(t, "handle-1")
	question := &auditv1.FindSubjectRequest{Context: why(fund), Handle: "handle-1"}
	for name, conn := range map[string]*grpc.ClientConn{
		"another service": s.Dial(s.CA.Service("income")), "a fund": s.Dial(s.CA.Organisation("DK", "10000009", "caseworker")),
		"a fund's system of the same name": s.Dial(s.CA.Organisation("DK", "10000009", "audit")),
	} {
		if got, err := auditv1.NewSubjectServiceClient(conn).FindSubject(t.Context(), question); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	got, err := auditv1.NewSubjectServiceClient(s.Dial(s.CA.Service("audit"))).FindSubject(t.Context(), question)
	if err != nil || len(got.GetSubjectRefs()) != 1 {
		t.Errorf("the audit service: %v %v", got, err)
	}
}

func TestWrongQuestions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, edit := range map[string]func(*auditv1.FindUsageRequest){
		"no person":             func(q *auditv1.FindUsageRequest) { q.Person = nil },
		"an empty person":       func(q *auditv1.FindUsageRequest) { q.Person = &auditv1.Person{} },
		"no ground":             func(q *auditv1.FindUsageRequest) { q.Ground = 0 },
		"a guardian without it": func(q *auditv1.FindUsageRequest) { q.Ground = auditv1.Ground_GROUND_GUARDIAN },
		"a negative offset":     func(q *auditv1.FindUsageRequest) { q.Offset = -1 },
		"a huge limit":          func(q *auditv1.FindUsageRequest) { q.Limit = 5000 },
		"a number of letters":   func(q *auditv1.FindUsageRequest) { q.Person = byNumber("not a number") },
	} {
		q := ask(handle("handle-1"))
		edit(q)
		if _, err := r.fund.FindUsage(t.Context(), q); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	represented := ask(handle("handle-1"))
	represented.Ground, represented.GroundReference = auditv1.Ground_GROUND_POWER_OF_ATTORNEY, "poa-77"
	if _, err := r.fund.FindUsage(t.Context(), represented); err != nil {
		t.Errorf("with a power of attorney: %v", err)
	}
	marketing := ask(handle("handle-1"))
	marketing.Context.Purpose = vocabularyv1.Purpose_PURPOSE_MARKETING
	if _, err := r.fund.FindUsage(t.Context(), marketing); status.Code(err) != codes.PermissionDenied {
		t.Errorf("for marketing: %v", err)
	}
	elsewhere := ask(handle("handle-1"))
	elsewhere.Context.ControllerId = other
	if _, err := r.fund.FindUsage(t.Context(), elsewhere); status.Code(err) != codes.PermissionDenied {
		t.Errorf("of another controller: %v", err)
	}
}

// The REST answers have the shapes of the published contract: same names, dates as RFC 3339, numbers as numbers. The person is in the body.
// covers: SEC-06
func TestRESTHasTheShapesOfTheContract(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	use(t, r.identity)
	r.ship()
	mux := runtime.NewServeMux()
	if err := auditv1.RegisterUsageServiceHandler(t.Context(), mux, r.conn); err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) map[string]any {
		t.Helper()
		out := httptest.NewRecorder()
		mux.ServeHTTP(out, httptest.NewRequest(http.MethodPost, path, bytes.NewBufferString(body)))
		var got map[string]any
		if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil || out.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, out.Code, out.Body)
		}
		return got
	}
	reason := fmt.Sprintf(`"context":{"controllerId":%q,"purpose":"PURPOSE_RIGHTS_FULFILMENT","legalBasis":"LEGAL_BASIS_A6_1_C","legalReference":"EU:GDPR:15","caseReference":"r-1"}`, fund)
	found := post("/v2/findUsage", `{`+reason+`,"person":{"nationalId":{"country":"COUNTRY_DK","value":"7403851013"}},"ground":"GROUND_SELF"}`)
	uses, _ := found["usages"].([]any)
	if found["totalUsages"] != 1.0 || len(uses) != 1 {
		t.Fatalf("%v", found)
	}
	first, _ := uses[0].(map[string]any)
	for _, required := range []string{"logtime", "action", "receiverCode", "receiverName", "receiverSystem"} {
		if s, ok := first[required].(string); !ok || s == "" {
			t.Errorf("%s is %v", required, first[required])
		}
	}
	period := post("/v2/usagePeriod", `{`+reason+`}`)
	for _, stamp := range []any{first["logtime"], period["periodStart"]} {
		s, _ := stamp.(string)
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			t.Errorf("time %v: %v", stamp, err)
		}
	}
	if alive := post("/v2/heartbeat", `{`+reason+`}`); alive["status"] != "OK" || alive["message"] == "" {
		t.Errorf("heartbeat %v", alive)
	}
	if strings.Contains(r.audit.Logs.String(), number) {
		t.Error("the number is in the log")
	}
}
