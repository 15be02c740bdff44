package maintenance_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/platform/maintenance"
)

const rpc = "samvirke.transfer.v1.TransferService/SubmitTransfer"

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The window of the policy that asks for this: across midnight, first instant in, last instant out, and only what is named.
//
// covers: MIN-01
func TestAcrossMidnight(t *testing.T) {
	t.Parallel()
	windows, err := maintenance.Parse([]string{"2023-09-26T22:00:00+02:00/2023-09-27T03:00:00+02:00 samvirke.transfer.v1.TransferService/*"})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]time.Duration{
		"2023-09-26T21:59:59+02:00": 0,
		"2023-09-26T22:00:00+02:00": 5 * time.Hour,
		"2023-09-26T23:59:59+02:00": 3*time.Hour + time.Second,
		"2023-09-27T00:00:00+02:00": 3 * time.Hour,
		"2023-09-27T02:59:59+02:00": time.Second,
		"2023-09-27T03:00:00+02:00": 0,
		"2023-09-26T20:30:00Z":      4*time.Hour + 30*time.Minute,
	} {
		if got := maintenance.Until(windows, rpc, instant(t, at)); got != want {
			t.Errorf("at %s: %v, want %v", at, got, want)
		}
	}
	if got := maintenance.Until(windows, "samvirke.identity.v1.IdentityService/VerifyIdentity", instant(t, "2023-09-27T00:00:00+02:00")); got != 0 {
		t.Errorf("another service is away too, for %v", got)
	}
}

func TestWindowsThatFollowEachOther(t *testing.T) {
	t.Parallel()
	windows, err := maintenance.Parse([]string{
		"2026-01-01T02:00:00Z/2026-01-01T03:00:00Z *",
		"2026-01-01T01:00:00Z/2026-01-01T02:00:00Z samvirke.transfer.v1.TransferService/SubmitTransfer",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := maintenance.Until(windows, rpc, instant(t, "2026-01-01T01:30:00Z")); got != 90*time.Minute {
		t.Errorf("wait %v", got)
	}
	if got := maintenance.Until(windows, "x.Y/Z", instant(t, "2026-01-01T01:30:00Z")); got != 0 {
		t.Errorf("wait %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "*", "2026-01-01T00:00:00Z *", "2026-01-01/2026-01-02 *", "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z *",
		"2026-01-02T00:00:00Z/2026-01-01T00:00:00Z *", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z service",
		"2026-01-01T00:00:00Z/2026-01-02T00:00:00Z a/b/c", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z /x",
	}
	windows, err := maintenance.Parse(texts)
	if err == nil || len(windows) != 0 {
		t.Fatalf("windows %v, error %v", windows, err)
	}
	if got := strings.Count(err.Error(), "maintenance["); got != len(texts) {
		t.Errorf("%d problems told of %d", got, len(texts))
	}
}

// After the time that is told, the RPC is available.
func TestUntilIsEnough(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var windows []maintenance.Window
		for range rapid.IntRange(0, 6).Draw(t, "windows") {
			from := begin.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "from")) * time.Minute)
			windows = append(windows, maintenance.Window{From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "length")) * time.Minute)})
		}
		at := begin.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "at")) * time.Minute)
		wait := maintenance.Until(windows, rpc, at)
		if maintenance.Until(windows, rpc, at.Add(wait)) != 0 {
			t.Fatalf("still away after %v", wait)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("2026-01-01T00:00:00Z/2026-01-02T00:00:00Z a.B/C")
	f.Fuzz(func(t *testing.T, text string) {
		windows, err := maintenance.Parse([]string{text})
		if (err == nil) != (len(windows) == 1) {
			t.Errorf("%d windows, error %v", len(windows), err)
		}
	})
}
