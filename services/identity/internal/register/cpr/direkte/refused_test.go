package direkte_test

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
	"samvirke.dev/services/identity/internal/register/cpr/direkte/direktetest"
)

// A delivery that is not sound is refused whole, and the refusal names the line and says what is wrong with it.
//
// covers: REG-02
func TestRefusals(t *testing.T) {
	t.Parallel()
	edit := func(line int, change func(string) string) func([]string) []string {
		return func(all []string) []string {
			all[line-1] = change(all[line-1])
			return all
		}
	}
	put := func(line, position int, text string) func([]string) []string {
		return edit(line, func(l string) string { return at(l, position, text) })
	}
	for name, c := range map[string]struct {
		change func([]string) []string
		line   int
		says   string
	}{
		"empty":                      {func([]string) []string { return nil }, 1, ""},
		"no start record":            {func(all []string) []string { return all[1:] }, 1, "start record"},
		"two start records":          {func(all []string) []string { return slices.Insert(all, 1, all[0]) }, 2, "second start"},
		"no end record":              {func(all []string) []string { return all[:len(all)-1] }, 53, "end record"},
		"something behind the end":   {func(all []string) []string { return append(all, all[1]) }, 55, "behind the end"},
		"a line lost":                {func(all []string) []string { return slices.Delete(all, 8, 9) }, 53, "TAELLER"},
		"a line twice":               {func(all []string) []string { return slices.Insert(all, 3, all[2]) }, 4, ""},
		"an event twice":             {func(all []string) []string { return slices.Insert(all, 11, all[11]) }, 55, "TAELLER"},
		"count that is none":         {put(54, 14, "0000005x"), 54, "TAELLER"},
		"count cut short":            {edit(54, func(l string) string { return l[:len(l)-1] }), 54, "TAELLER"},
		"type that is none":          {put(3, 1, "0x2"), 3, ""},
		"line without a type":        {edit(3, func(string) string { return "00" }), 3, ""},
		"blank line":                 {edit(3, func(string) string { return "" }), 3, ""},
		"number that is none":        {put(2, 4, "9999999999"), 2, "PNR"},
		"of another person":          {put(4, 4, "7403851013"), 2, "without a record 008"},
		"date that is none":          {put(5, 18, "2026-02-30"), 5, "no such date"},
		"date with letters":          {put(5, 18, "2026-ab-01"), 5, "no such date"},
		"time that is none":          {put(3, 70, "202603152560"), 3, "no such time"},
		"mark that is none":          {put(2, 50, "?"), 2, "mark of doubt"},
		"mark of a name":             {put(8, 64, "?"), 8, "mark of a name"},
		"state that is none":         {put(2, 24, "17"), 2, ""},
		"letters among digits":       {put(3, 14, "KOMK"), 3, "not digits"},
		"control character":          {put(3, 40, "\x07"), 3, "control"},
		"longer than its layout":     {edit(5, func(l string) string { return at(l, 39, "X") }), 5, "longer"},
		"produced before the last":   {put(1, 20, "20261119"), 1, "PRODDTO"},
		"produced on no day":         {put(1, 20, "20261131"), 1, "PRODDTO"},
		"no task":                    {put(1, 14, "      "), 1, "OPGAVENR"},
		"control of an unknown type": {put(52, 1, "955"), 52, "not known"},
		"person without data":        {edit(2, func(string) string { return "0026101801003" }), 2, ""},
		"person behind those apart": {func(all []string) []string {
			const other, another = "0996404720055202611230000P11", "0997403851021202611230000P11"
			return lines(counted(all[18], all[20], all[21], other, all[19], another))
		}, 7, "behind the addresses"},
	} {
		all := c.change(lines(hand(t)))
		raw := joined(all)
		if len(all) == 0 {
			raw = nil
		}
		r := refused(t, raw)
		switch {
		case r == nil:
			t.Errorf("%s: accepted", name)
		case r.Line != c.line || !strings.Contains(r.Reason, c.says):
			t.Errorf("%s: line %d, record %s: %s; want line %d", name, r.Line, r.Record, r.Reason, c.line)
		}
	}
}

// Wherever a delivery is cut off, it is refused; only the last line end may be missing.
func TestTruncated(t *testing.T) {
	t.Parallel()
	raw := hand(t)
	const step = 7
	for n := range len(raw) - 1 {
		// Around the ends of lines everywhere, inside them here and there.
		if n%step != 0 && raw[n] != '\n' && (n == 0 || raw[n-1] != '\n') {
			continue
		}
		if _, err := direkte.New().Check(t.Context(), bytes.NewReader(raw[:n])); err == nil {
			t.Fatalf("a delivery of the first %d bytes is accepted", n)
		}
	}
}

// sorted are updates in no order of theirs, without their places.
func sorted(all []direkte.Update) []direkte.Update {
	for i := range all {
		if p := all[i].Person; p != nil {
			slices.SortFunc(p.Earlier, func(a, b nationalid.Number) int { return cmp.Compare(a.Canonical(), b.Canonical()) })
		}
		slices.SortFunc(all[i].Events, func(a, b direkte.Event) int { return cmp.Compare(a.Code, b.Code) })
	}
	slices.SortStableFunc(all, func(a, b direkte.Update) int { return cmp.Compare(a.Number.Canonical(), b.Number.Canonical()) })
	return all
}

// Lines in another order, lost or doubled make a delivery that is refused, or that tells the same.
func TestReordered(t *testing.T) {
	t.Parallel()
	all := lines(hand(t))
	want := sorted(mustApply(t, joined(all)))
	same := gocmp.Options{sameNumber(), cmpopts.IgnoreFields(direkte.Update{}, "Line")}
	refusedOnes := 0
	for i := range len(all) - 1 {
		swapped := slices.Clone(all)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		if swapped[i] == all[i] {
			continue
		}
		got, err := apply(t, joined(swapped))
		if err != nil {
			refusedOnes++
			if len(got) > 0 {
				t.Errorf("lines %d and %d: %d updates of a refused delivery", i+1, i+2, len(got))
			}
			continue
		}
		if diff := gocmp.Diff(want, sorted(got), same); diff != "" {
			t.Errorf("lines %d and %d in the other order: %s", i+1, i+2, diff)
		}
	}
	if refusedOnes < len(all)/3 {
		t.Errorf("only %d orders are refused", refusedOnes)
	}
	for i := range all {
		for what, other := range map[string][]string{"lost": slices.Delete(slices.Clone(all), i, i+1), "doubled": slices.Insert(slices.Clone(all), i, all[i])} {
			if refused(t, joined(other)) == nil {
				t.Errorf("line %d %s: accepted", i+1, what)
			}
		}
	}
}

// A person may be told of once only.
func TestPersonTwice(t *testing.T) {
	t.Parallel()
	body := lines(hand(t))
	dorte := body[18:22]
	if r := refused(t, counted(slices.Concat(dorte, dorte)...)); r == nil || r.Line != 6 && r.Line != 2 {
		t.Errorf("%+v", r)
	}
}

// What was applied changes on disk between the two readings: nothing from behind the change is handed on.
func TestChangedUnderway(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "delivery")
	raw := hand(t)
	write := func(b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(raw)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d, err := direkte.New().Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	write(bytes.Replace(raw, []byte("Gro"), []byte("Gry"), 1))
	var handed []direkte.Update
	err = d.Apply(t.Context(), func(u direkte.Update) error { handed = append(handed, u); return nil })
	if err == nil {
		t.Error("a change went unnoticed")
	}
	for _, u := range handed {
		if u.Person != nil && u.Person.Name.Given == "Gry" {
			t.Error("what was changed was handed on")
		}
	}
}

// What direktetest writes is read as it was meant.
func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, opt := range []direktetest.Options{
		options(), {Produced: day(), Apart: true}, {Produced: day(), CRLF: true}, {Produced: day(), Padded: true, Apart: true},
	} {
		var buf bytes.Buffer
		w := direktetest.NewWriter(&buf, opt)
		person := &core.Person{
			Number: dk(t, "7403851013"), RegisterState: "01", Birth: on(t, "1985-03-14"), Source: core.SourcePublicRegister, RegisterTime: midnight(day()),
			Name:    names.Name{Given: "Åse", Family: "Prøve", Addressing: "Åse Prøve"},
			Address: &core.Address{Lines: []string{"Vej 1"}, PostalCode: "2100", City: "København Ø", Country: "DK", ValidFrom: on(t, "2020-01-01")},
			Earlier: []nationalid.Number{dk(t, "7403851021")},
		}
		w.Person(person, direktetest.Facts{Events: []direkte.Event{{Code: "A01", Day: day(), Clock: "1200"}}})
		w.Events(dk(t, "6404720055"), direkte.Event{Code: "P11", Day: day(), Clock: "0000"})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := mustApply(t, buf.Bytes())
		if len(got) != 2 || got[1].Person != nil || len(got[1].Events) != 1 {
			t.Fatalf("%d updates", len(got))
		}
		if diff := gocmp.Diff(person, got[0].Person, sameNumber()); diff != "" {
			t.Error(diff)
		}
	}
}

// A delivery of a million lines is read in memory that hardly grows with it.
func TestMillionLines(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 50 MB")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "delivery"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	const million = 1_000_000
	records, _ := block(t)
	persons := million/(len(records)+1) + 1
	if n := bulk(t, file, persons, false); n < million {
		t.Fatalf("%d lines", n)
	}
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak, told := uint64(0), 0
	err = direkte.New().Apply(t.Context(), file, func(direkte.Update) error {
		if told++; told%10_000 == 0 {
			runtime.GC() // what lives, and not what was thrown away
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		return nil
	})
	if err != nil || told != persons {
		t.Fatalf("%d of %d persons: %v", told, persons, err)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d persons take %d bytes", persons, grown)
	} else {
		t.Logf("%d persons take %d bytes", persons, grown)
	}
}

// FuzzDelivery reads anything as a delivery: it is refused, or it tells the same each time it is read. No error shows what it holds.
func FuzzDelivery(f *testing.F) {
	f.Add(hand(f))
	f.Add(counted())
	f.Add(counted("0016101801003          01000000000000 M1980-01-01", "0086101801003Fie"))
	f.Add(counted("0996404720055202611230000P11"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := refused(t, raw)
		if r != nil {
			if r.Line < 1 || r.Reason == "" {
				t.Errorf("a refusal without line or reason: %+v", r)
			}
			return
		}
		first, second := mustApply(t, raw), mustApply(t, raw)
		if !gocmp.Equal(first, second, sameNumber()) {
			t.Error("read twice, it tells something else")
		}
		for _, u := range first {
			if u.Line < 2 || u.Number.IsZero() && u.Failure == nil {
				t.Errorf("an update of nobody, line %d", u.Line)
			}
			if p := u.Person; p != nil && (p.Number.IsZero() || p.RegisterTime.IsZero() || p.Address != nil && len(p.Address.Lines) > 5) {
				t.Error("not what a register gives")
			}
		}
	})
}

// FuzzAnswer reads anything as an answer of CPR Direkte.
func FuzzAnswer(f *testing.F) {
	ask := request(dk(f, "7403851013"))
	f.Add(answerTo(ask, "00", "0017403851013          01000000000000 M1985-03-14"))
	f.Add(answerTo(ask, "05", ""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := direkte.New().ParseAnswer(raw, ask, civil.Date{Year: 2026, Month: 11, Day: 23})
		quiet(t, err)
		if err == nil && got.Number != ask.Number && got.Person != nil && got.Person.Number.IsZero() {
			t.Error("a person without a number")
		}
	})
}
