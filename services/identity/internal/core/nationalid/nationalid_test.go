package nationalid_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

const (
	se = nationalid.Sweden
	dk = nationalid.Denmark
)

func today() civil.Date { return civil.Date{Year: 2026, Month: 11, Day: 23} }

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		country nationalid.Country
		in      string
		err     error
		want    string // canonical
		kind    nationalid.Kind
		birth   string
	}{
		// Published test numbers and the validator's vectors.
		{se, "189001019802", nil, "SE:189001019802", nationalid.Personnummer, "1890-01-01"},
		{se, "190001019801", nil, "SE:190001019801", nationalid.Personnummer, "1900-01-01"},
		{se, "199001012385", nil, "SE:199001012385", nationalid.Personnummer, "1990-01-01"},
		{se, "200002292399", nil, "SE:200002292399", nationalid.Personnummer, "2000-02-29"},
		{se, "201701012393", nil, "SE:201701012393", nationalid.Personnummer, "2017-01-01"},
		{se, "202402292383", nil, "SE:202402292383", nationalid.Personnummer, "2024-02-29"},
		{se, "202601612381", nil, "SE:202601612381", nationalid.Samordningsnummer, "2026-01-01"},
		{se, "202601612393", nationalid.ErrCheckDigit, "", 0, ""}, // printed with the test numbers, but its control digit would be 9
		{se, "191401682396", nil, "SE:191401682396", nationalid.Samordningsnummer, "1914-01-08"},
		{se, "198202252386", nil, "SE:198202252386", nationalid.Personnummer, "1982-02-25"},
		{se, "198301302397", nil, "SE:198301302397", nationalid.Personnummer, "1983-01-30"},
		{se, "198409102392", nil, "SE:198409102392", nationalid.Personnummer, "1984-09-10"},
		{se, "191212121212", nil, "SE:191212121212", nationalid.Personnummer, "1912-12-12"},
		{se, "198503149802", nil, "SE:198503149802", nationalid.Personnummer, "1985-03-14"},
		{se, "198503149810", nil, "SE:198503149810", nationalid.Personnummer, "1985-03-14"},
		{se, "198503749809", nil, "SE:198503749809", nationalid.Samordningsnummer, "1985-03-14"},
		{se, "199001012386", nationalid.ErrCheckDigit, "", 0, ""},
		{se, "193604139207", nationalid.ErrCheckDigit, "", 0, ""},
		{se, "190002292385", nationalid.ErrDate, "", 0, ""},
		{se, "202201922380", nationalid.ErrDate, "", 0, ""},
		{se, "165560269986", nationalid.ErrOrganisation, "", 0, ""},
		{se, "5560269986", nationalid.ErrOrganisation, "", 0, ""},
		{se, "556026-9986", nationalid.ErrOrganisation, "", 0, ""},
		// One person, several written forms (domain C.6).
		{se, "19850314-9802", nil, "SE:198503149802", nationalid.Personnummer, "1985-03-14"},
		{se, "850314-9802", nil, "SE:198503149802", nationalid.Personnummer, "1985-03-14"},
		{se, "8503149802", nil, "SE:198503149802", nationalid.Personnummer, "1985-03-14"},
		// Century.
		{se, "000229-2399", nil, "SE:200002292399", nationalid.Personnummer, "2000-02-29"},
		{se, "000229+2399", nationalid.ErrDate, "", 0, ""},
		{se, "140168+2396", nil, "SE:191401682396", nationalid.Samordningsnummer, "1914-01-08"},
		{se, "121212+1212", nil, "SE:191212121212", nationalid.Personnummer, "1912-12-12"},
		{se, "121212-1212", nil, "SE:201212121212", nationalid.Personnummer, "2012-12-12"},
		{se, "260161-2381", nil, "SE:202601612381", nationalid.Samordningsnummer, "2026-01-01"},
		{se, "260161+2381", nil, "SE:192601612381", nationalid.Samordningsnummer, "1926-01-01"},
		{se, "261231-2393", nationalid.ErrFuture, "", 0, ""},
		{se, "2612312393", nil, "SE:192612312393", nationalid.Personnummer, "1926-12-31"},
		{se, "202612312393", nationalid.ErrFuture, "", 0, ""},
		// Partial birth dates exist in samordningsnummer only; a day without a month does not.
		{se, "198500602381", nil, "SE:198500602381", nationalid.Samordningsnummer, "1985-00-00"},
		{se, "198503602388", nil, "SE:198503602388", nationalid.Samordningsnummer, "1985-03-00"},
		{se, "198500612380", nationalid.ErrDate, "", 0, ""},
		{se, "198503002386", nationalid.ErrDate, "", 0, ""},
		// Forms.
		{se, "19850314+9802", nationalid.ErrForm, "", 0, ""},
		{se, "850314--9802", nationalid.ErrForm, "", 0, ""},
		{se, "8503-149802", nationalid.ErrForm, "", 0, ""},
		{se, "-8503149802", nationalid.ErrForm, "", 0, ""},
		{se, " 198503149802", nationalid.ErrForm, "", 0, ""},
		{se, "19850314 9802", nationalid.ErrForm, "", 0, ""},
		{se, "19850314980", nationalid.ErrForm, "", 0, ""},
		{se, "1985031498021", nationalid.ErrForm, "", 0, ""},
		{se, "１９８５０３１４９８０２", nationalid.ErrForm, "", 0, ""},
		{se, "", nationalid.ErrForm, "", 0, ""},
		{se, "000000000000", nationalid.ErrDate, "", 0, ""},
		{se, "161201019805", nationalid.ErrDate, "", 0, ""},
		// Danish: synthetic, real-looking, without modulus 11.
		{dk, "7403851013", nil, "DK:7403851013", nationalid.CPR, "1985-03-14"},
		{dk, "740385-1013", nil, "DK:7403851013", nationalid.CPR, "1985-03-14"},
		{dk, "7403851021", nil, "DK:7403851021", nationalid.CPR, "1985-03-14"},
		{dk, "7403851048", nil, "DK:7403851048", nationalid.CPR, "1985-03-14"},
		{dk, "6101651116", nil, "DK:6101651116", nationalid.CPR, "1965-01-01"},
		{dk, "6101651110", nil, "DK:6101651110", nationalid.CPR, "1965-01-01"},
		{dk, "8902922017", nil, "DK:8902922017", nationalid.CPR, "1992-02-29"},
		{dk, "8902044028", nil, "DK:8902044028", nationalid.CPR, "2004-02-29"},
		{dk, "0709614126", nil, "DK:0709614126", nationalid.CPR, "1961-09-07"},
		{dk, "3012995007", nil, "DK:3012995007", nationalid.CPR, "1899-12-30"},
		{dk, "0101965058", nil, "DK:0101965058", nationalid.CPR, "1896-01-01"},
		{dk, "8902900001", nationalid.ErrDate, "", 0, ""}, // 1990 is no leap year
		{dk, "0000000000", nationalid.ErrDate, "", 0, ""},
		{dk, "6001850001", nationalid.ErrDate, "", 0, ""}, // day 60 is day 0
		{dk, "9203850001", nationalid.ErrDate, "", 0, ""},
		{dk, "0113850001", nationalid.ErrDate, "", 0, ""},
		{dk, "0101575000", nationalid.ErrFuture, "", 0, ""},
		{dk, "740385+1013", nationalid.ErrForm, "", 0, ""},
		{dk, "198503149802", nationalid.ErrForm, "", 0, ""},
		{dk, "13748136", nationalid.ErrOrganisation, "", 0, ""},
		{nationalid.CountryUnknown, "7403851013", nationalid.ErrCountry, "", 0, ""},
	} {
		n, err := nationalid.Parse(c.country, c.in, today())
		if !errors.Is(err, c.err) {
			t.Errorf("%v %s: got %v, want %v", c.country, c.in, err, c.err)
			continue
		}
		if got := n.Canonical(); got != c.want {
			t.Errorf("%v %s: canonical %s, want %s", c.country, c.in, got, c.want)
		}
		if err != nil {
			continue
		}
		if n.Kind() != c.kind || n.BirthDate().String() != c.birth || n.Country() != c.country {
			t.Errorf("%s: %v %v %v", c.in, n.Kind(), n.BirthDate(), n.Country())
		}
	}
}

func TestModulus11OnlyWarns(t *testing.T) {
	t.Parallel()
	for in, warns := range map[string]bool{"6101651116": false, "6101651110": true, "7702801105": true, "0709614126": false} {
		n := must(t, dk, in)
		if got := n.Warnings().Has(nationalid.NoModulus11); got != warns {
			t.Errorf("%s: warning %v", in, got)
		}
	}
	if n := must(t, se, "198503149802"); n.Warnings() != 0 {
		t.Error("a Swedish number has no modulus 11")
	}
}

func TestTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, in string
		want     error
	}{
		{"IMMUNITETSNUMMER", "198308299299", nationalid.ErrImmunity},
		{"PERSONNUMMER", "198308299299", nil},
		{"PERSONNUMMER", "198503749809", nationalid.ErrKind},
		{"SAMORDNINGSNUMMER", "198503749809", nil},
		{"CPR", "198503749809", nationalid.ErrKind},
		{"PERSONNUMMER", "x", nationalid.ErrForm},
	} {
		if _, err := nationalid.ParseTyped(se, c.kind, c.in, today()); !errors.Is(err, c.want) {
			t.Errorf("%s %s: got %v, want %v", c.kind, c.in, err, c.want)
		}
	}
}

func TestCanonicalComesBack(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"SE:198503149802", "DK:7403851013"} {
		n, err := nationalid.ParseCanonical(s, today())
		if err != nil || n.Canonical() != s {
			t.Errorf("%v, %q", err, n.Canonical())
		}
	}
	for _, s := range []string{"", "SE", "SE:", "NO:198503149802", "SE:8503149802", "SE:19850314-9802", "DK:740385-1013", "se:198503149802"} {
		if _, err := nationalid.ParseCanonical(s, today()); err == nil {
			t.Errorf("%q is taken for canonical", s)
		}
	}
	if (nationalid.Number{}).Canonical() != "" {
		t.Error("the zero number has a canonical form")
	}
}

// covers: SEC-06
func TestNothingShowsANumber(t *testing.T) {
	t.Parallel()
	n := must(t, se, "198503149802")
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "x", "n", n, "p", &n, "s", []any{n})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb, n)
		fmt.Fprintf(&out, verb, struct{ N nationalid.Number }{n})
		fmt.Fprintf(&out, verb, map[nationalid.Number]int{n: 1})
	}
	js, err := json.Marshal(map[nationalid.Number]any{n: n})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	out.WriteString(n.String() + n.GoString())
	for _, secret := range []string{"19850314", "850314", "9802", "31393835"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("shows %s: %s", secret, out.String())
		}
	}
}

// covers: SEC-09
func TestGuard(t *testing.T) {
	t.Parallel()
	published := []string{"SE:191212121212", "SE:198106039228", "DK:0709614126"}
	for _, c := range []struct {
		country   nationalid.Country
		in        string
		test, pro bool // accepted there
	}{
		{se, "198503149802", true, false},
		{se, "199001012385", true, false},
		{se, "200002292399", true, false},
		{se, "198503749809", true, false},
		{se, "191212121212", true, false}, // published
		{se, "198106039228", true, false}, // published
		{se, "197705232382", true, false},
		{se, "198203249274", false, true}, // published, but not on this list
		{dk, "7403851013", true, false},
		{dk, "6101651110", true, false},
		{dk, "0709614126", true, false}, // published
		{dk, "1403851013", false, true}, // looks real
	} {
		n := must(t, c.country, c.in)
		for env, want := range map[nationalid.Environment]bool{nationalid.Test: c.test, nationalid.Production: c.pro} {
			g, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: env, Published: published})
			if err != nil {
				t.Fatal(err)
			}
			err = g.Check(n)
			if (err == nil) != want || err != nil && !errors.Is(err, nationalid.ErrOutsideEnvironment) {
				t.Errorf("%s in %s: %v", c.in, env, err)
			}
		}
	}
}

// covers: SEC-09
func TestGuardConfiguration(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]nationalid.GuardConfig{
		"no environment":    {},
		"other environment": {Environment: "Production"},
		"birth number":      {Environment: nationalid.Test, SwedishBirthNumbers: []int{238, 1000}},
		"published":         {Environment: nationalid.Test, Published: []string{"SE:7403851013"}},
		"published letters": {Environment: nationalid.Test, Published: []string{"DK:74038510x3"}},
	} {
		_, err := nationalid.NewGuard(cfg)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "74038510") {
			t.Errorf("%s: the error shows a number: %v", name, err)
		}
	}
	g, err := nationalid.NewGuard(nationalid.GuardConfig{Environment: nationalid.Test, SwedishBirthNumbers: []int{927}})
	if err != nil {
		t.Fatal(err)
	}
	if g.Check(must(t, se, "198203249274")) != nil || g.Check(must(t, se, "199001012385")) == nil {
		t.Error("the configured birth numbers are not the ones that count")
	}
	if g.Check(nationalid.Number{}) == nil {
		t.Error("no number passes")
	}
}

func must(t *testing.T, c nationalid.Country, in string) nationalid.Number {
	t.Helper()
	n, err := nationalid.Parse(c, in, today())
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return n
}
