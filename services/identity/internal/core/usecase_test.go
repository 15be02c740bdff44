package core_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

func day(t *testing.T, s string) civil.Date {
	t.Helper()
	if s == "" {
		return civil.Date{}
	}
	d, err := civil.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A protection lasts until the register says that it ended, whatever the calendar says.
func TestProtectionEndsByEventOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		since, ended string
		holds        bool
	}{
		{"2001-11-02", "", true}, // a year is long past
		{"2001-11-02", "2026-11-22", false},
		{"2001-11-02", "2026-11-23", false},
		{"2001-11-02", "2026-11-24", true}, // a planned end is no event
		{"2001-11-02", "2026-11-00", true}, // may be tomorrow
		{"2001-11-02", "2025-00-00", false},
		{"2027-01-01", "", true}, // begins later
		{"", "", true},
	} {
		r := newRig(t)
		p := r.add(boDK, fundDK)
		p.Protections = []core.Protection{{Kind: core.ProtectionDKSpecial, Since: day(t, c.since), Ended: day(t, c.ended)}}
		handle, err := r.service.Resolve(t.Context(), fund(fundDK), raw(boDK))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.service.ProtectionStatus(t.Context(), fund(fundDK), handle)
		if err != nil || (got.Protection == core.LevelDKSpecial) != c.holds {
			t.Errorf("%+v: %v, %v", c, got.Protection, err)
		}
	}
}

func TestOwnFundIsTheOneOfToday(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, until string
		own         bool
	}{
		{"2020-01-01", "", true},
		{"2026-11-23", "", true},
		{"2026-11-24", "", false},
		{"2020-01-01", "2026-11-23", true},
		{"2020-01-01", "2026-11-22", false},
		{"2026-11-00", "", false}, // perhaps not yet
		{"2026-00-00", "", false},
		{"2025-00-00", "2026-11-00", false}, // perhaps no longer
	} {
		r := newRig(t)
		p := r.add(boDK)
		p.Memberships = []core.Membership{{Controller: fundDK, From: day(t, c.from), Until: day(t, c.until)}}
		p.Protections = []core.Protection{{Kind: core.ProtectionDKNameAddress}}
		r.byHandle[fundDK+" h"] = boDK
		got, err := r.service.PostalAddress(t.Context(), fund(fundDK), "h")
		if err != nil || (got.Address != nil) != c.own {
			t.Errorf("%+v: %v, %v", c, got.Address, err)
		}
	}
}

// The civil date is that of the zone, not of UTC.
func TestTodayIsTheZones(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test})
	if err != nil {
		t.Fatal(err)
	}
	s, err := core.New(core.Deps{
		Persons: r, Feed: r, Handles: r, Notes: r, Clock: r.clock, Guard: guard, Zone: time.FixedZone("one hour east", 3600),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.clock.Set(time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC))
	p := r.add(boDK)
	p.Memberships = []core.Membership{{Controller: fundDK, From: civil.Date{Year: 2026, Month: 11, Day: 24}}}
	p.Protections = []core.Protection{{Kind: core.ProtectionDKNameAddress}}
	r.byHandle[fundDK+" h"] = boDK
	if got, err := s.PostalAddress(t.Context(), fund(fundDK), "h"); err != nil || got.Address == nil {
		t.Errorf("%v, %v", got.Address, err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, birth     string // of the claim
		regName         names.Name
		regBirth, state string
		want            core.Verdict
	}{
		{"anna BERG", "", names.Name{Given: "Anna Maria", Family: "Berg"}, "1985-03-14", "", core.VerdictMatch},
		{"Anna Berg", "1985-03-14", names.Name{Given: "Anna", Family: "Berg"}, "1985-03-14", "", core.VerdictMatch},
		{"Anna Berg", "1985-03-15", names.Name{Given: "Anna", Family: "Berg"}, "1985-03-14", "", core.VerdictNoMatch},
		{"Eva Berg", "1985-03-14", names.Name{Given: "Anna", Family: "Berg"}, "1985-03-14", "", core.VerdictNoMatch},
		{"", "1985-03-14", names.Name{}, "1985-03-14", "", core.VerdictMatch},
		{"", "1985-03-00", names.Name{}, "1985-03-14", "", core.VerdictMatch}, // all that was said agrees
		{"", "1985-04-00", names.Name{}, "1985-03-14", "", core.VerdictNoMatch},
		{"", "1985-03-14", names.Name{}, "1985-03-00", "", core.VerdictUnknown},
		{"", "1985-04-14", names.Name{}, "1985-03-00", "", core.VerdictNoMatch},
		{"", "1984-02-29", names.Name{}, "1984-02-29", "", core.VerdictMatch}, // differs from the number
		{"", "1985-03-14", names.Name{}, "", "", core.VerdictMatch},           // the number's own
		{"", "1985-03-15", names.Name{}, "", "", core.VerdictNoMatch},
		{"Anna Berg", "", names.Name{}, "", "", core.VerdictUnknown},
		{"Anna Berg", "1985-03-14", names.Name{}, "", "", core.VerdictUnknown},
		{"Anna Berg", "1985-03-15", names.Name{}, "", "", core.VerdictNoMatch},
		{"Anna Berg", "", names.Name{Given: "Anna", Family: "Berg"}, "", "90", core.VerdictMatch},   // dead
		{"Anna Berg", "", names.Name{Given: "Anna", Family: "Berg"}, "", "80", core.VerdictMatch},   // abroad
		{"Anna Berg", "", names.Name{Given: "Anna", Family: "Berg"}, "", "FI", core.VerdictUnknown}, // nobody's number
	} {
		r := newRig(t)
		p := r.add(annaSE, fundSE)
		p.Name, p.Birth, p.RegisterState = c.regName, day(t, c.regBirth), c.state
		got, err := r.service.Verify(t.Context(), fund(fundSE), core.Claim{Number: raw(annaSE), FullName: c.name, Birth: day(t, c.birth)})
		if err != nil || got.Verdict != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// What a flag-only caller asks about the birth date is answered: it stands in the number that the caller has.
func TestVerifyBirthDateOfProtected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.add(annaSE, fundSE)
	p.Protections = []core.Protection{{Kind: core.ProtectionSEProtectedRegistration}}
	for claim, want := range map[core.Claim]core.Verdict{
		{Birth: day(t, "1985-03-14")}:                        core.VerdictMatch,
		{Birth: day(t, "1985-03-15")}:                        core.VerdictNoMatch,
		{Birth: day(t, "1985-03-14"), FullName: "Anna Berg"}: core.VerdictUnknown,
		{Birth: day(t, "1985-03-15"), FullName: "Anna Berg"}: core.VerdictNoMatch,
	} {
		claim.Number = raw(annaSE)
		if got, err := r.service.Verify(t.Context(), fund(fundSE), claim); err != nil || got.Verdict != want {
			t.Errorf("%+v: %v, %v", claim, got, err)
		}
	}
}

func TestAddressOfDeadAbroadAndAnnulled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, death   string
		address, found bool
	}{
		{"01", "", true, true},
		{"UV", "", true, true}, // the foreign address
		{"80", "", true, true},
		{"70", "", true, true},
		{"AV", "", false, true},
		{"90", "2019-01-00", false, true},
		{"", "2019-00-00", false, true},
		{"AS", "", false, false},
		{"30", "", false, false},
	} {
		r := newRig(t)
		p := r.add(annaSE, fundSE)
		p.RegisterState, p.Death = c.state, day(t, c.death)
		r.byHandle[fundSE+" h"] = annaSE
		got, err := r.service.PostalAddress(t.Context(), fund(fundSE), "h")
		if (err == nil) != c.found || (got.Address != nil) != c.address || (got.Addressee != "") != c.address {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
		if err == nil && (got.Source != core.SourcePublicRegister || got.RegisterTime.IsZero()) {
			t.Errorf("%+v: no source", c)
		}
		if _, err := r.service.Resolve(t.Context(), fund(fundSE), raw(annaSE)); (err == nil) != c.found {
			t.Errorf("%+v: resolve: %v", c, err)
		}
	}
}

func TestEarlierNumberIsThePersonInForce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.persons[formerB] = r.add(boDK, fundDK)
	now, err := r.service.Resolve(t.Context(), fund(fundDK), raw(boDK))
	if err != nil {
		t.Fatal(err)
	}
	before, err := r.service.Resolve(t.Context(), fund(fundDK), raw(formerB))
	if err != nil || before != now {
		t.Errorf("%v: another handle", err)
	}
	if !slices.ContainsFunc(r.notes, func(n note) bool { return n.subject == boDK }) ||
		slices.ContainsFunc(r.notes, func(n note) bool { return n.subject == formerB }) {
		t.Error("the subject is not the person in force")
	}
}

// covers: C.6
func TestWrittenFormsResolveToOneHandle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(annaSE)
	r.add(boDK)
	for _, c := range []struct {
		country nationalid.Country
		forms   []string
	}{
		{nationalid.Sweden, []string{"19850314-9802", "850314-9802", "198503149802"}},
		{nationalid.Denmark, []string{"740385-1013", "7403851013"}},
	} {
		handles := map[string]struct{}{}
		for _, form := range c.forms {
			h, err := r.service.Resolve(t.Context(), fund(fundDK), core.RawNumber{Country: c.country, Text: form})
			if err != nil {
				t.Fatal(err)
			}
			handles[h] = struct{}{}
		}
		if len(handles) != 1 {
			t.Errorf("%d handles", len(handles))
		}
	}
}

func TestHandleOfAnotherControllerIsUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(boDK, fundDK)
	r.byHandle[fundDK+" h"] = boDK
	if _, err := r.service.PostalAddress(t.Context(), fund(otherFundDK), "h"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if len(r.notes) != 0 {
		t.Errorf("noted %v", r.notes)
	}
}

// covers: SEC-09
func TestNumbersOfOtherEnvironments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for number, want := range map[core.RawNumber]error{
		{Country: nationalid.Denmark, Text: "1403851013"}:   nationalid.ErrOutsideEnvironment,
		{Country: nationalid.Sweden, Text: "198203249274"}:  nationalid.ErrOutsideEnvironment,
		{Country: nationalid.Sweden, Text: "198503149803"}:  nationalid.ErrCheckDigit,
		{Country: nationalid.Sweden, Text: "5560269986"}:    nationalid.ErrOrganisation,
		{Country: nationalid.CountryUnknown, Text: "12345"}: nationalid.ErrCountry,
		{Country: nationalid.Denmark, Text: "198503149802"}: nationalid.ErrForm,
	} {
		if _, err := r.service.Resolve(t.Context(), fund(fundDK), number); !errors.Is(err, want) {
			t.Errorf("resolve: %v, want %v", err, want)
		}
		if _, err := r.service.Verify(t.Context(), fund(fundDK), core.Claim{Number: number, FullName: "X"}); !errors.Is(err, want) {
			t.Errorf("verify: %v, want %v", err, want)
		}
	}
	if len(r.notes) != 0 {
		t.Errorf("noted %v", r.notes)
	}
}

func TestFaultsArePassedOn(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{core.ErrStoreUnavailable, core.ErrKeysUnavailable} {
		r := newRig(t)
		r.add(annaSE)
		r.fail = fault
		_, err1 := r.service.Resolve(t.Context(), fund(fundSE), raw(annaSE))
		_, err2 := r.service.Verify(t.Context(), fund(fundSE), core.Claim{Number: raw(nobody), FullName: "X"})
		_, err3 := r.service.PostalAddress(t.Context(), fund(fundSE), "h")
		_, err4 := r.service.ProtectionStatus(t.Context(), fund(fundSE), "h")
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, fault) {
				t.Errorf("use case %d: %v, want %v", i+1, err, fault)
			}
		}
	}
}

// covers: B.10
func TestWithhold(t *testing.T) {
	t.Parallel()
	for kind, stays := range map[core.ProtectionKind]bool{
		core.ProtectionAdBlock: true, core.ProtectionDKNameAddress: true, core.ProtectionSESecrecyMark: false,
		core.ProtectionSEProtectedRegistration: false, core.ProtectionDKSpecial: false, core.ProtectionUnknown: false,
	} {
		p := newRig(t).add(annaSE, fundSE)
		p.Protections = []core.Protection{{Kind: core.ProtectionAdBlock}, {Kind: kind}}
		p.Withhold(day(t, "2026-11-23"), false)
		if (p.Address != nil) != stays || p.Name.IsZero() == stays || len(p.Memberships) != 1 {
			t.Errorf("kind %d: %+v", kind, p)
		}
	}
	p := newRig(t).add(annaSE)
	p.Protections = []core.Protection{{Kind: core.ProtectionSESecrecyMark, Ended: day(t, "2020-01-01")}}
	p.Withhold(day(t, "2026-11-23"), false)
	if p.Address == nil {
		t.Error("an ended protection withholds")
	}
}

func TestAddressee(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]names.Name{
		"Ulrikke V Villadsen": {Given: "Ulrikke Veronika", Family: "Villadsen", Addressing: "Ulrikke V Villadsen"},
		"Anna Maria Ek Berg":  {Given: "Anna Maria", Middle: "Ek", Family: "Berg"},
		"Berg":                {Family: "Berg"},
	} {
		r := newRig(t)
		r.add(annaSE, fundSE).Name = n
		r.byHandle[fundSE+" h"] = annaSE
		if got, err := r.service.PostalAddress(t.Context(), fund(fundSE), "h"); err != nil || got.Addressee != want {
			t.Errorf("%q, %v", got.Addressee, err)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := core.New(core.Deps{}); err == nil {
		t.Error("made of nothing")
	}
	r := newRig(t)
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.New(core.Deps{
		Persons: r, Handles: r, Notes: r, Clock: r.clock, Zone: time.UTC, Guard: guard, ProtectedAddressLaws: []string{""},
	}); err == nil {
		t.Error("an empty law allows")
	}
}
