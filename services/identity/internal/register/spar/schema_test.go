package spar_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/spar"
)

// validate holds the insides of envelopes against one of SPAR's schemas.
func validate(t *testing.T, schema string, envelopes ...[]byte) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		missing(t, "no xmllint")
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", shared(t, "personsok-2021.1", "granssnitt", "personsok", "2021.1", schema)}
	for i, raw := range envelopes {
		var e struct {
			Body struct {
				Inside []byte `xml:",innerxml"`
			} `xml:"Body"`
		}
		if err := xml.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, string(rune('a'+i))+".xml")
		if err := os.WriteFile(file, e.Body.Inside, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// covers: REG-01
func TestQuestionIsValid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bend   func(*spar.Deps)
		user   string
		has    []string
		hasNot []string
	}{
		"as usual":     {has: []string{">" + asked + "<", ">500243<", ">500244<", ">637<", ">user-7<"}, user: "user-7", hasNot: []string{"Sekretess", "Relationer"}},
		"nobody named": {has: []string{">SE:8020000017<"}},
		"longest":      {user: strings.Repeat("å", 256), has: []string{strings.Repeat("å", 256)}},
		"strange":      {user: "<ø> & \x00", has: []string{"&lt;ø&gt; &amp;"}},
		"controller of its own": {
			bend: func(d *spar.Deps) {
				d.Controllers = map[string]spar.Assignment{"SE:8020000017": {Customer: 500777, ID: 9}, "SE:1": {Customer: 599999}}
			},
			user: "u", has: []string{">500243<", ">500777<", ">9<"}, hasNot: []string{"500244", "599999", ">637<"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &spard{answers: map[string][]byte{asked: answer(record(asked))}}
			d := deps(t, start(t, s).client(t))
			if c.bend != nil {
				c.bend(&d)
			}
			in := inquiry(t, asked)
			in.EndUser = c.user
			if _, err := register(t, d).Lookup(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for _, part := range c.has {
				if !bytes.Contains(s.bodies[0], []byte(part)) {
					t.Errorf("lacks %s:\n%s", part, s.bodies[0])
				}
			}
			for _, part := range c.hasNot {
				if bytes.Contains(s.bodies[0], []byte(part)) {
					t.Errorf("has %s:\n%s", part, s.bodies[0])
				}
			}
			if want := `"http://skatteverket.se/spar/personsok/2021.1/PersonsokService/Personsok"`; s.actions[0] != want {
				t.Errorf("action %s", s.actions[0])
			}
			validate(t, "PersonsokningFraga.xsd", s.bodies[0])
		})
	}
}

// everything is a search with all arguments, in two forms.
func everything() []spar.Fields {
	return []spar.Fields{
		{
			Phonetic: true, Name: "Öster* Karl-Åke o'Test", Street: "Prov gatan 1, lgh 12/3 *", City: "PROV-STAD*", PostalCode: spar.Range{From: "11111"},
			Birth: spar.Range{From: "1980-02-29"}, Sex: "MAN", County: "01", Municipality: "80", District: spar.Range{From: "215025"},
		},
		{
			Given: "Anna*", Family: "Test", PostalCode: spar.Range{From: "11111", To: "22222"}, Birth: spar.Range{From: "1980-01-01", To: "1981-12-31"},
			Sex: "KVINNA", District: spar.Range{From: "101001", To: "215025"},
		},
		{Family: strings.Repeat("å", 60)},
	}
}

// covers: REG-01
func TestSearchIsValid(t *testing.T) {
	t.Parallel()
	s := &spard{answers: map[string][]byte{"": answer(
		record(asked, `<n:Namn><e:Fornamn>A</e:Fornamn></n:Namn>`), flagged(next, "JA", "NEJ"), record("000000000000"),
	)}}
	r := register(t, deps(t, start(t, s).client(t)))
	for _, f := range everything() {
		got, err := r.Search(t.Context(), "SE:8020000017", "user-7", f)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Number != number(t, asked) || got[0].Name.Given != "A" || got[1].Number != number(t, next) || len(got[1].Protections) != 1 {
			t.Errorf("found %d", len(got))
		}
	}
	validate(t, "PersonsokningFraga.xsd", s.bodies...)
}

// Arguments that break the schema are not sent, and the refusal names the argument and not its value.
func TestSearchArguments(t *testing.T) {
	t.Parallel()
	s := &spard{}
	r := register(t, deps(t, start(t, s).client(t)))
	for says, f := range map[string]spar.Fields{
		"nothing to look for":         {},
		"NamnSokArgument":             {Name: "*secret"},
		"FornamnSokArgument":          {Given: strings.Repeat("a", 81)},
		"MellanEfternamnSokArgument":  {Family: strings.Repeat("å", 61)},
		"not beside":                  {Name: "Anna", Family: "Test"},
		"UtdelningsadressSokArgument": {Street: "Provgatan <1>"},
		"PostortSokArgument":          {City: "A\x00"},
		"PostNr":                      {PostalCode: spar.Range{From: "01234"}},
		"PostNr: an end":              {PostalCode: spar.Range{To: "11111"}},
		"PostNrTom":                   {PostalCode: spar.Range{From: "11111", To: "1111"}},
		"Fodelsedatum":                {Birth: spar.Range{From: "1980-01-00"}},
		"FodelsedatumTom":             {Birth: spar.Range{From: "1980-01-01", To: "secret"}},
		"Kon":                         {Sex: "secret"},
		"LanKod":                      {County: "1"},
		"KommunKod":                   {Municipality: "secret"},
		"DistriktKod":                 {District: spar.Range{From: "015025"}},
	} {
		_, err := r.Search(t.Context(), "SE:8020000017", "user-7", f)
		only(t, err, spar.ErrFields)
		if err != nil && (!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if len(s.bodies) > 0 {
		t.Error("something was sent")
	}
	s.answers = map[string][]byte{"": answer(tooMany)}
	_, err := r.Search(t.Context(), "SE:8020000017", "user-7", spar.Fields{Name: "Anna"})
	only(t, err, core.ErrRegisterTooMany)
	s.answers = map[string][]byte{"": answer(strings.Replace(record(asked), `<s:Sekretessmarkering>NEJ</s:Sekretessmarkering>`, "", 1))}
	_, err = r.Search(t.Context(), "SE:8020000017", "user-7", spar.Fields{Name: "Anna"})
	only(t, err, core.ErrRegisterUnavailable)
}

// example returns a sample beside the project.
func example(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(shared(t, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The published answer and those built from the schema are read as they are.
//
// covers: REG-01
func TestExamples(t *testing.T) {
	t.Parallel()
	person := func(digits, state string) core.Person {
		return core.Person{Number: number(t, digits), RegisterState: state, RegisterTime: now(), Source: core.SourcePublicRegister}
	}
	published := person("195704133106", "")
	published.Name = names.Name{
		Given: "Christina Birgitta Ulrika", Middle: "Thomeaus", Family: "Efternamn3542", Addressing: "Efternamn3542, Christina Birgitta",
	}
	published.Birth = date(1957, 4, 13)
	published.Address = &core.Address{Lines: []string{"Gatan142 8"}, PostalCode: "11146", City: "STOCKHOLM", Country: "SE", ValidFrom: date(2019, 12, 2)}
	protected := person("198106039228", "")
	protected.Protections = []core.Protection{{Kind: core.ProtectionSESecrecyMark}, {Kind: core.ProtectionSEProtectedRegistration}}
	dead := person("198604069883", "AV")
	dead.Death = date(2019, 1, 0)
	replaced := person("199101112390", "GN")

	samples := map[string][]byte{
		"195704133106": example(t, "response-195704133106.published.xml"),
		"198106039228": example(t, "response-protected-198106039228.synthetic.xml"),
		"198604069883": example(t, "response-deceased-198604069883.synthetic.xml"),
		"199101112390": example(t, "response-oldnumber-199101112390.synthetic.xml"),
		"191212121212": example(t, "response-nohit-191212121212.synthetic.xml"),
		"198111309285": example(t, "response-undantag.synthetic.xml"),
		"197910312391": example(t, "response-too-many.synthetic.xml"),
	}
	r := register(t, deps(t, start(t, &spard{answers: samples}).client(t)))
	for _, want := range []core.Person{published, protected, dead, replaced} {
		got, err := r.Lookup(t.Context(), core.Inquiry{Number: want.Number, EndUser: "user-7"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got, equalNumbers()); diff != "" {
			t.Error(diff)
		}
	}
	for digits, want := range map[string]error{
		"191212121212": core.ErrNotFound, "198111309285": core.ErrRegisterUnavailable, "197910312391": core.ErrRegisterTooMany,
	} {
		_, err := r.Lookup(t.Context(), core.Inquiry{Number: number(t, digits), EndUser: "user-7"})
		only(t, err, want)
	}
	// With somebody at the other end the pointer of the sample leads to the number in force.
	samples["199111022399"] = bytes.ReplaceAll(samples["195704133106"], []byte("195704133106"), []byte("199111022399"))
	got, err := r.Lookup(t.Context(), core.Inquiry{Number: replaced.Number, EndUser: "user-7"})
	if err != nil {
		t.Fatal(err)
	}
	published.Number, published.Earlier = number(t, "199111022399"), []nationalid.Number{replaced.Number}
	if diff := cmp.Diff(published, *got, equalNumbers()); diff != "" {
		t.Error(diff)
	}
}

// Our own answers are such as the service could give.
func TestOwnAnswersAreValid(t *testing.T) {
	t.Parallel()
	row := when("2020-02-29", "9999-12-31")
	validate(t, "PersonsokningSvar.xsd", envelope(answer()), envelope(answer(tooMany)), envelope(answer(exception("GENERELLT_FEL"))), envelope(answer(record(asked,
		`<n:Namn>`+row+`<e:Fornamn>A</e:Fornamn></n:Namn>`,
		details(row, reason("GN"), `<g:Avlidendatum>2019-01-00</g:Avlidendatum>`, `<d:Fodelsedatum>1991-01-11</d:Fodelsedatum>`, pointer("Till", next)),
		atHome("f:Folkbokforingsadress", "Hem 1", row), elsewhere("sp:SarskildPostadress", "Vei 1", "NORGE", row),
		elsewhere("u:Utlandsadress", "Street 1", "ATLANTIS", row), atHome("k:Kontaktadress", "Kontakt 1", row)))))
}
