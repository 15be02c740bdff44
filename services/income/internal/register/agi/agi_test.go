package agi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/register/agi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 1 << 20

func month(y, m int) civil.Month {
	out, err := civil.NewMonth(y, m)
	if err != nil {
		panic(err)
	}
	return out
}

// content is everything that a file told.
type content struct {
	heads      []agi.Head
	statements []*agi.Statement
	totals     []*agi.Total
	absences   []*agi.Absence
}

func read(raw []byte) (content, error) {
	var c content
	err := agi.Read(bytes.NewReader(raw), limit, agi.Into{
		Head:      func(h agi.Head) error { c.heads = append(c.heads, h); return nil },
		Statement: func(s *agi.Statement) error { c.statements = append(c.statements, s); return nil },
		Total:     func(t *agi.Total) error { c.totals = append(c.totals, t); return nil },
		Absence:   func(a *agi.Absence) error { c.absences = append(c.absences, a); return nil },
	})
	return c, err
}

func shared(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../../..", "..", "shared", "registers", "agi", name))
	if err != nil {
		const why = "the registers' samples are not beside the project"
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			tb.Fatal(why)
		}
		tb.Skip(why)
	}
	return raw
}

const (
	employer = "165560269986"
	anna     = "198202252386"
	bo       = "198301302397"
	cecilia  = "198409102392"
)

// The published example reads completely: every value in it that has a code is there afterwards, and nothing else.
func TestPublishedExample(t *testing.T) {
	t.Parallel()
	raw := shared(t, "exempelfil-1.published.xml")
	c, err := read(raw)
	if err != nil || len(c.heads) != 1 || len(c.totals) != 1 || len(c.statements) != 3 {
		t.Fatalf("%+v %v", c, err)
	}
	want := agi.Head{Sender: "190002039006", Employer: employer, Created: time.Date(2024, 3, 2, 9, 42, 25, 0, time.UTC)}
	if c.heads[0] != want {
		t.Errorf("head %+v", c.heads[0])
	}
	var got []string
	for _, total := range c.totals {
		got = append(got, "201="+total.Employer, "006="+code(total.Period))
		for _, f := range total.Fields {
			got = append(got, f.Code+"="+f.Text)
		}
	}
	for _, s := range c.statements {
		got = append(got, "201="+s.Key.Employer, "215="+s.Key.Recipient.ID, "006="+code(s.Key.Period), fmt.Sprintf("570=%03d", s.Key.Number))
		for _, f := range s.Fields {
			got = append(got, f.Code+"="+f.Text)
		}
	}
	var all []string
	for _, m := range regexp.MustCompile(`faltkod="(\d+)">([^<]*)<`).FindAllSubmatch(raw, -1) {
		all = append(all, string(m[1])+"="+string(m[2]))
	}
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(got, all) || len(all) != 33 {
		t.Errorf("read\n%v\nthe file holds (%d)\n%v", got, len(all), all)
	}
	if k := c.statements[0].Kronor("011"); k != 28500 {
		t.Errorf("cash pay %d", k)
	}
}

func code(m civil.Month) string { return strings.ReplaceAll(m.String(), "-", "") }

// The correction file replaces one statement and removes another (registers.md, 4.2).
func TestPublishedCorrection(t *testing.T) {
	t.Parallel()
	book := agi.NewBook()
	for i, name := range []string{"exempelfil-1.published.xml", "rattelse-borttag.synthetic.xml"} {
		c, err := read(shared(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range c.statements {
			book.Apply(s)
		}
		if book.Len() != 3-i {
			t.Errorf("%s: %d statements in force", name, book.Len())
		}
	}
	for id, want := range map[string]rule.Money{anna: 32200_00, bo: 0, cecilia: 27700_00} {
		if got := book.Income(id, agi.IncomeFields())[month(2024, 2)]; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// Every code of the list beside the project is known under its name.
func TestCodesAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	var list []struct {
		Faltkod string `json:"faltkod"`
		Element string `json:"element"`
		Type    string `json:"type"`
	}
	if err := json.Unmarshal(shared(t, "faltkoder.json"), &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if _, err := read(file(iu("", value("Fel", l.Faltkod, "1")))); !errors.Is(err, agi.ErrMalformed) {
			t.Errorf("%s is not known: %v", l.Faltkod, err)
		}
		switch l.Faltkod {
		case "006", "201", "205", "215", "222", "224", "570":
			continue
		}
		c, err := read(file(iu("", value(l.Element, l.Faltkod, "1"))))
		if err != nil || len(c.statements) != 1 || c.statements[0].Fields[0].Element != l.Element {
			t.Errorf("%s %s: %v", l.Faltkod, l.Element, err)
		}
		if _, err := read(file(iu("", value(l.Element, l.Faltkod, "1.5")))); (err == nil) == (l.Type == "SEK") {
			t.Errorf("%s is %s, and half a krona gives %v", l.Faltkod, l.Type, err)
		}
	}
}

func value(element, code, text string) string {
	return `<agd:` + element + ` faltkod="` + code + `">` + text + `</agd:` + element + `>`
}

// iu is a form with one statement; identity replaces its identifying values where it is not empty.
func iu(identity string, values ...string) string {
	if identity == "" {
		identity = value("AgRegistreradId", "201", employer) + value("BetalningsmottagarId", "215", anna) + value("RedovisningsPeriod", "006", "202402") +
			value("Specifikationsnummer", "570", "001")
	}
	return form("<agd:IU>" + identity + strings.Join(values, "") + "</agd:IU>")
}

func form(content string) string {
	return `<agd:Blankett><agd:Arendeinformation><agd:Arendeagare>` + employer + `</agd:Arendeagare><agd:Period>202402</agd:Period></agd:Arendeinformation>` +
		`<agd:Blankettinnehall>` + content + `</agd:Blankettinnehall></agd:Blankett>`
}

const opening = `<?xml version="1.0" encoding="UTF-8"?><Skatteverket omrade="Arbetsgivardeklaration" xmlns="http://xmls.skatteverket.se/se/skatteverket/da/instans/schema/1.1" xmlns:agd="http://xmls.skatteverket.se/se/skatteverket/da/komponent/schema/1.1">`

const introduction = `<agd:Avsandare><agd:Organisationsnummer>190002039006</agd:Organisationsnummer><agd:Skapad>2024-03-02T09:42:25</agd:Skapad></agd:Avsandare>` +
	`<agd:Blankettgemensamt><agd:Arbetsgivare><agd:AgRegistreradId>` + employer + `</agd:AgRegistreradId></agd:Arbetsgivare></agd:Blankettgemensamt>`

func file(forms ...string) []byte {
	return []byte(opening + introduction + strings.Join(forms, "") + `</Skatteverket>`)
}

func TestOtherRecipientsAndUnknownCodes(t *testing.T) {
	t.Parallel()
	who := func(v string) string {
		return value("AgRegistreradId", "201", employer) + v + value("RedovisningsPeriod", "006", "202402") + value("Specifikationsnummer", "570", "9999999999")
	}
	c, err := read(file(
		iu(who(value("Fodelsetid", "222", "19800101"))), iu(who(value("AnnatId", "224", "X-1"))), iu("", value("Nytt", "999", "något &amp; annat"), `<agd:Group><x/></agd:Group>`),
		`<agd:Franvarouppgift>`+value("FranvaroDatum", "821", "2025-01-02")+value("FranvaroTyp", "823", "FORALDRAPENNING")+`</agd:Franvarouppgift>`,
		`<agd:Annat><agd:Mer/></agd:Annat><x xmlns="http://other.example/"/>`,
	))
	if err != nil || len(c.statements) != 3 || len(c.absences) != 1 || len(c.absences[0].Fields) != 2 {
		t.Fatalf("%+v %v", c, err)
	}
	if f := c.statements[2].Fields[0]; f != (agi.Field{Code: "999", Element: "Nytt", Text: "något & annat"}) {
		t.Errorf("unknown field %+v", f)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	with := func(period, number string) string {
		return value("AgRegistreradId", "201", employer) + value("BetalningsmottagarId", "215", anna) + value("RedovisningsPeriod", "006", period) +
			value("Specifikationsnummer", "570", number)
	}
	good := string(file(iu("")))
	for name, raw := range map[string]string{
		"empty":                "",
		"breaks off":           good[:len(good)-40],
		"something follows":    good + "<x/>",
		"another root":         `<x/>`,
		"another version":      strings.ReplaceAll(good, "schema/1.1", "schema/1.0"),
		"a document type":      `<!DOCTYPE x [<!ENTITY a "b">]>` + opening + `</Skatteverket>`,
		"an entity":            string(file(iu("", value("TIN", "252", "&a;")))),
		"an instruction":       opening + `<?x?></Skatteverket>`,
		"text":                 opening + `text</Skatteverket>`,
		"not UTF-8":            string(file(iu("", value("TIN", "252", "\xff")))),
		"another encoding":     strings.Replace(good, "UTF-8", "UTF-16", 1),
		"too deep":             opening + strings.Repeat("<a>", 40),
		"too many in one form": string(file(iu("", strings.Repeat(value("Nytt", "999", "1"), 600)))),
		"a long text":          string(file(iu("", value("TIN", "252", strings.Repeat("x", 5000))))),
		"no time":              strings.Replace(good, "2024-03-02T09:42:25", "yesterday", 1),
		"no employer":          strings.Replace(good, "<agd:AgRegistreradId>"+employer, "<agd:AgRegistreradId>1", 1),
		"neither HU nor IU":    string(file(form(""))),
		"HU and IU":            string(file(form("<agd:HU/><agd:IU/>"))),
		"no content":           string(file("<agd:Blankett/>")),
		"HU without period":    string(file(form("<agd:HU>" + value("AgRegistreradId", "201", employer) + "</agd:HU>"))),
		"another period":       string(file(iu(with("202403", "1")))),
		"no such month":        strings.ReplaceAll(string(file(iu(with("202413", "1")))), "<agd:Period>202402", "<agd:Period>202413"),
		"number too long":      string(file(iu(with("202402", "12345678901")))),
		"number negative":      string(file(iu(with("202402", "-1")))),
		"no number":            string(file(iu(with("202402", "")))),
		"value twice":          string(file(iu("", value("TIN", "252", "1"), value("TIN", "252", "1")))),
		"code is none":         string(file(iu("", value("TIN", "25", "1")))),
		"elements in a value":  string(file(iu("", value("TIN", "252", "<agd:x/>")))),
		"Borttag 2":            string(file(iu("", value("Borttag", "205", "2")))),
		"no recipient":         string(file(iu(value("AgRegistreradId", "201", employer) + value("RedovisningsPeriod", "006", "202402") + value("Specifikationsnummer", "570", "1")))),
		"two recipients":       string(file(iu(with("202402", "1"), value("AnnatId", "224", "x")))),
		"recipient too short":  strings.Replace(good, anna, anna[2:], 1),
		"huge amount":          string(file(iu("", value("AvdrPrelSkatt", "001", "12345678901234")))),
		"too large":            string(file(strings.Repeat(iu(""), 4000))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read([]byte(raw))
			if !errors.Is(err, agi.ErrMalformed) {
				t.Fatalf("got %v", err)
			}
			for _, secret := range []string{anna, anna[2:], employer, "yesterday"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %s: %v", secret, err)
				}
			}
		})
	}
}

// Errors of whoever reads and writes are theirs.
func TestErrorsOfOthers(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk")
	if err := agi.Read(io.MultiReader(bytes.NewReader(file()[:300]), iotest.ErrReader(broken)), limit, agi.Into{}); !errors.Is(err, broken) || errors.Is(err, agi.ErrMalformed) {
		t.Errorf("reader: %v", err)
	}
	full := errors.New("full")
	for name, into := range map[string]agi.Into{
		"head":      {Head: func(agi.Head) error { return full }},
		"statement": {Statement: func(*agi.Statement) error { return full }},
	} {
		if err := agi.Read(bytes.NewReader(file(iu(""))), limit, into); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := agi.Read(bytes.NewReader(file(iu(""), form("<agd:HU>"+value("AgRegistreradId", "201", employer)+value("RedovisningsPeriod", "006", "202402")+"</agd:HU>"))), limit, agi.Into{}); err != nil {
		t.Errorf("nobody wants anything: %v", err)
	}
}

// In force is what was said last about each key, whatever came before.
func TestBookHoldsWhatWasSaidLast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		book, model := agi.NewBook(), map[agi.Key]int64{}
		for range rapid.IntRange(0, 40).Draw(t, "statements") {
			key := agi.Key{
				Employer: rapid.SampledFrom([]string{employer, "165500000000"}).Draw(t, "employer"), Recipient: agi.Recipient{ID: rapid.SampledFrom([]string{anna, bo}).Draw(t, "who")},
				Period: month(2024, rapid.IntRange(1, 3).Draw(t, "month")), Number: rapid.Uint64Range(1, 2).Draw(t, "number"),
			}
			s := &agi.Statement{Key: key, Removed: rapid.Bool().Draw(t, "removed")}
			if s.Removed {
				delete(model, key)
			} else {
				model[key] = rapid.Int64Range(0, 99999).Draw(t, "kronor")
				s.Fields = []agi.Field{{Code: "011", Text: strconv.FormatInt(model[key], 10)}}
			}
			book.Apply(s)
		}
		if book.Len() != len(model) {
			t.Fatalf("%d statements, want %d", book.Len(), len(model))
		}
		for _, who := range []string{anna, bo} {
			want := map[civil.Month]rule.Money{}
			for key, kronor := range model {
				if key.Recipient.ID == who {
					want[key.Period] += rule.Money(kronor * 100)
				}
			}
			got := book.Income(who, agi.IncomeFields())
			for m := range want {
				if got[m] != want[m] {
					t.Fatalf("%s: %s, want %s", m, got[m], want[m])
				}
			}
			if len(got) != len(want) {
				t.Fatalf("months %v, want %v", got, want)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(file(iu("", value("TIN", "252", "1"), value("Borttag", "205", "1"))))
	f.Add(file(iu(""), form("<agd:HU>"+value("AgRegistreradId", "201", employer)+value("RedovisningsPeriod", "006", "202402")+"</agd:HU>")))
	f.Add([]byte(opening))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := read(raw)
		if err != nil && !errors.Is(err, agi.ErrMalformed) {
			t.Errorf("got %v", err)
		}
		for _, s := range c.statements {
			if len(s.Key.Employer) != 12 || s.Key.Period < 1 {
				t.Errorf("statement of %+v", s.Key)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	raw := file(strings.Repeat(iu("", value("KontantErsattningUlagAG", "011", "28500")), 1000))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := read(raw); err != nil {
			b.Fatal(err)
		}
	}
}
