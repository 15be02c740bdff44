package registers_test

import (
	"bytes"
	"encoding/csv"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/sf1520"
)

// Every demo person is answered, and every answer obeys the official schema.
func TestEveryDaneIsAnswered(t *testing.T) {
	t.Parallel()
	b := start(t)
	danes, err := persons.Danes()
	if err != nil {
		t.Fatal(err)
	}
	if len(danes) != 80 {
		t.Errorf("%d persons, 80 are published", len(danes))
	}
	docs := make([][]byte, 0, len(danes))
	for number, p := range danes {
		r := b.cpr(t, number)
		got := answered(t, r)
		docs = append(docs, inside(t, r.raw))
		for path, want := range map[string]string{
			"persondata/personnummer": number, "gaeldendePersonnummer": p.Current, "status/status": strings.TrimLeft(p.Status, "0"),
			"koen": p.Sex, "persondata/foedselsdato/dato": p.Born, "personadresseringsnavn": p.Name.Addressing,
		} {
			if text(got, path) != want {
				t.Errorf("%s: %s is %q, want %q", number, path, text(got, path), want)
			}
		}
	}
	validate(t, filepath.Join(sf1520Contract(t), "PersonBaseDataExtendedServiceMsg.xsd"), docs...)
}

// The answers say what the published table of demo persons says.
func TestDanesAsPublished(t *testing.T) {
	t.Parallel()
	b := start(t)
	rows, err := csv.NewReader(bytes.NewReader(read(t, shared(t, "cpr", "demo-persons.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 41 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows[1:] {
		published := map[string]string{}
		for i, column := range rows[0] {
			published[column] = row[i]
		}
		got := answered(t, b.cpr(t, published["pnr"]))
		for column, path := range map[string]string{
			"gaeldende": "gaeldendePersonnummer", "status": "status/status", "koen": "koen", "foedt": "persondata/foedselsdato/dato",
			"adressenavn": "personadresseringsnavn", "fornavn": "navn/fornavn", "mellemnavn": "navn/mellemnavn", "efternavn": "navn/efternavn",
			"stilling": "stilling", "civilstand": "civilstand/civilstand", "statsborger": "statsborgerskab/landekode",
			"udrejseland": "udrejselandekode", "adresse": "aktuelAdresse/standardadresse", "postnr": "aktuelAdresse/postnummer",
			"postdistrikt": "aktuelAdresse/postdistrikt", "kommunekode": "aktuelAdresse/kommunekode", "vejkode": "aktuelAdresse/vejkode",
		} {
			want := published[column]
			if slices.Contains([]string{"status", "postnr", "kommunekode", "vejkode", "statsborger", "udrejseland"}, column) {
				want = strings.TrimLeft(want, "0") // zeros are none in the records
			}
			if is := text(got, path); is != want {
				t.Errorf("%s: %s is %q, want %q", published["pnr"], column, is, want)
			}
		}
		if moved := text(got, "udrejsedato/dato"); published["udrejst"] != "" && published["udrejst"] != stamp(moved) && moved != "" {
			t.Errorf("%s: left at %q, want %q", published["pnr"], moved, published["udrejst"])
		}
		protectedAsPublished(t, published, got)
	}
}

// stamp is a dateTime as the records of CPR write it.
func stamp(dateTime string) string {
	if len(dateTime) < 16 {
		return ""
	}
	return strings.NewReplacer("-", "", "T", "", ":", "").Replace(dateTime[:16])
}

// protectedAsPublished compares the flags. A planned end after the day of the published answers counts as prolonged.
func protectedAsPublished(t *testing.T, published map[string]string, got []string) {
	t.Helper()
	for kind, element := range map[string]string{"0001": "adressebeskyttelse", "0002": "vejviserbeskyttelse", "0003": "markedsfoeringsbeskyttelse"} {
		want := "false"
		for _, p := range strings.Fields(published["beskyttelser"]) {
			if _, until, _ := strings.Cut(p, ".."); strings.HasPrefix(p, kind) && (until == "" || until > persons.AsOf) {
				want = "true"
			}
		}
		if is := text(got, element+"/beskyttet"); is != want {
			t.Errorf("%s: %s is %q, want %q", published["pnr"], element, is, want)
		}
	}
}

// The examples of answers lie beside the schemas. They were built from the published data with invented parts, which are not compared.
func TestDanesAsInTheExamples(t *testing.T) {
	t.Parallel()
	b := start(t)
	for file, c := range map[string]struct {
		number   string
		invented []string // the elements and what they contain
	}{
		"PersonLookupResponse-0709614126.synthetic.xml":           {"0709614126", []string{"tilflytningsdato"}},
		"PersonLookupResponse-0108610069-changed.synthetic.xml":   {"0108610069", []string{"fornavn", "civilstand", "statsborgerskab"}},
		"PersonLookupResponse-0701614011-protected.synthetic.xml": {"0701614011", []string{"adresse", "civilstand", "startdato", "slutdato"}},
	} {
		got := answered(t, b.cpr(t, c.number))
		compared := 0
		for _, line := range flat(t, inside(t, read(t, shared(t, "cpr", "examples", file)))) {
			element, _, _ := strings.Cut(line, " ")
			invented := func(name string) bool { return slices.Contains(strings.Split(element, "/"), name) }
			if strings.HasSuffix(line, "} ") || slices.ContainsFunc(c.invented, invented) {
				continue
			}
			compared++
			if !slices.Contains(got, line) {
				t.Errorf("%s: lacks %q", c.number, line)
			}
		}
		if compared < 10 {
			t.Errorf("%s: compared %d elements only", c.number, compared)
		}
	}
}

func TestDanishFaults(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := invocation(registers.DefaultInvocation())
	foreign := strings.Replace(sound, "000000000001", "000000000009", 1)
	var broken [][]byte
	for name, c := range map[string]struct {
		inside string
		code   string
		errs   []string
	}{
		"unknown":              {sound + pnr("0101010101"), "Server", []string{"172"}},
		"no date":              {sound + pnr("3213610018"), "Server", []string{"52"}},
		"short":                {sound + pnr("01086100"), "Server", []string{"52"}},
		"letters":              {sound + pnr("01O8610018"), "Server", []string{"52"}},
		"empty":                {sound + pnr(""), "Server", []string{"52"}},
		"no context":           {pnr("0709614126"), "Server", []string{"184"}},
		"foreign context":      {foreign + pnr("0709614126"), "Server", []string{"184"}},
		"no number":            {sound, "Client", nil},
		"number twice":         {sound + pnr("0709614126") + pnr("0709614126"), "Client", nil},
		"context behind":       {pnr("0709614126") + sound, "Client", nil},
		"eleven digits":        {sound + pnr("07096141260"), "Client", nil},
		"UUID in capitals":     {strings.Replace(sound, "-4000-", "-4AAA-", 1) + pnr("0709614126"), "Client", nil},
		"context without user": {strings.Replace(sound, "v:UserUUID", "v:OnBehalfOfUser", 2) + pnr("0709614126"), "Client", nil},
		"attribute":            {sound + strings.Replace(pnr("0709614126"), " xmlns", ` lang="da" xmlns`, 1), "Client", nil},
		"text between":         {sound + "x" + pnr("0709614126"), "Client", nil},
	} {
		r := b.post(t, b.sim.SF1520URL(), sf1520.Action(sf1520.Version4), envelope(lookup("4", c.inside)))
		if code, errs := fault(t, r); code != c.code || !slices.Equal(errs, c.errs) {
			t.Errorf("%s: %s %v, want %s %v", name, code, errs, c.code, c.errs)
		}
		if bytes.Contains(r.raw, []byte("0709614126")) {
			t.Errorf("%s: the fault repeats the number", name)
		}
		if c.code == "Client" {
			broken = append(broken, []byte(lookup("4", c.inside)))
		}
	}
	invalid(t, filepath.Join(sf1520Contract(t), "PersonBaseDataExtendedServiceMsg.xsd"), broken...)
	counts := b.sim.SF1520Counts()
	if counts.Outcomes["not_found"] != 1 || counts.Outcomes["invalid"] != 4 || counts.Outcomes["no_access"] != 2 || counts.Outcomes["fault"] != 15 {
		t.Errorf("counted %v", counts)
	}
}

// Everything that the schema allows is understood: contexts that we don't need, in any order of their parts, comments and white space.
func TestDanishRequestsThatTheSchemaAllows(t *testing.T) {
	t.Parallel()
	b := start(t)
	i := registers.DefaultInvocation()
	full := lookup("4", `<cc:CallContext xmlns:cc="http://serviceplatformen.dk/xml/schemas/CallContext/1/"><cc:AccountingInfo>x</cc:AccountingInfo>`+
		`<cc:OnBehalfOfUser></cc:OnBehalfOfUser></cc:CallContext>
		<ac:AuthorityContext xmlns:ac="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/"><ac:MunicipalityCVR>13748136</ac:MunicipalityCVR></ac:AuthorityContext>
		<!-- a comment --><v:InvocationContext xmlns:v="http://serviceplatformen.dk/xml/schemas/InvocationContext/1/">
		<v:ServiceUUID>`+i.Service+`</v:ServiceUUID><v:AccountingInfo>Æ &amp; Ø</v:AccountingInfo><v:UserUUID>`+i.User+`</v:UserUUID>
		<v:UserSystemUUID><![CDATA[`+i.UserSystem+`]]></v:UserSystemUUID><v:ServiceAgreementUUID>`+i.ServiceAgreement+`</v:ServiceAgreementUUID>
		</v:InvocationContext>`+pnr("070961<!-- -->4126"))
	validate(t, filepath.Join(sf1520Contract(t), "PersonBaseDataExtendedServiceMsg.xsd"), []byte(full))
	got := answered(t, b.post(t, b.sim.SF1520URL(), sf1520.Action(sf1520.Version4), envelope(full)))
	if text(got, "personadresseringsnavn") != "Annette Ingdahl" {
		t.Errorf("got %v", got)
	}
}

// Version 5 is version 4 in another namespace; neither answers in the name of the other.
func TestVersion5(t *testing.T) {
	t.Parallel()
	b := start(t)
	ask := func(url, action, version string) reply {
		return b.post(t, url, action, envelope(lookup(version, invocation(registers.DefaultInvocation())+pnr("0709614126"))))
	}
	five := ask(b.sim.SF1520V5URL(), sf1520.Action("5"), "5")
	if got := text(answered(t, five), "personadresseringsnavn"); got != "Annette Ingdahl" {
		t.Errorf("got %q", got)
	}
	as4 := bytes.ReplaceAll(inside(t, five.raw), []byte("PersonBaseDataExtended/5/"), []byte("PersonBaseDataExtended/4/"))
	validate(t, filepath.Join(sf1520Contract(t), "PersonBaseDataExtendedServiceMsg.xsd"), as4)
	if !bytes.Equal(as4, inside(t, ask(b.sim.SF1520URL(), sf1520.Action("4"), "4").raw)) {
		t.Error("the versions differ in more than their namespace")
	}
	for name, r := range map[string]reply{
		"action": ask(b.sim.SF1520V5URL(), sf1520.Action("4"), "5"), "namespace": ask(b.sim.SF1520V5URL(), sf1520.Action("5"), "4"),
	} {
		if code, _ := fault(t, r); code != "Client" {
			t.Errorf("%s of version 4: %s", name, code)
		}
	}
}
