package rule_test

import (
	"math/big"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
)

func sets(t testing.TB) rule.Sets {
	t.Helper()
	s, err := rule.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The cross-checks of domain B.0 and B.2: one day at the highest rates of the years.
//
// covers: DFH-36
func TestOneDay(t *testing.T) {
	t.Parallel()
	set := sets(t)[0]
	for _, c := range []struct {
		rate rule.Money
		st   rule.Status
		want string
	}{
		{2_035_900, rule.FullTime, "939.67"}, {1_863_300, rule.FullTime, "860.00"}, {1_357_300, rule.PartTime, "626.45"},
		{2_109_200, rule.FullTime, "973.50"}, {1_406_100, rule.PartTime, "648.97"},
	} {
		if got := set.AmountOf(rule.Hours(set.Day.Of(c.st)), c.rate, c.st).String(); got != c.want {
			t.Errorf("%v at %v: %s, want %s", c.st, c.rate, got, c.want)
		}
	}
	if set.Day.Source == "" || set.Version != "DK-2023-10" {
		t.Error("a value without its source, or a set without its version")
	}
	for _, r := range rule.MaxRates() {
		if r.Source == "" || r.Rate.F <= 0 {
			t.Errorf("rate of %d has no source", r.Year)
		}
	}
}

// There is one rounding, half up, whatever the figures.
func TestAmountRoundsHalfUpOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, rate, norm := rapid.Int64Range(0, 100_000).Draw(t, "h"), rapid.Int64Range(1, 10_000_000).Draw(t, "rate"), rapid.Int64Range(1, 20_000).Draw(t, "norm")
		exact := big.NewRat(h*rate, norm)
		exact.Add(exact, big.NewRat(1, 2))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		if got := rule.Amount(rule.Hours(h), rule.Money(rate), rule.Hours(norm)); int64(got) != want.Int64() {
			t.Fatalf("%d × %d / %d = %d, want %v", h, rate, norm, got, want)
		}
	})
}

func TestUnitsInWords(t *testing.T) {
	t.Parallel()
	for n, want := range map[rule.Hours]string{0: "0.00", 5: "0.05", 1250: "12.50", -1250: "-12.50", -5: "-0.05"} {
		if n.String() != want {
			t.Errorf("%d is written %s, want %s", int64(n), n, want)
		}
	}
}

func TestSetsByMonth(t *testing.T) {
	t.Parallel()
	raw, err := sets2(t, `"version": "DK-2023-10"`, `"version": "DK-2027-01"`, `"from": "2000-01"`, `"from": "2027-01"`)
	if err != nil {
		t.Fatal(err)
	}
	december, _ := civil.ParseMonth("2026-12")
	if v := raw.For(december).Version; v != "DK-2023-10" {
		t.Errorf("December 2026 is decided by %s", v)
	}
	if v := raw.For(december + 1).Version; v != "DK-2027-01" {
		t.Errorf("January 2027 is decided by %s", v)
	}
	ancient, _ := civil.ParseMonth("1999-01")
	if raw.For(ancient).Version != "DK-2023-10" || raw.ByVersion("DK-2027-01") == nil || raw.ByVersion("x") != nil {
		t.Error("look-up of sets")
	}
}

// sets2 loads the built-in set and a copy of it with other texts.
func sets2(t testing.TB, pairs ...string) (rule.Sets, error) {
	t.Helper()
	raw := builtinText(t)
	return rule.Load(fstest.MapFS{
		"a.json": {Data: []byte(raw)}, "b.json": {Data: []byte(strings.NewReplacer(pairs...).Replace(raw))},
	})
}

func TestBadSets(t *testing.T) {
	t.Parallel()
	for name, pairs := range map[string][]string{
		"same version":  {`"from": "2000-01"`, `"from": "2027-01"`},
		"same month":    {`"version": "DK-2023-10"`, `"version": "x"`},
		"no date":       {`"version": "DK-2023-10"`, `"version": "x"`, `"from": "2000-01"`, `"from": "soon"`},
		"unknown field": {`"version": "DK-2023-10"`, `"version": "x", "more": 1`, `"from": "2000-01"`, `"from": "2027-01"`},
		"negative":      {`"version": "DK-2023-10"`, `"version": "x"`, `"from": "2000-01"`, `"from": "2027-01"`, `"F": 16033`, `"F": -1`},
		"no source":     {`"version": "DK-2023-10"`, `"version": "x"`, `"from": "2000-01"`, `"from": "2027-01"`, `"source": "31 days of 24 hours"`, `"source": ""`},
	} {
		if _, err := sets2(t, pairs...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := rule.Load(fstest.MapFS{}); err == nil {
		t.Error("an empty folder is accepted")
	}
}
