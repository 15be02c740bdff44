package story

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/internal/stack"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

func example() (step, *auditv1.Record) {
	who := stack.Caller{Country: "DK", Number: "12345678", System: "caseworker"}
	s := step{who: who, about: Person{Country: "DK", Number: "7004631298", Name: "Anker Prøvesen"}, why: because(who, identification, "1"), rpc: verifyRPC}
	return s, &auditv1.Record{
		Decision: auditv1.Decision_DECISION_ALLOW, Fields: []string{"verdict"}, SubjectRef: "k1.abc", Rpc: "/" + verifyRPC,
		Agreement: &auditv1.AgreementRef{Id: "a"}, Actor: &auditv1.Actor{Organisation: who.Org()}, ControllerId: who.Org(),
		Purpose: identification, LegalBasis: obligation, CaseReference: "1", TraceId: make([]byte, 16),
	}
}

// TestCheckNoticesEveryFault: the story tests the suite only as well as check tests a record.
func TestCheckNoticesEveryFault(t *testing.T) {
	t.Parallel()
	s, good := example()
	if err := check(s, good); err != nil {
		t.Fatalf("a good record: %v", err)
	}
	for want, spoil := range map[string]func(*auditv1.Record){
		"decision":         func(r *auditv1.Record) { r.Decision = auditv1.Decision_DECISION_DENY },
		"organisation":     func(r *auditv1.Record) { r.Actor.Organisation = "DK:87654321" },
		"controller":       func(r *auditv1.Record) { r.ControllerId = "" },
		"RPC":              func(r *auditv1.Record) { r.Rpc = resolveRPC },
		"purpose":          func(r *auditv1.Record) { r.Purpose = addressUpdate },
		"legal basis":      func(r *auditv1.Record) { r.LegalBasis = authority },
		"case":             func(r *auditv1.Record) { r.CaseReference = "2" },
		"trace id":         func(r *auditv1.Record) { r.TraceId = nil },
		"fields disclosed": func(r *auditv1.Record) { r.Fields = nil },
		"subject is empty": func(r *auditv1.Record) { r.SubjectRef = "" },
		"agreement":        func(r *auditv1.Record) { r.Agreement = nil },
		"person's number":  func(r *auditv1.Record) { r.LegalReference = s.about.Number },
		"person's name":    func(r *auditv1.Record) { r.CaseReference = s.about.Name },
	} {
		bad := proto.CloneOf(good)
		spoil(bad)
		if err := check(s, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v", want, err)
		}
	}
}

func TestCheckOfARefusal(t *testing.T) {
	t.Parallel()
	s, r := example()
	s.refused = commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED
	if err := check(s, r); err == nil {
		t.Error("a disclosure passes for a refusal")
	}
	r.Decision, r.Fields, r.SubjectRef = auditv1.Decision_DECISION_DENY, nil, ""
	r.Reasons = []commonv1.Reason{commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED}
	if err := check(s, r); err != nil {
		t.Error(err)
	}
	s.granted = true
	if err := check(s, r); err == nil {
		t.Error("a denial passes for a call that was granted and failed")
	}
}

func TestFieldChecks(t *testing.T) {
	t.Parallel()
	r := &auditv1.Record{Fields: []string{"protection", "address.city"}}
	for name, c := range map[string]struct {
		check func(*auditv1.Record) error
		good  bool
	}{
		"discloses in any order": {discloses("address.city", "protection"), true},
		"discloses less":         {discloses("protection"), false},
		"lacks what is there":    {lacks("address"), false},
		"lacks what is not":      {lacks("addr"), true},
		"not high":               {high, false},
		"both":                   {both(lacks("addr"), high), false},
	} {
		if err := c.check(r); (err == nil) != c.good {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestExamplesAreRequests(t *testing.T) {
	t.Parallel()
	who := stack.Caller{Country: "DK", Number: "12345678", System: "caseworker"}
	all := Examples(Cast{DanishFund: who, Dane: Person{Country: "DK", Number: "7004631298", Name: "Anker Prøvesen"}})
	if len(all) != 2 {
		t.Fatalf("%d examples", len(all))
	}
	for _, e := range all {
		if !strings.Contains(e.JSON, `"controller_id":"DK:12345678"`) && !strings.Contains(e.JSON, `"controller_id": "DK:12345678"`) {
			t.Errorf("%s: %s", e.RPC, e.JSON)
		}
	}
}
