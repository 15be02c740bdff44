package direkte_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
	"samvirke.dev/services/identity/internal/register/cpr/direkte/direktetest"
)

// day is when the deliveries of these tests were made.
func day() civil.Date { return civil.Date{Year: 2026, Month: 11, Day: 23} }

func options() direktetest.Options {
	return direktetest.Options{Produced: day(), Previous: civil.Date{Year: 2026, Month: 11, Day: 20}}
}

func dk(t testing.TB, digits string) nationalid.Number {
	t.Helper()
	n, err := nationalid.Parse(nationalid.Denmark, digits, day())
	if err != nil {
		t.Fatalf("not a number: %v", err)
	}
	return n
}

// hand returns the delivery made by hand.
func hand(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "delivery.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// apply returns all updates of a delivery.
func apply(t testing.TB, raw []byte) ([]direkte.Update, error) {
	t.Helper()
	var out []direkte.Update
	err := direkte.New().Apply(t.Context(), bytes.NewReader(raw), func(u direkte.Update) error {
		out = append(out, u)
		return nil
	})
	return out, err
}

func mustApply(t testing.TB, raw []byte) []direkte.Update {
	t.Helper()
	out, err := apply(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused returns the refusal of a delivery, or nil if it is not refused.
func refused(t testing.TB, raw []byte) *direkte.RefusedError {
	t.Helper()
	sum, err := direkte.New().Check(t.Context(), bytes.NewReader(raw))
	if err == nil {
		return nil
	}
	r, ok := errors.AsType[*direkte.RefusedError](err)
	if !ok {
		t.Fatalf("neither sound nor refused: %v", err)
	}
	if sum.Records != 0 {
		t.Error("a summary of a refused delivery")
	}
	quiet(t, err)
	handed, err := apply(t, raw)
	if err == nil || len(handed) > 0 {
		t.Errorf("%d updates of a refused delivery, %v", len(handed), err)
	}
	return r
}

// quiet looks for what may be personal in an error: any name of ours, and more than four digits beside those of its line.
func quiet(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if said := err.Error(); regexp.MustCompile(`[0-9]{5}|\d-\d|Pr(ø|\xf8)ve|Fie|Gro|Else|Dorte`).MatchString(said) {
		t.Error("an error shows what the delivery holds")
	}
}

func lines(raw []byte) []string { return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") }

func joined(lines []string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

// at returns a line with text, in ISO-8859-1, from that position on, which counts from 1.
func at(line string, position int, text string) string {
	line += strings.Repeat(" ", max(0, position-1-len(line)))
	return line[:position-1] + latin1(text) + line[min(len(line), position-1+len(latin1(text))):]
}

// counted makes a delivery of records: start and end are put around them.
func counted(records ...string) []byte {
	return joined(slices.Concat([]string{"00000000000001109012026112320261120"}, records, []string{fmt.Sprintf("9999999999999%08d", len(records))}))
}

func threeDigits(kind int) string { return fmt.Sprintf("%03d", kind) }

func midnight(d civil.Date) time.Time {
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
}

// latin1 turns text into the encoding of the deliveries.
func latin1(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
	}
	return b.String()
}

// shared returns the path of something beside the project, or skips; with SAMVIRKE_TEST_STRICT=1 it fails instead.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	const root = "../../../../../.." // of the repository
	path := filepath.Join(append([]string{root, "..", "shared", "registers", "cpr"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("SAMVIRKE_TEST_STRICT") == "1" {
			t.Fatal("the registers' schemas and samples are not beside the project")
		}
		t.Skip("the registers' schemas and samples are not beside the project")
	}
	return path
}

// demo returns the published answers by number, in ISO-8859-1.
func demo(t *testing.T) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(shared(t, "cpr-direkte", "demo-answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string][]string
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	for _, records := range out {
		for i := range records {
			records[i] = latin1(records[i])
		}
	}
	if len(out) != 40 {
		t.Fatalf("%d answers", len(out))
	}
	return out
}

// demoPersons returns the table of the published persons by number.
func demoPersons(t *testing.T) map[string]map[string]string {
	t.Helper()
	file, err := os.Open(shared(t, "demo-persons.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, row := range rows[1:] {
		person := map[string]string{}
		for i, name := range rows[0] {
			person[name] = row[i]
		}
		out[person["pnr"]] = person
	}
	return out
}
