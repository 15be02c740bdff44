package nationalid_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// swedish draws a valid Swedish number of twelve digits.
func swedish(t *rapid.T) string {
	day := rapid.IntRange(0, 45_000).Draw(t, "days before today")
	d := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -day)
	offset := rapid.SampledFrom([]int{0, 60}).Draw(t, "offset")
	s := fmt.Sprintf("%04d%02d%02d%03d", d.Year(), d.Month(), d.Day()+offset, rapid.IntRange(0, 999).Draw(t, "birth number"))
	sum := 0
	for i, c := range s[2:] {
		v := int(c-'0') * (2 - i%2)
		sum += v/10 + v%10
	}
	return s + strconv.Itoa((10-sum%10)%10)
}

func TestEveryWrittenFormIsTheSameNumber(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := swedish(t)
		want, err := nationalid.Parse(se, s, today())
		if err != nil {
			t.Fatal(err)
		}
		forms := []string{s, s[:8] + "-" + s[8:]}
		switch age := 2026 - want.BirthDate().Year; {
		case age < 100:
			forms = append(forms, s[2:8]+"-"+s[8:], s[2:])
		case age < 200:
			forms = append(forms, s[2:8]+"+"+s[8:])
		}
		for _, f := range forms {
			got, err := nationalid.Parse(se, f, today())
			if err != nil || got != want || got.Canonical() != "SE:"+s {
				t.Fatalf("form %d of %d digits: %v", len(f), len(s), err)
			}
		}
	})
}

// The control digit catches every single wrong digit among the ten that it covers.
func TestOneWrongDigitIsRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(swedish(t))
		at := rapid.IntRange(2, 11).Draw(t, "at")
		s[at] = '0' + (s[at]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if _, err := nationalid.Parse(se, string(s), today()); err == nil {
			t.Fatal("accepted")
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"198503149802", "850314-9802", "000229+2399", "7403851013", "740385-1013", "165560269986", "", "+", "é"} {
		f.Add(uint8(1), s)
		f.Add(uint8(2), s)
	}
	f.Fuzz(func(t *testing.T, country uint8, s string) {
		day := civil.Date{Year: 2026, Month: 11, Day: 23}
		n, err := nationalid.Parse(nationalid.Country(country%4), s, day)
		if err != nil {
			if !n.IsZero() {
				t.Error("a refused text gives a number")
			}
			if len(s) > 4 && strings.Contains(err.Error(), s) {
				t.Error("the error repeats the input")
			}
			return
		}
		again, err := nationalid.ParseCanonical(n.Canonical(), day)
		if err != nil || again != n {
			t.Errorf("canonical form: %v", err)
		}
		if b := n.BirthDate(); !b.Valid() || b.CertainlyAfter(day) {
			t.Error("birth date")
		}
		if n.String() != "[national-id]" {
			t.Error("shows itself")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	day := today()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nationalid.Parse(nationalid.Sweden, "198503149802", day); err != nil {
			b.Fatal(err)
		}
	}
}
