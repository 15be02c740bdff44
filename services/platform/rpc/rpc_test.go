package rpc_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func update() bool {
	return flag.Lookup("update") != nil && flag.Lookup("update").Value.String() == "true"
}

const fundAgreement = `id: fund
version: 1
controller: {id: "DK:10000009", name: Fund}
recipient: {id: "DK:10000009", name: Fund}
role: ROLE_FUND
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
grants:
  - rpc: samvirke.identity.v1.IdentityService/VerifyIdentity
    fields: [verdict]
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
  - rpc: samvirke.identity.v1.IdentityService/BatchVerify
    fields: [results]
    quota: {requests: 5, per: 86400s}
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
  - rpc: samvirke.identity.v1.IdentityService/ResolveSubject
    fields: [handle]
    purposes: [{purpose: PURPOSE_IDENTIFICATION, legal_bases: [LEGAL_BASIS_A6_1_C]}]
  - rpc: samvirke.identity.v1.IdentityService/GetPostalAddress
    fields: [address.city]
    purposes: [{purpose: PURPOSE_ADDRESS_UPDATE, legal_bases: [LEGAL_BASIS_A6_1_C]}]
`

// service answers as each test wants.
type service struct {
	identityv1.UnimplementedIdentityServiceServer
	verify  func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error)
	resolve func(context.Context, *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error)
	address func(context.Context, *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error)
	stream  func(grpc.BidiStreamingServer[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]) error
}

func (s *service) VerifyIdentity(ctx context.Context, r *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	if s.verify != nil {
		return s.verify(ctx, r)
	}
	audit.Subject(ctx, "DK:7403851013", false)
	return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH}, nil
}

func (s *service) ResolveSubject(ctx context.Context, r *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	return s.resolve(ctx, r)
}

func (s *service) GetPostalAddress(ctx context.Context, r *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error) {
	return s.address(ctx, r)
}

func (s *service) BatchVerify(stream grpc.BidiStreamingServer[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]) error {
	if s.stream != nil {
		return s.stream(stream)
	}
	return rpc.Each(stream, func(ctx context.Context, r *identityv1.BatchVerifyRequest) (*identityv1.BatchVerifyResponse, error) {
		out := &identityv1.BatchVerifyResponse{EventId: audit.From(ctx).EventID}
		for i := range r.GetItems() {
			audit.Subject(audit.WithItem(ctx, i), r.GetItems()[i].GetNationalId().GetValue(), i == 1)
			out.Results = append(out.Results, &identityv1.BatchResult{Verdict: identityv1.Verdict_VERDICT_UNKNOWN})
		}
		return out, nil
	})
}

func start(t *testing.T, s *service) *suitetest.Server {
	t.Helper()
	return suitetest.Start(t, suitetest.Options{
		Agreements: map[string]string{"fund.yaml": fundAgreement},
		Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, s)
		},
	})
}

func dial(t *testing.T, s *suitetest.Server) (*grpc.ClientConn, identityv1.IdentityServiceClient) {
	t.Helper()
	conn := s.Dial(s.CA.Organisation("DK", "10000009", "caseworker"))
	return conn, identityv1.NewIdentityServiceClient(conn)
}

func why() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: "DK:10000009", Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION,
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§41", CaseReference: "case-1", ActorId: "emp-7",
	}
}

func number() *commonv1.NationalId {
	return &commonv1.NationalId{Country: vocabularyv1.Country_COUNTRY_DK, Value: "7403851013"}
}

func verifyRequest() *identityv1.VerifyIdentityRequest {
	return &identityv1.VerifyIdentityRequest{Context: why(), NationalId: number(), FullName: "Ane Prøve"}
}

func only(t *testing.T, s *suitetest.Server) *auditv1.Record {
	t.Helper()
	records := s.AllRecords()
	if len(records) != 1 {
		t.Fatalf("%d records, want 1: %v", len(records), records)
	}
	return records[0]
}

func reasonOf(t *testing.T, err error) (codes.Code, string, []string) {
	t.Helper()
	st := status.Convert(err)
	var reason string
	var fields []string
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			reason = d.GetReason()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				fields = append(fields, v.GetField())
			}
		}
	}
	return st.Code(), reason, fields
}

// The chain is one list; changing it changes this file.
func TestChain(t *testing.T) {
	t.Parallel()
	got := start(t, &service{}).RPC.Chain()
	const golden = "testdata/chain.golden"
	if update() {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("want:\n%s\ngot:\n%s", want, got)
	}
}

// covers: SEC-07
func TestAllowedCallLeavesItsRecord(t *testing.T) {
	t.Parallel()
	s := start(t, &service{})
	_, client := dial(t, s)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	var trailer metadata.MD
	response, err := client.VerifyIdentity(ctx, verifyRequest(), grpc.Trailer(&trailer))
	if err != nil || response.GetVerdict() != identityv1.Verdict_VERDICT_MATCH {
		t.Fatal(response, err)
	}
	r := only(t, s)
	if got := trailer.Get(rpc.EventIDTrailer); len(got) != 1 || got[0] != r.GetEventId() {
		t.Errorf("trailer %v, record %s", got, r.GetEventId())
	}
	if r.GetDecision() != auditv1.Decision_DECISION_ALLOW || len(r.GetReasons()) != 0 || r.GetStatusCode() != 0 {
		t.Errorf("decision %v %v %d", r.GetDecision(), r.GetReasons(), r.GetStatusCode())
	}
	if !slices.Equal(r.GetFields(), []string{"verdict"}) || r.GetAgreement().GetId() != "fund" || r.GetResultCount() != 1 {
		t.Errorf("fields %v agreement %v count %d", r.GetFields(), r.GetAgreement(), r.GetResultCount())
	}
	if r.GetActor().GetKind() != auditv1.ActorKind_ACTOR_KIND_HUMAN || r.GetActor().GetEmployee() != "emp-7" ||
		r.GetActor().GetWorkload() != "spiffe://samvirke.example/org/DK/10000009/caseworker" {
		t.Errorf("actor %v", r.GetActor())
	}
	if strings.Contains(r.GetSubjectRef(), "7403851013") || r.GetSubjectRef() == "" || len(r.GetRequestDigest()) == 0 || len(r.GetResponseDigest()) == 0 {
		t.Errorf("subject %q", r.GetSubjectRef())
	}
	if len(r.GetTraceId()) != 16 || r.GetTraceId()[0] != 0x0a || len(r.GetParentSpanId()) != 8 || len(r.GetSpanId()) != 8 {
		t.Errorf("trace %x parent %x", r.GetTraceId(), r.GetParentSpanId())
	}
}

// Refusals and malformed requests leave a record too, and tell the caller what to mend.
//
// covers: SEC-05 SEC-07 DFH-26
func TestRefusalsLeaveTheirRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit   func(*identityv1.VerifyIdentityRequest)
		code   codes.Code
		reason string
		field  string
	}{
		"no context":   {func(r *identityv1.VerifyIdentityRequest) { r.Context = nil }, codes.InvalidArgument, "INVALID_REQUEST", "context.controller_id"},
		"no purpose":   {func(r *identityv1.VerifyIdentityRequest) { r.Context.Purpose = 0 }, codes.InvalidArgument, "PURPOSE_MISSING", "context.purpose"},
		"no basis":     {func(r *identityv1.VerifyIdentityRequest) { r.Context.LegalBasis = 0 }, codes.InvalidArgument, "BASIS_MISSING", "context.legal_basis"},
		"no case":      {func(r *identityv1.VerifyIdentityRequest) { r.Context.CaseReference = "" }, codes.FailedPrecondition, "CASE_REFERENCE_MISSING", "context.case_reference"},
		"controller":   {func(r *identityv1.VerifyIdentityRequest) { r.Context.ControllerId = "SE:5560269986" }, codes.PermissionDenied, "CONTROLLER_MISMATCH", ""},
		"purpose":      {func(r *identityv1.VerifyIdentityRequest) { r.Context.Purpose = vocabularyv1.Purpose_PURPOSE_MARKETING }, codes.PermissionDenied, "PURPOSE_NOT_ALLOWED", ""},
		"schema":       {func(r *identityv1.VerifyIdentityRequest) { r.NationalId.Value = "12" }, codes.InvalidArgument, "INVALID_REQUEST", "national_id.value"},
		"nothing":      {func(r *identityv1.VerifyIdentityRequest) { r.FullName = "" }, codes.InvalidArgument, "INVALID_REQUEST", ""},
		"number as id": {func(r *identityv1.VerifyIdentityRequest) { r.Context.CaseReference = "198503149802" }, codes.InvalidArgument, "INVALID_REQUEST", "context.case_reference"},
		"unknown field": {func(r *identityv1.VerifyIdentityRequest) {
			r.NationalId.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
		},
			codes.InvalidArgument, "UNKNOWN_FIELDS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, &service{verify: func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
				t.Error("the handler was reached")
				return &identityv1.VerifyIdentityResponse{}, nil
			}})
			_, client := dial(t, s)
			request := verifyRequest()
			tc.edit(request)
			_, err := client.VerifyIdentity(t.Context(), request)
			code, reason, fields := reasonOf(t, err)
			if code != tc.code || reason != tc.reason || (tc.field != "" && !slices.Contains(fields, tc.field)) {
				t.Errorf("%v %s %v, want %v %s %s", code, reason, fields, tc.code, tc.reason, tc.field)
			}
			r := only(t, s)
			if r.GetStatusCode() != uint32(tc.code) || len(r.GetReasons()) == 0 || r.GetReasons()[0].String() != "REASON_"+tc.reason {
				t.Errorf("record: %d %v", r.GetStatusCode(), r.GetReasons())
			}
			if strings.Contains(r.GetCaseReference(), "198503149802") || len(r.GetFields()) > 0 || len(r.GetResponseDigest()) > 0 {
				t.Errorf("record holds %v", r)
			}
		})
	}
}

// raw sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { b, _ := v.([]byte); return b, nil }
func (raw) Unmarshal([]byte, any) error   { return nil }
func (raw) Name() string                  { return "proto" }

func TestUnreadableMessages(t *testing.T) {
	t.Parallel()
	s := start(t, &service{})
	conn, _ := dial(t, s)
	for _, tc := range []struct {
		name, rpc string
		body      []byte
		code      codes.Code
		reason    string
	}{
		{"truncated", "VerifyIdentity", []byte{0x0a, 0x7f}, codes.InvalidArgument, "MESSAGE_UNREADABLE"},
		{"wrong UTF-8", "VerifyIdentity", []byte{0x1a, 0x02, 0xff, 0xfe}, codes.InvalidArgument, "MESSAGE_UNREADABLE"},
		{"over our limit", "VerifyIdentity", append([]byte{0x1a, 0xff, 0xff, 0x0f}, make([]byte, 300<<10)...), codes.InvalidArgument, "MESSAGE_TOO_LARGE"},
		{"over gRPC's limit", "VerifyIdentity", make([]byte, 2<<20), codes.ResourceExhausted, ""},
		{"the mark itself", "VerifyIdentity", []byte{0xf8, 0xff, 0xff, 0xff, 0x0f, 0x12}, codes.InvalidArgument, "MESSAGE_UNREADABLE"},
		{"no such RPC", "Nothing", nil, codes.Unimplemented, "UNIMPLEMENTED"},
	} {
		before := len(s.AllRecords())
		err := conn.Invoke(t.Context(), "/samvirke.identity.v1.IdentityService/"+tc.rpc, tc.body, &struct{}{}, grpc.ForceCodec(raw{}))
		if code, reason, _ := reasonOf(t, err); code != tc.code || reason != tc.reason {
			t.Errorf("%s: %v %s, want %v %s (%v)", tc.name, code, reason, tc.code, tc.reason, err)
		}
		if got := recordsAfter(t, s, before); got != 1 {
			t.Errorf("%s left %d records", tc.name, got)
		}
	}
}

// recordsAfter waits until there is a record more than before: where gRPC itself refuses, its answer does not wait for ours.
func recordsAfter(t *testing.T, s *suitetest.Server, before int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if got := len(s.AllRecords()) - before; got > 0 || ctx.Err() != nil {
			return got
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// covers: SEC-07
func TestNothingIsDisclosedWithoutARecord(t *testing.T) {
	t.Parallel()
	s := start(t, &service{})
	_, client := dial(t, s)
	if _, err := s.DB.Exec(t.Context(), "DROP TABLE audit_outbox"); err != nil {
		t.Fatal(err)
	}
	response, err := client.VerifyIdentity(t.Context(), verifyRequest())
	if code, reason, _ := reasonOf(t, err); code != codes.Unavailable || reason != "AUDIT_UNAVAILABLE" || response != nil {
		t.Errorf("%v %v %v", response, code, reason)
	}
	request := verifyRequest()
	request.Context.Purpose = 0
	if _, err := client.VerifyIdentity(t.Context(), request); status.Code(err) != codes.Unavailable {
		t.Errorf("a refusal without a record: %v", err)
	}
}

func TestEgressGuard(t *testing.T) {
	t.Parallel()
	s := start(t, &service{address: func(context.Context, *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error) {
		return &identityv1.GetPostalAddressResponse{Address: &identityv1.PostalAddress{City: "Prøveby", PostalCode: "0000"}}, nil
	}})
	_, client := dial(t, s)
	c := why()
	c.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
	request := &identityv1.GetPostalAddressRequest{Context: c, Handle: "k00000000.aaaaaaaaaaaaaaaa"}
	if _, err := client.GetPostalAddress(t.Context(), request); status.Code(err) != codes.PermissionDenied {
		t.Errorf("all fields are more than granted: %v", err)
	}
	request.ReadMask = mask("address.city")
	_, err := client.GetPostalAddress(t.Context(), request)
	if code, reason, _ := reasonOf(t, err); code != codes.Internal || reason != "EGRESS_BLOCKED" || strings.Contains(err.Error(), "0000") {
		t.Errorf("%v", err)
	}
	records := s.AllRecords()
	if last := records[len(records)-1]; len(last.GetFields()) != 0 || last.GetReasons()[0] != commonv1.Reason_REASON_EGRESS_BLOCKED {
		t.Errorf("record %v", last)
	}
}

func TestPanicsBecomeInternal(t *testing.T) {
	t.Parallel()
	s := start(t, &service{verify: func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		panic("198503149802")
	}})
	_, client := dial(t, s)
	_, err := client.VerifyIdentity(t.Context(), verifyRequest())
	if code, reason, _ := reasonOf(t, err); code != codes.Internal || reason != "INTERNAL" {
		t.Errorf("%v", err)
	}
	if only(t, s).GetReasons()[0] != commonv1.Reason_REASON_INTERNAL {
		t.Error("no record")
	}
	if strings.Contains(err.Error()+s.Logs.String(), "198503149802") {
		t.Error("what the panic said got out")
	}
}

func TestForeignErrorsKeepTheirCause(t *testing.T) {
	t.Parallel()
	s := start(t, &service{verify: func(context.Context, *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		return nil, errors.New("driver says a secret thing")
	}})
	_, client := dial(t, s)
	_, err := client.VerifyIdentity(t.Context(), verifyRequest())
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret thing") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(s.Logs.String(), "secret thing") {
		t.Error("the cause is not in the log")
	}
}

// The server keeps a part of the caller's deadline for itself, so that its own time-out is the one reported, and gives those a
// deadline who have none.
func TestBudget(t *testing.T) {
	t.Parallel()
	seen := make(chan time.Time, 1)
	s := start(t, &service{verify: func(ctx context.Context, _ *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		seen <- deadline
		return &identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_UNKNOWN}, nil
	}})
	_, client := dial(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.VerifyIdentity(ctx, verifyRequest()); err != nil {
		t.Fatal(err)
	}
	// gRPC rounds what it sends, so the server's view of the deadline may lie a little later than the caller's.
	if theirs, _ := ctx.Deadline(); theirs.Sub(<-seen) < 5*time.Millisecond {
		t.Error("nothing was kept back")
	}
	if _, err := client.VerifyIdentity(t.Context(), verifyRequest()); err != nil {
		t.Fatal(err)
	}
	<-seen
}

func TestStreamMessagesAreExchanges(t *testing.T) {
	t.Parallel()
	s := start(t, &service{})
	_, client := dial(t, s)
	stream, err := client.BatchVerify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	item := &identityv1.BatchItem{NationalId: number(), FullName: "x"}
	request := &identityv1.BatchVerifyRequest{Context: why(), Items: []*identityv1.BatchItem{item, item}}
	var events []string
	for range 2 {
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, response.GetEventId())
	}
	records := s.AllRecords()
	if len(records) != 4 || records[0].GetEventId() != events[0] || records[3].GetEventId() != events[1] || records[1].GetItem() != 2 ||
		records[0].GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_NORMAL || records[1].GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
		t.Errorf("records %v", records)
	}
	// The quota is five persons; four are used.
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	if code, reason, _ := reasonOf(t, err); code != codes.ResourceExhausted || reason != "QUOTA_EXCEEDED" {
		t.Errorf("%v", err)
	}
	if got := len(s.AllRecords()); got != 5 {
		t.Errorf("%d records", got)
	}
}

// A stream handler can't get around the steps.
func TestRawStreamIsSealed(t *testing.T) {
	t.Parallel()
	s := start(t, &service{stream: func(st grpc.BidiStreamingServer[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]) error {
		return st.Send(&identityv1.BatchVerifyResponse{EventId: "leak"})
	}})
	_, client := dial(t, s)
	stream, err := client.BatchVerify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if _, reason, _ := reasonOf(t, err); reason != "EGRESS_BLOCKED" || response != nil {
		t.Errorf("%v %v", response, err)
	}
}
