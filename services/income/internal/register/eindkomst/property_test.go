package eindkomst_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/register/eindkomst"
)

func hundredths(n int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// Whatever employers report, take back and correct: the sum is that of what stands, in any order, told once or twice, by either
// convention of reversals.
func TestNettingAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		negative, positive := []report{}, []report{}
		var hours rule.Hours
		var income rule.Money
		for i := range rapid.IntRange(0, 8).Draw(t, "reports") {
			h, m := rapid.IntRange(0, 20000).Draw(t, "hours"), rapid.IntRange(0, 5_000_000).Draw(t, "income")
			r := pay(rapid.SampledFrom([]string{"12345674", "87654321"}).Draw(t, "employer"), fmt.Sprintf("r%d", i), hundredths(h), hundredths(m))
			negative, positive = append(negative, r), append(positive, r)
			if rapid.Bool().Draw(t, "taken back") {
				back := r.but(func(r *report) { r.id, r.art = r.id+"T", "T" })
				positive = append(positive, back)
				negative = append(negative, back.but(func(r *report) { r.figures = "096=" + hundredths(-h) + " 057=" + hundredths(-m) }))
				continue
			}
			hours, income = hours+rule.Hours(h), income+rule.Money(m)
		}
		first := monthOf(t, negative, eindkomst.ReversalsNegative)
		var gotHours rule.Hours
		var gotIncome rule.Money
		for _, r := range first {
			gotHours, gotIncome = gotHours+r.Hours, gotIncome+r.Income
		}
		if gotHours != hours || gotIncome != income {
			t.Fatalf("got %s h and %s, want %s h and %s", gotHours, gotIncome, hours, income)
		}
		shuffled := rapid.Permutation(slices.Concat(negative, negative)).Draw(t, "shuffled")
		if again := monthOf(t, shuffled, eindkomst.ReversalsNegative); !slices.Equal(again, first) {
			t.Fatalf("shuffled and twice: %+v, want %+v", again, first)
		}
		if other := monthOf(t, positive, eindkomst.ReversalsPositive); !slices.Equal(other, first) {
			t.Fatalf("positive reversals: %+v, want %+v", other, first)
		}
	})
}

func monthOf(t *rapid.T, reports []report, convention eindkomst.Reversals) []facts.Record {
	d := deps(about(func(string) []report { return reports }))
	d.Reversals = convention
	r, err := eindkomst.New(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Month(context.Background(), question(0))
	if err != nil {
		t.Fatal(err)
	}
	return got.Records
}

// Whatever the register says, the outcome is an answer or a failure of a known kind that shows nothing personal.
func FuzzAnswer(f *testing.F) {
	f.Add(told("T", "", person(number(0), pay("12345674", "a", "52.50", "1").but(func(r *report) { r.employee, r.extra, r.benefit = "4", "151=1 191=x", "021=0 020=1" }))))
	f.Add(told("T", fejl("9999")))
	f.Add(told("T", "", person(number(0), pay("1", "", "-", "1e9"))))
	f.Fuzz(func(t *testing.T, body string) {
		c := &canned{answer: func(q asked) string {
			return strings.Replace(body, "<k:TransaktionIdentifikator>T<", "<k:TransaktionIdentifikator>"+q.Transaction+"<", 1)
		}}
		d := deps(c)
		d.Guard.MinCalls = 1000
		d.Guard.Window = d.Guard.Timeout * 1000
		got, err := register(t, d).Month(t.Context(), question(0))
		switch {
		case err == nil:
			for _, r := range got.Records {
				if r.To < r.From || len(r.Employer) != 8 {
					t.Errorf("record %+v", r)
				}
			}
		case !errors.Is(err, core.ErrRegisterUnavailable) && !errors.Is(err, core.ErrRegisterRefused):
			t.Errorf("error is %v", err)
		default:
			if strings.Contains(err.Error(), number(0)) {
				t.Errorf("the error shows the person: %v", err)
			}
		}
	})
}

func BenchmarkMonths(b *testing.B) {
	r, err := eindkomst.New(deps(about(func(string) []report { return []report{pay("12345674", "a", "52.50", "1")} })))
	if err != nil {
		b.Fatal(err)
	}
	all := questions(50)
	for b.Loop() {
		for _, res := range r.Months(b.Context(), all) {
			if res.Err != nil {
				b.Fatal(res.Err)
			}
		}
	}
}
