package ids_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"samvirke.dev/services/platform/ids"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNewEventIDIsMonotonicAndCanonical(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	last := ""
	for range 10_000 {
		id := ids.NewEventID()
		if id <= last {
			t.Fatalf("%s does not sort after %s", id, last)
		}
		if !form.MatchString(id) {
			t.Fatalf("%s is not a canonical UUIDv7", id)
		}
		last = id
	}
}

func TestNewEventIDIsUniqueAcrossGoroutines(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 2_000
	made := make([][]string, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				made[w] = append(made[w], ids.NewEventID())
			}
		})
	}
	wg.Wait()
	all := slices.Concat(made...)
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != workers*each {
		t.Errorf("%d distinct ids, want %d", got, workers*each)
	}
}

func TestEventTime(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-time.Second)
	id := ids.NewEventID()
	at, err := ids.EventTime(id)
	if err != nil {
		t.Fatal(err)
	}
	if at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("time in the id is %v", at)
	}
	if _, err := ids.EventTime("nonsense"); !errors.Is(err, ids.ErrEventID) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestParseEventID(t *testing.T) {
	t.Parallel()
	good := "01890a5d-ac96-774b-bcce-b302099a8057"
	cases := map[string]bool{
		good:                                   true,
		strings.ToUpper(good):                  false,
		"{" + good + "}":                       false,
		"urn:uuid:" + good:                     false,
		strings.ReplaceAll(good, "-", ""):      false,
		"01890a5d-ac96-474b-bcce-b302099a8057": false, // version 4
		"01890a5d-ac96-774b-0cce-b302099a8057": false, // variant
		"01890a5d-ac96-774b-bcce-b302099a805g": false,
		"01890a5d_ac96_774b_bcce_b302099a8057": false,
		"":                                     false,
	}
	for in, ok := range cases {
		got, err := ids.ParseEventID(in)
		if (err == nil) != ok {
			t.Errorf("%q: %v, want ok=%v", in, err, ok)
		}
		if err != nil && (!errors.Is(err, ids.ErrEventID) || got != "") {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
		if ok && got != in {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

func TestParseRequestID(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in, want string
		ok       bool
	}{
		{"01890A5D-AC96-474B-BCCE-B302099A8057", "01890a5d-ac96-474b-bcce-b302099a8057", true},
		{"Order_2026-03-01_0001", "Order_2026-03-01_0001", true},
		{strings.Repeat("a", 16), strings.Repeat("a", 16), true},
		{strings.Repeat("Z", 64), strings.Repeat("Z", 64), true},
		{strings.Repeat("Z", 36), strings.Repeat("Z", 36), true},
		{strings.Repeat("a", 15), "", false},
		{strings.Repeat("a", 65), "", false},
		{"with a space in it", "", false},
		{"påfyllning-0000000", "", false},
		{"line\nbreak-0000000", "", false},
		{"", "", false},
	}
	for _, c := range cases {
		got, err := ids.ParseRequestID(c.in)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
		if err != nil && !errors.Is(err, ids.ErrRequestID) {
			t.Errorf("%q: %v is not ErrRequestID", c.in, err)
		}
	}
}

func TestRequestIDProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`[A-Za-z0-9_-]{16,64}`).Draw(t, "id")
		got, err := ids.ParseRequestID(in)
		if err != nil {
			t.Fatalf("%q refused", in)
		}
		if again, err := ids.ParseRequestID(got); err != nil || again != got {
			t.Fatalf("canonical form %q is not stable: %q, %v", got, again, err)
		}
	})
}

func FuzzParseEventID(f *testing.F) {
	f.Add("01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("01890a5d-ac96-774b-bcce-b302099a805")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ids.ParseEventID(in)
		if err == nil && got != in {
			t.Fatalf("accepted %q as %q", in, got)
		}
		if _, timeErr := ids.EventTime(in); (timeErr == nil) != (err == nil) {
			t.Fatalf("%q: parse %v, time %v", in, err, timeErr)
		}
	})
}

func FuzzParseRequestID(f *testing.F) {
	f.Add("01890A5D-AC96-474B-BCCE-B302099A8057")
	f.Add("order-0000000000001")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ids.ParseRequestID(in)
		if err != nil {
			return
		}
		if len(got) < ids.MinRequestID || len(got) > ids.MaxRequestID || !strings.EqualFold(got, in) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}

func BenchmarkNewEventID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = ids.NewEventID()
	}
}

func BenchmarkNewEventIDParallel(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = ids.NewEventID()
		}
	})
}
