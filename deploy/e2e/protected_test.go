package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/deploy/internal/people"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// sharing runs what an insurer's request goes through.
func sharing(_ *testing.T, c *setup) {
	c.only = []string{stack.IdentityName, stack.InsuranceName, stack.GatewayName}
}

// Over REST somebody protected looks like nobody: the status, the body, the headers, and how long it takes, through all programs that the
// question passes. Turns are taken, so that whatever else the machine does hits both, and the medians may differ by half; a noisy go is
// tried again.
//
// covers: B.10 I05
func TestProtectedLooksUnknownOverREST(t *testing.T) {
	t.Parallel()
	f := start(t, sharing)
	hidden := f.sharedAndThenProtected(t)
	nobody := hidden[:len(hidden)-4] + "AAAA"
	url, client, err := f.REST(f.scene.Cast.Insurer)
	must(t, err)
	defer client.CloseIdleConnections()
	ask := func(subject string) (answer string, took time.Duration) {
		body, err := protojson.Marshal(&insurancev1.GetSharedSubjectRequest{Context: f.offer(), PartnerSubjectId: subject})
		must(t, err)
		began := time.Now()
		resp, err := client.Post(url+"/v1/shared-subjects:fetch", "application/json", bytes.NewReader(body))
		must(t, err)
		got, err := io.ReadAll(resp.Body)
		took = time.Since(began)
		must(t, err)
		must(t, resp.Body.Close())
		return look(t, resp, got), took
	}
	want, _ := ask(nobody)
	if !strings.HasPrefix(want, "404 ") {
		t.Fatalf("nobody: %s", want)
	}
	const rounds, tries = 50, 8
	var ratio float64
	for range tries {
		var a, b []time.Duration
		for range rounds {
			answer, took := ask(hidden)
			if a = append(a, took); answer != want {
				t.Fatalf("somebody protected:\n%s\nnobody:\n%s", answer, want)
			}
			_, took = ask(nobody)
			b = append(b, took)
		}
		slices.Sort(a)
		slices.Sort(b)
		if ratio = float64(a[rounds/2]) / float64(b[rounds/2]); ratio > 2.0/3 && ratio < 1.5 {
			t.Logf("medians %s and %s", a[rounds/2], b[rounds/2])
			return
		}
	}
	t.Errorf("an answer about somebody protected takes %.2f times as long as one about nobody", ratio)
}

// look is what can be seen of an answer: status, headers and body, but for what is another in each.
func look(t *testing.T, resp *http.Response, body []byte) string {
	t.Helper()
	var p map[string]any
	must(t, json.Unmarshal(body, &p))
	for _, own := range []string{"traceId", "eventId"} {
		if p[own] == "" || p[own] == nil {
			t.Errorf("no %s in %s", own, body)
		}
		p[own] = "" // of the same length in all
	}
	h := maps.Clone(resp.Header)
	for _, own := range []string{"Samvirke-Event-Id", "Date", "Ratelimit"} {
		if h.Get(own) == "" {
			t.Errorf("no %s", own)
		}
		h[own] = []string{""}
	}
	raw, err := json.Marshal(map[string]any{"headers": h, "body": p})
	must(t, err)
	return resp.Status + " " + string(raw)
}

func (f *fixture) offer() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: f.scene.Cast.DanishFund.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER, CaseReference: "case-1",
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F, LegalReference: "DK:BAL-2026-1",
	}
}

// sharedAndThenProtected shares a member with the insurer, after which the register marks them. It returns the insurer's pseudonym.
func (f *fixture) sharedAndThenProtected(t *testing.T) string {
	t.Helper()
	ctx, cast := t.Context(), f.scene.Cast
	var who people.Person
	for who = range people.Members(1) {
	}
	line, err := people.Line(who)
	must(t, err)
	f.importLine(t, line)

	conn, err := f.Dial(stack.IdentityName, cast.DanishFund)
	must(t, err)
	defer hangUp(t, conn)
	country, number, _ := strings.Cut(who.Number, ":")
	law := &commonv1.RequestContext{
		ControllerId: cast.DanishFund.Org(), Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, CaseReference: "case-1",
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: story.LawDK,
	}
	resolved, err := identityv1.NewIdentityServiceClient(conn).ResolveSubject(ctx, &identityv1.ResolveSubjectRequest{
		Context: law, NationalId: &commonv1.NationalId{Country: vocabularyv1.Country(vocabularyv1.Country_value["COUNTRY_"+country]), Value: number},
	})
	must(t, err)

	shared, err := f.Dial(stack.InsuranceName, cast.DanishFund)
	must(t, err)
	defer hangUp(t, shared)
	fund := insurancev1.NewInsuranceServiceClient(shared)
	law.Purpose = vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN
	day := &commonv1.Date{Year: 2026, Month: 1, Day: 1}
	offer := f.offer().GetPurpose()
	_, err = fund.RegisterAgreement(ctx, &insurancev1.RegisterAgreementRequest{Context: law, Agreement: &insurancev1.PartnerAgreement{
		AgreementId: "agency", Version: 1, PartnerId: cast.Insurer.Org(), PartnerName: "Agency", BalancingId: "bal-2026-1", ProcessingCountry: "DK",
		PartnerClass: insurancev1.PartnerClass_PARTNER_CLASS_INSURANCE_AGENCY, ValidFrom: day, ValidUntil: &commonv1.Date{Year: 2035, Month: 12, Day: 31},
		Purposes: []*insurancev1.AgreedPurpose{{Purpose: offer, LegalBases: []vocabularyv1.LegalBasis{vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F}}},
		Fields:   []insurancev1.SharedField{insurancev1.SharedField_SHARED_FIELD_FULL_NAME, insurancev1.SharedField_SHARED_FIELD_EMAIL},
	}})
	must(t, err)
	_, err = fund.RecordBalancing(ctx, &insurancev1.RecordBalancingRequest{Context: law, BalancingId: "bal-2026-1", AssessedPurpose: offer, AssessedOn: day})
	must(t, err)
	stream, err := insurancev1.NewMemberDirectoryServiceClient(shared).ImportMembers(ctx)
	must(t, err)
	must(t, stream.Send(&insurancev1.ImportMembersRequest{Context: law, Members: []*insurancev1.Member{{
		Handle: resolved.GetHandle(), FullName: who.GivenName + " " + who.FamilyName, Email: "member@example.org", MembershipFrom: day, SourceChannel: "SELF_SERVICE",
	}}}))
	must(t, stream.CloseSend())
	_, err = stream.Recv()
	must(t, err)
	out, err := fund.ShareContact(ctx, &insurancev1.ShareContactRequest{Context: f.offer(), Handle: resolved.GetHandle(), PartnerId: cast.Insurer.Org()})
	must(t, err)

	var marked map[string]any
	must(t, json.Unmarshal(line, &marked))
	marked["protections"] = []map[string]any{{"kind": "SE_SECRECY_MARK"}}
	marked["register_time"] = "2026-06-01T00:00:00Z"
	line, err = json.Marshal(marked)
	must(t, err)
	f.importLine(t, append(line, '\n'))
	return out.GetPartnerSubjectId()
}

func (f *fixture) importLine(t *testing.T, line []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "person.jsonl")
	must(t, os.WriteFile(file, line, 0o600))
	must(t, f.Import(t.Context(), file))
}
