package shortening_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
)

func set(t testing.TB) *rule.Set {
	t.Helper()
	s, err := rule.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s[0]
}

func month(s string) civil.Month {
	m, _ := civil.ParseMonth(s)
	return m
}

func day(s string) civil.Date {
	d, _ := civil.Parse(s)
	return d
}

const f, p = rule.FullTime, rule.PartTime

// full is n months at the full norm.
func full(st rule.Status, from string, n int) []shortening.Entry {
	h := rule.Hours(16_033)
	if st == p {
		h = 13_000
	}
	var out []shortening.Entry
	for i := range n {
		out = append(out, shortening.Entry{Month: month(from) + civil.Month(i), Hours: h, Source: shortening.Own})
	}
	return out
}

// sum is months of the own fund that come to the hours given, ending in December 2025.
func sum(h rule.Hours) []shortening.Entry {
	var out []shortening.Entry
	for m := month("2025-12"); h > 0; m-- {
		part := min(h, 16_033)
		out = append(out, shortening.Entry{Month: m, Hours: part, Source: shortening.Own})
		h -= part
	}
	return out
}

func input(st rule.Status, paid string, left rule.Hours, entries []shortening.Entry) shortening.Input {
	return shortening.Input{
		Paid: month(paid), Status: st, Entries: entries, Period: shortening.Ordinary, Left: left,
		Answered: []shortening.Source{shortening.Own, shortening.DFDG},
	}
}

// The worked examples of domain B.3.
//
// covers: DFH-37
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	rules := set(t)
	used := sum(500_000)
	for i := range 48 {
		used = append(used, shortening.Entry{Month: month("2018-01") + civil.Month(i), Hours: 16_041, Source: shortening.Own, Used: true})
	}
	extended := input(f, "2025-12", 8017, sum(770_000))
	extended.Period = shortening.Extended
	former := input(f, "2025-12", 100_000, sum(770_000))
	former.Former = true
	dec2018 := func() []shortening.Entry {
		return append(sum(760_000), shortening.Entry{Month: month("2018-12"), Hours: 10_000, Source: shortening.DFDG})
	}
	for _, c := range []struct {
		id      string
		in      shortening.Input
		outcome shortening.Outcome
		hours   rule.Hours
		left    rule.Hours
	}{
		{"S01", input(f, "2023-12", 100_000, full(f, "2020-01", 48)), shortening.None, 0, 100_000},
		{"S02", input(f, "2024-01", 100_000, full(f, "2020-01", 49)), shortening.Shorten, 16_033, 83_967},
		{"S03", input(p, "2023-12", 100_000, full(p, "2020-01", 48)), shortening.Shorten, 13_000, 87_000},
		{"S04", input(f, "2025-12", 100_000, sum(769_600)), shortening.Shorten, 16_033, 83_967},
		{"S05", input(f, "2025-12", 100_000, sum(769_599)), shortening.None, 0, 100_000},
		{"S06", input(f, "2025-12", 16_033, sum(770_000)), shortening.Shorten, 16_033, 0},
		{"S07", input(f, "2025-12", 16_032, sum(770_000)), shortening.Deferred, 0, 16_032},
		{"S11", input(f, "2025-12", 100_000, sum(630_000)), shortening.None, 0, 100_000},
		{"S12", input(p, "2025-12", 100_000, sum(630_000)), shortening.Shorten, 13_000, 87_000},
		{"S13", extended, shortening.ShortenAccount, 8017, 0},
		{"S14", input(f, "2026-12", 100_000, dec2018()), shortening.None, 0, 100_000},
		{"S15", input(f, "2026-11", 100_000, dec2018()), shortening.Shorten, 16_033, 83_967},
		{"S16", former, shortening.Incomplete, 0, 100_000},
		{"S17", input(f, "2025-12", 100_000, used), shortening.None, 0, 100_000},
	} {
		got := shortening.Evaluate(rules, &c.in)
		if got.Outcome != c.outcome || got.Hours != c.hours || got.Left != c.left {
			t.Errorf("%s: %s %s, %s left (sum %s), want %s %s, %s left", c.id, got.Outcome, got.Hours, got.Left, got.Sum, c.outcome, c.hours, c.left)
		}
		if c.id == "S16" && !slices.Equal(got.Codes, []rule.Code{rule.CodeFormerFund}) {
			t.Errorf("S16: %v", got.Codes)
		}
		if c.id == "S13" && got.Max != 176_367 {
			t.Errorf("S13: extension at most %s", got.Max)
		}
	}
	for _, c := range []struct {
		id, determined, begins string
		want                   shortening.Outcome
	}{
		{"S08", "2026-06-30", "2031-06-30", shortening.Applied}, {"S09", "2026-06-30", "2031-07-01", shortening.Lapsed},
		{"S10", "2024-02-29", "2029-02-28", shortening.Applied}, {"S10", "2024-02-29", "2029-03-01", shortening.Lapsed},
	} {
		if got := shortening.NewPeriod(rules, day(c.determined), day(c.begins)); got != c.want {
			t.Errorf("%s: %s at %s, want %s", c.id, got, c.begins, c.want)
		}
	}
}

// covers: REG-04 REG-05 REG-06
func TestSources(t *testing.T) {
	t.Parallel()
	rules := set(t)
	silent := input(f, "2025-12", 100_000, sum(770_000))
	silent.Answered, silent.Former = nil, true
	if got := shortening.Evaluate(rules, &silent); !slices.Equal(got.Codes, []rule.Code{rule.CodeOwn, rule.CodeDFDG, rule.CodeFormerFund}) {
		t.Errorf("S1: %v", got.Codes)
	}
	agree := input(f, "2025-12", 100_000, append(sum(769_600), shortening.Entry{Month: month("2025-12"), Hours: 16_033, Source: shortening.DFDG}))
	if got := shortening.Evaluate(rules, &agree); got.Sum != 769_600 || len(got.Sources) != 2 {
		t.Errorf("a month that two sources report counts once: %s", got.Sum)
	}
	agree.Entries[len(agree.Entries)-1].Hours--
	if got := shortening.Evaluate(rules, &agree); got.Outcome != shortening.Conflict {
		t.Errorf("S2: %s", got.Outcome)
	}
	agree.Paid = month("2035-12")
	if got := shortening.Evaluate(rules, &agree); got.Outcome != shortening.None {
		t.Errorf("sources that disagree outside the window: %s", got.Outcome)
	}
	bad := input(rule.Unknown, "2025-12", -1, []shortening.Entry{{Month: month("2025-01"), Hours: 99_999, Source: shortening.Own}})
	if got := shortening.Evaluate(rules, &bad); got.Outcome != shortening.Invalid || len(got.Codes) != 3 {
		t.Errorf("%+v", got)
	}
}

// Whatever order the entries come in, the result is the same; once shortened and marked used, the same hours never shorten again.
func TestUsedHoursDoNotCountAgain(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		in := input(rapid.SampledFrom([]rule.Status{f, p}).Draw(t, "status"), "2025-12", rule.Hours(rapid.IntRange(0, 30_000).Draw(t, "left")), nil)
		for range rapid.IntRange(0, 150).Draw(t, "n") {
			in.Entries = append(in.Entries, shortening.Entry{
				Month: in.Paid - civil.Month(rapid.IntRange(-3, 100).Draw(t, "ago")), Hours: 16_033, Source: rapid.SampledFrom([]shortening.Source{1, 2}).Draw(t, "source"),
			})
		}
		first := shortening.Evaluate(rules, &in)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		random.Shuffle(len(in.Entries), func(i, j int) { in.Entries[i], in.Entries[j] = in.Entries[j], in.Entries[i] })
		if again := shortening.Evaluate(rules, &in); again.Outcome != first.Outcome || again.Sum != first.Sum || !slices.Equal(again.Used, first.Used) {
			t.Fatalf("%+v, then %+v", first, again)
		}
		for i := range in.Entries {
			in.Entries[i].Used = slices.Contains(first.Used, in.Entries[i].Month)
		}
		if first.Outcome != shortening.None {
			if second := shortening.Evaluate(rules, &in); second.Outcome != shortening.None || second.Sum != 0 {
				t.Fatalf("shortened again: %+v", second)
			}
		}
	})
}

// What was deferred on a day can be applied on the same day number five years later and not on the day after; the last day of a February
// stands for one that is missing (domain B.3 S7, B.0). 400 years later everything lies as many days later.
func TestDeferredLapses(t *testing.T) {
	t.Parallel()
	rules := set(t)
	for determined, last := range map[string]string{
		"2026-01-31": "2031-01-31", "2026-12-31": "2031-12-31", "2024-02-29": "2029-02-28", "2027-02-28": "2032-02-28", "2026-08-31": "2031-08-31",
		"2096-02-29": "2101-02-28", "1996-02-29": "2001-02-28",
	} {
		if got := shortening.LapsesAfter(rules, day(determined)); got != day(last) {
			t.Errorf("determined %s: until %s, want %s", determined, got, last)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		const cycle = 146_097 // days
		determined := day("2020-01-01") + civil.Date(rapid.IntRange(0, 3000).Draw(t, "day"))
		last := shortening.LapsesAfter(rules, determined)
		if shortening.NewPeriod(rules, determined, last) != shortening.Applied || shortening.NewPeriod(rules, determined, last+1) != shortening.Lapsed {
			t.Fatalf("determined %s, last day %s", determined, last)
		}
		if got := shortening.LapsesAfter(rules, determined+cycle); got != last+cycle {
			t.Fatalf("determined %s: until %s; 400 years later until %s", determined, last, got)
		}
	})
}
