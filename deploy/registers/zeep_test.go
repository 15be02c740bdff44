package registers_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/serviceplatform"
)

// python is an interpreter that has zeep: Debian's package python3-zeep belongs to the system's own.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(t.Context(), path, "-c", "import zeep").Run() == nil {
			return path
		}
	}
	missing(t, "no Python with zeep (Debian package python3-zeep)")
	return ""
}

func context4(i serviceplatform.Invocation) map[string]string {
	return map[string]string{
		"ServiceAgreementUUID": i.ServiceAgreement, "UserSystemUUID": i.UserSystem, "UserUUID": i.User, "ServiceUUID": i.Service,
	}
}

// at walks into what JSON said, by keys and indices.
func at(value any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[s]
		case int:
			l, _ := value.([]any)
			if s >= len(l) {
				return nil
			}
			value = l[s]
		}
	}
	return value
}

// A client that another stack has generated from the official WSDLs works unchanged: look-up, search, protected and replaced persons,
// faults, subscriptions.
func TestClientOfAnotherStack(t *testing.T) {
	t.Parallel()
	b := start(t)
	files := b.ca.Files(b.ca.Service("identity"))
	schemas := shared(t, "spar", "personsok-2021.1")
	config, err := json.Marshal(map[string]any{
		"cert": files.Cert, "key": files.Key, "ca": files.CA, "spar_schemas": schemas,
		"spar": map[string]any{
			"url": b.sim.SPARURL(), "wsdl": filepath.Join(schemas, "granssnitt", "personsok", "2021.1", "personsok.wsdl"),
			"numbers": []string{"195704133106", "198106039228", "199101112390", "191212121212", "193604139207", "000000000000"},
		},
		"sf1520": map[string]any{
			"url": b.sim.SF1520URL(), "wsdl": filepath.Join(sf1520Contract(t), "wsdl", "context", "PersonBaseDataExtendedService.wsdl"),
			"numbers": []string{"0709614126", "0701614011", "0108610069", "0101010101"}, "context": context4(registers.DefaultInvocation()),
		},
		"subscription": map[string]any{
			"url": b.sim.SubscriptionURL(), "wsdl": filepath.Join(subscriptionContract(t), "CprSubscriptionService.wsdl"),
			"context": context4(registers.DefaultSubscription()),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, trouble bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python(t), filepath.Join("testdata", "client.py"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), &out, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, trouble.Bytes())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	swede := func(number string, path ...any) any {
		return at(got[number], append([]any{"PersonsokningSvarspost", 0}, path...)...)
	}
	for name, c := range map[string]struct{ got, want any }{
		"name":            {swede("195704133106", "Namn", 0, "Efternamn"), "Efternamn3542"},
		"since":           {swede("195704133106", "Namn", 0, "DatumFrom"), "2019-12-02"},
		"second row":      {swede("195704133106", "Folkbokforing", 1, "DatumTill"), "2019-12-02"},
		"street":          {swede("195704133106", "Folkbokforingsadress", 0, "SvenskAdress", "Utdelningsadress2"), "Gatan142 8"},
		"mark":            {swede("198106039228", "Sekretessmarkering", "_value_1"), "JA"},
		"mark set by":     {swede("198106039228", "Sekretessmarkering", "sattAvSPAR"), "JA"},
		"registration":    {swede("198106039228", "SkyddadFolkbokforing"), "JA"},
		"replaced":        {swede("199101112390", "Persondetaljer", 0, "AvregistreringsorsakKod"), "GN"},
		"new number":      {swede("199101112390", "Persondetaljer", 0, "Hanvisning", 0, "IdNummer"), "199111022399"},
		"wrong digit":     {at(got["193604139207"], "Undantag", "Kod"), "OGILTIG_INPARAMETER"},
		"fault of SPAR":   {at(got["000000000000"], "fault"), "soap:Client"},
		"found":           {at(got["search"], "PersonsokningSvarspost", 0, "PersonId", "IdNummer"), "195704133106"},
		"citizen":         {at(got["search"], "PersonsokningSvarspost", 0, "Persondetaljer", 0, "SvenskMedborgare"), "JA"},
		"Dane":            {at(got["0709614126"], "persondata", "navn", "personadresseringsnavn"), "Annette Ingdahl"},
		"status":          {at(got["0709614126"], "persondata", "status", "status"), 1.0},
		"Danish address":  {at(got["0709614126"], "adresse", "aktuelAdresse", "standardadresse"), "Søgade 16"},
		"protected":       {at(got["0701614011"], "persondata", "adressebeskyttelse", "beskyttet"), true},
		"protected name":  {at(got["0701614011"], "persondata", "navn", "efternavn"), "Sander"},
		"changed":         {at(got["0108610069"], "persondata", "gaeldendePersonnummer"), "0709610015"},
		"unknown":         {at(got["0101010101"], "codes", 0), "172"},
		"added":           {at(got["subscription"], 0), "ADDED"},
		"added twice":     {at(got["subscription"], 1), "ALREADY_EXISTED"},
		"removed":         {at(got["subscription"], 3), "REMOVED"},
		"ages":            {at(got["subscription"], 4), "ADDED"},
		"municipality":    {at(got["subscription"], 5), "ADDED"},
		"code":            {at(got["subscription"], 6), "ADDED"},
		"filter of ages":  {at(got["subscription"], 7, "AgeRange", 0, "EndAge"), 17.0},
		"filter of codes": {at(got["subscription"], 7, "ChangeCode", 0), "A01"},
		"filter by place": {at(got["subscription"], 7, "MunicipalityCode", 0), 851.0},
		"number":          {at(got["subscription"], 7, "PNR", 0), "0709614126"},
		"all removed":     {at(got["subscription"], 8), "REMOVED"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	if nobody, _ := at(got["191212121212"], "PersonsokningSvarspost").([]any); len(nobody) > 0 || got["191212121212"] == nil {
		t.Errorf("nobody: %v", got["191212121212"])
	}
	if found, _ := at(got["search"], "PersonsokningSvarspost").([]any); len(found) != 1 {
		t.Errorf("found %d persons", len(found))
	}
	if t.Failed() {
		t.Log(slices.Sorted(maps.Keys(got)), out.String())
	}
	if n := b.sim.Subscribed(); !slices.Equal(n, []string{"0709614126"}) {
		t.Errorf("subscribed to %v", n)
	}
}
