package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Funds and an agency that do not exist.
const (
	fundDK      = "DK:10000009"
	otherFundDK = "DK:10000017"
	fundSE      = "SE:8020000009"
	agencySE    = "SE:2020000009"
)

// Numbers of persons who do not exist.
const (
	annaSE  = "SE:198503149802"
	boDK    = "DK:7403851013"
	nobody  = "SE:198503149810"
	formerB = "DK:7403851021"
)

// rig is the use cases with a store in memory and a record of what was noted.
type rig struct {
	core.Feed // nobody follows anybody here

	t        *testing.T
	clock    *clock.Fake
	persons  map[string]*core.Person // by canonical number
	byHandle map[string]string       // controller and handle to number
	notes    []note
	fail     error
	service  *core.Service
}

type note struct {
	subject   string
	protected bool
	source    core.Source
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, clock: clock.NewFake(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)),
		persons: map[string]*core.Person{}, byHandle: map[string]string{},
	}
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test})
	if err != nil {
		t.Fatal(err)
	}
	r.service, err = core.New(core.Deps{
		Persons: r, Feed: r, Handles: r, Notes: r, Clock: r.clock, Zone: time.UTC, Guard: guard, ProtectedAddressLaws: []string{"DK:CPR§42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) ByNumber(_ context.Context, n nationalid.Number) (core.Found, error) {
	p, ok := r.persons[n.Canonical()]
	if !ok {
		return core.Found{Person: r.decoy()}, r.fail
	}
	return core.Found{Person: p, Known: true, Ref: 1}, r.fail
}

func (r *rig) ByHandle(_ context.Context, controller, handle string) (core.Found, error) {
	p, ok := r.persons[r.byHandle[controller+" "+handle]]
	if !ok {
		return core.Found{Person: r.decoy()}, r.fail
	}
	return core.Found{Person: p, Known: true, Ref: 1}, r.fail
}

func (r *rig) ByHandles(ctx context.Context, controller string, handles []string) (out []core.Found, err error) {
	for _, h := range handles {
		f, err := r.ByHandle(ctx, controller, h)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (r *rig) KeepHandle(_ context.Context, controller, handle string, _ int64) (string, error) {
	r.byHandle[controller+" "+handle] = handle[len(controller)+1:]
	return handle, r.fail
}

func (r *rig) ByRef(context.Context, int64) (core.Found, error) {
	return core.Found{}, core.ErrNotFound
}

func (r *rig) Write(_ context.Context, persons ...*core.Person) error {
	for _, p := range persons {
		r.persons[p.Number.Canonical()] = p
	}
	return r.fail
}

func (r *rig) InTx(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (r *rig) Handle(controller, canonical string) (string, error) {
	return controller + "/" + canonical, r.fail
}

func (r *rig) Subject(_ context.Context, canonical string, protected bool) {
	r.notes = append(r.notes, note{subject: canonical, protected: protected})
}

// Tested implements core.Notes.
// Withheld and NoAddress are looked at from outside.
func (r *rig) Withheld(context.Context)  {}
func (r *rig) NoAddress(context.Context) {}

func (r *rig) Tested(context.Context, core.SecrecyTest) {}

func (r *rig) Source(_ context.Context, s core.Source, _ time.Time) {
	r.notes = append(r.notes, note{source: s})
}

func (r *rig) decoy() *core.Person {
	return &core.Person{Number: r.parse(annaSE), Name: names.Name{Given: "Decoy", Family: "Decoy"}}
}

func (r *rig) parse(canonical string) nationalid.Number {
	r.t.Helper()
	n, err := nationalid.ParseCanonical(canonical, civil.Date{Year: 2026, Month: 11, Day: 23})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// add adds a person with name, address and memberships since 2020.
func (r *rig) add(canonical string, funds ...string) *core.Person {
	p := &core.Person{
		Number: r.parse(canonical), Name: names.Name{Given: "Anna Maria", Family: "Berg", Addressing: "Anna Berg"},
		Birth:        civil.Date{Year: 1985, Month: 3, Day: 14},
		Address:      &core.Address{Lines: []string{"Provgatan 1"}, PostalCode: "00000", City: "Provstad"},
		RegisterTime: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Source: core.SourcePublicRegister,
	}
	for _, f := range funds {
		p.Memberships = append(p.Memberships, core.Membership{Controller: f, From: civil.Date{Year: 2020, Month: 1, Day: 1}})
	}
	r.persons[canonical] = p
	return p
}

func raw(canonical string) core.RawNumber {
	country := nationalid.Sweden
	if canonical[:2] == "DK" {
		country = nationalid.Denmark
	}
	return core.RawNumber{Country: country, Text: canonical[3:]}
}

func fund(controller string) core.Caller {
	return core.Caller{Organisation: controller, Controller: controller, Role: core.RoleFund, LegalReference: "DK:ALF§90b", CaseReference: "c-1"}
}

func agency(law string) core.Caller {
	return core.Caller{Organisation: agencySE, Controller: agencySE, Role: core.RoleAgency, LegalReference: law, CaseReference: "c-1"}
}

// TestProtectionTable is domain rule B.10 for what the store knows, row by row: what each kind of caller gets of each kind of
// person, through every use case.
//
// covers: B.10
func TestProtectionTable(t *testing.T) {
	t.Parallel()
	noCase, noLaw := fund(fundDK), fund(fundDK)
	noCase.CaseReference, noLaw.LegalReference = "", ""
	callers := map[string]core.Caller{
		"own fund DK":         fund(fundDK),
		"own fund DK no case": noCase,
		"own fund DK no law":  noLaw,
		"own fund SE":         fund(fundSE),
		"other fund":          fund(otherFundDK),
		"agency":              agency("SE:SFS-1998:527:3-1"),
		"agency, law listed":  agency("DK:CPR§42"),
		"partner":             {Controller: fundDK, Role: core.RoleOther, LegalReference: "DK:CPR§42", CaseReference: "c-1"},
	}
	const open, flag, none = "all", "flag", "unknown"
	type row map[string]string
	same := func(what string, except row) row {
		out := row{}
		for c := range callers {
			out[c] = what
		}
		for c, w := range except {
			out[c] = w
		}
		return out
	}
	hidden := row{"partner": none}
	for _, c := range []struct {
		name  string
		kinds []core.ProtectionKind
		level core.Level
		want  row
	}{
		{"not protected", nil, core.LevelNone, same(open, nil)},
		{"ad block", []core.ProtectionKind{core.ProtectionAdBlock}, core.LevelNone, same(open, nil)},
		{"SE mark", []core.ProtectionKind{core.ProtectionSESecrecyMark}, core.LevelSESecrecyMark, same(flag, hidden)},
		{
			"SE protected", []core.ProtectionKind{core.ProtectionSESecrecyMark, core.ProtectionSEProtectedRegistration},
			core.LevelSEProtectedRegistration, same(flag, hidden),
		},
		{
			"DK name and address", []core.ProtectionKind{core.ProtectionDKNameAddress, core.ProtectionAdBlock}, core.LevelDKNameAddress,
			same(flag, row{"own fund DK": open, "agency, law listed": open, "partner": none}),
		},
		{"DK special", []core.ProtectionKind{core.ProtectionDKSpecial}, core.LevelDKSpecial, same(flag, hidden)},
		{
			"DK special and name", []core.ProtectionKind{core.ProtectionDKNameAddress, core.ProtectionDKSpecial}, core.LevelDKSpecial,
			same(flag, hidden),
		},
		{"unknown kind", []core.ProtectionKind{core.ProtectionUnknown}, core.LevelUnknown, same(flag, hidden)},
		{"kind of a later release", []core.ProtectionKind{99, core.ProtectionAdBlock}, core.LevelUnknown, same(flag, hidden)},
	} {
		for name, caller := range callers {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				p := r.add(boDK, fundDK, fundSE)
				for _, k := range c.kinds {
					p.Protections = append(p.Protections, core.Protection{Kind: k, Since: civil.Date{Year: 2024, Month: 1, Day: 1}})
				}
				r.expect(caller, c.want[name], c.level)
			})
		}
	}
}

// expect goes through every use case as the caller.
func (r *rig) expect(caller core.Caller, want string, level core.Level) {
	t := r.t
	t.Helper()
	handle, err := r.service.Resolve(t.Context(), caller, raw(boDK))
	if want == "unknown" {
		r.expectUnknown(caller, err)
		return
	}
	if err != nil {
		t.Fatalf("resolve: %v", err)
	}
	r.byHandle[caller.Controller+" "+handle] = boDK
	status, err := r.service.ProtectionStatus(t.Context(), caller, handle)
	if err != nil || status.Protection != level {
		t.Errorf("status: %v, %v; want %v", status, err, level)
	}
	address, err := r.service.PostalAddress(t.Context(), caller, handle)
	if err != nil || address.Protection != level {
		t.Errorf("address: protection %v, %v; want %v", address.Protection, err, level)
	}
	if got := address.Address != nil && address.Addressee != ""; got != (want == "all") {
		t.Errorf("address given: %v, want %s", got, want)
	}
	named, unnamed := core.VerdictMatch, core.VerdictNoMatch
	if want == "flag" {
		named, unnamed = core.VerdictUnknown, core.VerdictUnknown
	}
	for name, verdict := range map[string]core.Verdict{"Anna Berg": named, "Eva Berg": unnamed} {
		got, err := r.service.Verify(t.Context(), caller, core.Claim{Number: raw(boDK), FullName: name})
		if got.Verdict != verdict || err != nil {
			t.Errorf("verify %s: %v, %v; want %v", name, got, err, verdict)
		}
	}
	for _, n := range r.notes {
		if n.subject != "" && (n.subject != boDK || n.protected != (level != core.LevelNone)) {
			t.Errorf("noted %v", n)
		}
	}
}

// expectUnknown compares with a number that nobody has: the answers must be the same.
func (r *rig) expectUnknown(caller core.Caller, resolveErr error) {
	t := r.t
	t.Helper()
	if !errors.Is(resolveErr, core.ErrNotFound) {
		t.Errorf("resolve: %v", resolveErr)
	}
	_, wantErr := r.service.Resolve(t.Context(), caller, raw(nobody))
	if resolveErr == nil || resolveErr.Error() != wantErr.Error() {
		t.Errorf("resolve: %v, of nobody %v", resolveErr, wantErr)
	}
	r.byHandle[caller.Controller+" h"] = boDK
	_, err := r.service.ProtectionStatus(t.Context(), caller, "h")
	_, wantErr = r.service.ProtectionStatus(t.Context(), caller, "no such handle")
	if !errors.Is(err, core.ErrNotFound) || err.Error() != wantErr.Error() {
		t.Errorf("status: %v, of nobody %v", err, wantErr)
	}
	_, err = r.service.PostalAddress(t.Context(), caller, "h")
	_, wantErr = r.service.PostalAddress(t.Context(), caller, "no such handle")
	if !errors.Is(err, core.ErrNotFound) || err.Error() != wantErr.Error() {
		t.Errorf("address: %v, of nobody %v", err, wantErr)
	}
	for _, claim := range []core.Claim{
		{FullName: "Anna Berg"}, {FullName: "Eva Berg"}, {Birth: civil.Date{Year: 1985, Month: 3, Day: 14}},
		{Birth: civil.Date{Year: 1901, Month: 1, Day: 1}},
	} {
		for _, number := range []string{boDK, nobody} {
			claim.Number = raw(number)
			if got, err := r.service.Verify(t.Context(), caller, claim); got.Verdict != core.VerdictUnknown || err != nil {
				t.Errorf("verify: %v, %v", got, err)
			}
		}
	}
	for _, n := range r.notes {
		if n.source != core.SourceUnknown {
			t.Errorf("a source was noted: %v", n)
		}
	}
}
