package registers_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/spar"
)

// Every published person is answered, in every view that a customer can have, and every answer obeys the official schema.
func TestEverySwedeIsAnswered(t *testing.T) {
	t.Parallel()
	b := start(t)
	swedes, err := persons.Swedes()
	if err != nil {
		t.Fatal(err)
	}
	var docs, questions [][]byte
	for number, p := range swedes {
		for _, q := range []question{
			{number: number},
			{number: number, assignment: registers.AssignmentPresent, rights: []string{"Relationer", "Taxering"}},
			{number: number, assignment: registers.AssignmentSecrecy, rights: []string{"Relationer", "Medborgarskap", "Taxering", "Sekretess"}},
		} {
			questions = append(questions, []byte(q.xml()))
			r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(q.xml()))
			got := answered(t, r)
			docs = append(docs, inside(t, r.raw))
			if text(got, "PersonsokningFraga/IdNummer") != number || text(got, "PersonId/IdNummer") != number || text(got, "PersonId/Typ") != p.Type {
				t.Errorf("%s: answered with %v", number, got)
			}
			seesAll := len(q.rights) == 4 || !p.Protected()
			if name := text(got, "Namn/Fornamn"); (name != "") != (seesAll && len(p.Names) > 0) {
				t.Errorf("%s %v: the name is %q", number, q.rights, name)
			}
			if dated := text(got, "Namn/DatumFrom") != ""; dated && q.assignment == registers.AssignmentPresent {
				t.Errorf("%s: dates without history", number)
			}
		}
	}
	validate(t, sparQuestion(t), questions...)
	validate(t, sparAnswer(t), docs...)
}

// The list of published test persons and the register are the same, and each person has what the list says of them.
func TestSwedesAsPublished(t *testing.T) {
	t.Parallel()
	b := start(t)
	rows, err := csv.NewReader(bytes.NewReader(read(t, shared(t, "spar", "test-persons.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	swedes, err := persons.Swedes()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(swedes)+2 { // a head, a number of nobody and one that is none
		t.Errorf("%d rows, %d persons", len(rows), len(swedes))
	}
	for _, row := range rows[1:] {
		number, kind, attribute, name := row[0], row[1], row[2], row[3]
		got := b.spar(t, question{number: number, rights: []string{"Relationer"}})
		switch attribute {
		case "valid format and not in register (no hit)":
			if len(texts(got, "PersonId/IdNummer")) != 0 || text(got, "Kod") != "" {
				t.Errorf("%s: somebody was found", number)
			}
			continue
		case "wrong check digit":
			if text(got, "Undantag/Kod") != "OGILTIG_INPARAMETER" {
				t.Errorf("%s: got %v", number, got)
			}
			continue
		}
		if text(got, "PersonId/Typ") != kind {
			t.Errorf("%s: of type %q, want %q", number, text(got, "PersonId/Typ"), kind)
		}
		if is := text(got, "Namn/Fornamn") + " " + text(got, "Namn/Mellannamn") + " " + text(got, "Namn/Efternamn"); name != "" &&
			strings.Join(strings.Fields(is), " ") != name {
			t.Errorf("%s: named %q, want %q", number, is, name)
		}
		hasAttribute(t, number, attribute, got)
	}
}

// hasAttribute checks what the list of test persons says in words.
func hasAttribute(t *testing.T, number, attribute string, got []string) {
	t.Helper()
	is := func(path, want string) bool { return text(got, path) == want }
	ok := true
	switch attribute {
	case "ordinary resident", "ordinary resident with history rows", "Skatteverket test number", "Skatteverket test number (age over 100)":
		ok = is("PersonsokningSvarspost/Sekretessmarkering", "NEJ") && text(got, "Folkbokforingsadress/SvenskAdress/PostNr") != "" && is("AvregistreringsorsakKod", "")
	case "protected registration (skyddad folkbokföring)":
		ok = is("PersonsokningSvarspost/SkyddadFolkbokforing", "JA") && is("PersonsokningSvarspost/Sekretessmarkering", "JA")
	case "sekretessmarkering":
		ok = is("PersonsokningSvarspost/Sekretessmarkering", "JA") && is("PersonsokningSvarspost/SkyddadFolkbokforing", "NEJ")
	case "sekretessmarkering and deceased":
		ok = is("PersonsokningSvarspost/Sekretessmarkering", "JA") && is("AvregistreringsorsakKod", "AV")
	case "protected":
		ok = is("PersonsokningSvarspost/Sekretessmarkering", "JA") && is("Fornamn", "")
	case "not protected now but SekretessDatum is set":
		ok = is("PersonsokningSvarspost/Sekretessmarkering", "NEJ") && text(got, "SekretessDatum") != ""
	case "special postal address abroad":
		ok = text(got, "SarskildPostadress/InternationellAdress/Land") != ""
	case "special postal address in Sweden":
		ok = text(got, "SarskildPostadress/SvenskAdress/Postort") != ""
	case "minor with guardian relation":
		ok = is("Relation/Relationstyp", "VÅRDNADSHAVARE")
	case "registered partner relation", "relation M (married)":
		ok = is("Relation/Relationstyp", "MAKE/MAKA/REGISTRERAD PARTNER")
	case "deceased":
		ok = is("AvregistreringsorsakKod", "AV") || text(got, "SnAvlidendatum") != ""
	case "deceased more than 3 years ago (blank answer)":
		ok = len(texts(got, "Persondetaljer/Kon"))+len(texts(got, "Namn/Fornamn")) == 0
	case "emigrated":
		ok = is("AvregistreringsorsakKod", "UV")
	case "old number (replaced)", "changed from (old number)":
		ok = is("AvregistreringsorsakKod", "GN") && is("Hanvisning/Typ", "Till")
	case "changed to (new number)":
		ok = is("Hanvisning/Typ", "Fran") && text(got, "Folkbokforingsadress/SvenskAdress/PostNr") != ""
	case "with reference (hänvisning)":
		ok = text(got, "Hanvisning/IdNummer") != ""
	case "inactivated (vilande)":
		ok = text(got, "SnVilandeforklaringsdatum") != ""
	case "coordination number", "Skatteverket test coordination number":
		ok = text(got, "SnStatus") != ""
	case "address no longer current (DatumTill not 9999-12-31)":
		ok = text(got, "SvenskAdress/DatumTill") != "" && !slices.Contains(texts(got, "SvenskAdress/DatumTill"), persons.Forever)
	case "address history", "historical address":
		ok = len(texts(got, "Folkbokforingsadress/SvenskAdress/DatumTill")) > 1
	case "address with apartment number":
		ok = strings.Contains(text(got, "SvenskAdress/Utdelningsadress2"), "lgh")
	case "immunity number":
	default:
		ok = false
	}
	if !ok {
		t.Errorf("%s (%s): got\n%s", number, attribute, strings.Join(got, "\n"))
	}
}

// The one published answer is repeated to the letter, but for its UUID.
func TestPublishedAnswer(t *testing.T) {
	t.Parallel()
	b := start(t)
	want := flat(t, inside(t, read(t, shared(t, "spar", "examples", "response-195704133106.published.xml"))))
	got := b.spar(t, question{number: "195704133106"})
	last := func(lines []string) string { return lines[len(lines)-1] }
	if text([]string{last(got)}, "SPARPersonsokningSvar/UUID") == "" {
		t.Errorf("the last element is %q", last(got))
	}
	if !slices.Equal(got[:len(got)-1], want[:len(want)-1]) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The other examples were built from the schema; what they say and did not invent is in our answers.
func TestSwedesAsInTheExamples(t *testing.T) {
	t.Parallel()
	b := start(t)
	for file, number := range map[string]string{
		"response-protected-198106039228.synthetic.xml": "198106039228",
		"response-nohit-191212121212.synthetic.xml":     "191212121212",
		"response-oldnumber-199101112390.synthetic.xml": "199101112390",
		"response-deceased-198604069883.synthetic.xml":  "198604069883",
	} {
		got := b.spar(t, question{number: number})
		for _, line := range flat(t, inside(t, read(t, shared(t, "spar", "examples", file)))) {
			element, _, _ := strings.Cut(line, " ")
			if !strings.HasSuffix(element, "/UUID") && !strings.HasSuffix(element, "/Avlidendatum") && !slices.Contains(got, line) {
				t.Errorf("%s: lacks %q; has\n%s", number, line, strings.Join(got, "\n"))
			}
		}
	}
}

// Of a protected person everybody learns the flags, and the place in the register that others see is empty. Only the permission for
// secrecy shows more.
func TestProtectedSwedes(t *testing.T) {
	t.Parallel()
	b := start(t)
	for number, bySPAR := range map[string]string{"198106039228": " @sattAvSPAR=JA", "198203249274": ""} {
		got := b.spar(t, question{number: number, rights: []string{"Relationer", "Medborgarskap", "Taxering"}})
		for _, element := range []string{"Namn", "Persondetaljer", "Folkbokforing", "Folkbokforingsadress", "Relation", "SummeradInkomst"} {
			if slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "/"+element) }) {
				t.Errorf("%s: %s is told", number, element)
			}
		}
		if !strings.HasPrefix(got[3], "SPARPersonsokningSvar/PersonsokningSvarspost/Sekretessmarkering"+bySPAR+" {") {
			t.Errorf("%s: %s", number, got[3])
		}
		for _, r := range [][]string{nil, {"Sekretess"}} { // a permission counts only where it is asked for
			q := question{number: number, assignment: registers.AssignmentSecrecy, rights: r}
			if told := text(b.spar(t, q), "Kon") != ""; told != (r != nil) {
				t.Errorf("%s, %v: told is %v", number, r, told)
			}
		}
	}
}

func TestRightsShowMore(t *testing.T) {
	t.Parallel()
	b := start(t)
	swedes, err := persons.Swedes()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	for number := range swedes {
		for _, right := range []string{"Relationer", "Medborgarskap", "Taxering"} {
			with, without := b.spar(t, question{number: number, rights: []string{right}}), b.spar(t, question{number: number})
			for _, path := range []string{"Relation/Relationstyp", "SvenskMedborgare", "SummeradInkomst"} {
				if text(without, path) != "" {
					t.Errorf("%s: %s without permission", number, path)
				}
				if text(with, path) != "" {
					shown[right+" "+path]++
				}
			}
		}
	}
	for _, k := range []string{"Relationer Relation/Relationstyp", "Medborgarskap SvenskMedborgare", "Taxering SummeradInkomst"} {
		if shown[k] == 0 {
			t.Errorf("nobody has %s", k)
		}
	}
	if len(shown) != 3 {
		t.Errorf("shown: %v", shown)
	}
}

func TestSwedishRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	var docs [][]byte
	for name, q := range map[string]question{
		"unknown customer":    {customer: 500001, number: "198111309285"},
		"unknown assignment":  {assignment: 1, number: "198111309285"},
		"right not granted":   {number: "198111309285", rights: []string{"Sekretess"}},
		"check digit":         {number: "193604139207"},
		"no argument":         {},
		"only phonetic":       {fields: "<a:FonetiskSokning>JA</a:FonetiskSokning>"},
		"municipality alone?": {customer: 599999, fields: "<a:KommunKod>80</a:KommunKod>"},
	} {
		r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(q.xml()))
		got := answered(t, r)
		docs = append(docs, inside(t, r.raw))
		if text(got, "Undantag/Kod") != "OGILTIG_INPARAMETER" || text(got, "Undantag/Beskrivning") == "" || len(texts(got, "PersonId/IdNummer")) > 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
	validate(t, sparAnswer(t), docs...)
}

// What breaks the schema is a fault, and the fault does not repeat it.
func TestSwedishFaults(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := question{number: "198111309285"}.xml()
	field := func(f string) string { return question{fields: f}.xml() }
	var broken [][]byte
	for name, body := range map[string]string{
		"zeros":               strings.Replace(sound, "198111309285", "000000000000", 1),
		"short number":        strings.Replace(sound, "198111309285", "8111309285", 1),
		"customer too low":    strings.Replace(sound, "500243", "500000", 1),
		"no number at all":    strings.Replace(sound, ">637<", "><", 1),
		"unknown right":       strings.Replace(sound, "</i:SlutAnvandarId>", "</i:SlutAnvandarId><i:SlutAnvandarUtokadBehorighet>Allt</i:SlutAnvandarUtokadBehorighet>", 1),
		"five rights":         question{number: "198111309285", rights: []string{"Relationer", "Relationer", "Relationer", "Relationer", "Relationer"}}.xml(),
		"empty user":          strings.Replace(sound, "officer-7", "", 1),
		"long user":           strings.Replace(sound, "officer-7", strings.Repeat("x", 257), 1),
		"old spelling":        strings.ReplaceAll(sound, "Identifieringsinformation", "IdentifieringsInformation"),
		"old version":         strings.ReplaceAll(sound, "person/person-1.2", "person/person-1.1"),
		"number and field":    question{number: "198111309285", fields: "<a:Kon>MAN</a:Kon>"}.xml(),
		"two numbers":         strings.Replace(sound, "</p:IdNummer>", "</p:IdNummer><p:IdNummer>198111309285</p:IdNummer>", 1),
		"fields out of order": field("<a:Kon>MAN</a:Kon><a:PostNr>11146</a:PostNr>"),
		"half a range":        field("<a:PostNrFrom>11146</a:PostNrFrom>"),
		"both names":          field("<a:NamnSokArgument>A</a:NamnSokArgument><a:FornamnSokArgument>A</a:FornamnSokArgument>"),
		"star in front":       field("<a:NamnSokArgument>*A</a:NamnSokArgument>"),
		"bad date":            field("<a:Fodelsedatum>1981-13-01</a:Fodelsedatum>"),
		"bad postal code":     field("<a:PostNr>01146</a:PostNr>"),
		"bad sex":             field("<a:Kon>kvinna</a:Kon>"),
		"element in a value":  strings.Replace(sound, "198111309285", "1981<x/>11309285", 1),
		"nothing in the body": "",
		"two in the body":     sound + sound,
		"another element":     "<x/>",
		"not closed":          sound + "<x>",
		"undeclared prefix":   strings.ReplaceAll(sound, "p:IdNummer", "q:IdNummer"),
		"processing":          "<?php x?>" + sound,
	} {
		r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(body))
		if code, errs := fault(t, r); code != "Client" || len(errs) > 0 {
			t.Errorf("%s: %s %v", name, code, errs)
		}
		if bytes.Contains(r.raw, []byte("198111309285")) || bytes.Contains(r.raw, []byte("officer-7")) {
			t.Errorf("%s: the fault repeats the question", name)
		}
		if !slices.Contains([]string{"nothing in the body", "two in the body", "not closed", "undeclared prefix", "processing"}, name) {
			broken = append(broken, []byte(body))
		}
	}
	invalid(t, sparQuestion(t), broken...)
	if got := b.sim.SPARCounts(); got.Outcomes["fault"] != 26 || got.Requests != 26 {
		t.Errorf("counted %v", got)
	}
}

// What the official schema allows is no fault.
func TestFieldSearchAsTheSchemaSays(t *testing.T) {
	t.Parallel()
	b := start(t)
	var questions, answers [][]byte
	for _, f := range []string{
		"<a:FonetiskSokning>NEJ</a:FonetiskSokning><a:NamnSokArgument>A+B</a:NamnSokArgument>",
		"<a:NamnSokArgument>Åsa*</a:NamnSokArgument>", "<a:FornamnSokArgument>Jean-Luc</a:FornamnSokArgument>",
		"<a:MellanEfternamnSokArgument>O'Brien 3</a:MellanEfternamnSokArgument>",
		"<a:UtdelningsadressSokArgument>Gatan 1, c/o: x.y</a:UtdelningsadressSokArgument>",
		"<a:PostNrFrom>11146</a:PostNrFrom><a:PostNrTom>11147</a:PostNrTom>", "<a:Fodelsedatum>1981-11-30Z</a:Fodelsedatum>",
		"<a:FodelsedatumFrom>1980-01-01+01:00</a:FodelsedatumFrom><a:FodelsedatumTom>1981-12-31</a:FodelsedatumTom>", "<a:LanKod>01</a:LanKod>",
		"<a:NamnSokArgument>A</a:NamnSokArgument><a:FodelsedatumFrom>1980-01-01</a:FodelsedatumFrom><a:FodelsedatumTom>1981-12-31</a:FodelsedatumTom><a:Kon>MAN</a:Kon>",
		"<a:DistriktKodFrom>100000</a:DistriktKodFrom><a:DistriktKodTom>999999</a:DistriktKodTom>",
	} {
		q := question{fields: f}.xml()
		questions = append(questions, []byte(q))
		r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(q))
		answers = append(answers, inside(t, r.raw))
		if asked, repeated := arguments(flat(t, []byte(q))), arguments(answered(t, r)); !slices.Equal(asked, repeated) || len(asked) == 0 {
			t.Errorf("%q is repeated as %q", asked, repeated)
		}
	}
	validate(t, sparQuestion(t), questions...)
	validate(t, sparAnswer(t), answers...)
}

// arguments are the elements of the question that a message asks or repeats.
func arguments(lines []string) []string {
	var found []string
	for _, line := range lines {
		if _, argument, ok := strings.Cut(line, "/PersonsokningFraga/"); ok {
			found = append(found, argument)
		}
	}
	return found
}

func TestFieldSearch(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, c := range []struct {
		fields string
		want   []string // some of the persons
		hasNot []string
	}{
		{"<a:NamnSokArgument>efternamn3542 christina</a:NamnSokArgument>", []string{"195704133106"}, []string{"198111309285"}},
		{"<a:NamnSokArgument>Efternamn*</a:NamnSokArgument>", []string{"195704133106", "198111309285", "197910312391"}, nil},
		{"<a:FornamnSokArgument>Sonja</a:FornamnSokArgument><a:Kon>KVINNA</a:Kon>", []string{"198111309285"}, []string{"195704133106"}},
		{"<a:MellanEfternamnSokArgument>Thomeaus</a:MellanEfternamnSokArgument>", []string{"195704133106"}, nil},
		{"<a:FonetiskSokning>JA</a:FonetiskSokning><a:FornamnSokArgument>Kristina</a:FornamnSokArgument>", []string{"195704133106"}, nil},
		{"<a:FonetiskSokning>NEJ</a:FonetiskSokning><a:FornamnSokArgument>Kristina</a:FornamnSokArgument>", nil, []string{"195704133106"}},
		{"<a:PostNr>11146</a:PostNr>", []string{"195704133106"}, nil},
		{"<a:PostNrFrom>11000</a:PostNrFrom><a:PostNrTom>11200</a:PostNrTom>", []string{"195704133106"}, nil},
		{"<a:UtdelningsadressSokArgument>Gatan142 8</a:UtdelningsadressSokArgument><a:PostortSokArgument>stockholm</a:PostortSokArgument>", []string{"195704133106"}, nil},
		{"<a:Fodelsedatum>1957-04-13</a:Fodelsedatum>", []string{"195704133106"}, nil},
		{"<a:FodelsedatumFrom>1957-01-01</a:FodelsedatumFrom><a:FodelsedatumTom>1957-12-31</a:FodelsedatumTom>", []string{"195704133106"}, nil},
		{"<a:LanKod>01</a:LanKod><a:KommunKod>80</a:KommunKod><a:DistriktKod>215025</a:DistriktKod>", []string{"195704133106"}, nil},
		{"<a:Fodelsedatum>1981-06-03</a:Fodelsedatum>", nil, []string{"198106039228"}}, // protected
		{"<a:Fodelsedatum>1701-01-01</a:Fodelsedatum>", nil, nil},
	} {
		found := texts(b.spar(t, question{fields: c.fields}), "PersonId/IdNummer")
		for _, want := range c.want {
			if !slices.Contains(found, want) {
				t.Errorf("%s: found %v, want %s", c.fields, found, want)
			}
		}
		if len(c.want) == 0 && len(c.hasNot) == 0 && len(found) > 0 {
			t.Errorf("%s: found %v", c.fields, found)
		}
		for _, no := range c.hasNot {
			if slices.Contains(found, no) {
				t.Errorf("%s: found %s", c.fields, no)
			}
		}
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	b := start(t)
	q := question{fields: "<a:PostortSokArgument>PROVSTAD</a:PostortSokArgument>"}
	all := len(texts(b.spar(t, q), "PersonId/IdNummer"))
	if all < 10 {
		t.Fatalf("only %d persons live there", all)
	}
	if err := b.sim.SetMaxAnswers(all); err != nil {
		t.Fatal(err)
	}
	if n := len(texts(b.spar(t, q), "PersonId/IdNummer")); n != all {
		t.Errorf("%d persons at the limit of %d", n, all)
	}
	if err := b.sim.SetMaxAnswers(all - 1); err != nil {
		t.Fatal(err)
	}
	r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(q.xml()))
	got := answered(t, r)
	validate(t, sparAnswer(t), inside(t, r.raw))
	if text(got, "OverstigerMaxAntalSvarsposter/AntalPoster") != strconv.Itoa(all) || text(got, "MaxAntalSvarsposter") != strconv.Itoa(all-1) ||
		len(texts(got, "PersonId/IdNummer")) > 0 {
		t.Errorf("got %v", got)
	}
	for _, n := range []int{0, -1, 101} {
		if err := b.sim.SetMaxAnswers(n); err == nil {
			t.Errorf("%d answers at most were taken", n)
		}
	}
}
