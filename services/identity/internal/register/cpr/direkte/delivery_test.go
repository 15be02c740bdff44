package direkte_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

func on(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sameNumber() cmp.Option {
	return cmp.Comparer(func(a, b nationalid.Number) bool { return a == b })
}

// told is what the delivery made by hand tells.
func told(t testing.TB) []direkte.Update {
	t.Helper()
	at := day()
	person := func(number, state, birth string, name names.Name, earlier ...string) *core.Person {
		p := &core.Person{
			Number: dk(t, number), RegisterState: state, Birth: on(t, birth), Name: name, Source: core.SourcePublicRegister, RegisterTime: midnight(at),
		}
		for _, n := range earlier {
			p.Earlier = append(p.Earlier, dk(t, n))
		}
		return p
	}
	soren := person("6101801003", "01", "1980-01-01", names.Name{Given: "Søren", Middle: "Åge", Family: "Prøvesen", Addressing: "Søren Å Prøvesen"},
		"6101801011", "6101801038")
	soren.Address = &core.Address{
		CareOf: "c/o Ærlig", Lines: []string{"Prøvegården", "Prøvevej 12 B,2 tv", "Prøveby"}, PostalCode: "2100", City: "København Ø", Country: "DK",
		ValidFrom: on(t, "2020-03-15"),
	}
	soren.Protections = []core.Protection{
		{Kind: core.ProtectionDKNameAddress, Since: on(t, "2026-02-01")},
		{Kind: core.ProtectionAdBlock, Since: on(t, "2020-02-01"), Ended: on(t, "2026-11-22")},
	}
	bo := person("7403851013", "03", "1985-03-14", names.Name{Given: "Bo", Family: "Prøve", Addressing: "Bo Prøve"})
	bo.Address = &core.Address{
		Lines: []string{"Herberget", "Prøvegade 1"}, PostalCode: "8000", City: "Aarhus C", Country: "DK", ValidFrom: on(t, "2026-01-01"),
	}
	bo.Protections = []core.Protection{
		{Kind: core.ProtectionDKNameAddress, Since: on(t, "2026-01-01")}, {Kind: core.ProtectionDKSpecial, Since: on(t, "2026-01-01")},
	}
	dorte := person("6505700018", "90", "1970-05-05", names.Name{Given: "Dorte", Family: "Prøve", Addressing: "Dorte Prøve"})
	dorte.Death = on(t, "2026-11-20")
	elsa := person("6212550036", "80", "1955-02-00", names.Name{Given: "Else", Family: "Prøve", Addressing: "Else Prøve"})
	elsa.Address = &core.Address{Lines: []string{"Provgatan 1", "S-123 45 Provstad"}, Country: "SE", ValidFrom: on(t, "2026-10-01")}
	elsa.Protections = []core.Protection{{Kind: core.ProtectionDKNameAddress, Since: on(t, "2025-11-23")}}
	fie := names.Name{Given: "Fie", Family: "Prøve", Addressing: "Fie Prøve"}
	old := person("6303601040", "60", "1960-03-03", fie, "6303601024")
	young := person("6303601040", "05", "1960-03-04", fie, "6303601024")
	young.Address = &core.Address{Lines: []string{"Prøvevej 3"}, PostalCode: "3900", City: "Nuuk", Country: "GL", ValidFrom: on(t, "1990-00-00")}
	nobody := person("6909990042", "30", "1999-09-09", names.Name{})
	gro := person("7010880066", "01", "1988-10-10", names.Name{Given: "Gro", Family: "Prøve", Addressing: "Gro Prøve"})
	gro.Address = &core.Address{
		Lines: []string{"Kolonien", "Hus 7"}, PostalCode: "2300", City: "København S", Country: "DK", ValidFrom: on(t, "2021-01-01"),
	}
	gro.Protections = []core.Protection{{Kind: core.ProtectionUnknown, Since: on(t, "2026-01-01")}}
	event := func(code, derived string, m direkte.Meaning, day, clock string) direkte.Event {
		e := direkte.Event{Code: code, Derived: derived, Meaning: m, Clock: clock}
		if day != "" {
			e.Day = on(t, day)
		}
		return e
	}
	return []direkte.Update{
		{
			Line: 2, Number: soren.Number, Person: soren,
			Doubts: direkte.DoubtBirth | direkte.DoubtNameShortened | direkte.DoubtNameUndocumented,
			Events: []direkte.Event{
				event("A33", "", direkte.MeaningProtection, "2026-11-22", "1530"), event("A01", "", direkte.MeaningAddress, "2026-11-22", "1531"),
			},
		},
		{Line: 13, Number: bo.Number, Person: bo},
		{
			Line: 19, Number: dorte.Number, Person: dorte,
			Events: []direkte.Event{event("A21", "", direkte.MeaningDeath, "2026-11-20", "0845")},
		},
		{
			Line: 23, Number: elsa.Number, Person: elsa, Doubts: direkte.DoubtState,
			Events: []direkte.Event{
				event("A06", "", direkte.MeaningEmigrated, "2026-10-01", "0000"), event("A21", "ÆG", direkte.MeaningRelated, "2026-11-20", "0845"),
			},
		},
		{
			Line: 30, Number: dk(t, "6303601024"), Superseded: old,
			Events: []direkte.Event{event("P03", "", direkte.MeaningReplaced, "2026-11-21", "1200")},
		},
		{
			Line: 34, Number: young.Number, Person: young,
			Events: []direkte.Event{
				event("P03", "PN", direkte.MeaningReplaced, "2026-11-21", "1200"), event("Q77", "", direkte.MeaningOther, "2026-11-21", "1201"),
			},
		},
		{
			Line: 42, Number: dk(t, "6404720055"),
			Events: []direkte.Event{
				event("P11", "", direkte.MeaningLapse, "2026-11-23", "0000"), event("A74", "", direkte.MeaningOther, "", ""),
			},
		},
		{Line: 44, Number: nobody.Number, Person: nobody},
		{Line: 47, Number: gro.Number, Person: gro},
		{
			Line: 52, Number: gro.Number,
			Failure: &direkte.Failure{Number: gro.Number, Code: "0042", Text: "Personen er på abonnement", Input: "INDDATA"},
		},
		{
			Line: 53, Number: dk(t, "6404720055"),
			Receipt: &direkte.Receipt{Number: dk(t, "6404720055"), Event: "A45", Day: day(), Clock: "0100", Key: "NOGLE-7"},
		},
	}
}

// covers: REG-02
func TestDeliveryByHand(t *testing.T) {
	t.Parallel()
	want := direkte.Summary{
		Task: "110901", Produced: day(), Previous: on(t, "2026-11-20"), Records: 52, Persons: 8, EventsOnly: 1, Events: 10, Failures: 1, Receipts: 1,
		Skipped: 1, Unknown: []int{34},
	}
	raw := hand(t)
	unixLines := string(raw)
	for name, raw := range map[string][]byte{
		"LF": raw, "CRLF": []byte(strings.ReplaceAll(unixLines, "\n", "\r\n")), "without the last line end": raw[:len(raw)-1],
		"padded": padded(raw),
	} {
		sum, err := direkte.New().Check(t.Context(), bytes.NewReader(raw))
		if diff := cmp.Diff(want, sum); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if diff := cmp.Diff(told(t), mustApply(t, raw), sameNumber()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// padded leaves in the blanks at the end of lines.
func padded(raw []byte) []byte {
	length := map[string]int{}
	for _, l := range direkte.Layouts() {
		length[threeDigits(l.Type)] = l.Length
	}
	all := lines(raw)
	for i, line := range all {
		all[i] = line + strings.Repeat(" ", max(0, length[line[:3]]-len(line)))
	}
	return joined(all)
}

// A protection ends only when the register says so, and never because its planned end has come: see Update.
//
// covers: REG-02
func TestPlannedEndOfProtection(t *testing.T) {
	t.Parallel()
	const end, event = 24, 27 // index of the lines in question
	for name, c := range map[string]struct {
		end, event, derived string
		ended               bool
	}{
		"ahead":                              {"2027-11-23", "A06", "", false},
		"tomorrow, whatever happens":         {"2026-11-24", "P11", "", false},
		"the day of the delivery":            {"2026-11-23", "A06", "", false},
		"the same, and it lapsed":            {"2026-11-23", "P11", "", true},
		"the same, and it was changed":       {"2026-11-23", "A33", "", true},
		"the same, of a relative":            {"2026-11-23", "P11", "ÆG", false},
		"the day before":                     {"2026-11-22", "A06", "", true},
		"this month":                         {"2026-11-00", "A06", "", false},
		"last month":                         {"2026-10-00", "A06", "", true},
		"not told":                           {"          ", "P11", "", false},
		"no date":                            {"0000-00-00", "P11", "", false},
		"far ahead: the mark of an open end": {"2125-11-23", "P11", "", false},
	} {
		all := lines(hand(t))
		all[end] = all[end][:27] + c.end
		all[event] = all[event][:25] + c.event + latin1(c.derived)
		got := mustApply(t, joined(all))[3].Person.Protections
		if len(got) != 1 || got[0].Ended.IsZero() == c.ended {
			t.Errorf("%s: %d protections, ended %v", name, len(got), !got[0].Ended.IsZero())
		}
		if c.ended && got[0].Ended != on(t, c.end) {
			t.Errorf("%s: ended on another day", name)
		}
	}
}

func TestFollows(t *testing.T) {
	t.Parallel()
	sum := direkte.Summary{Produced: day(), Previous: on(t, "2026-11-20")}
	for last, want := range map[string]error{
		"":           nil,
		"2026-11-20": nil,
		"2026-11-23": direkte.ErrRepeated,
		"2026-11-24": direkte.ErrRepeated,
		"2026-11-19": direkte.ErrGap,
		"2026-11-21": direkte.ErrGap,
	} {
		var date civil.Date
		if last != "" {
			date = on(t, last)
		}
		if err := sum.Follows(date); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("after %s: %v, want %v", last, err, want)
		}
	}
	first := direkte.Summary{Produced: day()}
	if err := first.Follows(on(t, "2026-11-20")); !errors.Is(err, direkte.ErrGap) {
		t.Errorf("a first delivery behind another: %v", err)
	}
}

func TestMeanings(t *testing.T) {
	t.Parallel()
	for meaning, codes := range map[direkte.Meaning]string{
		direkte.MeaningAddress: "A01 A09 A10 A47", direkte.MeaningProtection: "A33", direkte.MeaningLapse: "P11", direkte.MeaningDeath: "A21",
		direkte.MeaningReplaced: "P03", direkte.MeaningDeleted: "P02 A40", direkte.MeaningEmigrated: "A06", direkte.MeaningEntered: "A04 P31",
		direkte.MeaningDisappeared: "A02", direkte.MeaningFound: "A03", direkte.MeaningName: "A13 A14 A15 A16 A17",
		direkte.MeaningSubscription: "A45", direkte.MeaningUndone: "P42 P43", direkte.MeaningOther: "A24 A25 A34 A73 A74 K74 a01 A011",
	} {
		for code := range strings.FieldsSeq(codes) {
			if got := direkte.MeaningOf(code, ""); got != meaning {
				t.Errorf("%s: %v, want %v", code, got, meaning)
			}
			if got := direkte.MeaningOf(code, "ÆG"); got != direkte.MeaningRelated {
				t.Errorf("%s of the spouse: %v", code, got)
			}
			if got := direkte.MeaningOf(code, "PN"); got != direkte.MeaningReplaced {
				t.Errorf("%s of the earlier number: %v", code, got)
			}
		}
	}
}

// Where letters go in each state: the published persons show only some of them.
func TestAddressByState(t *testing.T) {
	t.Parallel()
	with := []string{
		"0017403851013          01000000000000 M1985-03-14",
		at("0027403851013", 14, "01010007"),
		at(at("0037403851013", 116, "Home 1"), 184, "2300Here"),
		at(at("0057403851013", 14, "5180"), 31, "Abroad 1"),
		at(at("0067403851013", 14, "Contact 1"), 184, "2026-01-01"),
		"0087403851013Bo",
	}
	for state, want := range map[string]struct{ all, noContact, noHome string }{
		"01": {"Home 1", "Home 1", "Contact 1"}, "05": {"Home 1", "Home 1", "Contact 1"},
		"03": {"Contact 1", "", "Contact 1"}, "07": {"Contact 1", "", "Contact 1"},
		"20": {"Contact 1", "Abroad 1", "Contact 1"}, "80": {"Abroad 1", "Abroad 1", "Abroad 1"},
		"30": {"", "", ""}, "70": {"", "", ""}, "90": {"", "", ""},
	} {
		for name, c := range map[string]struct {
			want string
			bend func([]string) []string
		}{
			"all":        {want.all, slices.Clone[[]string]},
			"no contact": {want.noContact, func(l []string) []string { return slices.Delete(slices.Clone(l), 4, 5) }},
			"contact over": {want.noContact, func(l []string) []string {
				l = slices.Clone(l)
				l[4] = at(l[4], 194, "2026-11-23")
				return l
			}},
			"contact not yet": {want.noContact, func(l []string) []string {
				l = slices.Clone(l)
				l[4] = at(l[4], 184, "2026-11-24")
				return l
			}},
			"no home": {want.noHome, func(l []string) []string {
				l = slices.Clone(l)
				l[2] = "0037403851013"
				return l
			}},
			"special road": {want.noHome, func(l []string) []string {
				l = slices.Clone(l)
				l[1] = at(l[1], 18, "9999")
				return l
			}},
		} {
			records := c.bend(with)
			records[0] = at(records[0], 24, state)
			got := ""
			if a := mustApply(t, counted(records...))[0].Person.Address; a != nil {
				got = a.Lines[0]
			}
			if got != c.want {
				t.Errorf("state %s, %s: %q, want %q", state, name, got, c.want)
			}
		}
	}
}
