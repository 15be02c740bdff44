package direkte_test

import (
	"encoding/xml"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

// definitions are the published definitions of the records.
type definitions struct {
	Objects []struct {
		Name    string `xml:"name,attr"`
		Objects []struct {
			Danish     string `xml:"danishName,attr"`
			Name       string `xml:"name,attr"`
			Length     int    `xml:"length,attr"`
			Attributes []struct {
				Danish   string `xml:"danishName,attr"`
				Position int    `xml:"position,attr"`
				Length   int    `xml:"length,attr"`
				Format   string `xml:"dateFormat,attr"`
			} `xml:"Attribute"`
		} `xml:"Object"`
	} `xml:"Object"`
}

// slips are the mistakes in the published definitions, by record and position there, and what is right: registers.md 2.4, reading notes.
// A name that is there twice is told apart here as well.
func slips() map[string]direkte.Field {
	return map[string]direkte.Field{
		"001@72": {Name: "SLUT_DT_UMRK-PERSON", Position: 72, Length: 1},
		"014@14": {Name: "PNRBARN", Position: 14, Length: 10},
		"017@24": {Name: "START_DT_UMRK-UMYNDIG", Position: 24, Length: 1},
		"020@1":  {Name: "SLET_DT-VALGOPLYSNINGER", Position: 38, Length: 10},
		"999@4":  {Name: "SORTFELT-10", Position: 4, Length: 10},
	}
}

// beyond are the fields that the definitions leave out, by record: in the published answers there is something.
func beyond(record int) int {
	switch record {
	case 21:
		return 3
	case 99:
		return 1
	default:
		return 0
	}
}

// covers: REG-02
func TestLayoutsAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(shared(t, "cpr-direkte", "Definitions.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var defs definitions
	if err := xml.Unmarshal(raw, &defs); err != nil {
		t.Fatal(err)
	}
	ours := map[int]direkte.Layout{}
	for _, l := range direkte.Layouts() {
		ours[l.Type] = l
	}
	compared := 0
	for _, object := range defs.Objects {
		for _, record := range object.Objects {
			number, ok := strings.CutPrefix(record.Danish, "P12170-")
			if !ok {
				continue // a record of another product
			}
			kind, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			l := ours[kind]
			if l.Length != record.Length || l.Name != record.Name {
				t.Errorf("%s: %s of %d, want %s of %d", number, l.Name, l.Length, record.Name, record.Length)
			}
			compared++
			var want []direkte.Field
			for _, a := range record.Attributes {
				f := direkte.Field{Name: a.Danish, Position: a.Position, Length: a.Length}
				if right, ok := slips()[number+"@"+strconv.Itoa(a.Position)]; ok && a.Danish != "RECORDTYPE" {
					f = right
				}
				if f.Name != "RECORDTYPE" {
					want = append(want, f)
				}
			}
			if len(l.Fields) != len(want)+beyond(kind) {
				t.Errorf("%s: %d fields, want %d", number, len(l.Fields), len(want))
			}
			for _, f := range want {
				if !slices.ContainsFunc(l.Fields, func(g direkte.Field) bool {
					return strings.EqualFold(g.Name, f.Name) && g.Position == f.Position && g.Length == f.Length
				}) {
					t.Errorf("%s: no %s at %d+%d", number, f.Name, f.Position, f.Length)
				}
			}
		}
	}
	if compared != len(ours) || compared != 35 {
		t.Errorf("compared %d of %d records", compared, len(ours))
	}
}

// Fields follow each other without a gap from behind the record type to the end, and their names are told apart.
func TestLayoutsAreWhole(t *testing.T) {
	t.Parallel()
	last := -1
	for _, l := range direkte.Layouts() {
		if l.Type <= last {
			t.Errorf("%03d: out of order", l.Type)
		}
		last = l.Type
		at, names := 4, map[string]bool{}
		for _, f := range l.Fields {
			if f.Position != at || f.Length < 1 || names[f.Name] {
				t.Errorf("%03d: %s at %d+%d, want %d", l.Type, f.Name, f.Position, f.Length, at)
			}
			at, names[f.Name] = f.Position+f.Length, true
		}
		if at != l.Length+1 {
			t.Errorf("%03d: ends at %d of %d", l.Type, at-1, l.Length)
		}
	}
}
