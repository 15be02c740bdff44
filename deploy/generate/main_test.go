package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/deploy/registers/eindkomst"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func generated(t *testing.T, members string) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if err := run([]string{"--members", members, "--out", dir}, io.Discard); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// The same files every time, of which the simulator takes those of employers.
func TestGenerate(t *testing.T) {
	t.Parallel()
	files, again := generated(t, "300"), generated(t, "300")
	if len(files) != 10 {
		t.Errorf("%d files", len(files))
	}
	for name, raw := range files {
		if !bytes.Equal(raw, again[name]) {
			t.Errorf("%s is another one the second time", name)
		}
	}
	for name, want := range map[string]int{"members.jsonl": 300, "cards.jsonl": 150, "expected.csv": 151, "karens.jsonl": 22, "shortenings.jsonl": 14, "transfers.jsonl": 42} {
		if n := bytes.Count(files[name], []byte("\n")); n != want {
			t.Errorf("%s: %d lines, want %d", name, n, want)
		}
	}
	book := eindkomst.NewBook(clock.System())
	// Ten members a row: one row without a report, one with two; and one whose report is taken back and made again.
	if n, err := book.Upload(bytes.NewReader(files["eindkomst.txt"])); err != nil || n != 150 {
		t.Errorf("%d reports; %v", n, err)
	}
	if n, err := book.Upload(bytes.NewReader(files["eindkomst-corrections.txt"])); err != nil || n != 20 || book.Len() != 170 {
		t.Errorf("corrections: %d reports, %d in all; %v", n, book.Len(), err)
	}
	for _, want := range []string{"\n2,UNDER,F,RECOVER,1250,158727,true,,,\n", "\n92,UNDER,P,RECOVER,1250,130510,true,,,\n", "\n106,CAP,P,RECOVER,1000,104408,true,,,\n",
		"\n20,CORRECT,F,RECOVER,1250,158727,true,PAY_OUT,250,31745\n", "\n26,PROTECTED,F,RECOVER,1250,158727,false,,,\n", "\n14,NO_REPORT,F,INCOMPLETE(REGISTER),0,0,true,,,\n"} {
		if !strings.Contains(string(files["expected.csv"]), want) {
			t.Errorf("expected.csv lacks %s", want)
		}
	}
}

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

// As many members as live through every row of the cohorts.
const cohortMembers = "374"

// The cohorts' files under testdata are those that the command writes: the services' own tests read them there and compare what comes with
// what must come.
func TestCohortFiles(t *testing.T) {
	t.Parallel()
	files := generated(t, cohortMembers)
	for _, name := range []string{"karens.jsonl", "shortenings.jsonl", "incomes.jsonl", "transfers.jsonl", "sharing.jsonl"} {
		path := filepath.Join("testdata", "cohorts", name)
		if *update {
			if err := os.WriteFile(path, files[name], 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil || len(files[name]) == 0 || !bytes.Equal(have, files[name]) {
			t.Errorf("%s is not what the command writes: go test ./deploy/generate -update; %v", name, err)
		}
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                     "--out is missing",
		"--out x y":            `unexpected argument "y"`,
		"--out x --members 0":  "want 1 to",
		"--nothing":            "not defined",
		"--out " + t.TempDir(): "exists",
	} {
		if err := run(strings.Fields(line), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}
