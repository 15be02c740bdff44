package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/identity/synthetic"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink keeps what is put into it.
type sink struct {
	persons []*core.Person
	calls   int
	fail    error // at the second call
}

func (s *sink) Put(_ context.Context, persons []*core.Person) (store.Written, error) {
	s.calls++
	if s.calls == 2 && s.fail != nil {
		return store.Written{}, s.fail
	}
	s.persons = append(s.persons, persons...)
	return store.Written{Stored: len(persons)}, nil
}

func newImporter(t testing.TB, s importer.Sink, published ...string) *importer.Importer {
	t.Helper()
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test, Published: published})
	if err != nil {
		t.Fatal(err)
	}
	im, err := importer.New(importer.Deps{
		Sink: s, Guard: guard, Zone: time.UTC, Clock: clock.NewFake(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

const minimal = `{"number":"SE:198503149802","register_time":"2026-01-01T00:00:00Z"}`

const full = `{"number":"DK:7403851013","type":"CPR","earlier_numbers":["DK:7403851021"],"given_names":"Anna Åse","middle_name":"Ø",
"family_name":"Berg","addressing_name":"Anna Berg","birth_date":"1985-03-15","death_date":"2026-11-00",
"address":{"care_of":"c/o Ek","lines":["Prøvevej 1","1. tv"],"postal_code":"0000","city":"Prøveby","country":"DK","valid_from":"2020-00-00"},
"protections":[{"kind":"DK_NAME_ADDRESS","since":"2024-01-01"},{"kind":"AD_BLOCK","since":"2023-01-01","ended":"2024-01-01"}],
"register_state":"01","memberships":[{"controller":"DK:10000017","from":"2020-01-01","until":"2026-12-31"}],
"register_time":"2026-01-02T03:04:05+01:00","origin":"MEMBER","source":"made up"}`

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "") }

func TestEveryKeyArrives(t *testing.T) {
	t.Parallel()
	s := &sink{}
	report, err := newImporter(t, s).Import(t.Context(), strings.NewReader("\n"+oneLine(full)+"\r\n\n"+minimal))
	if err != nil || report != (importer.Report{Persons: 2, Stored: 2}) {
		t.Fatalf("%+v, %v", report, err)
	}
	p := s.persons[0]
	if p.Number.Canonical() != "DK:7403851013" || len(p.Earlier) != 1 || p.Earlier[0].Canonical() != "DK:7403851021" {
		t.Error("numbers")
	}
	if p.Name.Given != "Anna Åse" || p.Name.Middle != "Ø" || p.Name.Family != "Berg" || p.Name.Addressing != "Anna Berg" {
		t.Errorf("%+v", p.Name)
	}
	if p.Birth != (civil.Date{Year: 1985, Month: 3, Day: 15}) || p.Death != (civil.Date{Year: 2026, Month: 11}) || p.RegisterState != "01" {
		t.Errorf("%v %v %v", p.Birth, p.Death, p.RegisterState)
	}
	a := p.Address
	if a == nil || a.CareOf != "c/o Ek" || len(a.Lines) != 2 || a.PostalCode != "0000" || a.City != "Prøveby" || a.Country != "DK" || a.ValidFrom.Year != 2020 {
		t.Errorf("%+v", a)
	}
	if len(p.Protections) != 2 || p.Protections[0].Kind != core.ProtectionDKNameAddress || p.Protections[1].Ended.Year != 2024 {
		t.Errorf("%+v", p.Protections)
	}
	if len(p.Memberships) != 1 || p.Memberships[0].Controller != "DK:10000017" || p.Memberships[0].Until.Month != 12 {
		t.Errorf("%+v", p.Memberships)
	}
	if !p.RegisterTime.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) || p.Source != core.SourceMember {
		t.Errorf("%v %v", p.RegisterTime, p.Source)
	}
	if s.persons[1].Source != core.SourcePublicRegister {
		t.Error("the default origin is the register")
	}
}

// badLines are lines that are refused, by a part of the reason.
func badLines() map[string]string {
	with := func(more string) string {
		return `{"number":"SE:198503149802","register_time":"2026-01-01T00:00:00Z",` + more + `}`
	}
	return map[string]string{
		`{`:                                  "ends too early",
		`[]`:                                 "not a JSON object",
		`"x"`:                                "not a JSON object",
		minimal + `{}`:                       "something follows",
		minimal[:20] + "\xff" + minimal[20:]: "not UTF-8",
		"\ufeff" + minimal:                   "not JSON",
		with(`"Number":"x"`):                 "does not have",
		with(`"shoe_size":"x"`):              "does not have",
		with(`"lines":["x"]`):                "wrong place",
		with(`"number":"x"`):                 "number: given twice",
		with(`"given_names":null`):           "given_names: null",
		with(`"given_names":198503149802`):   "given_names: wrong type",
		with(`"given_names":["x"]`):          "wrong type",
		with(`"given_names":" x"`):           "blanks",
		with(`"given_names":"a\u0000b"`):     "control",
		with(`"given_names":"` + strings.Repeat("x", 201) + `"`):                                      "too long",
		with(`"birth_date":"1985-02-30"`):                                                             "birth_date: want",
		with(`"birth_date":"2027-01-01"`):                                                             "birth_date: in the future",
		with(`"death_date":"2027-00-00"`):                                                             "death_date: in the future",
		with(`"type":"IMMUNITETSNUMMER"`):                                                             "immunity",
		with(`"type":"CPR"`):                                                                          "not of the kind",
		with(`"register_state":"GN"`):                                                                 "earlier_numbers of the person in force",
		with(`"register_state":"60"`):                                                                 "earlier_numbers of the person in force",
		with(`"register_state":"ABCDEFGHI"`):                                                          "too long",
		with(`"origin":"GOSSIP"`):                                                                     "origin",
		with(`"earlier_numbers":["SE:198503149802"]`):                                                 "another line has",
		with(`"earlier_numbers":["SE:198503149803"]`):                                                 "earlier_numbers: wrong check digit",
		with(`"protections":[{"kind":"SECRET"}]`):                                                     "kind: not a kind",
		with(`"protections":[{"since":"2020-01-01"}]`):                                                "kind: not a kind",
		with(`"protections":[{"kind":"AD_BLOCK","ended":"soon"}]`):                                    "ended: want",
		with(`"memberships":[{"controller":"NO:12345678","from":"2020-01-01"}]`):                      "controller",
		with(`"memberships":[{"controller":"DK:1234567x","from":"2020-01-01"}]`):                      "controller",
		with(`"memberships":[{"controller":"DK:10000017"}]`):                                          "from: missing",
		with(`"memberships":[{"controller":"DK:10000017","from":"2020-01-01","until":"2019-01-01"}]`): "until: before from",
		with(`"address":{"lines":["1","2","3","4","5","6"]}`):                                         "more than five",
		with(`"address":[[[[[[[[[[]]]]]]]]]]`):                                                        "too deeply",
		with(`"source":"` + strings.Repeat("x", 70_000) + `"`):                                        "64 KiB",
		`{"number":"SE:198503149802"}`:                                                                "register_time",
		`{"number":"SE:198503149802","register_time":"2027-01-01T00:00:00Z"}`:                         "register_time: in the future",
		`{"register_time":"2026-01-01T00:00:00Z"}`:                                                    "number: not in the form",
		`{"number":"SE:198503149803","register_time":"2026-01-01T00:00:00Z"}`:                         "number: wrong check digit",
		`{"number":"SE:165560269986","register_time":"2026-01-01T00:00:00Z"}`:                         "organisation",
		`{"number":"SE:198203249274","register_time":"2026-01-01T00:00:00Z"}`:                         "environment",
		`{"number":"DK:1403851013","register_time":"2026-01-01T00:00:00Z"}`:                           "environment",
		`{"number":"198503149802","register_time":"2026-01-01T00:00:00Z"}`:                            "number: not in the form",
	}
}

// covers: SEC-06 SEC-09
func TestBadLinesAreRefusedWithoutTheirValues(t *testing.T) {
	t.Parallel()
	for line, want := range badLines() {
		s := &sink{}
		// A good line before and behind: its neighbours don't help it in.
		file := `{"number":"DK:7403851013","register_time":"2026-01-01T00:00:00Z"}` + "\n" + line + "\n" +
			`{"number":"DK:7403851021","register_time":"2026-01-01T00:00:00Z"}`
		_, err := newImporter(t, s).Import(t.Context(), strings.NewReader(file))
		refused, ok := errors.AsType[*importer.RefusedError](err)
		if !ok || refused.Total != 1 || refused.Problems[0].Line != 2 || !strings.Contains(refused.Problems[0].Reason, want) {
			t.Errorf("%.80s: %v, want %q", line, err, want)
			continue
		}
		for _, value := range []string{"1985", "9802", "740385", "1982", "GOSSIP", "shoe", "xxx", "SECRET", "5560"} {
			if strings.Contains(err.Error(), value) {
				t.Errorf("%.80s: the report shows %s: %v", line, value, err)
			}
		}
		if s.calls != 0 {
			t.Errorf("%.80s: something was imported", line)
		}
	}
}

func TestAllProblemsAreReportedUpToAHundred(t *testing.T) {
	t.Parallel()
	_, err := newImporter(t, &sink{}).Import(t.Context(), strings.NewReader(strings.Repeat("{}\n"+minimal+"\n", 75)))
	refused, ok := errors.AsType[*importer.RefusedError](err)
	if !ok || refused.Total != 75+74 || len(refused.Problems) != 100 {
		t.Fatalf("%v", err)
	}
	for i, want := range []int{1, 3, 4, 5} {
		if refused.Problems[i].Line != want {
			t.Errorf("problem %d is of line %d", i+1, refused.Problems[i].Line)
		}
	}
	if !strings.Contains(err.Error(), "and 49 more") {
		t.Errorf("%.200s", err)
	}
}

func TestNameAndAddressOfTheProtectedAreNotKept(t *testing.T) {
	t.Parallel()
	for kind, kept := range map[string]bool{"SE_SECRECY_MARK": false, "UNKNOWN": false, "DK_NAME_ADDRESS": true, "AD_BLOCK": true} {
		s := &sink{}
		line := `{"number":"SE:198503149802","given_names":"Anna","family_name":"Berg","address":{"lines":["Provgatan 1"]},
			"protections":[{"kind":"` + kind + `"}],"register_time":"2026-01-01T00:00:00Z"}`
		if _, err := newImporter(t, s).Import(t.Context(), strings.NewReader(oneLine(line))); err != nil {
			t.Fatal(err)
		}
		if p := s.persons[0]; (p.Address != nil) != kept || p.Name.IsZero() == kept {
			t.Errorf("%s: %v %v", kind, p.Address, p.Name)
		}
	}
}

func TestBatchesAndFaults(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := synthetic.WriteJSONL(&file, 2_500, func(synthetic.Member) string { return "DK:10000017" }); err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	report, err := newImporter(t, s).Import(t.Context(), bytes.NewReader(file.Bytes()))
	if err != nil || report.Stored != 2_500 || s.calls != 3 || len(s.persons[0].Memberships) != 1 {
		t.Errorf("%+v, %d calls, %v", report, s.calls, err)
	}
	gone := errors.New("gone")
	report, err = newImporter(t, &sink{fail: gone}).Import(t.Context(), bytes.NewReader(file.Bytes()))
	if !errors.Is(err, gone) || report.Stored != 1_000 {
		t.Errorf("%+v, %v", report, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newImporter(t, &sink{}).Import(ctx, bytes.NewReader(file.Bytes())); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// changing gives another content the second time it is read.
type changing struct {
	*strings.Reader
	second string
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		c.Reader = strings.NewReader(c.second)
	}
	return c.Reader.Seek(offset, whence)
}

func TestChangedFile(t *testing.T) {
	t.Parallel()
	_, err := newImporter(t, &sink{}).Import(t.Context(), &changing{strings.NewReader(minimal), minimal + "\n{}"})
	if !errors.Is(err, importer.ErrChanged) {
		t.Errorf("%v", err)
	}
}

func TestMissingParts(t *testing.T) {
	t.Parallel()
	if _, err := importer.New(importer.Deps{}); err == nil {
		t.Error("made of nothing")
	}
}

func TestLinesDoNotPrintThemselves(t *testing.T) {
	t.Parallel()
	l := importer.Line{Number: "SE:198503149802", GivenNames: "Anna"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, l); strings.Contains(s, "1985") || strings.Contains(s, "Anna") {
			t.Errorf("%s: %s", verb, s)
		}
	}
}

// The sandbox's persons fit the format and the guard with its list of published numbers.
//
// covers: SEC-09
func TestSandboxPersons(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "..", "..", "..", "deploy", "sandbox", "persons")
	file, err := os.ReadFile(filepath.Join(folder, "persons.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile(filepath.Join(folder, "published.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	report, err := newImporter(t, s, strings.Fields(string(published))...).Import(t.Context(), bytes.NewReader(file))
	if err != nil || report.Stored < 75 {
		t.Fatalf("%+v, %v", report, err)
	}
	members, byNumber := 0, map[string]*core.Person{}
	for _, p := range s.persons {
		if len(p.Memberships) > 0 {
			members++
		}
		for _, n := range append([]nationalid.Number{p.Number}, p.Earlier...) {
			byNumber[n.Canonical()] = p
		}
	}
	if members < len(s.persons)*4/10 || members > len(s.persons)*6/10 {
		t.Errorf("%d of %d are members", members, len(s.persons))
	}
	for earlier, now := range map[string]string{
		"SE:199101112390": "SE:199111022399", "DK:0108610069": "DK:0709610015", "DK:0101520013": "DK:0107529039",
	} {
		if p := byNumber[earlier]; p == nil || p.Number.Canonical() != now {
			t.Errorf("%s does not lead to %s", earlier, now)
		}
	}
	for number, kinds := range map[string]int{"SE:198106039228": 2, "SE:198203249274": 1, "DK:0701614011": 2, "DK:7403851048": 1} {
		if p := byNumber[number]; p == nil || len(p.Protections) != kinds {
			t.Errorf("%s: protections", number)
		}
	}
	for _, nobody := range []string{"SE:191212121212", "SE:198308299299"} {
		if byNumber[nobody] != nil {
			t.Errorf("%s is somebody", nobody)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(oneLine(full) + "\n" + minimal))
	for line := range badLines() {
		if len(line) < 1_000 {
			f.Add([]byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		s := &sink{}
		report, err := newImporter(t, s).Import(t.Context(), bytes.NewReader(file))
		refused, ok := errors.AsType[*importer.RefusedError](err)
		switch {
		case err == nil && report.Stored != len(s.persons):
			t.Error("the report does not count")
		case err != nil && !ok:
			t.Errorf("neither imported nor refused: %v", err)
		case ok && (s.calls != 0 || refused.Total == 0):
			t.Error("refused and imported")
		}
		for _, p := range s.persons {
			if p.Number.IsZero() || p.RegisterTime.IsZero() {
				t.Error("somebody without a number or a time")
			}
		}
	})
}
