package civil_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/identity/internal/core/civil"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"2000-02-29": true, "1900-02-29": false, "2023-02-29": false, "2024-02-29": true,
		"2019-01-00": true, "2019-00-00": true, "2019-00-05": false,
		"2019-13-01": false, "2019-04-31": false, "2019-12-32": false, "0000-01-01": false,
		"": false, "2019-1-01": false, "20190101xx": false, "2019-01-0x": false, "2019-01-01 ": false, "２０１９-01-01": false,
	} {
		d, err := civil.Parse(in)
		if (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
		if ok && d.String() != in {
			t.Errorf("%q came back as %q", in, d.String())
		}
	}
}

func TestOrderOfPartialDates(t *testing.T) {
	t.Parallel()
	today := civil.Of(time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC))
	for in, want := range map[string]struct{ after, notAfter bool }{
		"2026-11-23": {false, true},
		"2026-11-24": {true, false},
		"2026-11-00": {false, false}, // may be either
		"2026-12-00": {true, false},
		"2025-00-00": {false, true},
		"2026-00-00": {false, false},
	} {
		d, err := civil.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.CertainlyAfter(today); got != want.after {
			t.Errorf("%s after: %v", in, got)
		}
		if got := d.CertainlyNotAfter(today); got != want.notAfter {
			t.Errorf("%s not after: %v", in, got)
		}
	}
}

func TestAgreesWithTimePackage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		y, m, d := rapid.IntRange(1, 9999).Draw(t, "y"), rapid.IntRange(1, 12).Draw(t, "m"), rapid.IntRange(1, 31).Draw(t, "d")
		_, err := civil.New(y, m, d)
		exists := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Day() == d
		if (err == nil) != exists {
			t.Fatalf("%d-%d-%d: %v", y, m, d, err)
		}
	})
}
