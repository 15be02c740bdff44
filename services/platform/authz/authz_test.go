package authz_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"samvirke.dev/certs/workload"
	agreementv1 "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/authz"
)

const (
	service = "samvirke.identity.v1.IdentityService"
	verify  = "/" + service + "/VerifyIdentity"
	address = "/" + service + "/GetPostalAddress"
	fund    = "DK:10000009"
)

func exposed(methods ...string) map[string]grpc.ServiceInfo {
	info := grpc.ServiceInfo{}
	for _, m := range methods {
		info.Methods = append(info.Methods, grpc.MethodInfo{Name: m})
	}
	return map[string]grpc.ServiceInfo{service: info}
}

func methods(t *testing.T) authz.Methods {
	t.Helper()
	m, err := authz.Cover(exposed("VerifyIdentity", "GetPostalAddress", "ResolveSubject", "GetProtectionStatus", "BatchVerify"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// agreements is a set of one agreement.
type agreements struct {
	recipient, controller string
	role                  vocabularyv1.Role
	systems               []string
	from, until           time.Time
	grants                map[string]*authz.Grant
}

func (a *agreements) Knows(recipient string) bool { return recipient == a.recipient }
func (a *agreements) Between(recipient, controller string) []authz.Agreement {
	if recipient == a.recipient && controller == a.controller {
		return []authz.Agreement{a}
	}
	return nil
}
func (a *agreements) Active(at time.Time) bool { return !at.Before(a.from) && at.Before(a.until) }
func (a *agreements) Admits(system string) bool {
	return len(a.systems) == 0 || slices.Contains(a.systems, system)
}
func (a *agreements) Grant(rpc string) *authz.Grant    { return a.grants[rpc] }
func (a *agreements) Role() vocabularyv1.Role          { return a.role }
func (a *agreements) Reference() *auditv1.AgreementRef { return &auditv1.AgreementRef{Id: "a"} }
func (a *agreements) ThirdCountryBasis() string        { return "" }

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func one(t *testing.T) *agreements {
	t.Helper()
	all := methods(t)
	a := &agreements{
		recipient: fund, controller: fund, role: vocabularyv1.Role_ROLE_FUND,
		from: now().Add(-time.Hour), until: now().Add(time.Hour), grants: map[string]*authz.Grant{},
	}
	for rpc, fields := range map[string][]string{verify[1:]: {"verdict"}, address[1:]: {"address", "protection"}} {
		purpose := vocabularyv1.Purpose_PURPOSE_IDENTIFICATION
		if rpc == address[1:] {
			purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
		}
		g, problems := authz.NewGrant(&agreementv1.Grant{
			Rpc: rpc, Fields: fields,
			Purposes: []*agreementv1.PurposeGrant{{
				Purpose: purpose, LegalBases: []vocabularyv1.LegalBasis{vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C},
				LegalReferences: []string{"DK:ALF§41"},
			}},
		}, a.role, all)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		a.grants[rpc] = g
	}
	return a
}

func right() *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: fund, Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION,
		LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§41", CaseReference: "case-1",
	}
}

func caller(t *testing.T, uri string) workload.ID {
	t.Helper()
	id, err := workload.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// The table walks domain rule B.11 check by check.
//
// covers: SEC-02 SEC-05 DFH-26 MIN-05 SEK-04
func TestDecide(t *testing.T) {
	t.Parallel()
	type edit struct {
		agreement func(*agreements)
		context   func(*commonv1.RequestContext)
		caller    string
		method    string
		wanted    []string
	}
	const own = "spiffe://samvirke.example/org/DK/10000009/caseworker"
	for name, tc := range map[string]struct {
		edit edit
		want []commonv1.Reason
	}{
		"allowed": {},
		"stranger": {edit{caller: "spiffe://samvirke.example/org/DK/99999999/x"},
			[]commonv1.Reason{commonv1.Reason_REASON_ORGANISATION_UNKNOWN}},
		"our own service": {edit{caller: "spiffe://samvirke.example/svc/transfer"},
			[]commonv1.Reason{commonv1.Reason_REASON_ROLE_NOT_ALLOWED}},
		"no controller": {edit{context: func(c *commonv1.RequestContext) { c.ControllerId = "" }},
			[]commonv1.Reason{commonv1.Reason_REASON_INVALID_REQUEST}},
		"foreign controller": {edit{context: func(c *commonv1.RequestContext) { c.ControllerId = "DK:88888888" }},
			[]commonv1.Reason{commonv1.Reason_REASON_CONTROLLER_MISMATCH}},
		"not yet": {edit{agreement: func(a *agreements) { a.from = now().Add(time.Second) }},
			[]commonv1.Reason{commonv1.Reason_REASON_AGREEMENT_INACTIVE}},
		"last instant": {edit{agreement: func(a *agreements) { a.until = now() }},
			[]commonv1.Reason{commonv1.Reason_REASON_AGREEMENT_INACTIVE}},
		"role": {edit{agreement: func(a *agreements) { a.role = vocabularyv1.Role_ROLE_PARTNER }},
			[]commonv1.Reason{commonv1.Reason_REASON_ROLE_NOT_ALLOWED}},
		"rpc": {edit{method: "/" + service + "/ResolveSubject"},
			[]commonv1.Reason{commonv1.Reason_REASON_RPC_NOT_GRANTED}},
		"system": {edit{agreement: func(a *agreements) { a.systems = []string{"batch"} }},
			[]commonv1.Reason{commonv1.Reason_REASON_RPC_NOT_GRANTED}},
		"no purpose": {edit{context: func(c *commonv1.RequestContext) { c.Purpose = 0 }},
			[]commonv1.Reason{commonv1.Reason_REASON_PURPOSE_MISSING, commonv1.Reason_REASON_BASIS_INVALID}},
		"purpose not of this RPC": {edit{context: func(c *commonv1.RequestContext) { c.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE }},
			[]commonv1.Reason{commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED}},
		"no basis": {edit{context: func(c *commonv1.RequestContext) { c.LegalBasis = 0 }},
			[]commonv1.Reason{commonv1.Reason_REASON_BASIS_MISSING}},
		"consent is no basis here": {edit{context: func(c *commonv1.RequestContext) { c.LegalBasis = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A }},
			[]commonv1.Reason{commonv1.Reason_REASON_BASIS_INVALID}},
		"basis fits but is not granted": {edit{context: func(c *commonv1.RequestContext) { c.LegalBasis = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_B }},
			[]commonv1.Reason{commonv1.Reason_REASON_BASIS_INVALID}},
		"special basis not granted": {edit{context: func(c *commonv1.RequestContext) { c.SpecialBasis = vocabularyv1.SpecialBasis_SPECIAL_BASIS_A9_2_A }},
			[]commonv1.Reason{commonv1.Reason_REASON_SPECIAL_BASIS_MISSING}},
		"no legal reference": {edit{context: func(c *commonv1.RequestContext) { c.LegalReference = "" }},
			[]commonv1.Reason{commonv1.Reason_REASON_LEGAL_REFERENCE_MISSING}},
		"another legal reference": {edit{context: func(c *commonv1.RequestContext) { c.LegalReference = "DK:OTHER" }},
			[]commonv1.Reason{commonv1.Reason_REASON_LEGAL_REFERENCE_INVALID}},
		"no case": {edit{context: func(c *commonv1.RequestContext) { c.CaseReference = "" }},
			[]commonv1.Reason{commonv1.Reason_REASON_CASE_REFERENCE_MISSING}},
		"a field too many": {edit{method: address, wanted: []string{"address.city", "valid_from"},
			context: func(c *commonv1.RequestContext) { c.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE }},
			[]commonv1.Reason{commonv1.Reason_REASON_FIELDS_EXCEED}},
		"all fields by silence": {edit{method: address,
			context: func(c *commonv1.RequestContext) { c.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE }},
			[]commonv1.Reason{commonv1.Reason_REASON_FIELDS_EXCEED}},
		"granted fields": {edit{method: address, wanted: []string{"address", "protection"},
			context: func(c *commonv1.RequestContext) { c.Purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE }}, nil},
		"all at once, in order": {edit{context: func(c *commonv1.RequestContext) {
			c.Purpose, c.LegalBasis, c.LegalReference, c.CaseReference = 0, 0, "", ""
		}}, []commonv1.Reason{
			commonv1.Reason_REASON_PURPOSE_MISSING, commonv1.Reason_REASON_BASIS_MISSING,
			commonv1.Reason_REASON_LEGAL_REFERENCE_MISSING, commonv1.Reason_REASON_CASE_REFERENCE_MISSING,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, c, uri, method := one(t), right(), own, verify
			if tc.edit.agreement != nil {
				tc.edit.agreement(a)
			}
			if tc.edit.context != nil {
				tc.edit.context(c)
			}
			if tc.edit.caller != "" {
				uri = tc.edit.caller
			}
			if tc.edit.method != "" {
				method = tc.edit.method
			}
			d := authz.Decide(a, authz.Request{Method: methods(t)[method], Caller: caller(t, uri), Context: c, Wanted: tc.edit.wanted, At: now()})
			if !slices.Equal(d.Reasons, tc.want) || d.Allowed() != (len(tc.want) == 0) {
				t.Errorf("reasons %v, want %v", d.Reasons, tc.want)
			}
		})
	}
}

// An RPC without a schema, or of a service that has none, stops the boot.
func TestCoverRefusesGaps(t *testing.T) {
	t.Parallel()
	_, err := authz.Cover(map[string]grpc.ServiceInfo{
		service:     {Methods: []grpc.MethodInfo{{Name: "VerifyIdentity"}, {Name: "Forgotten"}}},
		"x.Unknown": {Methods: []grpc.MethodInfo{{Name: "Call"}}},
	})
	if err == nil || !strings.Contains(err.Error(), "Forgotten") || !strings.Contains(err.Error(), "/x.Unknown/Call") {
		t.Errorf("want both gaps named, got %v", err)
	}
}

// The cross tests of domain rule B.11.
func TestBasisFits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		purpose vocabularyv1.Purpose
		basis   vocabularyv1.LegalBasis
		want    bool
	}{
		{vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A, false},
		{vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, true},
		{vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST, false},
		{vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, false},
		{vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F, true},
		{vocabularyv1.Purpose_PURPOSE_UNSPECIFIED, vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, false},
		{vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, vocabularyv1.LegalBasis_LEGAL_BASIS_UNSPECIFIED, false},
	} {
		if got := authz.BasisFits(tc.purpose, tc.basis); got != tc.want {
			t.Errorf("%v on %v: %v, want %v", tc.purpose, tc.basis, got, tc.want)
		}
	}
	for p := range vocabularyv1.Purpose_name {
		purpose := vocabularyv1.Purpose(p)
		some := false
		for b := range vocabularyv1.LegalBasis_name {
			some = some || authz.BasisFits(purpose, vocabularyv1.LegalBasis(b))
		}
		if some != (p != 0) {
			t.Errorf("%v has a basis: %v", purpose, some)
		}
	}
}

// covers: DFH-11
func TestGuardBlocksWhatIsNotReleased(t *testing.T) {
	t.Parallel()
	release, err := methods(t)[address].Plan.NewRelease([]string{"address.city", "address.lines", "register_time"})
	if err != nil {
		t.Fatal(err)
	}
	const purpose = vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
	good := &identityv1.GetPostalAddressResponse{
		Address:      &identityv1.PostalAddress{City: "X", Lines: []string{"a", "b"}},
		RegisterTime: timestamppb.New(now()), Source: vocabularyv1.Source_SOURCE_PUBLIC_REGISTER,
	}
	if d := release.Inspect(good, purpose, 0); len(d.Blocked) > 0 || !slices.Equal(sorted(d.Fields), []string{"address.city", "address.lines"}) {
		t.Errorf("good response: %+v", d)
	}
	for name, bad := range map[string]*identityv1.GetPostalAddressResponse{
		"address.postal_code": {Address: &identityv1.PostalAddress{PostalCode: "1"}},
		"protection":          {Protection: identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE},
		"valid_from.year":     {ValidFrom: &commonv1.Date{Year: 2020}},
	} {
		if d := release.Inspect(bad, purpose, 0); !slices.Equal(d.Blocked, []string{name}) {
			t.Errorf("%s: blocked %v", name, d.Blocked)
		}
	}
	unknown := &identityv1.GetPostalAddressResponse{}
	unknown.ProtoReflect().SetUnknown([]byte{0xf8, 0x07, 0x01})
	if d := release.Inspect(unknown, purpose, 0); len(d.Blocked) != 1 {
		t.Errorf("unknown field: %+v", d)
	}
}

// A released field of a class that the purpose does not allow is blocked all the same.
func TestGuardBlocksClassOfPurpose(t *testing.T) {
	t.Parallel()
	release, err := methods(t)[address].Plan.NewRelease([]string{"address", "protection"})
	if err != nil {
		t.Fatal(err)
	}
	response := &identityv1.GetPostalAddressResponse{Address: &identityv1.PostalAddress{City: "X"}}
	if d := release.Inspect(response, vocabularyv1.Purpose_PURPOSE_STATISTICS, 0); len(d.Blocked) != 1 {
		t.Errorf("statistics got %+v", d)
	}
}

func sorted(in []string) []string { out := slices.Clone(in); slices.Sort(out); return out }

func TestGrantIsCheckedAgainstTheSchema(t *testing.T) {
	t.Parallel()
	all := methods(t)
	grant := func(edit func(*agreementv1.Grant)) *agreementv1.Grant {
		g := &agreementv1.Grant{Rpc: verify[1:], Fields: []string{"verdict"}, Purposes: []*agreementv1.PurposeGrant{{
			Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBases: []vocabularyv1.LegalBasis{vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C},
		}}}
		edit(g)
		return g
	}
	for name, tc := range map[string]struct {
		grant *agreementv1.Grant
		role  vocabularyv1.Role
	}{
		"unknown RPC":      {grant(func(g *agreementv1.Grant) { g.Rpc = service + "/Nothing" }), vocabularyv1.Role_ROLE_FUND},
		"role":             {grant(func(*agreementv1.Grant) {}), vocabularyv1.Role_ROLE_PARTNER},
		"purpose":          {grant(func(g *agreementv1.Grant) { g.Purposes[0].Purpose = vocabularyv1.Purpose_PURPOSE_MARKETING }), vocabularyv1.Role_ROLE_FUND},
		"basis of purpose": {grant(func(g *agreementv1.Grant) { g.Purposes[0].LegalBases[0] = vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A }), vocabularyv1.Role_ROLE_FUND},
		"field":            {grant(func(g *agreementv1.Grant) { g.Fields[0] = "income" }), vocabularyv1.Role_ROLE_FUND},
	} {
		if _, problems := authz.NewGrant(tc.grant, tc.role, all); len(problems) == 0 {
			t.Errorf("%s: no problem found", name)
		}
	}
	if g, problems := authz.NewGrant(grant(func(g *agreementv1.Grant) { g.Rpc = "samvirke.income.v1.IncomeService/Match" }), vocabularyv1.Role_ROLE_FUND, all); g != nil || len(problems) > 0 {
		t.Errorf("another service's RPC: %v %v", g, problems)
	}
}

// A service of ours that calls in its own name needs no agreement where the schema's rule is open to it, and gets nothing personal.
func TestServiceInItsOwnName(t *testing.T) {
	t.Parallel()
	m := methods(t)[verify]
	open := &authz.Method{}
	*open = *m
	open.Rule = proto.CloneOf(m.Rule)
	open.Rule.Callers = append(open.Rule.Callers, vocabularyv1.Role_ROLE_SERVICE)
	who := caller(t, "spiffe://samvirke.example/svc/transfer")
	if d := authz.Decide(one(t), authz.Request{Method: m, Caller: who, At: now()}); d.Allowed() || d.Role != vocabularyv1.Role_ROLE_SERVICE {
		t.Errorf("decision is %+v", d)
	}
	d := authz.Decide(one(t), authz.Request{Method: open, Caller: who, At: now()})
	if !d.Allowed() {
		t.Fatalf("refused: %v", d.Reasons)
	}
	found := d.Grant.Release.Inspect(&identityv1.VerifyIdentityResponse{Verdict: identityv1.Verdict_VERDICT_MATCH},
		vocabularyv1.Purpose_PURPOSE_UNSPECIFIED, vocabularyv1.SpecialBasis_SPECIAL_BASIS_UNSPECIFIED)
	if len(found.Blocked) == 0 {
		t.Error("a service got personal data without an agreement")
	}
}
