package names_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"samvirke.dev/services/identity/internal/core/names"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	christina := names.Name{Given: "Christina Birgitta Ulrika", Middle: "Thomeaus", Family: "Efternamn3542"}
	ulrikke := names.Name{Given: "Ulrikke Veronika", Family: "Villadsen", Addressing: "Ulrikke V Villadsen"}
	poul := names.Name{Given: "Poul-Erik", Family: "Møller-Madsen"}
	ostergard := names.Name{Given: "Åse Søren", Family: "Østergård"}
	for _, c := range []struct {
		written string
		reg     names.Name
		want    bool
	}{
		{"Christina Birgitta Ulrika Thomeaus Efternamn3542", christina, true},
		{"christina EFTERNAMN3542", christina, true},
		{"Birgitta Efternamn3542", christina, true},
		{"Ulrika Christina Thomeaus Efternamn3542", christina, true},
		{"Efternamn3542, Christina Birgitta", christina, true},
		{"  Christina\t Efternamn3542 ", christina, true},
		{"Efternamn3542", christina, false},
		{"Christina", christina, false},
		{"Thomeaus Efternamn3542", christina, false}, // no given name
		{"Christina Thomeaus", christina, false},
		{"Christina Anna Efternamn3542", christina, false},
		{twice("Christina") + "Efternamn3542", christina, false},
		{"Christinae Efternamn3542", christina, false},
		{"", christina, false},
		{"- ' .", christina, false},
		{"Ulrikke V Villadsen", ulrikke, true},
		{"Ulrikke V. Villadsen", ulrikke, true},
		{"U Veronika Villadsen", ulrikke, true},
		{"U V Villadsen", ulrikke, false},
		{"Ulrikke X Villadsen", ulrikke, false},
		{"Ulrikke " + twice("V") + "Villadsen", ulrikke, false},
		{"Poul Erik Møller Madsen", poul, true},
		{"Poul-Erik Moeller-Madsen", poul, true},
		{"Poul-Erik Möller-Madsen", poul, true},
		{"Poul–Erik Møller‐Madsen", poul, true}, // other hyphens
		{"Poul Moller-Madsen", poul, true},
		{"Poul Madsen", poul, false}, // half of a double family name
		{"Poul Muller-Madsen", poul, false},
		{"Åse Østergård", ostergard, true},
		{"Aase Østergaard", ostergard, true},
		{"Ase Ostergard", ostergard, true},
		{"Aase Oestergaard", ostergard, true},
		{"Aase Ostergaard", ostergard, true},
		{"ÅSE ØSTERGÅRD", ostergard, true},
		{norm.NFD.String("Åse Östergård"), ostergard, true},
		{"Søren Østergård", ostergard, true},
		{"Aasee Østergård", ostergard, false},
		{"Aaase Østergård", ostergard, false},
		{"Å Søren Østergård", ostergard, true},
		{"A Søren Østergård", ostergard, true},
		{"Pär Hülpers", names.Name{Given: "Paer", Family: "Huelpers"}, true},
		{"Par Hulpers", names.Name{Given: "Pär", Family: "Hülpers"}, true},
		{"Michal Berg", names.Name{Given: "Michael", Family: "Berg"}, false},
		{"José Núñez O'Brien", names.Name{Given: "Jose", Middle: "Nunez", Family: "OBrien"}, true},
		{"Thorir Gudmundsson", names.Name{Given: "Þórir", Family: "Guðmundsson"}, true},
		{"Lukasz Strauss", names.Name{Given: "Łukasz", Family: "Strauß"}, true},
		{"Peter Jens", names.Name{Given: "Jens Peter", Family: "Jens"}, true},
		{"Jens", names.Name{Given: "Jens", Family: "Jens"}, false},
		{twice("Jens"), names.Name{Given: "Jens", Family: "Jens"}, true},
		{"Suharto", names.Name{Family: "Suharto"}, true},
		{"Anna", names.Name{Given: "Anna"}, true},
		{"Bo Ek", names.Name{Addressing: "Bo Ek"}, true},
		{"Bo Ek", names.Name{Addressing: "Ek, Bo"}, true},
		{"Bo", names.Name{Addressing: "Bo"}, true},
		{"Bo Ek", names.Name{}, false},
		{strings.Repeat("a ", 40) + "Ek", names.Name{Given: "Bo", Family: "Ek"}, false},
		{strings.Repeat("å", 70), names.Name{Family: strings.Repeat("aa", 31)}, false},
		{strings.Repeat("å", 31), names.Name{Family: strings.Repeat("aa", 31)}, true},
		{"Bo Ek\xff", names.Name{Given: "Bo", Family: "Ek"}, true},
	} {
		if got := names.Match(c.written, c.reg); got != c.want {
			t.Errorf("%q against %+v: %v", c.written, c.reg, got)
		}
	}
}

// twice says a word two times, each with a blank behind it.
func twice(word string) string { return strings.Repeat(word+" ", 2) }

func word() *rapid.Generator[string] {
	return rapid.StringMatching(`[A-ZÅÄÖÆØÜ][a-zåäöæøüé]{1,12}`)
}

func TestOwnNameInAnyOrderMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOfN(word(), 1, 4).Draw(t, "given")
		middle := rapid.SliceOfN(word(), 0, 2).Draw(t, "middle")
		family := rapid.SliceOfN(word(), 1, 2).Draw(t, "family")
		reg := names.Name{Given: strings.Join(given, " "), Middle: strings.Join(middle, " "), Family: strings.Join(family, "-")}
		all := append(append(append([]string{}, given...), middle...), family...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if !names.Match(strings.ToUpper(strings.Join(all, " ")), reg) {
			t.Fatalf("%q against %+v", all, reg)
		}
		if names.Match(strings.Join(all, " ")+" Xqz", reg) {
			t.Fatal("a foreign name passes")
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("Åse Østergaard", "Aase", "", "Ostergård")
	f.Add("\xff\xfe", "ﬀ", "İ", "ǆ")
	f.Fuzz(func(t *testing.T, written, given, middle, family string) {
		reg := names.Name{Given: given, Middle: middle, Family: family}
		if names.Match(written, reg) != names.Match(" "+written+" ", reg) {
			t.Error("blanks matter")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for name, c := range map[string]struct {
		written string
		reg     names.Name
	}{
		"plain":  {"Anna Maria Berg", names.Name{Given: "Anna Maria", Family: "Berg"}},
		"nordic": {"Aase Oestergaard", names.Name{Given: "Åse", Family: "Østergård"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				names.Match(c.written, c.reg)
			}
		})
	}
}
