package registers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/spar"
)

// full is a question of a customer who may see everything, as raw answer and flattened; the answer obeys the schema.
func (b *bench) full(t *testing.T, number string) []string {
	t.Helper()
	q := question{number: number, assignment: registers.AssignmentSecrecy, rights: []string{"Relationer", "Medborgarskap", "Taxering", "Sekretess"}}
	r := b.post(t, b.sim.SPARURL(), spar.Action, envelope(q.xml()))
	validate(t, sparAnswer(t), inside(t, r.raw))
	return answered(t, r)
}

func TestSwedishAddressChange(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "195704133106"
	if err := b.sim.SetSwedishAddress(number, persons.SwedishAddress{CareOf: "c/o Ö & Å", Line2: "Nya vägen 1", PostalCode: "41103", City: "GÖTEBORG"}); err != nil {
		t.Fatal(err)
	}
	got := b.full(t, number)
	for path, want := range map[string][]string{
		"Folkbokforingsadress/SvenskAdress/DatumFrom":         {"2026-11-23", "2019-12-02"},
		"Folkbokforingsadress/SvenskAdress/DatumTill":         {persons.Forever, "2026-11-23"},
		"Folkbokforingsadress/SvenskAdress/Utdelningsadress2": {"Nya vägen 1", "Gatan142 8"},
		"SvenskAdress/CareOf":                                 {"c/o Ö & Å"}, "SvenskAdress/PostNr": {"41103", "11146"}, "SenasteAndringSPAR": {"2026-11-23"},
	} {
		if is := texts(got, path); !slices.Equal(is, want) {
			t.Errorf("%s: %q, want %q", path, is, want)
		}
	}
	present := b.spar(t, question{number: number, assignment: registers.AssignmentPresent})
	if is := texts(present, "SvenskAdress/PostNr"); !slices.Equal(is, []string{"41103"}) {
		t.Errorf("without history: %q", is)
	}
}

func TestSwedishProtectionChange(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "195704133106"
	set := func(mark, registration bool) []string {
		t.Helper()
		if err := b.sim.SetSwedishProtection(number, mark, registration); err != nil {
			t.Fatal(err)
		}
		b.full(t, number)
		return b.spar(t, question{number: number})
	}
	hidden := set(false, true)
	if text(hidden, "Fornamn") != "" || !strings.Contains(strings.Join(hidden, "\n"), "@sattAvSPAR=JA") || text(hidden, "SkyddadFolkbokforingDatum") != "2026-11-23" ||
		text(hidden, "SekretessDatum") != "2026-11-23" || text(hidden, "SenasteAndringSPAR") != "2026-11-23" {
		t.Errorf("protected registration: %q", hidden)
	}
	if marked := set(true, false); text(marked, "Fornamn") != "" || text(marked, "SkyddadFolkbokforing") != "NEJ" || strings.Contains(strings.Join(marked, "\n"), "@") {
		t.Errorf("mark: %q", marked)
	}
	if open := set(false, false); text(open, "Fornamn") == "" || text(open, "PersonsokningSvarspost/Sekretessmarkering") != "NEJ" || text(open, "SekretessDatum") != "2026-11-23" {
		t.Errorf("open again: %q", open)
	}
}

func TestSwedishDeath(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "195704133106"
	if err := b.sim.SetSwedishDeath(number, "2026-11-00"); err != nil {
		t.Fatal(err)
	}
	got := b.full(t, number)
	if text(got, "AvregistreringsorsakKod") != "AV" || text(got, "Avlidendatum") != "2026-11-00" || slices.Contains(texts(got, "SvenskAdress/DatumTill"), persons.Forever) {
		t.Errorf("got %q", got)
	}
}

func TestSwedishChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := persons.SwedishAddress{Line2: "Vägen 1", PostalCode: "41103", City: "GÖTEBORG"}
	with := func(bend func(*persons.SwedishAddress)) persons.SwedishAddress {
		a := sound
		bend(&a)
		return a
	}
	const living, dead, blank, nobody = "195704133106", "198604069883", "193604139208", "191212121212"
	for name, c := range map[string]struct{ got, want error }{
		"nobody":            {b.sim.SetSwedishAddress(nobody, sound), spar.ErrUnknown},
		"the dead":          {b.sim.SetSwedishAddress(dead, sound), spar.ErrInvalid},
		"a blank record":    {b.sim.SetSwedishProtection(blank, true, false), spar.ErrInvalid},
		"no city":           {b.sim.SetSwedishAddress(living, with(func(a *persons.SwedishAddress) { a.City = "" })), spar.ErrInvalid},
		"long line":         {b.sim.SetSwedishAddress(living, with(func(a *persons.SwedishAddress) { a.Line1 = strings.Repeat("å", 36) })), spar.ErrInvalid},
		"control character": {b.sim.SetSwedishAddress(living, with(func(a *persons.SwedishAddress) { a.Line1 = "a\nb" })), spar.ErrInvalid},
		"no UTF-8":          {b.sim.SetSwedishAddress(living, with(func(a *persons.SwedishAddress) { a.Line1 = "a\xff" })), spar.ErrInvalid},
		"postal code":       {b.sim.SetSwedishAddress(living, with(func(a *persons.SwedishAddress) { a.PostalCode = "01234" })), spar.ErrInvalid},
		"dies tomorrow":     {b.sim.SetSwedishDeath(living, "2026-11-24"), spar.ErrInvalid},
		"dies twice":        {b.sim.SetSwedishDeath(dead, "2026-11-01"), spar.ErrInvalid},
		"no day":            {b.sim.SetSwedishDeath(living, "yesterday"), spar.ErrInvalid},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if got := b.full(t, living); text(got, "SenasteAndringSPAR") != "2019-12-02" || len(texts(got, "SvenskAdress/PostNr")) != 1 {
		t.Errorf("something stuck: %q", got)
	}
}

func TestDanishChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := persons.DanishAddress{Municipality: "0101", Road: "0001", House: "001", Standard: "Vej 1", Street: "Vej", PostalCode: "2100", District: "By"}
	with := func(bend func(*persons.DanishAddress)) persons.DanishAddress {
		a := sound
		bend(&a)
		return a
	}
	const living, dead, gone, replaced, nobody = "0709614126", "0101980014", "0708614335", "0108610069", "0101010101"
	for name, c := range map[string]struct{ got, want error }{
		"nobody":           {b.sim.SetDanishAddress(nobody, sound), cpr.ErrUnknown},
		"the dead":         {b.sim.SetDanishAddress(dead, sound), cpr.ErrInvalid},
		"emigrated":        {b.sim.SetDanishAddress(gone, sound), cpr.ErrInvalid},
		"no postal code":   {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.PostalCode = "" })), cpr.ErrInvalid},
		"letters":          {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.Road = "000x" })), cpr.ErrInvalid},
		"not in latin 1":   {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.Street = "Łódź" })), cpr.ErrInvalid},
		"control":          {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.CareOf = "a\tb" })), cpr.ErrInvalid},
		"long":             {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.Street = strings.Repeat("a", 21) })), cpr.ErrInvalid},
		"six lines":        {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.Extra = make([]string, 6) })), cpr.ErrInvalid},
		"no day of a line": {b.sim.SetDanishAddress(living, with(func(a *persons.DanishAddress) { a.ExtraFrom = "soon" })), cpr.ErrInvalid},
		"no such type":     {b.sim.SetDanishProtection(living, "0005", true), cpr.ErrInvalid},
		"short type":       {b.sim.SetDanishProtection(living, "1", true), cpr.ErrInvalid},
		"dies tomorrow":    {b.sim.SetDanishDeath(living, "2026-11-24"), cpr.ErrInvalid},
		"dies twice":       {b.sim.SetDanishDeath(dead, "2026-11-01"), cpr.ErrInvalid},
		"an old number":    {b.sim.SetDanishDeath(replaced, "2026-11-01"), cpr.ErrInvalid},
		"partly known day": {b.sim.SetDanishDeath(living, "2026-11-00"), cpr.ErrInvalid},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if err := b.sim.Subscribe(living); err != nil {
		t.Fatal(err)
	}
	if _, lines := b.deliver(t); len(of(lines, living, "099")) != 1 {
		t.Errorf("something stuck: %q", of(lines, living, "099"))
	}
}

// What is told at run time is in SF1520's answers as well, which stay valid.
func TestDanishChangesOverSF1520(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "0709614126"
	if err := errors.Join(
		b.sim.SetDanishAddress(number, persons.DanishAddress{
			Municipality: "0101", Road: "0001", House: "007B", Standard: "Ny Vej 7B", Street: "Ny Vej", PostalCode: "2100", District: "Øst", Extra: []string{"", "linje 2"},
		}),
		b.sim.SetDanishProtection(number, persons.NameAndAddress, true),
	); err != nil {
		t.Fatal(err)
	}
	contract := sf1520Contract(t) + "/PersonBaseDataExtendedServiceMsg.xsd"
	r := b.cpr(t, number)
	validate(t, contract, inside(t, r.raw))
	got := answered(t, r)
	for path, want := range map[string]string{
		"aktuelAdresse/standardadresse": "Ny Vej 7B", "aktuelAdresse/kommunekode": "101", "aktuelAdresse/tilflytningsdato/dato": "2026-11-23T11:30:00",
		"adr2-supladr": "linje 2", "adr1-supladr": "", "adressebeskyttelse/beskyttet": "true", "adressebeskyttelse/startdato": "2026-11-23",
	} {
		if text(got, path) != want {
			t.Errorf("%s: %q, want %q", path, text(got, path), want)
		}
	}
	if ended := texts(got, "adresseHistorik/fraflytningsdato/dato"); !slices.Contains(ended, "2026-11-23T11:30:00") {
		t.Errorf("earlier addresses ended at %q", ended)
	}
	if err := b.sim.SetDanishDeath(number, "2026-11-22"); err != nil {
		t.Fatal(err)
	}
	r = b.cpr(t, number)
	validate(t, contract, inside(t, r.raw))
	if got = answered(t, r); text(got, "status/status") != "90" || text(got, "statusdato/dato") != "2026-11-22T00:00:00" || text(got, "standardadresse") != "" || text(got, "civilstand/civilstand") != "D" {
		t.Errorf("the dead: %q", got)
	}
}
