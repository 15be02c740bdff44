package upload

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The layouts are those of the published list: name, position and length of every field of every record.
func TestLayoutsAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "..", "shared", "registers", "eindkomst", "upload-records.json"))
	if err != nil {
		const why = "the registers' lists are not beside the project"
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	var list struct {
		Records map[string]struct {
			Fields []struct {
				Name string `json:"name"`
				Pos  int    `json:"pos"`
				Len  int    `json:"len"`
			} `json:"fields"`
			Total int `json:"total_len"`
		} `json:"records"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	ours := layouts()
	if len(ours) != len(list.Records) {
		t.Errorf("%d records, want %d", len(ours), len(list.Records))
	}
	for number, want := range list.Records {
		got := ours[number]
		if len(got) != len(want.Fields)-2 { // the running number and the record number stand before
			t.Errorf("%s: %d fields", number, len(got))
			continue
		}
		for i, f := range want.Fields[2:] {
			if got[i].Name != f.Name || got[i].Position != f.Pos || got[i].Length != f.Len {
				t.Errorf("%s: %+v, want %+v", number, got[i], f)
			}
		}
		if last := got[len(got)-1]; last.Position-1+last.Length != want.Total {
			t.Errorf("%s: ends at %d, want %d", number, last.Position-1+last.Length, want.Total)
		}
	}
}

func example() []Report {
	return []Report{
		{
			Employer: "90000001", ID: "A-1", CPR: "7004631298", Employee: "Ø42", From: "20260301", To: "20260331", Paid: "20260331", Kind: "00",
			Figures: []Figure{{FieldIncome, 945_050}, {FieldHours, 5250}, {"0015", -1}},
		},
		{Employer: "90000001", ID: "A-2", Reference: "A-1", CPR: "7004631298", TakesBack: true},
		{Employer: "90000002", ID: "B", CPR: "7601841597", From: "20260301", To: "20260315", Paid: "20260331", Kind: "00", Corrects: true},
	}
}

func written(t *testing.T, reports []Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteReports(&out, "20260405120000", reports); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The lines of one report, at the positions of registers.md 3.5.
func TestLines(t *testing.T) {
	t.Parallel()
	lines := strings.Split(written(t, example()[:1]), "\r\n")
	for i, want := range []string{
		"0000001" + "1000" + "20260405120000" + "90000000" + strings.Repeat(" ", 16) + "samvirke-generate" + strings.Repeat(" ", 42) + "T",
		"0000002" + "2001" + strings.Repeat(" ", 16) + "90000001" + " DKK",
		"0000003" + "5000" + " " + "A-1             " + strings.Repeat(" ", 16) + "20260301" + "20260331" + "20260331" + " B" + "   " + "00",
		"0000004" + "6000" + strings.Repeat(" ", 8) + "7004631298" + strings.Repeat(" ", 8) + "\xd842",
		"0000005" + "6001" + "0013" + "0000009450" + "500000" + "+",
		"0000006" + "6005" + "0200" + "000052" + "50" + "+",
		"0000007" + "6001" + "0015" + "0000000000" + "010000" + "-",
		"0000008" + "9999" + "0000008",
		"",
	} {
		if lines[i] != want {
			t.Errorf("line %d is\n%q, want\n%q", i+1, lines[i], want)
		}
	}
}

func TestReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	got, err := ReadReports(strings.NewReader(written(t, example())))
	if err != nil || !reflect.DeepEqual(got, example()) {
		t.Errorf("%+v %v", got, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		reports := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Report {
			r := Report{
				Employer: rapid.StringMatching(`[0-9]{8}`).Draw(t, "se"), ID: rapid.StringMatching(`[A-ZÆØÅ][ -~]{0,13}[a-zæøå0-9]`).Draw(t, "id"),
				CPR: rapid.StringMatching(`[0-9]{10}`).Draw(t, "cpr"), From: "20260301", To: "20260331", Paid: "20260331", Kind: rapid.StringMatching(`[0-9]{2}`).Draw(t, "kind"),
				Corrects: rapid.Bool().Draw(t, "corrects"),
			}
			for range rapid.IntRange(0, 3).Draw(t, "figures") {
				r.Figures = append(r.Figures, Figure{rapid.SampledFrom([]string{"0013", "0200", "0016"}).Draw(t, "field"), rapid.Int64Range(-99_999_999, 99_999_999).Draw(t, "n")})
			}
			return r
		}), 0, 5).Draw(t, "reports")
		var out bytes.Buffer
		if err := WriteReports(&out, "20260405120000", reports); err != nil {
			t.Fatal(err)
		}
		got, err := ReadReports(&out)
		if err != nil || len(got) != len(reports) || len(got) > 0 && !reflect.DeepEqual(got, reports) {
			t.Fatalf("%+v %v", got, err)
		}
	})
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := written(t, example())
	replace := func(old, by string) string { return strings.Replace(good, old, by, 1) }
	for name, raw := range map[string]string{
		"empty":             "",
		"breaks off":        good[:len(good)/2],
		"no end":            good[:strings.LastIndex(strings.TrimSpace(good), "\n")+1],
		"a line missing":    strings.Replace(good, strings.SplitAfter(good, "\n")[3], "", 1),
		"counted wrongly":   replace("99990000012", "99990000013"),
		"unknown record":    replace("00000035000", "00000035001"),
		"no digits":         replace("0000009450", "00000x9450"),
		"no sign":           replace("500000+", "500000"),
		"another sign":      replace("500000+", "500000*"),
		"too precise":       replace("500000+", "500001+"),
		"too long":          replace("5250+", "5250+ extra"),
		"a very long line":  replace("5250+", "5250+"+strings.Repeat("x", 1000)),
		"no delivery":       replace("00000011000", "00000012001"),
		"person unreported": replace("00000035000", "00000036000"),
		"follows the end":   good + "00000136000",
		"no mark":           strings.Replace(good, "A-1              1", "A-1               ", 1),
	} {
		if _, err := ReadReports(strings.NewReader(raw)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]Report{
		"too wide":   {Employer: "900000012", ID: "A"},
		"line break": {Employer: "90000001", ID: "A\n"},
		"not latin":  {Employer: "90000001", ID: "ł"},
	} {
		if err := WriteReports(&bytes.Buffer{}, "20260405120000", []Report{r}); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := WriteReports(&bytes.Buffer{}, "now", nil); err == nil {
		t.Error("written without a time")
	}
	w := NewWriter(&bytes.Buffer{})
	w.Write("6000", map[string]string{"nothing": "x"})
	if w.End() == nil {
		t.Error("an unknown field is written")
	}
}

func FuzzReadReports(f *testing.F) {
	var out bytes.Buffer
	if err := WriteReports(&out, "20260405120000", example()); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := ReadReports(bytes.NewReader(raw)); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("got %v", err)
		}
	})
}
