package synthetic_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/synthetic"
)

func TestSplitMix64(t *testing.T) {
	t.Parallel()
	g := synthetic.NewSplitMix64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := g.Next(); got != want {
			t.Errorf("draw %d: %d", i+1, got)
		}
	}
}

func TestGoldenRows(t *testing.T) {
	t.Parallel()
	members := synthetic.Members(30)
	for i, want := range [30][2]string{
		{"DK:7004631298", "1963-04-10"}, {"SE:199011062388", "1990-11-06"}, {"DK:7601841597", "1984-01-16"},
		{"SE:198007119806", "1980-07-11"}, {"DK:9003971543", "1997-03-30"}, {"SE:200111092391", "2001-11-09"},
		{"DK:6907651639", "1965-07-09"}, {"SE:198508049817", "1985-08-04"}, {"DK:7009651203", "1965-09-10"},
		{"SE:200410252399", "2004-10-25"}, {"DK:7702801105", "1980-02-17"}, {"SE:197408029804", "1974-08-02"},
		{"DK:7409861568", "1986-09-14"}, {"SE:197604079819", "1976-04-07"}, {"DK:6611971468", "1997-11-06"},
		{"SE:200102162393", "2001-02-16"}, {"DK:9006831203", "1983-06-30"}, {"SE:198001089815", "1980-01-08"},
		{"DK:7407054258", "2005-07-14"}, {"SE:197402709807", "1974-02-10"}, {"DK:9110024468", "2002-10-31"},
		{"SE:200608072385", "2006-08-07"}, {"DK:6106651742", "1965-06-01"}, {"SE:198905309814", "1989-05-30"},
		{"DK:9101671051", "1967-01-31"}, {"SE:199605302398", "1996-05-30"}, {"DK:8206971550", "1997-06-22"},
		{"SE:196408159819", "1964-08-15"}, {"DK:7909991972", "1999-09-19"}, {"SE:198211129807", "1982-11-12"},
	} {
		m := members[i]
		if m.Index != i || m.Number != want[0] || m.Birth.Format("2006-01-02") != want[1] {
			t.Errorf("member %d: %s %s, want %v", i, m.Number, m.Birth.Format("2006-01-02"), want)
		}
	}
	if got := synthetic.At(29); got != members[29] {
		t.Errorf("At(29) = %+v", got)
	}
}

// covers: SEC-09
func TestMembersAreValidDistinctAndSynthetic(t *testing.T) {
	t.Parallel()
	n := 250_000
	if testing.Short() {
		n = 20_000
	}
	guard, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[nationalid.Number]struct{}, n)
	g, today := synthetic.NewGenerator(), civil.Date{Year: 2026, Month: 11, Day: 23}
	warned, swedes := 0, 0
	for i := range n {
		m := g.Next()
		id, err := nationalid.ParseCanonical(m.Number, today)
		if err != nil || guard.Check(id) != nil || id.BirthDate() != civil.Of(m.Birth) || id.Country().String() != m.Country {
			t.Fatalf("member %d: %v, %v, born %v", i, err, guard.Check(id), id.BirthDate())
		}
		if _, twice := seen[id]; twice {
			t.Fatalf("member %d has the number of another", i)
		}
		seen[id] = struct{}{}
		if id.Warnings().Has(nationalid.NoModulus11) {
			warned++
		}
		if m.Country == synthetic.Sweden {
			swedes++
		}
	}
	if warned != n/20 {
		t.Errorf("%d of %d members fail modulus 11", warned, n)
	}
	if n >= 100_000 && swedes < 32_142 {
		t.Errorf("only %d Swedes", swedes)
	}
}

func BenchmarkNext(b *testing.B) {
	b.ReportAllocs()
	g := synthetic.NewGenerator()
	for b.Loop() {
		if g.Next().Number == "" {
			g = synthetic.NewGenerator()
		}
	}
}

// A million members exist, and the generator ends instead of searching for ever.
func TestTheEndOfTheNumbers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes all numbers that there are")
	}
	g, n := synthetic.NewGenerator(), 0
	for g.Next().Number != "" {
		n++
	}
	if n < 1_000_000 {
		t.Errorf("only %d members", n)
	}
	if g.Next().Number != "" {
		t.Error("one more after the end")
	}
}

func TestWriteJSONL(t *testing.T) {
	t.Parallel()
	var one, two bytes.Buffer
	fund := func(m synthetic.Member) string {
		if m.Index%2 == 0 {
			return "DK:10000017"
		}
		return ""
	}
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := synthetic.WriteJSONL(w, 50, fund); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() || strings.Count(one.String(), "\n") != 50 || strings.Count(one.String(), "DK:10000017") != 25 {
		t.Errorf("%.500s", one.String())
	}
	if m := synthetic.At(0); !strings.HasPrefix(one.String(), `{"number":"`+m.Number+`"`) || m.FullName() != m.GivenName+" "+m.FamilyName {
		t.Errorf("%.100s", one.String())
	}
	if err := synthetic.WriteJSONL(full{}, 5_000, nil); err == nil {
		t.Error("a full disk goes unnoticed")
	}
}

// full is a disk with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }
