package rules_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
)

const owed = 50_000 // 500.00 kr in øre

func terms() rules.DeletionTerms { return rules.DefaultDeletionTerms() }

func must(t testing.TB, d rules.Dues, err error) rules.Dues {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reminded is a member who did not pay and was reminded on that day.
func reminded(t testing.TB, sent string) rules.Dues {
	t.Helper()
	d := rules.Dues{State: rules.Paid, Debt: rules.Debt{Statutory: owed}, PaidThrough: day(t, sent).MonthStart() - 1}
	d = d.At(day(t, sent), true, terms())
	out, err := d.Remind(day(t, sent), "proof-1", true)
	return must(t, out, err)
}

// deleted is one who was deleted with notice on that day.
func deleted(t testing.TB, notice string) rules.Dues {
	t.Helper()
	d := reminded(t, "2026-02-09").At(day(t, notice), false, terms())
	out, err := d.Delete(day(t, notice), rules.Auto, false)
	return must(t, out, err)
}

// The worked examples of domain.md B.5.
//
// covers: DFH-40
func TestDeletionExamples(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		id, sent, on string
		want         rules.DuesState
	}{
		{"D01", "2026-02-09", "2026-03-02", rules.Reminded},
		{"D02", "2026-02-09", "2026-03-03", rules.Deletable},
		{"D03 last pay day", "2026-02-12", "2026-03-05", rules.Reminded},
		{"D03", "2026-02-12", "2026-03-06", rules.Deletable},
		{"D04 last pay day", "2028-02-09", "2028-03-01", rules.Reminded},
		{"D04", "2028-02-09", "2028-03-02", rules.Deletable},
	} {
		if got := reminded(t, row.sent).At(day(t, row.on), false, terms()).State; got != row.want {
			t.Errorf("%s: %v, want %v", row.id, got, row.want)
		}
	}
	through := day(t, "2026-03-31")
	if got := reminded(t, "2026-02-09").Pay(day(t, "2026-03-02"), rules.Debt{}, through, terms()); got.State != rules.Paid || got.PaidThrough != through {
		t.Errorf("D05: %+v", got)
	}
	half := reminded(t, "2026-02-09").Pay(day(t, "2026-03-02"), rules.Debt{Statutory: owed / 2}, 0, terms())
	if half.State != rules.Reminded || half.At(day(t, "2026-03-03"), false, terms()).State != rules.Deletable {
		t.Errorf("D06: %+v", half)
	}
	union := rules.Dues{State: rules.Paid, Debt: rules.Debt{Union: owed, EarlyRetirement: owed}}
	if got := union.At(through, true, terms()).State; got != rules.Paid {
		t.Errorf("D07: %v", got)
	}
	overdue := rules.Dues{State: rules.Overdue, Debt: rules.Debt{Statutory: owed}}
	if _, err := overdue.Delete(through, rules.Auto, true); !errors.Is(err, rules.ErrReminderProof) {
		t.Errorf("D08: %v", err)
	}
	if got := deleted(t, "2026-03-06").Pay(day(t, "2026-04-03"), rules.Debt{}, through, terms()).State; got != rules.Reinstated {
		t.Errorf("D09: %v", got)
	}
	if got := deleted(t, "2026-03-06").Pay(day(t, "2026-04-04"), rules.Debt{}, through, terms()).State; got != rules.DeletedFinal {
		t.Errorf("D10: %v", got)
	}
	if got := deleted(t, "2026-03-06").Pay(day(t, "2026-04-01"), rules.Debt{Statutory: owed}, through, terms()).State; got != rules.Deleted {
		t.Errorf("D11: %v", got)
	}
}

// The rows of the table of states that the examples leave out.
func TestDeletionTransitions(t *testing.T) {
	t.Parallel()
	overdue := rules.Dues{State: rules.Overdue, Debt: rules.Debt{Statutory: owed}, PaidThrough: day(t, "2026-01-31")}
	if _, err := overdue.Remind(day(t, "2026-02-09"), "", true); !errors.Is(err, rules.ErrReminderProof) {
		t.Errorf("without proof: %v", err)
	}
	if _, err := overdue.Remind(day(t, "2026-02-09"), "proof", false); !errors.Is(err, rules.ErrReminderText) {
		t.Errorf("E.2, without the consequence: %v", err)
	}
	if got := overdue.Pay(day(t, "2026-02-09"), rules.Debt{}, 0, terms()).State; got != rules.Paid {
		t.Errorf("paid before a reminder: %v", got)
	}
	disputed := reminded(t, "2026-02-09")
	disputed.Disputed = true
	if got := disputed.At(day(t, "2026-04-01"), false, terms()).State; got != rules.Reminded {
		t.Errorf("a disputed debt deletes nobody: %v", got)
	}
	deletable := reminded(t, "2026-02-09").At(day(t, "2026-03-03"), false, terms())
	for _, row := range []struct {
		by    rules.Automation
		human bool
		want  error
	}{
		{rules.Wait, true, rules.ErrHearingOpen}, {rules.Manual, false, rules.ErrHumanNeeded}, {rules.HumanOnly, false, rules.ErrHumanNeeded},
		{rules.Manual, true, nil}, {rules.Auto, false, nil},
	} {
		if _, err := deletable.Delete(day(t, "2026-03-06"), row.by, row.human); !errors.Is(err, row.want) {
			t.Errorf("%+v: %v", row, err)
		}
	}
	gone := deleted(t, "2026-03-06")
	if gone.Effective != day(t, "2026-01-31") || gone.Notice != day(t, "2026-03-06") {
		t.Errorf("effect goes back to what was paid for: %+v", gone)
	}
	final := gone.At(day(t, "2026-04-04"), false, terms())
	if _, err := final.Uphold(false); !errors.Is(err, rules.ErrHumanNeeded) {
		t.Errorf("a complaint is upheld by a person: %v", err)
	}
	if got, err := final.Uphold(true); err != nil || got.State != rules.Reinstated {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := reminded(t, "2026-02-09").Delete(day(t, "2026-02-20"), rules.Auto, true); !errors.Is(err, rules.ErrDuesState) {
		t.Errorf("before the period is over: %v", err)
	}
}

// Nobody is deleted who paid in time or was not reminded with proof at least 21 days before.
func TestDeletionProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := rules.Dues{State: rules.Paid, PaidThrough: 739000}
		today := civil.Date(739001)
		var sent civil.Date
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			today += civil.Date(rapid.IntRange(0, 15).Draw(t, "days"))
			before := d
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				d.Debt.Statutory = int64(rapid.IntRange(0, 2).Draw(t, "debt"))
				d = d.At(today, true, terms())
			case 1:
				if next, err := d.Remind(today, rapid.SampledFrom([]string{"", "proof"}).Draw(t, "proof"), rapid.Bool().Draw(t, "text")); err == nil {
					d, sent = next, today
				}
			case 2:
				left := rules.Debt{Statutory: int64(rapid.IntRange(0, 1).Draw(t, "left"))}
				d = d.Pay(today, left, today, terms())
				if left.Statutory == 0 && before.State != rules.Deleted && before.State != rules.DeletedFinal && d.State == rules.Deletable {
					t.Fatalf("paid in full and still %v", d.State)
				}
			case 3:
				d = d.At(today, false, terms())
			case 4:
				next, err := d.Delete(today, rules.Auto, false)
				if err == nil && (d.State != rules.Deletable || today <= sent+21 || next.Proof == "" || d.Debt.Statutory == 0) {
					t.Fatalf("deleted on %s, reminded on %s: %+v", today, sent, d)
				}
				if err == nil {
					d = next
				}
			}
			if d.State == rules.Reinstated {
				d.State = rules.Paid
			}
		}
	})
}
