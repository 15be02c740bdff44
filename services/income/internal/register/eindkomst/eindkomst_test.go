package eindkomst_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/register/eindkomst"
)

func date(y, m, d int) civil.Date {
	day, err := civil.New(y, m, d)
	if err != nil {
		panic(err)
	}
	return day
}

// covers: REG-03
func TestMonth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reports []report
		want    []facts.Record
	}{
		"nobody reported": {nil, []facts.Record{}},
		"one employer":    {[]report{pay("12345674", "a", "52.50", "9450.00")}, []facts.Record{{Employer: "12345674", Hours: 5250, Income: 945000}}},
		"whole numbers":   {[]report{pay("12345674", "a", "160", "30000")}, []facts.Record{{Employer: "12345674", Hours: 16000, Income: 3000000}}},
		"two employers": {
			[]report{pay("87654321", "a", "35.00", "1"), pay("12345674", "a", "30.00", "2")},
			[]facts.Record{{Employer: "12345674", Hours: 3000, Income: 200}, {Employer: "87654321", Hours: 3500, Income: 100}},
		},
		"both kinds of A-income": {
			[]report{pay("12345674", "a", "1", "10.5").but(func(r *report) { r.figures += " 058=2.25 059=99 200=1" })},
			[]facts.Record{{Employer: "12345674", Hours: 100, Income: 1275}},
		},
		"field 200 is a flag and no hours": {
			[]report{pay("12345674", "a", "1", "1").but(func(r *report) { r.figures = "200=1 057=500" })},
			[]facts.Record{{Employer: "12345674", Income: 50000, NoHours: true}},
		},
		"nought hours are hours": {[]report{pay("12345674", "a", "0", "0")}, []facts.Record{{Employer: "12345674"}}},
		"benefits are no pay":    {[]report{pay("12345674", "a", "0", "20000").but(func(r *report) { r.kind = "04"; r.benefit = "019=5" })}, []facts.Record{}},
		"half a month": {
			[]report{pay("12345674", "a", "52.50", "1").but(func(r *report) { r.to = "2026-03-15" })},
			[]facts.Record{{Employer: "12345674", Hours: 5250, Income: 100, To: date(2026, 3, 15)}},
		},
		"a pay period over the end of the month": {
			[]report{pay("12345674", "a", "40", "1").but(func(r *report) { r.from, r.to = "2026-03-23", "2026-04-05" })},
			[]facts.Record{{Employer: "12345674", Hours: 4000, Income: 100, From: date(2026, 3, 23), To: date(2026, 4, 5)}},
		},
		"reversed and reported again": {
			[]report{
				pay("12345674", "a", "160.33", "28500.00"), pay("12345674", "b", "-160.33", "-28500.00").but(func(r *report) { r.art = "T" }),
				pay("12345674", "c", "148.00", "26000.00"),
			},
			[]facts.Record{{Employer: "12345674", Hours: 14800, Income: 2600000}},
		},
		"reversed by the mark on sheet 16000": {
			[]report{pay("12345674", "a", "10", "1"), pay("12345674", "b", "-4", "-1").but(func(r *report) { r.benefit = "021=1" })},
			[]facts.Record{{Employer: "12345674", Hours: 600}},
		},
		"reversed whole": {
			[]report{pay("12345674", "a", "10", "1"), pay("12345674", "b", "-10", "-1").but(func(r *report) { r.art = "T" })}, []facts.Record{},
		},
		"corrected by a difference": {
			[]report{pay("12345674", "a", "10", "100"), pay("12345674", "b", "-2.5", "-25").but(func(r *report) { r.extra = "151=1" })},
			[]facts.Record{{Employer: "12345674", Hours: 750, Income: 7500}},
		},
		"negative in all: for the rules": {
			[]report{pay("12345674", "a", "-2", "-1").but(func(r *report) { r.extra = "151=1" })}, []facts.Record{{Employer: "12345674", Hours: -200, Income: -100}},
		},
		"the same report twice counts once": {
			[]report{pay("12345674", "a", "10", "1"), pay("12345674", "a", "10", "1")}, []facts.Record{{Employer: "12345674", Hours: 1000, Income: 100}},
		},
		"two reports alike are two": {
			[]report{pay("12345674", "a", "10", "1"), pay("12345674", "b", "10", "1")}, []facts.Record{{Employer: "12345674", Hours: 2000, Income: 200}},
		},
		"two employments with one employer": {
			[]report{
				pay("12345674", "a", "10", "1").but(func(r *report) { r.employee = "41" }), pay("12345674", "a", "20", "2").but(func(r *report) { r.employee = "42" }),
			},
			[]facts.Record{{Employer: "12345674", Hours: 1000, Income: 100}, {Employer: "12345674", Hours: 2000, Income: 200}},
		},
		"times of reports": {
			[]report{
				pay("12345674", "a", "1", "1").but(func(r *report) { r.extra = "191=2026-04-05-14.36.47.463231" }),
				pay("12345674", "b", "1", "1").but(func(r *report) { r.extra = "009=2026-04-08-12.00.00.000000" }),
			},
			[]facts.Record{{Employer: "12345674", Hours: 200, Income: 200, Reported: time.Date(2026, 4, 8, 10, 0, 0, 0, time.UTC)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range c.want {
				if c.want[i].From == 0 {
					c.want[i].From = date(2026, 3, 1)
				}
				if c.want[i].To == 0 {
					c.want[i].To = date(2026, 3, 31)
				}
			}
			got, err := ask(t, c.reports)
			if err != nil || !slices.Equal(got.Records, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got.Records, err, c.want)
			}
			if !got.Retrieved.Equal(now()) || got.Reference == "" {
				t.Errorf("retrieved %v as %q", got.Retrieved, got.Reference)
			}
		})
	}
}

// Both conventions of reversals come to the same, and the wrong one is noticed.
func TestReversals(t *testing.T) {
	t.Parallel()
	positive := func(d *eindkomst.Deps) { d.Reversals = eindkomst.ReversalsPositive }
	reversal := func(hours, income string) []report {
		return []report{pay("12345674", "a", "10", "100"), pay("12345674", "b", hours, income).but(func(r *report) { r.art = "T" })}
	}
	got, err := ask(t, reversal("4", "40"), positive)
	if err != nil || len(got.Records) != 1 || got.Records[0].Hours != 600 || got.Records[0].Income != 6000 {
		t.Errorf("positive: %+v %v", got, err)
	}
	for name, c := range map[string]struct {
		hours, income string
		bend          []func(*eindkomst.Deps)
	}{
		"positive hours":  {"4", "-40", nil},
		"positive income": {"-4", "40", nil},
		"negative hours":  {"-4", "40", []func(*eindkomst.Deps){positive}},
	} {
		if _, err := ask(t, reversal(c.hours, c.income), c.bend...); !errors.Is(err, core.ErrRegisterUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What can't be read for sure is no answer, for that person alone.
func TestUnusable(t *testing.T) {
	t.Parallel()
	good := pay("12345674", "a", "10", "100")
	for name, bad := range map[string]report{
		"no SE number":          good.but(func(r *report) { r.se = "" }),
		"no id":                 good.but(func(r *report) { r.id = " " }),
		"no period":             good.but(func(r *report) { r.from = "" }),
		"period back to front":  good.but(func(r *report) { r.from, r.to = r.to, r.from }),
		"a day that is none":    good.but(func(r *report) { r.to = "2026-02-30" }),
		"no kind":               good.but(func(r *report) { r.kind = "" }),
		"kind is a word":        good.but(func(r *report) { r.kind = "pay" }),
		"neither I nor T":       good.but(func(r *report) { r.art = "X" }),
		"hours are no number":   good.but(func(r *report) { r.figures = "096=ten" }),
		"hours with a comma":    good.but(func(r *report) { r.figures = "096=10,5" }),
		"hours too precise":     good.but(func(r *report) { r.figures = "096=10.005" }),
		"hours without figures": good.but(func(r *report) { r.figures = "096=." }),
		"hours too many digits": good.but(func(r *report) { r.figures = "096=1234567890123" }),
		"income no number":      good.but(func(r *report) { r.figures = "057=0x10" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := register(t, deps(about(func(cpr string) []report {
				if cpr == number(0) {
					return []report{good, bad}
				}
				return []report{good}
			})))
			results := r.Months(t.Context(), questions(2))
			if err := results[0].Err; !errors.Is(err, core.ErrRegisterUnavailable) {
				t.Errorf("error is %v", err)
			} else {
				impersonal(t, err)
			}
			if results[1].Err != nil || len(results[1].Answer.Records) != 1 {
				t.Errorf("the other: %+v", results[1])
			}
		})
	}
}

// The whole answer is refused when it is not one to our question.
func TestAnotherAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(asked) string{
		"another transaction": func(asked) string { return told("x", "", person(number(0), pay("12345674", "a", "1", "1"))) },
		"no transaction":      func(asked) string { return told("", "") },
		"no head":             func(asked) string { return `<e:IndkomstOplysningPersonHent_O ` + prefixes + `/>` },
		"somebody else": func(q asked) string {
			return told(q.Transaction, "", person(number(0)), person(number(7), pay("12345674", "a", "1", "1")))
		},
		"wrong namespace": func(q asked) string {
			return strings.ReplaceAll(told(q.Transaction, "", person(number(0))), "skat.dk/eindkomst/\"", "skat.dk/other/\"")
		},
		"head in another namespace": func(q asked) string {
			return strings.Replace(told(q.Transaction, ""), "basis/kontekst", "basis/other", 1)
		},
		"another element":   func(asked) string { return `<x/>` },
		"a document type":   func(q asked) string { return `<!DOCTYPE x [<!ENTITY a "b">]>` + told(q.Transaction, "") },
		"an entity":         func(q asked) string { return told(q.Transaction, "", person("&a;")) },
		"nested too deeply": func(asked) string { return strings.Repeat("<a>", 1000) },
		"cut off":           func(q asked) string { return told(q.Transaction, "")[:200] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := register(t, deps(&canned{answer: answer})).Month(t.Context(), question(0))
			if !errors.Is(err, core.ErrRegisterUnavailable) || got.Records != nil {
				t.Fatalf("%+v %v", got, err)
			}
			impersonal(t, err)
		})
	}
}

// A figure in another namespace is not read by mistake, and no figure is then no report of hours.
func TestFieldsOfOthersArePassedOver(t *testing.T) {
	t.Parallel()
	got, err := register(t, deps(&canned{answer: func(q asked) string {
		return strings.ReplaceAll(told(q.Transaction, "", person(q.CPR[0], pay("12345674", "a", "1", "1"))), "class/angivelsefelt/", "class/other/")
	}})).Month(t.Context(), question(0))
	if !errors.Is(err, core.ErrRegisterUnavailable) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestErrorsOfSKAT(t *testing.T) {
	t.Parallel()
	for code, says := range map[string]string{
		"9999": "9999", "E-17": "E-17", "": "other", number(0): "other", "Fejl med navn": "other",
	} {
		_, err := register(t, deps(&canned{answer: func(q asked) string { return told(q.Transaction, fejl(code)) }})).Month(t.Context(), question(0))
		if !errors.Is(err, core.ErrRegisterRefused) || !strings.Contains(err.Error(), "codes "+says) {
			t.Errorf("%s: %v", code, err)
		}
		impersonal(t, err)
	}
}

func TestNotForThisRegister(t *testing.T) {
	t.Parallel()
	c := about(func(string) []report { return nil })
	r := register(t, deps(c))
	long := question(0)
	long.CaseReference = strings.Repeat("x", 101)
	timeless := question(0)
	timeless.Month = 0
	for name, q := range map[string]struct {
		q    core.Question
		want error
	}{
		"swedish":      {core.Question{Controller: fund, Handle: "swede", Month: march()}, core.ErrRegisterRefused},
		"not enrolled": {core.Question{Controller: fund, Handle: "nobody", Month: march()}, core.ErrNotEnrolled},
		"long case":    {long, core.ErrRegisterRefused},
		"no month":     {timeless, core.ErrRegisterRefused},
	} {
		if _, err := r.Month(t.Context(), q.q); !errors.Is(err, q.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(c.requests) > 0 {
		t.Error("asked all the same")
	}
}

// covers: REG-03
func TestBatches(t *testing.T) {
	t.Parallel()
	c := about(func(cpr string) []report { return []report{pay("12345674", cpr, cpr[8:], "1")} })
	d := deps(c)
	d.Batch = 20
	d.Controllers = map[string]eindkomst.Subscription{"DK:87654321": {AbonnentType: "1", AbonnementType: "2", Formaal: "3", SENumber: "87654321"}}
	all := questions(50)
	all[7].Handle = "nobody"
	all[9].Controller = "DK:87654321"
	all = append(all, all[0])
	results := register(t, d).Months(t.Context(), all)
	for i, r := range results {
		switch {
		case i == 7:
			if !errors.Is(r.Err, core.ErrNotEnrolled) {
				t.Errorf("%d: %v", i, r.Err)
			}
		case r.Err != nil || len(r.Answer.Records) != 1 || int(r.Answer.Records[0].Hours) != 100*(i%50):
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(c.requests) != 4 {
		t.Fatalf("%d requests", len(c.requests))
	}
	for _, q := range c.requests {
		if len(q.CPR) > 20 || len(q.Reference) != len(q.CPR) || slices.Contains(q.CPR, number(9)) != (q.SE == "87654321") {
			t.Errorf("%+v", q)
		}
	}
}

// Too large an answer is asked for again in halves, down to the one that is too large alone.
func TestDivides(t *testing.T) {
	t.Parallel()
	c := &canned{answer: func(q asked) string {
		if len(q.CPR) > 3 || slices.Contains(q.CPR, number(5)) {
			return told(q.Transaction, fejl("4711"))
		}
		return told(q.Transaction, "")
	}}
	d := deps(c)
	d.Divide = []string{"4711"}
	for i, r := range register(t, d).Months(t.Context(), questions(16)) {
		if (r.Err == nil) == (i == 5) || r.Err != nil && !errors.Is(r.Err, core.ErrRegisterRefused) {
			t.Errorf("%d: %v", i, r.Err)
		}
	}
	// Codes that are not named divide nothing.
	before := len(c.requests)
	d.Divide = nil
	register(t, d).Months(t.Context(), questions(16))
	if n := len(c.requests) - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := register(t, deps(about(func(string) []report { return nil }))).Month(ctx, question(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDepsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := eindkomst.New(eindkomst.Deps{
		Search: "x", Reversals: "x", Batch: 501, Pay: []int{100}, Subscription: eindkomst.Subscription{AbonnentType: "x", SENumber: "1", Employee: strings.Repeat("x", 101)},
		Controllers: map[string]eindkomst.Subscription{"DK:1": {}},
	})
	for _, want := range []string{
		"no caller", "no numbers", "no clock", "no logger", "search", "reversals", "batch", "kinds of income", "AbonnentTypeKode", "AdgangFormaalTypeKode",
		"SE number", "employee", "subscription of DK:1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
	d := deps(about(nil))
	d.Guard.MaxInFlight = 0
	if _, err := eindkomst.New(d); err == nil {
		t.Error("a bad guard passes")
	}
}

// outline is every element of a document in order, with its namespace and what encloses it.
func outline(t *testing.T, raw []byte) []string {
	t.Helper()
	var lines, path []string
	dec := xml.NewDecoder(bytes.NewReader(raw))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		switch k := tok.(type) {
		case xml.StartElement:
			path = append(path, k.Name.Local)
			lines = append(lines, strings.Join(path, "/")+" "+k.Name.Space)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// What we send has the elements of the published request, in its order and namespaces.
func TestRequestIsAsPublished(t *testing.T) {
	t.Parallel()
	want := outline(t, shared(t, "examples", "IndkomstOplysningPersonHent_I.synthetic.xml"))
	c := about(func(string) []report { return nil })
	d := deps(c)
	d.Search, d.Subscription.Employee = eindkomst.ByBasisMonth, ""
	q := question(0)
	q.CaseReference = ""
	if _, err := register(t, d).Month(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if got := outline(t, c.raw[0]); !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, text := range []string{">202603<", ">12345674<", ">750<", ">3153<", ">171<", ">" + number(0) + "<"} {
		if !bytes.Contains(c.raw[0], []byte(text)) {
			t.Errorf("lacks %s", text)
		}
	}
}

func TestRequestByPayPeriod(t *testing.T) {
	t.Parallel()
	c := about(func(string) []report { return nil })
	if _, err := register(t, deps(c)).Month(t.Context(), question(0)); err != nil {
		t.Fatal(err)
	}
	lines := outline(t, c.raw[0])
	tail := lines[len(lines)-6:]
	for i, want := range []string{
		"PersonCivilRegistrationIdentifier", "IndkomstOplysningAdgangReferenceNummerIdentifikator", "SoegePeriodeLukketStruktur", "DateInterval", "StartDate", "EndDate",
	} {
		if local, _, _ := strings.Cut(tail[i], " "); !strings.HasSuffix(local, "/"+want) {
			t.Errorf("%d: %s, want %s", i, tail[i], want)
		}
	}
	for _, text := range []string{">2026-03-01<", ">2026-03-31<", ">case-0<", ">samvirke<"} {
		if !bytes.Contains(c.raw[0], []byte(text)) {
			t.Errorf("lacks %s", text)
		}
	}
}

// The published answer reads completely: reported, reversed, reported again.
func TestPublishedAnswer(t *testing.T) {
	t.Parallel()
	raw := string(shared(t, "examples", "IndkomstOplysningPersonHent_O.synthetic.xml"))
	raw = raw[strings.Index(raw, "<e:"):]
	c := &canned{answer: func(q asked) string {
		return strings.NewReplacer("0709614126", number(0), "11111111-2222-4333-8444-555555555555", q.Transaction).Replace(raw)
	}}
	got, err := register(t, deps(c)).Month(t.Context(), question(0))
	want := []facts.Record{{Employer: "12345674", Hours: 14800, Income: 2600000, From: date(2024, 2, 1), To: date(2024, 2, 29)}}
	if err != nil || !slices.Equal(got.Records, want) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestPublishedError(t *testing.T) {
	t.Parallel()
	raw := string(shared(t, "examples", "IndkomstOplysningPersonHent_O-fejl.synthetic.xml"))
	raw = raw[strings.Index(raw, "<e:"):]
	_, err := register(t, deps(&canned{answer: func(asked) string { return raw }})).Month(t.Context(), question(0))
	if !errors.Is(err, core.ErrRegisterRefused) || !strings.Contains(err.Error(), "9999") || strings.Contains(err.Error(), "synthetic") {
		t.Errorf("%v", err)
	}
}

// The hours' field and the sheets are those of the published list.
func TestFieldsAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	list := string(shared(t, "felter-retrieval.json"))
	for _, f := range []string{"011", "012", "019", "021", "057", "058", "096", "151"} {
		if !strings.Contains(list, strconv.Quote(f)) {
			t.Errorf("field %s is not in the list", f)
		}
	}
	_, hours, _ := strings.Cut(list, `"096"`)
	if meaning, _, _ := strings.Cut(hours, "}"); !strings.Contains(meaning, "paid hours") {
		t.Errorf("096 is %s", meaning)
	}
}
