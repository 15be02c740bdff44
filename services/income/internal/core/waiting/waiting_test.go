package waiting_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/waiting"
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

// period is a benefit period from a month on, with benefit in every month and the hours given.
func period(st rule.Status, from string, hours ...rule.Hours) []waiting.Month {
	rate := rule.Money(2_035_900)
	if st == rule.PartTime {
		rate = 1_357_300
	}
	var out []waiting.Month
	for i, h := range hours {
		out = append(out, waiting.Month{
			Month: month(from) + civil.Month(i), Status: st, Rate: rate, Hours: h, Card: h, Complete: true, Benefit: true,
		})
	}
	return out
}

func edit(in []waiting.Month, at string, change func(*waiting.Month)) []waiting.Month {
	change(&in[month(at)-in[0].Month])
	return in
}

const f, p = rule.FullTime, rule.PartTime

// one is a decision as the table writes it.
type one struct {
	outcome  waiting.Outcome
	code     rule.Code
	waiting  string
	deducted string
	amount   string
}

func want(t *testing.T, id string, got []waiting.Decision, wants ...one) {
	t.Helper()
	if len(got) != len(wants) {
		t.Errorf("%s: %d decisions, want %d: %+v", id, len(got), len(wants), got)
		return
	}
	for i, w := range wants {
		g := got[i]
		if g.Outcome != w.outcome || g.Waiting.String() != w.waiting || g.Deducted.String() != w.deducted || g.Amount.String() != w.amount ||
			(w.code != "" && !slices.Contains(g.Codes, w.code)) {
			t.Errorf("%s: %+v, want %+v", id, g, w)
		}
	}
}

// The worked examples of domain B.2, and its rows.
//
// covers: DFH-36
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	rules := set(t)
	none := func(m *waiting.Month) { m.Benefit = false }
	subsidy := func(m *waiting.Month) { m.Benefit, m.Excused = false, true }
	deduct := func(in, deducted, amount string) one { return one{waiting.Deduct, "", in, deducted, amount} }
	free := func(code rule.Code, in string) one { return one{waiting.NoDeduction, code, in, "", "0.00"} }
	eval := func(in []waiting.Month) []waiting.Decision { return waiting.Evaluate(rules, in) }

	want(t, "K01", eval(period(f, "2026-03", 4000, 4000, 4000, 2800)), deduct("2026-06", "2026-06", "939.67"))
	want(t, "K02", eval(period(f, "2026-03", 4000, 4000, 4000, 2801)), free(rule.CodeHours, "2026-06"))
	want(t, "K03", eval(period(p, "2026-03", 9700, 0, 0, 0)), deduct("2026-06", "2026-06", "626.45"))
	want(t, "K04", eval(period(p, "2026-03", 9701, 0, 0, 0)), free(rule.CodeHours, "2026-06"))
	want(t, "K05", eval(period(f, "2026-03", 0, 0, 0, 0)), deduct("2026-06", "2026-06", "939.67"))
	want(t, "K06", eval(period(f, "2025-08", 0, 0, 0, 0)), deduct("2025-11", "2025-11", "939.67"))
	sick := edit(period(f, "2026-03", 0, 0, 0, 0, 0), "2026-04", func(m *waiting.Month) { m.Relief, m.Benefit = true, false })
	want(t, "K07", eval(sick), one{waiting.Deduct, rule.CodeExtended, "2026-07", "2026-07", "939.67"})
	partly := edit(period(f, "2026-03", 0, 0, 0, 0), "2026-04", func(m *waiting.Month) { m.Relief = true })
	want(t, "K08", eval(partly), deduct("2026-06", "2026-06", "939.67"))
	want(t, "K09", eval(edit(period(f, "2026-03", 0, 0, 0, 0, 0, 0, 0, 0), "2026-06", none)),
		free(rule.CodeNoBenefit, "2026-06"), deduct("2026-10", "2026-10", "939.67"))
	k10 := edit(edit(period(f, "2026-03", 0, 0, 0, 0, 0, 0, 0, 0), "2026-06", subsidy), "2026-07", subsidy)
	want(t, "K10", eval(k10), one{waiting.Deduct, rule.CodePostponed, "2026-06", "2026-08", "939.67"}, deduct("2026-10", "2026-10", "939.67"))
	want(t, "K10 before August", eval(k10[:5]), one{waiting.Postponed, rule.CodePostponed, "2026-06", "", "0.00"})
	k11 := edit(edit(edit(period(f, "2026-03", 0, 0, 0, 0, 0, 0, 0, 0, 0), "2026-06", subsidy), "2026-07", subsidy), "2026-08",
		func(m *waiting.Month) { m.NewPeriod = true })
	want(t, "K11", eval(k11), one{waiting.Lapsed, rule.CodePostponed, "2026-06", "", "0.00"}, deduct("2026-11", "2026-11", "939.67"))
	k12 := edit(period(f, "2026-03", 4000, 4000, 4000, 2800), "2026-06", func(m *waiting.Month) { m.Complete, m.Hours = false, 0 })
	before := eval(k12)
	want(t, "K12", before, one{waiting.Deduct, rule.CodeProvisional, "2026-06", "2026-06", "939.67"})
	later := eval(period(f, "2026-03", 4000, 4000, 4000, 2850))
	want(t, "K12, later", waiting.Reconcile(before, later),
		one{waiting.Reversed, "", "2026-06", "2026-06", "939.67"}, free(rule.CodeHours, "2026-06"))
	if later[0].Hours != 14_850 {
		t.Errorf("K12: %s h", later[0].Hours)
	}
	want(t, "K13", eval(period(f, "2026-11", 0, 0, 0, 0)), deduct("2027-02", "2027-02", "939.67"))
	want(t, "K14", eval(period(f, "2026-03", 20_000, 0, 0, 0)), free(rule.CodeHours, "2026-06"))
}

// K2, the rate of the month in which a postponed day is deducted (E.2), and the status of the waiting month.
func TestRowsWithoutExample(t *testing.T) {
	t.Parallel()
	rules := set(t)
	lift := edit(period(f, "2026-03", 0, 0, 0, 0, 0), "2026-05", func(m *waiting.Month) { m.Education = true })
	want(t, "K2", waiting.Evaluate(rules, lift), one{waiting.Deduct, rule.CodeExtended, "2026-07", "2026-07", "939.67"})
	off := *rules
	off.ExtendEducation = false
	want(t, "K2, switched off", waiting.Evaluate(&off, lift), one{waiting.Deduct, "", "2026-06", "2026-06", "939.67"})

	dear := period(f, "2026-03", 0, 0, 0, 0, 0)
	dear[3].Benefit, dear[3].Excused, dear[4].Rate = false, true, 2_109_200
	want(t, "postponed", waiting.Evaluate(rules, dear), one{waiting.Deduct, rule.CodePostponed, "2026-06", "2026-07", "973.50"})

	changed := period(f, "2026-03", 9800, 0, 0, 0)
	changed[3].Status, changed[3].Rate = p, 1_357_300
	want(t, "status changed", waiting.Evaluate(rules, changed), one{waiting.NoDeduction, rule.CodeHours, "2026-06", "", "0.00"})
	if got := waiting.Evaluate(rules, period(f, "2026-03", 0, 0, 0)); len(got) != 0 {
		t.Errorf("a block of three months is decided: %+v", got)
	}
}

func TestBadMonths(t *testing.T) {
	t.Parallel()
	in := period(f, "2026-03", -1, 80_000, 0, 0)
	in[2].Status, in[2].Rate, in[3].Month = rule.Unknown, 0, in[3].Month+1
	got := waiting.Evaluate(set(t), in)
	if len(got) != 1 || got[0].Outcome != waiting.Invalid || len(got[0].Codes) != 5 {
		t.Errorf("%+v", got)
	}
}

func periods() *rapid.Generator[[]waiting.Month] {
	return rapid.Custom(func(t *rapid.T) []waiting.Month {
		in := period(f, "2023-11", make([]rule.Hours, rapid.IntRange(1, 30).Draw(t, "months"))...)
		for i := range in {
			m := &in[i]
			m.Hours = rule.Hours(rapid.IntRange(0, 8000).Draw(t, "hours"))
			m.Card, m.Complete = m.Hours, rapid.IntRange(0, 9).Draw(t, "complete") > 0
			m.Benefit, m.Relief = rapid.Bool().Draw(t, "benefit"), rapid.IntRange(0, 5).Draw(t, "relief") == 0
			m.Excused, m.NewPeriod = rapid.Bool().Draw(t, "excused"), rapid.IntRange(0, 12).Draw(t, "new") == 0
		}
		return in
	})
}

// Blocks do not overlap and are four months or longer; no day is deducted in a month without benefit; what was decided stays decided when
// more months come, except that what waited is deducted or lapses; and reconciling with itself changes nothing.
func TestBlocks(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		in := periods().Draw(t, "period")
		got := waiting.Evaluate(rules, in)
		var last civil.Month
		for _, d := range got {
			if d.First <= last || d.Waiting-d.First < 3 {
				t.Fatalf("block %s to %s after %s", d.First, d.Waiting, last)
			}
			last = d.Waiting
			if d.Deducted != 0 && !in[d.Deducted-in[0].Month].Benefit {
				t.Fatalf("deducted in %s, which has no benefit", d.Deducted)
			}
			if (d.Outcome == waiting.Deduct) != (d.Amount > 0) {
				t.Fatalf("%+v", d)
			}
		}
		if c := waiting.Reconcile(got, got); len(c) != 0 {
			t.Fatalf("nothing changed, yet %+v", c)
		}
		earlier := waiting.Evaluate(rules, in[:rapid.IntRange(1, len(in)).Draw(t, "cut")])
		for i, d := range earlier {
			if d.Outcome != waiting.Postponed && !d.Same(got[i]) {
				t.Fatalf("%+v became %+v", d, got[i])
			}
		}
	})
}

// What is paid over all corrections is what the last state of the period says.
func TestReconciliationAddsUp(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		var before []waiting.Decision
		var paid rule.Money
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			now := waiting.Evaluate(rules, periods().Draw(t, "period"))
			for _, c := range waiting.Reconcile(before, now) {
				old := slices.IndexFunc(before, func(d waiting.Decision) bool { return d.Waiting == c.Waiting && d.Outcome == waiting.Deduct })
				switch {
				case c.Outcome == waiting.Reversed:
					paid -= c.Amount
				case c.Outcome == waiting.Deduct && (old < 0 || before[old].Amount != c.Amount || before[old].Deducted != c.Deducted):
					paid += c.Amount
				}
			}
			before = now
		}
		var sum rule.Money
		for _, d := range before {
			sum += d.Amount
		}
		if paid != sum {
			t.Fatalf("deducted %s in all, want %s", paid, sum)
		}
	})
}

// A full leap cycle of 400 years shifts every result by as much and changes nothing else, whichever month a period begins in: year ends and
// leap Februaries are months like any other (domain D.3).
func TestFourHundredYearsLater(t *testing.T) {
	t.Parallel()
	rules := set(t)
	rapid.Check(t, func(t *rapid.T) {
		const cycle = 400 * 12
		in := periods().Draw(t, "period")
		move := civil.Month(rapid.IntRange(0, 11).Draw(t, "months"))
		later := slices.Clone(in)
		for i := range in {
			in[i].Month += move
			later[i].Month += move + cycle
		}
		now, then := waiting.Evaluate(rules, in), waiting.Evaluate(rules, later)
		if len(now) != len(then) {
			t.Fatalf("%d decisions, %d after 400 years", len(now), len(then))
		}
		for i, d := range now {
			d.First, d.Waiting = d.First+cycle, d.Waiting+cycle
			if d.Deducted != 0 {
				d.Deducted += cycle
			}
			if !d.Same(then[i]) {
				t.Fatalf("%+v, after 400 years %+v", now[i], then[i])
			}
		}
	})
}
