package sf1520

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/soap"
)

func enveloped(inside []byte) []byte {
	if _, after, ok := bytes.Cut(inside, []byte("?>")); ok {
		inside = after
	}
	return slices.Concat([]byte(`<S:Envelope xmlns:S="`+soap.Namespace+`"><S:Body>`), inside, []byte(`</S:Body></S:Envelope>`))
}

func on(y, m, d int) Day { return Day{written: civil.Date{Year: y, Month: m, Day: d}} }

// Every element of the record is read, with its mark.
func TestWholeRecord(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/01-full.xml")
	if err != nil {
		t.Fatal(err)
	}
	got := answer{space: namespace(Version4)}
	if err := soap.Decode(bytes.NewReader(enveloped(raw)), 1<<20, &got); err != nil {
		t.Fatal(err)
	}
	want := Record{
		Person: &PersonData{
			Number: "7403851013", Current: "7403851013",
			Name: Name{
				Addressing: " Prøve E Test ", Given: "Prøve", Middle: "Eksempel", Family: "Test",
				GivenMark: "+", MiddleMark: "*", FamilyMark: "=", From: Date{Day: on(2001, 2, 3), Mark: "*"},
			},
			Birth: Date{Day: on(1985, 3, 14), Mark: "*"}, From: Date{Day: on(1985, 3, 15)}, Until: Date{Day: on(2026, 1, 1)},
			Status: Status{Code: 1, Since: Date{Day: Day{
				written: civil.Date{Year: 2020, Month: 12, Day: 31}, moment: time.Date(2020, 12, 31, 23, 30, 0, 0, time.UTC),
			}}},
			Disappeared: Date{Day: on(2019, 1, 1)},
			NameAddress: Protection{Present: true, From: on(2024, 1, 2), Until: on(2025, 1, 2), Protected: FlagTrue},
			Directory:   Protection{Present: true, From: on(2024, 1, 3), Protected: FlagFalse},
			Marketing:   Protection{Present: true, From: on(2024, 1, 4), Protected: FlagTrue},
		},
		Address: Addresses{
			Current: Registered{
				Municipality: 999, RoadCode: 1234, House: "016B", Floor: "01", Door: "  tv", Building: "0042", CareOf: "c/o Nabo",
				Locality: "Prøvegården", Place: "Prøvelev", PostalCode: "800", District: "Prøveby", Road: "Prøvevej",
				Line: "Prøvevej 16B, 1. tv", Addressee: "Prøve E Test", ShortRoad: "Prøvev",
				From:   Date{Day: on(2020, 2, 29), Mark: "*"},
				Extra1: "Ekstra 1", Extra2: "Ekstra 2", Extra3: "Ekstra 3", Extra4: "Ekstra 4", Extra5: "Ekstra 5",
			},
			Abroad: Abroad{
				Country: 5120, CountryName: "Sverige", Since: Date{Day: on(2010, 1, 1)},
				Line1: "Ude 1", Line2: "Ude 2", Line3: "Ude 3", Line4: "Ude 4", Line5: "Ude 5",
			},
			Contact: Contact{
				Line1: "Kontakt 1", Line2: "Kontakt 2", Line3: "Kontakt 3", Line4: "Kontakt 4", Line5: "Kontakt 5",
				From: on(2021, 1, 1), Deleted: on(2031, 1, 1),
			},
			History: []Registered{{
				Municipality: 998, RoadCode: 4321, House: "001", Floor: "st", Door: "th", Building: "0001", CareOf: "c/o Før",
				Locality: "Førgården", Place: "Førlev", PostalCode: "9998", District: "Førby", Road: "Førvej", Correction: "A",
				From: Date{Day: on(2000, 1, 1)}, Until: Date{Day: on(2010, 1, 1)},
			}, {Road: "Ældrevej"}},
		},
	}
	if diff := cmp.Diff(want, got.record, cmp.AllowUnexported(Day{})); diff != "" {
		t.Error(diff)
	}
	if !got.record.Person.Birth.Uncertain() || got.record.Person.From.Uncertain() {
		t.Error("marks of doubt")
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"": "", "  ": "", "2024-02-29": "2024-02-29", " 2024-02-29\n": "2024-02-29",
		"2024-02-29Z": "2024-02-29", "2024-02-29+14:00": "2024-02-29", "2024-02-29-12:00": "2024-02-29",
		"2024-02-29T20:00:00": "2024-02-29", "2024-02-29T23:59:59.999": "2024-02-29", "2024-02-29T24:00:00": "2024-02-29",
		"2024-02-29T23:00:00Z": "2024-03-01", "2024-02-29T22:59:59Z": "2024-02-29", "2024-06-30T22:00:00Z": "2024-07-01",
		"2024-02-29T23:00:00+01:00": "2024-02-29", "2024-03-01T00:30:00+02:00": "2024-02-29",
		"2023-02-29": "bad", "2024-2-9": "bad", "29-02-2024": "bad", "2024-02-29T": "bad", "2024-02-29T25:00:00": "bad",
		"2024-02-29 20:00:00": "bad", "2024-02-29T20:00": "bad", "2024-02-00": "bad", "7403851013": "bad", "2024-02-29x": "bad",
		"2024-02-30T24:00:00": "bad", "0000-01-01": "bad",
	} {
		d := on(1, 1, 1)
		got := "bad"
		if err := d.UnmarshalText([]byte(in)); err == nil {
			got = d.In(zone).String()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	for p, want := range map[Protection]bool{
		{}:                                     false,
		{Present: true}:                        true,
		{Present: true, Protected: FlagTrue}:   true,
		{Present: true, Protected: FlagFalse}:  false,
		{Present: true, Until: on(2001, 1, 1)}: true,
		{Present: true, Until: on(2001, 1, 1), Protected: FlagTrue}:  true,
		{Present: true, Until: on(2999, 1, 1), Protected: FlagFalse}: false,
	} {
		if p.Holds() != want {
			t.Errorf("%+v", p)
		}
	}
}

// FuzzAnswer reads anything as an answer. What is accepted must give a person who keeps every protection, and no address that does not
// fit an envelope.
func FuzzAnswer(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		raw, err := os.ReadFile("testdata/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enveloped(raw))
	}
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	asked, err := nationalid.Parse(nationalid.Denmark, "7403851013", civil.Of(now))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := answer{space: namespace(Version4)}
		if soap.Decode(bytes.NewReader(raw), 1<<16, &got) != nil {
			return
		}
		p, next, err := personOf(&got.record, asked, now, zone)
		if err != nil {
			return
		}
		if p.Number != asked || next == asked {
			t.Error("not the number that was asked")
		}
		if !next.IsZero() && core.StatusOf(p.RegisterState) != core.StatusReplaced {
			t.Error("follows a number that is in force")
		}
		kept := slices.ContainsFunc(p.Protections, func(p core.Protection) bool { return p.Kind == core.ProtectionDKNameAddress })
		if kept != got.record.Person.NameAddress.Holds() {
			t.Error("the protection got lost")
		}
		if a := p.Address; a != nil {
			if len(a.Lines) == 0 || len(a.Lines) > 5 || slices.Contains(a.Lines, "") {
				t.Error("not an address")
			}
		}
	})
}
