package identity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/importer"
)

// Levels and verdicts in short.
const (
	none     = identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE
	seMark   = identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_SECRECY_MARK
	seProt   = identityv1.ProtectionLevel_PROTECTION_LEVEL_SE_PROTECTED_REGISTRATION
	dkName   = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_NAME_ADDRESS
	dkStrong = identityv1.ProtectionLevel_PROTECTION_LEVEL_DK_SPECIAL
	unsure   = identityv1.ProtectionLevel_PROTECTION_LEVEL_UNKNOWN

	match   = identityv1.Verdict_VERDICT_MATCH
	noMatch = identityv1.Verdict_VERDICT_NO_MATCH
	unknown = identityv1.Verdict_VERDICT_UNKNOWN
)

// party is a caller as domain rule B.10 tells them apart.
type party struct {
	name, org, law string
}

func parties() []party {
	return []party{
		{"own fund DK", fundDK, ""}, {"own fund SE", fundSE, ""}, {"other fund", otherFund, ""}, {"agency", agency, ""},
		{"agency with the law", agency, lawForAddress}, {"employment agency", employment, ""},
	}
}

// The table of domain rule B.10 from outside: what each RPC tells each kind of caller about somebody with each protection. Where no
// caller is named, nobody gets name and address.
func TestProtectionTable(t *testing.T) {
	t.Parallel()
	everybody := []string{"own fund DK", "own fund SE", "other fund", "agency", "agency with the law", "employment agency"}
	cases := []struct {
		name        string
		protections []string
		level       identityv1.ProtectionLevel
		address     []string // who gets name and address
	}{
		{"none", nil, none, everybody},
		{"marketing block", []string{"AD_BLOCK"}, none, everybody},
		{"secrecy mark", []string{"SE_SECRECY_MARK"}, seMark, nil},
		{"protected registration", []string{"SE_PROTECTED_REGISTRATION"}, seProt, nil},
		{"mark and registration", []string{"SE_SECRECY_MARK", "SE_PROTECTED_REGISTRATION"}, seProt, nil},
		{"name and address", []string{"DK_NAME_ADDRESS"}, dkName, []string{"own fund DK", "agency with the law"}},
		{"name, address and block", []string{"DK_NAME_ADDRESS", "AD_BLOCK"}, dkName, []string{"own fund DK", "agency with the law"}},
		{"special", []string{"DK_SPECIAL"}, dkStrong, nil},
		{"special besides name and address", []string{"DK_NAME_ADDRESS", "DK_SPECIAL"}, dkStrong, nil},
		{"not known which", []string{"UNKNOWN"}, unsure, nil},
	}
	w := start(t)
	for i, tc := range cases {
		w.load(line(i, tc.protections...))
	}
	for _, p := range parties() {
		c := w.as(p.org)
		c.law = p.law
		for i, tc := range cases {
			checkParty(t, c, line(i), p.name+" about "+tc.name, tc.level, slices.Contains(tc.address, p.name))
		}
	}
	high := map[auditv1.SubjectClass]int{}
	for _, r := range w.AllRecords() {
		if r.GetDecision() == auditv1.Decision_DECISION_DENY && strings.HasSuffix(r.GetRpc(), levels) && r.GetItem() == 2 {
			continue // about nobody
		}
		if r.GetDecision() != auditv1.Decision_DECISION_ALLOW || r.GetSubjectRef() == "" {
			t.Fatalf("record of %s: %v, subject %q", r.GetRpc(), r.GetDecision(), r.GetSubjectRef())
		}
		high[r.GetSubjectClass()]++
	}
	// Each of eight protected persons was asked about as often as each of the two others.
	if h, n := high[auditv1.SubjectClass_SUBJECT_CLASS_HIGH], high[auditv1.SubjectClass_SUBJECT_CLASS_NORMAL]; len(high) != 2 || h != 4*n {
		t.Errorf("records by class: %v", high)
	}
}

// A mark is a warning, and a person decides each time: the audit record keeps who tested what, with which outcome, on which ground. A system
// makes no secrecy test.
//
// covers: B.10
func TestSecrecyTestIsRecorded(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := line(1, "SE_SECRECY_MARK")
	w.load(l)
	c := w.as(agency)
	in := &identityv1.RecordSecrecyTestRequest{
		Context: why(agency, secrecy, "SE:OSL22:1"), Handle: c.handle(l.Number), Fields: []string{"postal_address", "phone_number"},
		Outcome: identityv1.SecrecyOutcome_SECRECY_OUTCOME_RELEASE_PART,
	}
	if _, err := c.rpc.RecordSecrecyTest(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	records := w.AllRecords()
	r := records[len(records)-1]
	if r.GetActor().GetEmployee() != "emp-7" || r.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH || r.GetSubjectRef() == "" ||
		r.GetRuleDecision().GetOutcome() != "RELEASE_PART" || r.GetRuleDecision().GetAutomatic() ||
		!slices.Equal(r.GetRuleDecision().GetCodes(), []string{"postal_address", "phone_number"}) || r.GetLegalReference() != "SE:OSL22:1" {
		t.Errorf("%v", r)
	}
	in.Context.ActorId = ""
	if _, err := c.rpc.RecordSecrecyTest(t.Context(), in); status.Code(err) != codes.InvalidArgument {
		t.Errorf("nobody tested: %v", err)
	}
	in.Context.ActorId, in.Fields = "emp-7", []string{"anna_andersson"}
	if _, err := c.rpc.RecordSecrecyTest(t.Context(), in); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a name instead of a field: %v", err)
	}
	in.Fields = []string{"name"}
	in.Context.ActorId, in.Handle = "emp-7", "nobody.nobody.nobody"
	if _, err := c.rpc.RecordSecrecyTest(t.Context(), in); status.Code(err) != codes.NotFound {
		t.Errorf("about nobody: %v", err)
	}
}

// checkParty asks every RPC about one person.
func checkParty(t *testing.T, c *client, l importer.Line, what string, wantLevel identityv1.ProtectionLevel, open bool) {
	t.Helper()
	handle := c.handle(l.Number)
	if got, err := c.level(handle); err != nil || got != wantLevel {
		t.Errorf("%s: level %v, %v, want %v", what, got, err, wantLevel)
	}
	if got, err := c.levels(handle, invalidHandle); err != nil || got[0].GetStatus().GetLevel() != wantLevel || got[1].GetStatus() != nil {
		t.Errorf("%s: level in a batch %v, %v, want %v", what, got, err, wantLevel)
	}
	if got, err := c.letters(handle); err != nil || got[0].GetFound().GetProtection() != wantLevel || (got[0].GetFound().GetAddress() != nil) != open {
		t.Errorf("%s: address in a batch %v, %v; want open %v, %v", what, got, err, open, wantLevel)
	}
	a, err := c.address(handle)
	if err != nil || a.GetProtection() != wantLevel || (a.GetAddress() != nil) != open {
		t.Errorf("%s: address %v, protection %v, %v; want open %v, %v", what, a.GetAddress(), a.GetProtection(), err, open, wantLevel)
	}
	if name := l.GivenNames + " " + l.FamilyName; open && (a.GetAddress().GetAddressee() != name || a.GetAddress().GetCity() != l.Address.City) {
		t.Errorf("%s: %v", what, a.GetAddress())
	}
	// Whether a name belongs to a number is only told to those who may have the name; a birth date is no part of the protection.
	right, wrong := unknown, unknown
	if open {
		right, wrong = match, noMatch
	}
	for _, q := range []struct {
		name, birth string
		want        identityv1.Verdict
	}{
		{l.GivenNames + " " + l.FamilyName, "", right}, {"Somebody Else", "", wrong}, {"", l.BirthDate, match}, {"", "1950-01-01", noMatch},
	} {
		if got, err := c.verify(l.Number, q.name, q.birth); err != nil || got != q.want {
			t.Errorf("%s: verify %q %q: %v, %v; want %v", what, q.name, q.birth, got, err, q.want)
		}
	}
	out, err := c.batch(l)
	if err != nil || len(out.GetResults()) != 1 || out.GetResults()[0].GetVerdict() != match {
		t.Errorf("%s: batch %v, %v", what, out, err)
	}
}

// Persons whom the registers publish for tests, with the protections that their samples show.
//
// covers: SEC-09
func TestPublishedPersons(t *testing.T) {
	t.Parallel()
	w := start(t)
	members := []importer.Membership{{Controller: fundDK, From: "2020-01-01"}, {Controller: fundSE, From: "2020-01-01"}}
	where := &importer.Address{Lines: []string{"Industrivænget 48", "Hasseris"}, PostalCode: "9000", City: "Aalborg", Country: "DK"}
	kinds := func(kinds ...string) (out []importer.Protection) {
		for _, k := range kinds {
			out = append(out, importer.Protection{Kind: k})
		}
		return out
	}
	persons := []importer.Line{
		{Number: "SE:198106039228", BirthDate: "1981-06-03", Protections: kinds("SE_SECRECY_MARK", "SE_PROTECTED_REGISTRATION")},
		{Number: "SE:198203249274", BirthDate: "1982-03-24", Protections: kinds("SE_SECRECY_MARK")},
		{Number: "SE:199411091722", GivenNames: "Hjördis", FamilyName: "Sjö", BirthDate: "1994-11-09", Address: where,
			Protections: []importer.Protection{{Kind: "SE_SECRECY_MARK", Ended: "2020-01-01"}}},
		{Number: "DK:0107529039", EarlierNumbers: []string{"DK:0101520013"}, GivenNames: "Arne Udtzon", FamilyName: "Jensen",
			BirthDate: "1952-07-01", Address: where, Protections: kinds("DK_NAME_ADDRESS"), RegisterState: "01"},
	}
	for i := range persons {
		persons[i].Memberships, persons[i].RegisterTime = members, "2026-01-01T00:00:00Z"
	}
	w.load(persons...)
	danish, swedish := w.as(fundDK), w.as(fundSE)
	checkParty(t, swedish, withAddress(persons[0]), "SPAR's protected registration", seProt, false)
	checkParty(t, swedish, withAddress(persons[1]), "SPAR's secrecy mark", seMark, false)
	checkParty(t, swedish, persons[2], "SPAR's ended mark", none, true)
	checkParty(t, danish, persons[3], "CPR's protected name and address, own fund", dkName, true)
	checkParty(t, swedish, persons[3], "CPR's protected name and address, Swedish fund", dkName, false)
	if before, now := danish.handle("DK:0101520013"), danish.handle("DK:0107529039"); before != now {
		t.Error("an earlier number has a handle of its own")
	}
}

// withAddress gives a person without address something to compare with.
func withAddress(l importer.Line) importer.Line {
	l.Address, l.FamilyName = &importer.Address{}, "Nobody"
	return l
}

// pairOfAnswers are two calls that an outsider must not be able to tell apart.
type pairOfAnswers struct {
	name           string
	hidden, absent func(opts ...grpc.CallOption) (string, error)
}

// Somebody whom the caller may not know looks exactly like nobody: code, details, headers, trailers and time agree. That
// goes for a number that its register annulled, for a handle of another controller, and, for an insurer, for everybody. Not
// parallel: it measures time.
//
// covers: SEC-02 MIN-35 AF-03
func TestLooksLikeUnknown(t *testing.T) {
	w := start(t)
	gone, protected, free := line(0), line(2, "DK_SPECIAL"), line(4)
	w.load(line(0), protected)
	own, stranger, insurer := w.as(fundDK), w.as(otherFund), w.as(partner)
	goneHandle, foreign := own.handle(gone.Number), own.handle(protected.Number)
	gone.RegisterState, gone.RegisterTime = "30", "2026-02-01T00:00:00Z" // CPR: annulled
	w.load(gone)

	resolved := func(c *client, id string) func(opts ...grpc.CallOption) (string, error) {
		return func(opts ...grpc.CallOption) (string, error) {
			in := requests(c.org, line(0), "")[resolve].(*identityv1.ResolveSubjectRequest) //nolint:forcetypeassert // its type
			in.NationalId = number(id)
			out, err := c.rpc.ResolveSubject(t.Context(), in, opts...)
			return out.GetHandle(), err
		}
	}
	verified := func(c *client, id string) func(opts ...grpc.CallOption) (string, error) {
		return func(opts ...grpc.CallOption) (string, error) {
			out, err := c.rpc.VerifyIdentity(t.Context(), &identityv1.VerifyIdentityRequest{
				Context: c.why(verify), NationalId: number(id), FullName: "Anker Prøvesen", BirthDate: date("1963-04-10"),
			}, opts...)
			return out.GetVerdict().String(), err
		}
	}
	addressed := func(c *client, handle string) func(opts ...grpc.CallOption) (string, error) {
		return func(opts ...grpc.CallOption) (string, error) {
			out, err := c.address(handle, opts...)
			return out.String(), err
		}
	}
	levelled := func(c *client, handle string) func(opts ...grpc.CallOption) (string, error) {
		return func(opts ...grpc.CallOption) (string, error) {
			out, err := c.rpc.GetProtectionStatus(t.Context(), &identityv1.GetProtectionStatusRequest{Context: c.why(level), Handle: handle}, opts...)
			return out.String(), err
		}
	}
	for _, p := range []pairOfAnswers{
		{"resolve an annulled number", resolved(own, gone.Number), resolved(own, free.Number)},
		{"verify an annulled number", verified(own, gone.Number), verified(own, free.Number)},
		{"address of an annulled number", addressed(own, goneHandle), addressed(own, invalidHandle)},
		{"level of an annulled number", levelled(own, goneHandle), levelled(own, invalidHandle)},
		{"address by another's handle", addressed(stranger, foreign), addressed(stranger, invalidHandle)},
		{"level by another's handle", levelled(stranger, foreign), levelled(stranger, invalidHandle)},
		{"an insurer resolves a protected person", resolved(insurer, protected.Number), resolved(insurer, free.Number)},
		{"an insurer verifies a protected person", verified(insurer, protected.Number), verified(insurer, free.Number)},
		{"an insurer asks an address", addressed(insurer, foreign), addressed(insurer, invalidHandle)},
	} {
		p.check(t)
	}
	if out, err := own.batch(gone, free); err != nil || out.GetResults()[0].String() != out.GetResults()[1].String() {
		t.Errorf("in a batch: %v, %v", out, err)
	}
	if out, err := own.levels(goneHandle, invalidHandle); err != nil || out[0].String() != out[1].String() || out[0].GetStatus() != nil {
		t.Errorf("levels: %v, %v", out, err)
	}
	if out, err := stranger.letters(foreign, invalidHandle); err != nil || out[0].String() != out[1].String() || out[0].GetFound() != nil {
		t.Errorf("addresses: %v, %v", out, err)
	}
	if _, err := own.resolve(gone.Number); refusalOf(err).code != codes.NotFound {
		t.Errorf("an annulled number: %v", err)
	}
}

func (p pairOfAnswers) check(t *testing.T) {
	t.Helper()
	type seen struct {
		answer          string
		refused         refusal
		header, trailer []string
	}
	look := func(call func(...grpc.CallOption) (string, error)) seen {
		var header, trailer metadata.MD
		answer, err := call(grpc.Header(&header), grpc.Trailer(&trailer))
		return seen{answer, refusalOf(err), slices.Sorted(maps.Keys(header)), slices.Sorted(maps.Keys(trailer))}
	}
	a, b := look(p.hidden), look(p.absent)
	if a.answer != b.answer || a.refused.code != b.refused.code || a.refused.message != b.refused.message || a.refused.details != b.refused.details {
		t.Errorf("%s: %+v, but of nobody %+v", p.name, a, b)
	}
	if !slices.Equal(a.header, b.header) || !slices.Equal(a.trailer, b.trailer) || len(a.trailer) == 0 {
		t.Errorf("%s: headers %v and %v, trailers %v and %v", p.name, a.header, b.header, a.trailer, b.trailer)
	}
	// A machine that does something else can make one round odd; a difference that is in the code is there in every round.
	const rounds = 4
	for round := 1; ; round++ {
		hidden, absent := p.medians()
		if hidden <= 3*absent/2+time.Millisecond && absent <= 3*hidden/2+time.Millisecond {
			return
		}
		if round == rounds {
			t.Errorf("%s takes %v, nobody %v", p.name, hidden, absent)
			return
		}
	}
}

// medians takes turns, so that whatever else the machine does hits both.
func (p pairOfAnswers) medians() (hidden, absent time.Duration) {
	var took [2][]time.Duration
	for range 41 {
		for i, call := range []func(...grpc.CallOption) (string, error){p.hidden, p.absent} {
			began := time.Now()
			_, _ = call() // its outcome was looked at before
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return took[0][20], took[1][20]
}

// The flag is read for every disclosure: what was told a moment ago is not told again once the protection is there, and an ended
// protection opens again.
func TestProtectionIsReadFreshly(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := line(0)
	w.load(l)
	own := w.as(fundDK)
	handle := own.handle(l.Number)
	if a, err := own.address(handle); err != nil || a.GetAddress() == nil {
		t.Fatalf("%v, %v", a, err)
	}
	flagged := line(0, "DK_SPECIAL")
	flagged.RegisterTime = "2026-02-01T00:00:00Z"
	w.load(flagged)
	if a, err := own.address(handle); err != nil || a.GetAddress() != nil || a.GetProtection() != dkStrong {
		t.Errorf("protected: %v, %v", a, err)
	}
	flagged.RegisterTime, flagged.Protections[0].Ended = "2026-03-01T00:00:00Z", "2026-02-15"
	w.load(flagged)
	if a, err := own.address(handle); err != nil || a.GetAddress() == nil || a.GetProtection() != none {
		t.Errorf("ended: %v, %v", a, err)
	}
}
