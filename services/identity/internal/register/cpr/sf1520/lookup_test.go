package sf1520_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
)

func date(y, m, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

// resident is the person of most files in testdata.
func resident(tb testing.TB, state string) core.Person {
	tb.Helper()
	return core.Person{
		Number:        number(tb, asked),
		Name:          names.Name{Given: "Prøve", Middle: "Eksempel", Family: "Test", Addressing: "Prøve Eksempel Test"},
		Birth:         date(1985, 3, 14),
		RegisterState: state,
		RegisterTime:  now(),
		Source:        core.SourcePublicRegister,
	}
}

func home() *core.Address {
	return &core.Address{
		Lines: []string{"Prøvevej 16"}, PostalCode: "9999", City: "Prøveby", Country: "DK", ValidFrom: date(2020, 2, 29),
	}
}

func contact() *core.Address {
	return &core.Address{
		Lines: []string{"Kontakt Test", "Postboks 7"}, PostalCode: "9998", City: "Kontaktby", Country: "DK", ValidFrom: date(2024, 5, 1),
	}
}

func abroad() *core.Address {
	return &core.Address{
		Lines: []string{"Probestraße 1", "00000 Probestadt", "Tyskland"}, Country: "DE", ValidFrom: date(2022, 7, 1),
	}
}

func protections(since civil.Date, kinds ...core.ProtectionKind) []core.Protection {
	var out []core.Protection
	for _, k := range kinds {
		out = append(out, core.Protection{Kind: k, Since: since})
	}
	return out
}

func same(t *testing.T, got *core.Person, want core.Person) {
	t.Helper()
	if got == nil {
		t.Fatal("no person")
	}
	equal := cmp.Comparer(func(a, b nationalid.Number) bool { return a == b })
	if diff := cmp.Diff(want, *got, equal); diff != "" {
		t.Error(diff)
	}
}

// covers: REG-02
func TestEachState(t *testing.T) {
	t.Parallel()
	const nameAddress, special, adBlock = core.ProtectionDKNameAddress, core.ProtectionDKSpecial, core.ProtectionAdBlock
	unsaid := append(protections(date(2024, 1, 2), nameAddress), protections(civil.Date{}, adBlock)...)
	for file, c := range map[string]struct {
		state string
		bend  func(*core.Person) // what is special about the person
	}{
		"01": {"01", func(p *core.Person) { p.Address = home() }},
		"01-full": {"01", func(p *core.Person) {
			p.Name.Addressing = "Prøve E Test"
			p.Address = &core.Address{
				CareOf: "c/o Nabo", Lines: []string{"Prøvegården", "Prøvevej 16B, 1. tv", "Prøvelev"}, PostalCode: "0800", City: "Prøveby",
				Country: "DK", ValidFrom: date(2020, 2, 29),
			}
			p.Protections = append(protections(date(2024, 1, 2), nameAddress), protections(date(2024, 1, 4), adBlock)...)
		}},
		"01-contact": {"01", func(p *core.Person) { p.Address = contact() }},
		"01-extra": {"01", func(p *core.Person) {
			p.Address = &core.Address{Lines: []string{"Ekstra 1", "Ekstra 3"}, PostalCode: "9999", City: "Prøveby", Country: "DK"}
		}},
		"01-built": {"01", func(p *core.Person) {
			p.Address = &core.Address{Lines: []string{"Prøvevej 77A, 2. 3"}, PostalCode: "9999", City: "Prøveby", Country: "DK"}
		}},
		"01-empty": {"01", func(p *core.Person) { p.Name, p.Birth = names.Name{}, civil.Date{} }},
		"01-special-road": {"01", func(p *core.Person) {
			p.Protections = protections(civil.Date{}, nameAddress, special)
		}},
		"01-protected-lapsed": {"01", func(p *core.Person) {
			p.Address, p.Protections = home(), protections(date(2024, 1, 2), nameAddress)
		}},
		"01-protected-ended":  {"01", func(p *core.Person) { p.Address = home() }},
		"01-protected-unsaid": {"01", func(p *core.Person) { p.Address, p.Protections = home(), unsaid }},
		"03":                  {"03", func(*core.Person) {}},
		"03-contact":          {"03", func(p *core.Person) { p.Address = contact() }},
		"03-contact-over":     {"03", func(*core.Person) {}},
		"03-contact-early":    {"03", func(*core.Person) {}},
		"03-contact-free": {"03", func(p *core.Person) {
			p.Address = &core.Address{
				Lines: []string{"Kontakt Test", "Postboks 7", "Hos venner, andet sted"}, ValidFrom: date(2024, 5, 1),
			}
		}},
		"03-contact-greenland": {"03", func(p *core.Person) {
			p.Address = contact()
			p.Address.PostalCode, p.Address.City, p.Address.Country = "3900", "Prøvenuuk", "GL"
		}},
		"03-protected": {"03", func(p *core.Person) {
			p.Address, p.Protections = contact(), protections(date(2024, 1, 2), nameAddress, special)
		}},
		"05": {"05", func(p *core.Person) {
			p.Address = &core.Address{Lines: []string{"Prøvevej B-455"}, PostalCode: "3900", City: "Prøvenuuk", Country: "GL"}
		}},
		"07":         {"07", func(*core.Person) {}},
		"20":         {"20", func(p *core.Person) { p.Address = abroad() }},
		"20-contact": {"20", func(p *core.Person) { p.Address = contact() }},
		"30":         {"30", func(p *core.Person) { p.Name = names.Name{} }},
		"70":         {"70", func(*core.Person) {}},
		"80":         {"80", func(p *core.Person) { p.Address = abroad() }},
		"80-other": {"80", func(p *core.Person) {
			p.Address = abroad()
			p.Address.Country = "Prøveland"
		}},
		"80-unknown": {"80", func(*core.Person) {}},
		"90":         {"90", func(p *core.Person) { p.Death = date(2023, 9, 8) }},
		"90-until":   {"90", func(p *core.Person) { p.Death = date(2023, 9, 30) }},
		"90-undated": {"90", func(*core.Person) {}},
		"none":       {"", func(*core.Person) {}},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got, service, err := ask(t, map[string][]byte{asked: testdata(t, file)})
			if err != nil {
				t.Fatal(err)
			}
			want := resident(t, c.state)
			c.bend(&want)
			same(t, got, want)
			if !slices.Equal(service.asked, []string{asked}) {
				t.Errorf("asked %d times", len(service.asked))
			}
		})
	}
}

// covers: REG-02
func TestFollowsThePointerOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second string
		state         string // of the person returned
		moved         bool   // the person has the successor's number
		asked         []string
	}{
		"duplicate":              {"50", "successor", "01", true, []string{asked, next}},
		"changed":                {"60", "successor", "01", true, []string{asked, next}},
		"loop":                   {"60", "60-loop", "60", true, []string{asked, next}},
		"chain":                  {"60", "60-chain", "50", true, []string{asked, next}},
		"nobody there":           {"60", "", "60", false, []string{asked, next}},
		"no pointer":             {"60-nowhere", "", "60", false, []string{asked}},
		"points to itself":       {"60-self", "", "60", false, []string{asked}},
		"points to no number":    {"60-bad", "", "60", false, []string{asked}},
		"in force, own number":   {"01-full", "", "01", false, []string{asked}},
		"annulled is not walked": {"30", "", "30", false, []string{asked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string][]byte{asked: testdata(t, c.first)}
			if c.second != "" {
				answers[next] = testdata(t, c.second)
			}
			p, service, err := ask(t, answers)
			if err != nil {
				t.Fatal(err)
			}
			if p.RegisterState != c.state || !slices.Equal(service.asked, c.asked) {
				t.Errorf("state %s after %d questions", p.RegisterState, len(service.asked))
			}
			if c.moved && (p.Number != number(t, next) || !slices.Equal(p.Earlier, []nationalid.Number{number(t, asked)})) {
				t.Error("not both numbers")
			}
			if !c.moved && (p.Number != number(t, asked) || p.Earlier != nil) {
				t.Error("not the number that was asked")
			}
			if core.StatusOf(p.RegisterState) == core.StatusReplaced && p.Address != nil {
				t.Error("an address on a number that is not in force")
			}
		})
	}
}

// A successor that can't be asked for now is no reason to hand out the replaced number: the next attempt may succeed.
func TestSuccessorUnavailable(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"999": core.ErrRegisterUnavailable, "5": core.ErrRegisterRefused} {
		if _, _, err := ask(t, map[string][]byte{asked: testdata(t, "60"), next: fault(code)}); !errors.Is(err, want) {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

func TestContradictoryAnswers(t *testing.T) {
	t.Parallel()
	space5 := bytes.ReplaceAll([]byte(space4), []byte("/4/"), []byte("/5/"))
	resident := testdata(t, "01")
	for name, answer := range map[string][]byte{
		"about another number": testdata(t, "other-number"),
		"no person":            testdata(t, "no-person"),
		"other version":        bytes.ReplaceAll(resident, []byte(space4), space5),
		"no namespace":         bytes.ReplaceAll(resident, []byte(` xmlns="`+space4+`"`), nil),
		"person of another namespace": bytes.ReplaceAll(resident, []byte("<persondata>"),
			[]byte(`<persondata xmlns="http://elsewhere.example/">`)),
		"truncated":      resident[:len(resident)/2],
		"document type":  append([]byte(`<!DOCTYPE x [<!ENTITY e "e">]>`), resident[bytes.Index(resident, []byte("?>"))+2:]...),
		"entity":         bytes.ReplaceAll(resident, []byte("Prøvevej 16"), []byte("&e;")),
		"status a word":  bytes.ReplaceAll(resident, []byte("<status>1<"), []byte("<status>"+asked+"x<")),
		"status too big": bytes.ReplaceAll(resident, []byte("<status>1<"), []byte("<status>12345<")),
		"flag a word":    bytes.ReplaceAll(resident, []byte(">false<"), []byte(">nej"+asked+"<")),
		"date impossible": bytes.ReplaceAll(resident, []byte("<dato>1985-03-14<"),
			[]byte("<dato>1985-02-30<")),
		"date a number": bytes.ReplaceAll(resident, []byte("<dato>1985-03-14<"), []byte("<dato>"+asked+"<")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := ask(t, map[string][]byte{asked: answer})
			if !errors.Is(err, core.ErrRegisterUnavailable) || p != nil {
				t.Fatalf("got %v", err)
			}
			impersonal(t, err)
		})
	}
}

// An element of another namespace says nothing, whatever its name.
func TestForeignElements(t *testing.T) {
	t.Parallel()
	foreign := []byte(`<x:beskyttet xmlns:x="http://elsewhere.example/">false</x:beskyttet>`)
	answer := bytes.ReplaceAll(testdata(t, "01-protected-unsaid"), []byte("</adressebeskyttelse>"), append(foreign, "</adressebeskyttelse>"...))
	p, _, err := ask(t, map[string][]byte{asked: answer})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Protections, func(p core.Protection) bool { return p.Kind == core.ProtectionDKNameAddress }) {
		t.Error("a foreign element ended the protection")
	}
}

func TestVersion5(t *testing.T) {
	t.Parallel()
	space5 := bytes.ReplaceAll([]byte(space4), []byte("/4/"), []byte("/5/"))
	five := func(d *sf1520.Deps) { d.Version = sf1520.Version5 }
	answer := bytes.ReplaceAll(testdata(t, "01-full"), []byte(space4), space5)
	p, service, err := ask(t, map[string][]byte{asked: answer}, five)
	if err != nil {
		t.Fatal(err)
	}
	if p.Address == nil || p.Address.City != "Prøveby" {
		t.Error("no address")
	}
	if !bytes.Contains(service.bodies[0], space5) || bytes.Contains(service.bodies[0], []byte(space4)) {
		t.Error("not asked in the namespace of version 5")
	}
	if want := `"` + string(space5) + `PersonLookup"`; service.actions[0] != want {
		t.Errorf("action %s", service.actions[0])
	}
	if _, _, err := ask(t, map[string][]byte{asked: testdata(t, "01")}, five); !errors.Is(err, core.ErrRegisterUnavailable) {
		t.Errorf("version 4 answered: %v", err)
	}
}

// The register's moments mean Danish days, whatever the zone in which they are written.
func TestDaysAreDanish(t *testing.T) {
	t.Parallel()
	answer := bytes.ReplaceAll(testdata(t, "90"), []byte("2023-09-08T20:00:00"), []byte("2023-09-08T22:30:00Z"))
	p, _, err := ask(t, map[string][]byte{asked: answer})
	if err != nil || p.Death != date(2023, 9, 9) {
		t.Errorf("%v %v", err, p)
	}
	if !p.RegisterTime.Equal(now()) || p.RegisterTime.Location() != time.UTC {
		t.Error("not the time of the answer")
	}
}
