package match_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/match"
	"samvirke.dev/services/income/internal/core/rule"
)

func set(t testing.TB) *rule.Set {
	t.Helper()
	s, err := rule.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s[0]
}

func day(s string) civil.Date {
	d, _ := civil.Parse(s)
	return d
}

func month(s string) civil.Month {
	m, _ := civil.ParseMonth(s)
	return m
}

// Rates of 2024, by which the oracles of part B are written.
func rateOf(s rule.Status) rule.Money {
	if s == rule.PartTime {
		return 1_357_300
	}
	return 2_035_900
}

// input is a month as the tables write it: March 2026, run on 11 April 2026.
func input(st rule.Status, declared rule.Hours, n, p int, register ...rule.Hours) match.Input {
	in := match.Input{
		Month: month("2026-03"), Today: day("2026-04-11"), Status: st, Rate: rateOf(st), Answered: true,
		Card: &facts.Card{Declared: declared, Count: n, Precision: p},
	}
	for i, h := range register {
		in.Records = append(in.Records, record(string(rune('A'+i)), h, "2026-03-01", "2026-03-31"))
		in.Card.Income += rule.Money(h) * 200
	}
	return in
}

func record(employer string, h rule.Hours, from, to string) facts.Record {
	return facts.Record{Employer: facts.Employer(employer), Hours: h, Income: rule.Money(h) * 200, From: day(from), To: day(to)}
}

func with(in match.Input, edits ...func(*match.Input)) match.Input {
	for _, e := range edits {
		e(&in)
	}
	return in
}

const f, p = rule.FullTime, rule.PartTime

// The worked examples of domain B.1.
//
// covers: DFH-38 DFH-34
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	previous := func(h rule.Hours) func(*match.Input) { return func(in *match.Input) { in.Previous = h } }
	run := func(m, d string) func(*match.Input) {
		return func(in *match.Input) {
			in.Month, in.Today = month(m), day(d)
			for i := range in.Records {
				in.Records[i].From, in.Records[i].To = in.Month.First(), in.Month.Last()
			}
		}
	}
	placement := func(ended ...facts.Employer) func(*match.Input) {
		return func(in *match.Input) { in.Placement, in.Ended = true, ended }
	}
	m21 := input(f, 6000, 0, 15)
	m21.Records = []facts.Record{record("A", 5250, "2026-03-01", "2026-03-15")}
	for i, h := range []rule.Hours{800, 800, 800, 800, 800, 1000, 1000} {
		m21.Card.Entries = append(m21.Card.Entries, facts.CardEntry{Day: 3*i + 1, Hours: h})
	}
	m21.Card.Entries[5].Day, m21.Card.Entries[6].Day = 20, 31
	for _, c := range []struct {
		id      string
		in      match.Input
		outcome match.Outcome
		hours   rule.Hours
		amount  string
	}{
		{"M01", input(f, 4000, 0, 0, 4000), match.NoDifference, 0, "0.00"},
		{"M02", input(f, 4000, 5, 15, 5250), match.Recover, 1250, "1587.27"},
		{"M03", input(f, 6000, 8, 15, 3700), match.PayOut, 2300, "2920.58"},
		{"M04", input(f, 4025, 4, 15, 4075), match.WithinRounding, 0, "0.00"},
		{"M05", input(f, 4000, 8, 15, 4100), match.WithinRounding, 0, "0.00"},
		{"M06", input(f, 4000, 20, 15, 4101), match.Recover, 101, "128.25"},
		{"M07", input(f, 4000, 1, 15, 4050), match.Recover, 50, "63.49"},
		{"M08", input(f, 15000, 20, 15, 17000), match.Recover, 1033, "1311.72"},
		{"M09", input(p, 3000, 6, 15, 4250), match.Recover, 1250, "1305.10"},
		{"D.3 CAP, part-time", input(p, 12000, 20, 15, 14000), match.Recover, 1000, "1044.08"},
		{"M10", input(p, 6000, 6, 15, 3000), match.PayOut, 3000, "3132.23"},
		{"M11", input(f, 2000, 0, 0), match.Incomplete, 0, "0.00"},
		{"M12", with(input(f, 2000, 0, 0, 2000), run("2026-03", "2026-04-10")), match.TooEarly, 0, "0.00"},
		{"M13", with(input(f, 2000, 0, 0, 2000), run("2025-12", "2026-01-17")), match.TooEarly, 0, "0.00"},
		{"M14", with(input(f, 2000, 0, 0, 2000), run("2025-12", "2026-01-18")), match.NoDifference, 0, "0.00"},
		{"M15", input(f, 5000, 9, 15, 3000, 3500), match.Recover, 1500, "1904.73"},
		{"M16", with(input(f, 4000, 5, 15, 5000), previous(1250)), match.PayOut, 250, "317.45"},
		{"M16b", with(input(f, 4000, 5, 15, 4000), previous(1250)), match.PayOut, 1250, "1587.27"},
		{"M16c", with(input(f, 4000, 5, 15, 5250), previous(1250)), match.NoChange, 0, "0.00"},
		{"M17", with(input(f, 3700, 0, 0, 3700), func(in *match.Input) { in.Card.Income++ }), match.IncomeOnly, 0, "0.00"},
		{"M18", with(input(f, 0, 0, 0, 8000), placement("A")), match.Skipped, 0, "0.00"},
		{"M19", input(f, -100, 0, 0, 1000), match.Invalid, 0, "0.00"},
		{"M20", input(f, 0, 0, 0), match.NoDifference, 0, "0.00"},
		{"M21", m21, match.Recover, 1250, "1587.27"},
		{"M22", with(input(f, 2000, 5, 15, 2000, 8000), placement("B")), match.NoDifference, 0, "0.00"},
	} {
		if c.id == "M22" {
			c.in.Card.Income = 2000 * 200
		}
		got := match.Evaluate(set(t), &c.in)
		if got.Outcome != c.outcome || got.Hours != c.hours || got.Amount.String() != c.amount {
			t.Errorf("%s: %s %s %s, want %s %s %s", c.id, got.Outcome, got.Hours, got.Amount, c.outcome, c.hours, c.amount)
		}
		if c.id == "M21" && (!got.Partial || got.Retry.String() != "2026-05-11" || got.Count != 5) {
			t.Errorf("M21: partial %v, rest from %s, %d entries", got.Partial, got.Retry, got.Count)
		}
		if c.id == "M11" && (got.Retry.String() != "2026-05-11" || !slices.Equal(got.Codes, []rule.Code{rule.CodeRegister, rule.CodeMustProvide})) {
			t.Errorf("M11: again from %s, %v", got.Retry, got.Codes)
		}
	}
}

// Rows of the decision table that have no worked example, and bad input.
func TestDecisionTable(t *testing.T) {
	t.Parallel()
	edit := func(e func(*match.Input)) match.Input { return with(input(f, 4000, 5, 15, 5250), e) }
	absent := func(in *match.Input) { in.Absent = []facts.Employer{"A"} }
	for name, c := range map[string]struct {
		in      match.Input
		outcome match.Outcome
		codes   []rule.Code
	}{
		"all of R1": {
			edit(func(in *match.Input) {
				in.Status, in.Rate, in.Other = rule.Unknown, 0, -1
				in.Records = []facts.Record{record("A", -5, "2026-03-01", "2026-03-31"), record("B", 80_000, "2026-03-01", "2026-03-31")}
				in.Card.Entries = []facts.CardEntry{{Day: 32, Hours: 4000}}
			}), match.Invalid,
			[]rule.Code{rule.CodeStatusUnknown, rule.CodeRateMissing, rule.CodeHoursNegative, rule.CodeRegisterNegative, rule.CodeHoursAbsurd, rule.CodeCardInconsistent},
		},
		"declared over 744 h":   {input(f, 74_401, 0, 0, 10), match.Invalid, []rule.Code{rule.CodeHoursAbsurd}},
		"declared 744 h":        {input(f, 74_400, 0, 0, 74_400), match.NoDifference, nil},
		"R1 before R2":          {edit(func(in *match.Input) { in.Rate, in.Today = 0, 1 }), match.Invalid, []rule.Code{rule.CodeRateMissing}},
		"a month in the future": {edit(func(in *match.Input) { in.Month = month("2030-03") }), match.TooEarly, []rule.Code{rule.CodeTooEarly}},
		"R3":                    {edit(func(in *match.Input) { in.Card = nil }), match.Incomplete, []rule.Code{rule.CodeCard, rule.CodeMustProvide}},
		"no answer":             {edit(func(in *match.Input) { in.Answered = false }), match.Incomplete, []rule.Code{rule.CodeRegister}},
		"no answer is no silence": {
			with(input(f, 0, 0, 0), func(in *match.Input) { in.Answered = false }), match.Incomplete, []rule.Code{rule.CodeRegister},
		},
		"R4 without records": {edit(func(in *match.Input) { in.Placement, in.Records = true, nil }), match.Incomplete, []rule.Code{rule.CodeRegister, rule.CodeMustProvide}},
		"R5":                 {edit(absent), match.Skipped, []rule.Code{rule.CodeAbsence}},
		"R5, some, card without employers": {
			with(input(f, 4000, 5, 15, 4000, 1250), absent), match.Manual, []rule.Code{rule.CodeAbsencePart},
		},
		"hours not reported": {edit(func(in *match.Input) { in.Records[0].NoHours = true }), match.Manual, []rule.Code{rule.CodeHoursUnknown}},
		"a fortnight from last month": {
			edit(func(in *match.Input) { in.Records[0].From = day("2026-02-23") }), match.Manual, []rule.Code{rule.CodePeriodOut},
		},
		"a period into the next month": {
			edit(func(in *match.Input) { in.Records[0].To = day("2026-04-01") }), match.Manual, []rule.Code{rule.CodePeriodOut},
		},
		"such a period without hours": {
			edit(func(in *match.Input) {
				in.Records = append(in.Records, record("B", 0, "2026-02-23", "2026-03-08"))
			}), match.Recover, nil,
		},
		"half a month, card without days": {
			edit(func(in *match.Input) { in.Records[0].To = day("2026-03-15") }), match.Manual, []rule.Code{rule.CodeDaysUnknown},
		},
		"correction netted first": {
			edit(func(in *match.Input) {
				in.Records = append(in.Records, record("A", -5250, "2026-03-01", "2026-03-31"), record("A", 4000, "2026-03-01", "2026-03-31"))
				in.Card.Income = 4000 * 200
			}), match.NoDifference, nil,
		},
		"reports taken back": {
			edit(func(in *match.Input) { in.Records = append(in.Records, record("A", -5250, "2026-03-01", "2026-03-31")) }),
			match.Incomplete, []rule.Code{rule.CodeRegister, rule.CodeMustProvide},
		},
		"another month's record": {
			edit(func(in *match.Input) { in.Records = append(in.Records, record("B", 900, "2026-02-01", "2026-02-28")) }), match.Recover, nil,
		},
	} {
		if got := match.Evaluate(set(t), &c.in); got.Outcome != c.outcome || !slices.Equal(got.Codes, c.codes) {
			t.Errorf("%s: %s %v, want %s %v", name, got.Outcome, got.Codes, c.outcome, c.codes)
		}
	}
}

// R5 where the card names employers: that employer is left out on both sides (E.2).
func TestAbsenceLeavesTheEmployerOutOnBothSides(t *testing.T) {
	t.Parallel()
	in := input(f, 6000, 0, 15, 5000, 3000)
	in.Absent = []facts.Employer{"B"}
	in.Card.Entries = []facts.CardEntry{{Day: 1, Hours: 4000, Employer: "A"}, {Day: 2, Hours: 2000, Employer: "B"}}
	if got := match.Evaluate(set(t), &in); got.Outcome != match.Recover || got.Hours != 1000 || got.Declared != 4000 || got.Count != 1 {
		t.Errorf("%+v", got)
	}
}

// The earliest day at year ends and in leap years.
func TestEarliest(t *testing.T) {
	t.Parallel()
	for m, want := range map[string]string{
		"2025-12": "2026-01-18", "2026-01": "2026-02-11", "2026-11": "2026-12-11", "2024-01": "2024-02-11", "2024-02": "2024-03-11",
	} {
		if got := match.Earliest(set(t), month(m)).String(); got != want {
			t.Errorf("%s: %s, want %s", m, got, want)
		}
	}
	// The retry of an incomplete November is the 18th, because the month after next is January.
	in := with(input(f, 2000, 0, 0), func(in *match.Input) { in.Month, in.Today = month("2025-11"), day("2025-12-11") })
	if got := match.Evaluate(set(t), &in); got.Retry.String() != "2026-01-18" {
		t.Errorf("retry on %s", got.Retry)
	}
}

func months() *rapid.Generator[match.Input] {
	return rapid.Custom(func(t *rapid.T) match.Input {
		st := rapid.SampledFrom([]rule.Status{f, p}).Draw(t, "status")
		in := input(st, rule.Hours(rapid.IntRange(0, 20_000).Draw(t, "declared")), rapid.IntRange(0, 30).Draw(t, "n"), rapid.SampledFrom([]int{0, 15, 30}).Draw(t, "p"))
		in.Rate = rule.Money(rapid.IntRange(1, 3_000_000).Draw(t, "rate"))
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			from := rapid.IntRange(1, 31).Draw(t, "from")
			in.Records = append(in.Records, facts.Record{
				Employer: facts.Employer(rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "employer")),
				Hours:    rule.Hours(rapid.IntRange(-2000, 9000).Draw(t, "hours")), From: in.Month.First() + civil.Date(from) - 1, To: in.Month.Last(),
			})
		}
		in.Previous = rule.Hours(rapid.SampledFrom([]int{0, 0, 1250, -300}).Draw(t, "previous"))
		return in
	})
}

// D.3: shuffling employer records changes nothing.
func TestOrderOfRecordsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		in := months().Draw(t, "month")
		want := match.Evaluate(rules, &in)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		random.Shuffle(len(in.Records), func(i, j int) { in.Records[i], in.Records[j] = in.Records[j], in.Records[i] })
		got := match.Evaluate(rules, &in)
		if !slices.Equal(got.Codes, want.Codes) {
			t.Fatalf("%v, want %v", got.Codes, want.Codes)
		}
		got.Codes, want.Codes = nil, nil
		if got.Outcome != want.Outcome || got.Delta != want.Delta || got.Amount != want.Amount {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// D.3: matching again gives no second regulation, and over any sequence of corrections what is recovered less what is paid out equals the
// last net, within one øre for each regulation.
func TestRegulationsAddUp(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		in := months().Draw(t, "month")
		in.Previous = 0
		norm := int64(rules.NormOf(in.Status))
		var balance, rounds int64
		for range rapid.IntRange(1, 5).Draw(t, "corrections") {
			in.Records = months().Draw(t, "correction").Records
			got := match.Evaluate(rules, &in)
			switch got.Outcome {
			case match.Recover:
				balance, rounds = balance+int64(got.Amount), rounds+1
			case match.PayOut:
				balance, rounds = balance-int64(got.Amount), rounds+1
			default:
				continue
			}
			in.Previous += got.Delta
			if again := match.Evaluate(rules, &in); again.Outcome != match.NoChange && (in.Previous != 0 || again.Outcome.Notice()) {
				t.Fatalf("matched again: %+v after %+v", again, got)
			}
		}
		exact := int64(in.Previous) * int64(in.Rate)
		if off := balance*norm - exact; max(off, -off) > rounds*norm {
			t.Fatalf("balance %d øre for %s h after %d regulations", balance, in.Previous, rounds)
		}
	})
}

// Nothing that can be put in makes the rule regulate more than a month's norm, or a month twice, or panic.
func FuzzEvaluate(f *testing.F) {
	rules := set(f)
	f.Add(int64(4000), int64(5250), 5, 15, 1, 31, int64(0), int64(2_035_900), uint8(1))
	f.Add(int64(-1), int64(1<<40), -5, -15, 40, -3, int64(-70), int64(-1), uint8(9))
	f.Fuzz(func(t *testing.T, declared, register int64, n, precision, from, to int, other, rate int64, status uint8) {
		in := match.Input{
			Month: month("2026-03"), Today: day("2026-04-11"), Status: rule.Status(status), Rate: rule.Money(rate % 1_000_000_000), Other: rule.Hours(other),
			Answered: true, Card: &facts.Card{Declared: rule.Hours(declared), Count: n, Precision: precision},
			Records: []facts.Record{{Employer: "A", Hours: rule.Hours(register), From: day("2026-03-01") + civil.Date(from%60), To: day("2026-03-01") + civil.Date(to%60)}},
		}
		got := match.Evaluate(rules, &in)
		if got.Hours > rules.NormOf(in.Status) || got.Hours < 0 || got.Amount < 0 || got.Outcome == "" {
			t.Errorf("%+v of %+v", got, in)
		}
	})
}

// The goal is 1 µs a member.
func BenchmarkEvaluate(b *testing.B) {
	rules, in := set(b), input(f, 4000, 5, 15, 3000, 2250)
	b.ReportAllocs()
	for b.Loop() {
		if match.Evaluate(rules, &in).Outcome != match.Recover {
			b.Fatal("wrong outcome")
		}
	}
}

// A fund that has agreed with its employers on whole periods may switch the question to a person off.
func TestWholePeriods(t *testing.T) {
	t.Parallel()
	rules := *set(t)
	rules.WholePeriods = true
	in := input(f, 4000, 5, 15, 5250)
	in.Records[0].From = day("2026-02-23")
	if r := match.Evaluate(&rules, &in); r.Outcome != match.Recover || r.Hours != 1250 {
		t.Errorf("%+v", r)
	}
}

// A full leap cycle of 400 years later everything comes out the same, and what is to be tried again lies as many days later (domain D.3).
func TestFourHundredYearsLater(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		const months400, days400 = 400 * 12, 146_097
		now := months().Draw(t, "month")
		then := now
		then.Month, then.Today = now.Month+months400, now.Today+days400
		then.Records = slices.Clone(now.Records)
		for i := range then.Records {
			then.Records[i].From, then.Records[i].To = then.Records[i].From+days400, then.Records[i].To+days400
		}
		a, b := match.Evaluate(rules, &now), match.Evaluate(rules, &then)
		if a.Retry != 0 {
			a.Retry += days400
		}
		if a.Outcome != b.Outcome || a.Hours != b.Hours || a.Amount != b.Amount || a.Partial != b.Partial || a.Retry != b.Retry || !slices.Equal(a.Codes, b.Codes) {
			t.Fatalf("%+v, 400 years later %+v", a, b)
		}
	})
}
