package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/report"
)

// TestMain lets the test binary play the roles in which the benchmark starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{roleEcho, roleGateway, roleLoad}, os.Args[1]) {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestEchoOnly runs the whole machinery with the echo and the bare gateway alone. It says nothing about speed.
func TestEchoOnly(t *testing.T) {
	t.Parallel()
	opts, err := parse([]string{"--only", load.CallEcho + "," + load.CallEchoREST, "--rounds", "2", "--duration", "50ms", "--conns", "2", "--in-flight", "4"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := measure(t.Context(), os.Args[0], opts, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := rep.JSON(&out); err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 2 {
		t.Fatalf("%d results", len(got.Results))
	}
	for i, name := range []string{load.CallEcho, load.CallEchoREST} {
		r := got.Results[i]
		if r.Name != name || r.Baseline != load.CallEcho || r.RPS <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Ratio <= 0 {
			t.Errorf("result is %+v", r)
		}
	}
	if got.Results[0].Ratio != 1 {
		t.Errorf("the echo's ratio to itself is %v", got.Results[0].Ratio)
	}
}

func TestMeasureEndsWithContext(t *testing.T) {
	t.Parallel()
	opts, err := parse([]string{"--only", load.CallEcho, "--duration", "10ms", "--rounds", "1000000"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := measure(ctx, os.Args[0], opts, io.Discard); err == nil {
		t.Error("a benchmark of a million rounds ended well")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                                 "",
		"--json --only echo":               "",
		"--only identity.VerifyIdentity":   "",
		"--only identity,echo":             "",
		"--only nothing":                   `no call "nothing"`,
		"--rounds 0":                       "must be positive",
		"--duration -1s":                   "must be positive",
		"extra":                            `unexpected argument "extra"`,
		"--compare --db postgres://x/y":    "--compare needs a fresh database",
		"--persons 0 --only nothing extra": `no call "nothing"`,
	} {
		_, err := parse(strings.Fields(line), io.Discard)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", line, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: error is %v, want %q", line, err, want)
		}
	}
}
