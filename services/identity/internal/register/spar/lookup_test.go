package spar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/spar"
)

func date(y, m, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

func equalNumbers() cmp.Option {
	return cmp.Comparer(func(a, b nationalid.Number) bool { return a == b })
}

// Of the rows of names, details and addresses that one counts which holds today: the day on which it ends belongs to the next.
//
// covers: REG-01
func TestRows(t *testing.T) {
	t.Parallel()
	row := func(from, to, name string) string {
		return `<n:Namn>` + when(from, to) + `<e:Fornamn>` + name + `</e:Fornamn></n:Namn>`
	}
	for name, c := range map[string]struct{ rows, want string }{
		"without history":        {row("", "", "A"), "A"},
		"present and past":       {row("2020-01-01", "9999-12-31", "A") + row("2010-01-01", "2020-01-01", "B"), "A"},
		"past first":             {row("2010-01-01", "2020-01-01", "B") + row("2020-01-01", "9999-12-31", "A"), "A"},
		"changes today":          {row("2010-01-01", "2026-11-23", "B") + row("2026-11-23", "9999-12-31", "A"), "A"},
		"changes tomorrow":       {row("2010-01-01", "2026-11-24", "A") + row("2026-11-24", "9999-12-31", "B"), "A"},
		"all past: the last one": {row("2010-01-01", "2015-01-01", "B") + row("2015-01-01", "2020-01-01", "A"), "A"},
		"no names":               {"", ""},
	} {
		if got := must(t, record(asked, c.rows)).Name.Given; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// An address that no longer holds is none.
	for name, c := range map[string]struct {
		from, to string
		want     bool
	}{
		"without history": {"", "", true}, "open": {"2020-01-01", "9999-12-31", true}, "from today": {"2026-11-23", "9999-12-31", true},
		"from tomorrow": {"2026-11-24", "9999-12-31", false}, "until today": {"2020-01-01", "2026-11-23", false},
		"until tomorrow": {"2020-01-01", "2026-11-24", true}, "unreadable": {"soon", "9999-12-31", false}, "with a zone": {"2020-01-01Z", "9999-12-31+01:00", true},
	} {
		got := must(t, record(asked, atHome("f:Folkbokforingsadress", "Provgatan 1", when(c.from, c.to)))).Address
		if (got != nil) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// covers: REG-01
func TestWhichAddress(t *testing.T) {
	t.Parallel()
	home := atHome("f:Folkbokforingsadress", "Hem 1", when("2020-02-29", "9999-12-31"))
	special, specialAbroad := atHome("sp:SarskildPostadress", "Box 1"), elsewhere("sp:SarskildPostadress", "Vei 1", "NORGE")
	away, contact := elsewhere("u:Utlandsadress", "Street 1", "ATLANTIS"), atHome("k:Kontaktadress", "Kontakt 1")
	for name, c := range map[string]struct{ state, rows, want string }{
		"home":                         {"", home, "Hem 1"},
		"special before home":          {"", home + special, "Box 1"},
		"special abroad before home":   {"", home + specialAbroad, "Vei 1"},
		"home before contact":          {"", home + contact, "Hem 1"},
		"contact before abroad":        {"", contact + away, "Kontakt 1"},
		"abroad":                       {"", away, "Street 1"},
		"nothing":                      {"", "", ""},
		"empty":                        {"", `<f:Folkbokforingsadress><a:SvenskAdress></a:SvenskAdress></f:Folkbokforingsadress>` + away, "Street 1"},
		"emigrated":                    {"UV", home + special + away, "Street 1"},
		"emigrated, special abroad":    {"UV", home + specialAbroad, "Vei 1"},
		"emigrated, at home only":      {"UV", home + special, ""},
		"dead":                         {"AV", home, ""},
		"missing":                      {"OB", home, ""},
		"annulled":                     {"AS", home, ""},
		"false identity":               {"FI", home, ""},
		"technical":                    {"TA", home, ""},
		"replaced, nobody known":       {"GN", home, ""},
		"a reason that we don't know":  {"O", home, "Hem 1"},
		"an address that was, and one": {"", atHome("f:Folkbokforingsadress", "Hem 0", when("2010-01-01", "2020-02-29")) + home, "Hem 1"},
	} {
		content := c.rows
		if c.state != "" {
			content = details(reason(c.state)) + content
		}
		p := must(t, record(asked, content))
		got := ""
		if p.Address != nil {
			got = p.Address.Lines[0]
		}
		if got != c.want || p.RegisterState != c.state {
			t.Errorf("%s: %q in state %q, want %q", name, got, p.RegisterState, c.want)
		}
	}
	want := &core.Address{
		CareOf: "C/o Test", Lines: []string{"Hem 1"}, PostalCode: "99901", City: "PROVSTAD", Country: "SE", ValidFrom: date(2020, 2, 29),
	}
	if diff := cmp.Diff(want, must(t, record(asked, home)).Address); diff != "" {
		t.Error(diff)
	}
	for land, want := range map[string]string{"NORGE": "NO", "Danmark": "DK", "ATLANTIS": "ATLANTIS", "FÄRÖARNA": "FO"} {
		got := must(t, record(asked, elsewhere("u:Utlandsadress", "Street 1", land))).Address
		if diff := cmp.Diff(&core.Address{Lines: []string{"Street 1", "99 Testby"}, Country: want}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// What is protected is told by the flags alone, of the record and of the row that holds; what is not a clear no counts.
//
// covers: B.10
func TestProtections(t *testing.T) {
	t.Parallel()
	const mark, registration = core.ProtectionSESecrecyMark, core.ProtectionSEProtectedRegistration
	dated := `<s:SekretessDatum>2016-02-02</s:SekretessDatum>`
	row := func(from, to, mark, registration string) string {
		return details(when(from, to), `<s:Sekretessmarkering>`+mark+`</s:Sekretessmarkering><s:SkyddadFolkbokforing>`+registration+`</s:SkyddadFolkbokforing>`)
	}
	for name, c := range map[string]struct {
		record string
		want   []core.ProtectionKind
	}{
		"none":               {record(asked), nil},
		"mark":               {flagged(asked, "JA", "NEJ"), []core.ProtectionKind{mark}},
		"registration alone": {flagged(asked, "NEJ", "JA"), []core.ProtectionKind{registration}},
		"both":               {flagged(asked, "JA", "JA"), []core.ProtectionKind{mark, registration}},
		"in another case":    {flagged(asked, "ja", "nej"), []core.ProtectionKind{mark, registration}},
		"with white space":   {flagged(asked, " NEJ\n", "\tNEJ "), nil},
		"empty":              {flagged(asked, "", ""), []core.ProtectionKind{mark, registration}},
		"set by SPAR": {strings.Replace(flagged(asked, "JA", "JA"), "<s:Sekretessmarkering>", `<s:Sekretessmarkering sattAvSPAR="JA">`, 1),
			[]core.ProtectionKind{mark, registration}},
		"ended, the date stays":      {record(asked, dated), nil},
		"in the row that holds":      {record(asked, row("2020-01-01", "9999-12-31", "NEJ", "JA")), []core.ProtectionKind{registration}},
		"in a row that no longer is": {record(asked, row("2020-01-01", "9999-12-31", "NEJ", "NEJ")+row("2010-01-01", "2020-01-01", "JA", "JA")), nil},
	} {
		var got []core.ProtectionKind
		for _, p := range must(t, c.record).Protections {
			got = append(got, p.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	p := must(t, strings.Replace(flagged(asked, "JA", "NEJ"), "</s:Sekretessmarkering>", "</s:Sekretessmarkering>"+dated, 1))
	if p.Protections[0].Since != date(2016, 2, 2) {
		t.Errorf("since %v", p.Protections[0].Since)
	}
}

// Without its flags an answer says nothing: the person would look unprotected.
//
// covers: B.10
func TestFlagsMayNotLack(t *testing.T) {
	t.Parallel()
	whole := record(asked)
	for _, lacking := range []string{
		strings.Replace(whole, `<s:Sekretessmarkering>NEJ</s:Sekretessmarkering>`, "", 1),
		strings.Replace(whole, `<s:SkyddadFolkbokforing>NEJ</s:SkyddadFolkbokforing>`, "", 1),
		strings.ReplaceAll(whole, `s:Sekretessmarkering>`, `foreign>`),
	} {
		p, err := ask(t, lacking)
		if p != nil {
			t.Error("a person without flags")
		}
		only(t, err, core.ErrRegisterUnavailable)
	}
}

// covers: REG-01
func TestDates(t *testing.T) {
	t.Parallel()
	for told, want := range map[string]civil.Date{
		"2019-01-05": date(2019, 1, 5), "2019-01-00": date(2019, 1, 0), "2019-00-00": date(2019, 0, 0), "0000-00-00": {}, "200101": date(2001, 1, 0),
		"2001": date(2001, 0, 0), "0": {}, "": {}, " 2019-01-05\n": date(2019, 1, 5), "2019-00-05": date(2019, 0, 0), "2019-13-05": date(2019, 0, 0),
		"2019-02-30": date(2019, 2, 0), "2001011": date(2001, 1, 0), "201": {}, "yesterday": {}, "20190105": {}, "20x9-01-01": {}, "2019-01-05+01:00": date(2019, 1, 5),
	} {
		p := must(t, record(asked, details(reason("AV"), `<g:Avlidendatum>`+told+`</g:Avlidendatum><d:Fodelsedatum>`+told+`</d:Fodelsedatum>`)))
		if p.Death != want || p.Birth != want {
			t.Errorf("%q: died %v, born %v, want %v", told, p.Death, p.Birth, want)
		}
	}
	for name, c := range map[string]struct {
		rows string
		want civil.Date
	}{
		"found dead":   {`<g:AntraffadDodDatum>2020-01-02</g:AntraffadDodDatum>`, date(2020, 1, 2)},
		"holder":       {`<g:AntraffadDodDatum>2020-01-02</g:AntraffadDodDatum><sn:SnAvlidendatum>2020-01-00</sn:SnAvlidendatum>`, date(2020, 1, 0)},
		"said to die":  {`<g:Avlidendatum>2019-12-31</g:Avlidendatum><g:AntraffadDodDatum>2020-01-02</g:AntraffadDodDatum>`, date(2019, 12, 31)},
		"nobody knows": {reason("AV"), civil.Date{}},
	} {
		if p := must(t, record(asked, details(c.rows))); p.Death != c.want {
			t.Errorf("%s: %v, want %v", name, p.Death, c.want)
		}
	}
}

// A pointer to the number in force is followed once, and both numbers are told.
//
// covers: REG-01
func TestPointers(t *testing.T) {
	t.Parallel()
	replaced := func(kind, to string) []byte { return answer(record(asked, details(reason("GN"), pointer(kind, to)))) }
	inForce := answer(record(next, details(pointer("Fran", asked), pointer("Fran", third), pointer("Fran", next), pointer("Fran", "1"))))
	for name, c := range map[string]struct {
		answers canned
		want    string
		earlier []string
	}{
		"followed":                 {canned{asked: replaced("Till", next), next: inForce}, next, []string{asked, third}},
		"without a type":           {canned{asked: replaced("", next), next: inForce}, next, []string{asked, third}},
		"of an unreplaced number":  {canned{asked: answer(record(asked, details(pointer("", next)))), next: inForce}, asked, nil},
		"coordination number":      {canned{asked: answer(record(asked, details(reason("GS"), pointer("Till", next)))), next: inForce}, next, []string{asked, third}},
		"in force, from another":   {canned{asked: answer(record(asked, details(pointer("Fran", third))))}, asked, []string{third}},
		"nobody there":             {canned{asked: replaced("Till", next)}, asked, nil},
		"to itself":                {canned{asked: replaced("Till", asked)}, asked, nil},
		"to no number":             {canned{asked: replaced("Till", "191212121213")}, asked, nil},
		"a chain is not gone down": {canned{asked: replaced("Till", next), next: answer(record(next, details(reason("GN"), pointer("Till", third))))}, next, []string{asked}},
		"a loop":                   {canned{asked: replaced("Till", next), next: answer(record(next, details(reason("GN"), pointer("Till", asked))))}, next, []string{asked}},
		"of a protected person": {
			canned{asked: answer(flagged(asked, "JA", "NEJ", details(reason("GN"), pointer("Till", next)))), next: inForce}, next, []string{asked, third},
		},
	} {
		p, err := register(t, deps(t, c.answers)).Lookup(t.Context(), inquiry(t, asked))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var earlier []nationalid.Number
		for _, e := range c.earlier {
			earlier = append(earlier, number(t, e))
		}
		if p.Number != number(t, c.want) || !cmp.Equal(p.Earlier, earlier, equalNumbers()) {
			t.Errorf("%s: in force is %t, %d earlier", name, p.Number == number(t, c.want), len(p.Earlier))
		}
	}
	// If the number in force can't be had for want of an answer, that is no answer to the question.
	broken := canned{asked: replaced("Till", next), next: answer(`<x:Undantag><x:Kod>GENERELLT_FEL</x:Kod></x:Undantag>`)}
	_, err := register(t, deps(t, broken)).Lookup(t.Context(), inquiry(t, asked))
	only(t, err, core.ErrRegisterUnavailable)
}

// The answers of 2023.1 are read by the same rules: its parts have other namespaces and more elements.
//
// covers: REG-01
func TestNextVersion(t *testing.T) {
	t.Parallel()
	raw := string(answer(record(asked,
		`<n:Namn><e:Fornamn>Test</e:Fornamn></n:Namn>`,
		details(`<d:Fodelsedatum>1991-01-11</d:Fodelsedatum><sn:SnIdentitetsniva>STYRKT</sn:SnIdentitetsniva>`),
		`<p:Utvandrad><p:Aterinlasningsdatum>2026-01-01</p:Aterinlasningsdatum></p:Utvandrad>`,
		atHome("f:Folkbokforingsadress", "Hem 1"))))
	for from, to := range map[string]string{"personsok/2021.1": "personsok/2023.1", "person-1.2": "person-1.3"} {
		raw = strings.ReplaceAll(raw, from, to)
	}
	s := &spard{answers: map[string][]byte{asked: []byte(raw)}}
	d := deps(t, start(t, s).client(t))
	d.Version = spar.Version2023
	p, err := register(t, d).Lookup(t.Context(), inquiry(t, asked))
	if err != nil {
		t.Fatal(err)
	}
	if p.Name.Given != "Test" || p.Birth != date(1991, 1, 11) || p.Address == nil {
		t.Errorf("read %+v", p.Name)
	}
	sent := string(s.bodies[0])
	for _, part := range []string{"personsok/2023.1/personsokningfraga", "personsokningsokparametrar-1.2", "person/person-1.3"} {
		if !strings.Contains(sent, part) {
			t.Errorf("lacks %s: %s", part, sent)
		}
	}
	if s.actions[0] != `"http://skatteverket.se/spar/personsok/2023.1/PersonsokService/Personsok"` {
		t.Errorf("action %s", s.actions[0])
	}
	// An answer of one version is none to a question of the other.
	d.Version = spar.Version2021
	_, err = register(t, d).Lookup(t.Context(), inquiry(t, asked))
	only(t, err, core.ErrRegisterUnavailable)
}
