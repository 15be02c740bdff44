package personview_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/personview"
)

func law(r *auditv1.Record) {
	r.Recipient.Role, r.Recipient.Id, r.Actor.Organisation = vocabularyv1.Role_ROLE_LAW_ENFORCEMENT, other, other
	r.Purpose = vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL
}

func addressed(r *auditv1.Record) {
	r.Rpc, r.Fields, r.Purpose = address, []string{"address.city", "address.lines", "source"}, vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE
	r.Operation = vocabularyv1.Operation_OPERATION_RETRIEVE
}

// The person sees recipient, data, purpose and basis of every use, in plain words of their language, and nobody else's.
//
// covers: DFH-43
func TestPersonSeesWhoUsedTheirData(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.add(time.Hour, ane)
	b.add(2*time.Hour, ane, addressed)
	b.add(3*time.Hour, bo)
	b.add(4*time.Hour, ane, func(r *auditv1.Record) { r.ControllerId, r.Actor.Organisation = other, other }) // another controller's affair
	b.add(5*time.Hour, ane, func(r *auditv1.Record) { r.ControllerId = other })                              // the fund called another's
	b.add(6*time.Hour, ane, func(r *auditv1.Record) { r.Decision, r.StatusCode, r.Fields = auditv1.Decision_DECISION_DENY, 7, nil })
	v := b.view(epoch().Add(24*time.Hour), known{"ane": {ane}, "bo": {bo}})
	uses := b.find(v, personview.Question{Language: personview.English})
	if len(uses) != 4 {
		t.Fatalf("%d uses: %+v", len(uses), uses)
	}
	refused, of, located, verified := uses[0], uses[1], uses[2], uses[3]
	if verified.Action != "Your data were looked up to be certain who you are." || verified.Name != "Min A-kasse" || verified.Receiver != fund ||
		verified.System != "caseworker" || verified.Basis != "the law requires it (GDPR art. 6(1)(c))" || verified.Reference != "DK:ALF§41" || !verified.Allowed {
		t.Errorf("use %+v", verified)
	}
	if !slices.Equal(located.Data, []string{"address"}) || located.Purpose != "to have your right address" {
		t.Errorf("use %+v", located)
	}
	if of.Controller != other || of.Receiver != fund {
		t.Errorf("use %+v", of)
	}
	if refused.Allowed || len(refused.Data) != 0 || refused.Action != "Somebody asked for your data and did not get them." {
		t.Errorf("use %+v", refused)
	}
	da := b.find(v, personview.Question{Language: personview.Danish})[2]
	sv := b.find(v, personview.Question{Language: personview.Swedish})[2]
	if da.Action != "Dine oplysninger blev hentet for at have din rigtige adresse." || sv.Action != "Dina uppgifter hämtades för att ha din rätta adress." || //nolint:misspell // Swedish
		da.Data[0] != "adresse" || sv.Data[0] != "adress" { //nolint:misspell // Swedish
		t.Errorf("%+v\n%+v", da, sv)
	}
	if strings.Contains(fmt.Sprintf("%+v", uses), "SECRET") {
		t.Error("the employee is shown")
	}
	if uses := b.find(v, personview.Question{Person: handle("nobody")}); len(uses) != 0 {
		t.Errorf("nobody's uses: %+v", uses)
	}
	period := personview.Question{From: epoch().Add(2 * time.Hour), Until: epoch().Add(5 * time.Hour)}
	if uses := b.find(v, period); len(uses) != 1 {
		t.Errorf("in a period: %+v", uses)
	}
}

// What is withheld for an investigation is neither listed nor counted until its time is over; then it is shown, and so is that it was withheld.
func TestWithheldUntilThenShown(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.add(0, ane)
	b.add(time.Hour, ane, law)
	b.add(time.Hour, ane, func(r *auditv1.Record) { r.Purpose = vocabularyv1.Purpose_PURPOSE_SUPERVISION })
	holds := []personview.Hold{
		{Role: vocabularyv1.Role_ROLE_LAW_ENFORCEMENT, For: 100 * time.Hour},
		{Purpose: vocabularyv1.Purpose_PURPOSE_SUPERVISION, For: 10 * time.Hour},
	}
	ends := map[time.Duration]int{time.Hour: 1, 11*time.Hour - 1: 1, 11 * time.Hour: 2, 101*time.Hour - 1: 2, 101 * time.Hour: 3, 1000 * time.Hour: 3}
	for after, want := range ends {
		uses := b.find(b.view(epoch().Add(after), known{"ane": {ane}}, holds...), personview.Question{Language: personview.English})
		if len(uses) != want {
			t.Errorf("after %s: %d uses, want %d", after, len(uses), want)
		}
	}
	shown := b.find(b.view(epoch().Add(1000*time.Hour), known{"ane": {ane}}, holds...), personview.Question{Language: personview.English})
	for _, u := range shown {
		if held := u.Name == "Den Anden" || strings.Contains(u.Purpose, "supervision"); held == u.HeldUntil.IsZero() ||
			held != strings.Contains(u.Action, "not shown before for the sake of an investigation") {
			t.Errorf("use %+v", u)
		}
	}
}

func TestHoldsHaveAnEnd(t *testing.T) {
	t.Parallel()
	for _, h := range []personview.Hold{
		{Purpose: 5}, {For: time.Hour}, {Purpose: 5, For: 3 * 366 * 24 * time.Hour}, {Purpose: 5, For: -1},
	} {
		d := personview.Deps{Records: newBook(t).store, Subjects: known{}, Exchange: exchange, Period: time.Hour, Clock: at(epoch()), Holds: []personview.Hold{h}}
		if _, err := personview.New(d); err == nil {
			t.Errorf("hold %+v was taken", h)
		}
	}
	if _, err := personview.New(personview.Deps{}); err == nil {
		t.Error("came up without its parts")
	}
}

func TestErasedUsesAreStillTold(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.add(0, ane)
	if _, err := b.store.Erase(t.Context(), shard, 10); err != nil {
		t.Fatal(err)
	}
	uses := b.find(b.view(epoch().Add(time.Hour), known{"ane": {ane}}), personview.Question{Language: personview.English})
	if len(uses) > 1 || len(uses) == 1 && !strings.Contains(uses[0].Action, "details were erased") {
		t.Errorf("%+v", uses)
	}
}

// Mass processing is told as one, with its number and times; it never disappears.
func TestMassProcessingIsSummarised(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for n := range 25 {
		b.add(time.Duration(n)*time.Hour, ane, func(r *auditv1.Record) { r.Item = 1 })
	}
	for n := range 9 {
		b.add(time.Duration(n)*time.Hour, ane, addressed)
	}
	b.add(31*24*time.Hour, ane) // the next month
	uses := b.find(b.view(epoch().Add(2000*time.Hour), known{"ane": {ane}}), personview.Question{Language: personview.English})
	var mass personview.Use
	for _, u := range uses {
		if u.Count > mass.Count {
			mass = u
		}
	}
	if len(uses) != 11 || mass.Count != 25 || !mass.First.Equal(epoch()) || !mass.At.Equal(epoch().Add(24*time.Hour)) ||
		!strings.Contains(mass.Action, "It happened 25 times in the month.") {
		t.Errorf("%d uses, the largest %+v", len(uses), mass)
	}
}

// Whatever is recorded: every record that is not withheld is counted in exactly one use, and uses stand in the order of time.
func TestNothingIsLostInSummaries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook(t)
		n := rapid.IntRange(0, 60).Draw(rt, "records")
		hours := rapid.SliceOfN(rapid.IntRange(0, 2000), n, n).Draw(rt, "hours")
		kinds := rapid.SliceOfN(rapid.IntRange(0, 3), n, n).Draw(rt, "kinds")
		held := 0
		now := epoch().Add(1500 * time.Hour)
		for i := range n {
			began := time.Duration(hours[i]) * time.Hour
			b.add(began, ane, [](func(*auditv1.Record)){func(*auditv1.Record) {}, addressed, law, func(r *auditv1.Record) { r.Writer.Service = "income" }}[kinds[i]])
			if kinds[i] == 2 && epoch().Add(began+500*time.Hour).After(now) {
				held++
			}
		}
		v := b.view(now, known{"ane": {ane}}, personview.Hold{Role: vocabularyv1.Role_ROLE_LAW_ENFORCEMENT, For: 500 * time.Hour})
		sum := 0
		last := time.Time{}
		for _, u := range b.find(v, personview.Question{}) {
			sum += u.Count
			if !last.IsZero() && u.At.After(last) {
				rt.Fatal("not in order")
			}
			last = u.At
		}
		// The fund's view holds what it called or answers for; law enforcement's calls are on its responsibility.
		if sum != n-held {
			rt.Fatalf("%d of %d records told, %d withheld", sum, n, held)
		}
	})
}

func TestPeriodBeginsWithTheLedger(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.add(0, ane)
	if since, err := b.view(epoch().Add(time.Hour), known{}).Since(t.Context()); err != nil || !since.Equal(epoch()) {
		t.Errorf("young ledger: %s %v", since, err)
	}
	later := epoch().AddDate(10, 0, 0)
	if since, err := b.view(later, known{}).Since(t.Context()); err != nil || !since.Equal(later.Add(-60*30*24*time.Hour)) {
		t.Errorf("old ledger: %s %v", since, err)
	}
}
