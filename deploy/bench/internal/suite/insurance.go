package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// What an insurer calls over REST, with the insurance and identity services behind the gateway; what it is measured against has a bare
// echo behind a bare gateway. The process that is measured is the gateway's.
const (
	// CallPoll is the normal look into a mailbox: with the cursor of the last one, and nothing new.
	CallPoll = "insurance.FetchShares"
	// CallPage fetches one member's data from a mailbox, again and again as after lost answers.
	CallPage = "insurance.FetchShares.1"
	// CallPages fetches ten members' data in one call.
	CallPages = "insurance.FetchShares.10"
	// CallSubject fetches one member's data by the pseudonym; each time is a disclosure of its own that is kept.
	CallSubject = "insurance.GetSharedSubject"
)

const (
	fetchRoute   = "/v1/shares:fetch"
	subjectRoute = "/v1/shared-subjects:fetch"
	// shared is how many members are in the mailbox.
	shared = 64
)

func insuranceService() Service {
	return Service{
		Name: stack.InsuranceName, Calls: []string{CallPoll, CallPage, CallPages, CallSubject}, Baseline: load.CallEchoREST,
		Start: startInsurance, Prepare: insuranceLanes,
	}
}

// insuranceData is what the load process needs to know.
type insuranceData struct {
	Controller string   `json:"controller"`
	Subjects   []string `json:"subjects"` // the partner's pseudonyms of the members in the mailbox
}

// startInsurance starts gateway, insuranced and identityd; the Danish fund shares some members with its insurance agency, which calls.
func startInsurance(ctx context.Context, in Stage) (*Running, error) {
	var suite *stack.Stack
	var cast story.Cast
	running, err := together(ctx, in, []string{stack.IdentityName, stack.InsuranceName, stack.GatewayName},
		func(ctx context.Context, s *stack.Stack, sc *scene.Scene) (any, error) {
			suite, cast = s, sc.Cast
			_, err := importPeople(ctx, s, in)
			return nil, errors.Join(err, withoutLimit(s))
		})
	if err != nil {
		return nil, err
	}
	data := insuranceData{Controller: cast.DanishFund.Org()}
	if data.Subjects, err = shareMembers(ctx, suite, cast); err != nil {
		return nil, errors.Join(err, running.Close(ctx))
	}
	running.Data, running.Connect.Files, running.Connect.HTTP = data, suite.Files(cast.Insurer), true
	return running, nil
}

// withoutLimit raises the quotas of the agency's agreement beyond what is measured; they are counted all the same.
func withoutLimit(s *stack.Stack) error {
	file := filepath.Join(s.AgreementDir(), "dk-insurance-agency.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("agreement: %w", err)
	}
	raised := bytes.ReplaceAll(text, []byte("requests: 6000"), []byte("requests: 1000000000"))
	return os.WriteFile(file, raised, 0o600) //nolint:gosec // in the benchmark's own folder
}

// shareMembers makes the fund's agreement with the agency, imports members and shares them.
func shareMembers(ctx context.Context, s *stack.Stack, cast story.Cast) (subjects []string, err error) {
	conn, err := s.Dial(stack.InsuranceName, cast.DanishFund)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	fund := insurancev1.NewInsuranceServiceClient(conn)
	admin := sharingContext(cast.DanishFund.Org(), vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN)
	offer := vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER
	day := &commonv1.Date{Year: 2026, Month: 1, Day: 1}
	_, err = fund.RegisterAgreement(ctx, &insurancev1.RegisterAgreementRequest{Context: admin, Agreement: &insurancev1.PartnerAgreement{
		AgreementId: "bench", Version: 1, PartnerId: cast.Insurer.Org(), PartnerName: "Agency", BalancingId: "bal-2026-1", ProcessingCountry: "DK",
		PartnerClass: insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, ValidFrom: day, ValidUntil: &commonv1.Date{Year: 2035, Month: 12, Day: 31},
		Purposes: []*insurancev1.AgreedPurpose{{Purpose: offer, LegalBases: []vocabularyv1.LegalBasis{vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F}}},
		Fields: []insurancev1.SharedField{
			insurancev1.SharedField_SHARED_FIELD_FULL_NAME, insurancev1.SharedField_SHARED_FIELD_PHONE_NUMBER, insurancev1.SharedField_SHARED_FIELD_EMAIL,
		},
	}})
	if err != nil {
		return nil, fmt.Errorf("agreement with the agency: %w", err)
	}
	if _, err := fund.RecordBalancing(ctx, &insurancev1.RecordBalancingRequest{
		Context: admin, BalancingId: "bal-2026-1", AssessedPurpose: offer, AssessedOn: day,
	}); err != nil {
		return nil, fmt.Errorf("balancing: %w", err)
	}
	handles, err := importMembers(ctx, s, cast, insurancev1.NewMemberDirectoryServiceClient(conn), admin)
	if err != nil {
		return nil, err
	}
	why := sharingContext(cast.DanishFund.Org(), offer)
	for _, handle := range handles {
		out, err := fund.ShareContact(ctx, &insurancev1.ShareContactRequest{Context: why, Handle: handle, PartnerId: cast.Insurer.Org()})
		if err != nil {
			return nil, fmt.Errorf("share: %w", err)
		}
		subjects = append(subjects, out.GetPartnerSubjectId())
	}
	return subjects, nil
}

// importMembers resolves persons to handles and imports them into the member base.
func importMembers(
	ctx context.Context, s *stack.Stack, cast story.Cast, base insurancev1.MemberDirectoryServiceClient, admin *commonv1.RequestContext,
) (handles []string, err error) {
	conn, err := s.Dial(stack.IdentityName, cast.DanishFund)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight any more
	identity := identityv1.NewIdentityServiceClient(conn)
	why := requestContext(identityData{Controller: admin.GetControllerId(), LegalReference: story.LawDK}, vocabularyv1.Purpose_PURPOSE_IDENTIFICATION)
	request := &insurancev1.ImportMembersRequest{Context: admin}
	for p := range people.Members(shared) {
		who := person{country: vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+p.Country]), number: p.Number[len("SE:"):]}
		out, err := identity.ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{Context: why, NationalId: who.id()})
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		handles = append(handles, out.GetHandle())
		request.Members = append(request.Members, &insurancev1.Member{
			Handle: out.GetHandle(), FullName: p.GivenName + " " + p.FamilyName, PhoneNumber: "+4500000001", Email: "member@example.org",
			MembershipFrom: &commonv1.Date{Year: 2020, Month: 1, Day: 1}, SourceChannel: "SELF_SERVICE",
		})
	}
	stream, err := base.ImportMembers(ctx)
	if err != nil {
		return nil, fmt.Errorf("import members: %w", err)
	}
	if err := errors.Join(stream.Send(request), stream.CloseSend()); err != nil {
		return nil, fmt.Errorf("import members: %w", err)
	}
	_, err = stream.Recv()
	return handles, err
}

// sharingContext is why the fund and its agency call.
func sharingContext(controller string, purpose vocabularyv1.Purpose) *commonv1.RequestContext {
	out := &commonv1.RequestContext{
		ControllerId: controller, Purpose: purpose, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F, LegalReference: "DK:BAL-2026-1", CaseReference: "bench-1",
	}
	if purpose == vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN {
		out.LegalBasis, out.LegalReference = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, story.LawDK
	}
	return out
}

// insuranceLanes are the agency's calls.
func insuranceLanes(ctx context.Context, t *load.Target, raw json.RawMessage) (map[string]load.Lane, error) {
	var data insuranceData
	if err := json.Unmarshal(raw, &data); err != nil {
		return nil, fmt.Errorf("insurance: data: %w", err)
	}
	why := sharingContext(data.Controller, vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER)
	fetch := func(cursor string, size int32) *insurancev1.FetchSharesRequest {
		return &insurancev1.FetchSharesRequest{Context: why, Cursor: cursor, PageSize: size}
	}
	all, err := fetchOnce(ctx, t, fetch("", 100))
	if err != nil || len(all.GetShares()) != shared {
		return nil, errors.Join(fmt.Errorf("insurance: %d of %d members in the mailbox", len(all.GetShares()), shared), err)
	}
	if _, err := fetchOnce(ctx, t, fetch(all.GetNextCursor(), 0)); err != nil { // confirms
		return nil, err
	}
	poll, err1 := askREST(fetchRoute, holds(0), fetch(all.GetNextCursor(), 0))
	one, err2 := askREST(fetchRoute, holds(1), fetch("", 1))
	ten, err3 := askREST(fetchRoute, holds(10), fetch("", 10))
	var subjects []proto.Message
	for _, s := range data.Subjects {
		subjects = append(subjects, &insurancev1.GetSharedSubjectRequest{Context: why, PartnerSubjectId: s})
	}
	subject, err4 := askREST(subjectRoute, func(body []byte) error {
		if !bytes.Contains(body, []byte("agencyContact")) {
			return errors.New("answer without a member")
		}
		return nil
	}, subjects...)
	return map[string]load.Lane{CallPoll: poll, CallPage: one, CallPages: ten, CallSubject: subject}, errors.Join(err1, err2, err3, err4)
}

// holds checks that an answer has so many members, and a cursor.
func holds(n int) func([]byte) error {
	return func(body []byte) error {
		if got := bytes.Count(body, []byte("agencyContact")); got != n || !bytes.Contains(body, []byte("nextCursor")) {
			return fmt.Errorf("answer with %d members, want %d", got, n)
		}
		return nil
	}
}

func fetchOnce(ctx context.Context, t *load.Target, in *insurancev1.FetchSharesRequest) (*insurancev1.FetchSharesResponse, error) {
	out := new(insurancev1.FetchSharesResponse)
	lane, err := askREST(fetchRoute, func(body []byte) error { return protojson.Unmarshal(body, out) }, in)
	if err != nil {
		return nil, err
	}
	call, err := lane(t, 0)
	if err != nil {
		return nil, err
	}
	_, err = call.Call(ctx)
	return out, err
}

// askREST makes a lane that sends the same bodies in turn: they are written beforehand, as the echo's is.
func askREST(route string, check func([]byte) error, requests ...proto.Message) (load.Lane, error) {
	bodies := make([][]byte, len(requests))
	for i, r := range requests {
		var err error
		if bodies[i], err = protojson.Marshal(r); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
	}
	return func(t *load.Target, i int) (load.Caller, error) {
		client, base, err := t.HTTP(i)
		url, n := base+route, i
		checked := func(h http.Header, body []byte) error {
			if h.Get("Samvirke-Event-Id") == "" {
				return errors.New("answer without an event id")
			}
			return check(body)
		}
		return &load.REST{Client: client, Method: http.MethodPost, Next: func() (string, []byte, func(http.Header, []byte) error) {
			n++
			return url, bodies[n%len(bodies)], checked
		}}, err
	}, nil
}
