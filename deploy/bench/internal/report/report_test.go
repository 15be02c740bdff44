package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"samvirke.dev/deploy/bench/internal/report"
)

func rounds(rps ...float64) []report.Round {
	out := make([]report.Round, len(rps))
	for i, r := range rps {
		out[i] = report.Round{RPS: r, P50: 1000 / r, P99: 5000 / r, CPU: r / 100}
	}
	return out
}

func TestSummarise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ours, base      []report.Round
		rps, ratio, p99 float64
		baseRPS         float64
	}{
		"baseline itself": {ours: rounds(100, 300, 200), rps: 200, ratio: 1, p99: 1, baseRPS: 200},
		"half":            {ours: rounds(50, 60, 70), base: rounds(100, 120, 140), rps: 60, ratio: 0.5, p99: 2, baseRPS: 120},
		"even number":     {ours: rounds(10, 20, 30, 40), base: rounds(10, 20, 30, 40), rps: 25, ratio: 1, p99: 1, baseRPS: 25},
		// One minute in which the machine did something else halves both sides and changes nothing.
		"noise hits both": {ours: rounds(80, 40, 80), base: rounds(100, 50, 100), rps: 80, ratio: 0.8, p99: 1.25, baseRPS: 100},
		"no rounds":       {rps: 0, ratio: 1, p99: 1},
		"dead baseline":   {ours: rounds(10), base: []report.Round{{}}, rps: 10, ratio: 0, p99: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := report.Summarise("x", "echo", c.ours, c.base)
			want := []float64{c.rps, c.ratio, c.p99, c.baseRPS}
			if diff := cmp.Diff(want, []float64{got.RPS, got.Ratio, got.P99Ratio, got.BaselineRPS}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestJSONShape holds the fields that others read.
func TestJSONShape(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := report.Report{Results: []report.Row{report.Summarise("identity.VerifyIdentity", "echo", rounds(50), rounds(100))}}
	if err := r.JSON(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Error("not one line")
	}
	var got struct {
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "identity.VerifyIdentity", "rps": 50.0, "ratio": 0.5, "baseline": "echo", "p50_ms": 20.0, "p99_ms": 100.0, "cpu_us": 0.5,
	}
	for key, value := range want {
		if diff := cmp.Diff(value, got.Results[0][key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

func TestEmptyReportIsAList(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (report.Report{}).JSON(&out); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != `{"results":[]}` {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := report.Report{
		Results:  []report.Row{{Name: "echo", RPS: 27000, Ratio: 1}, {Name: "identity.VerifyIdentity", Persons: 1000, Ratio: 0.5}},
		Services: []report.Service{{Name: "identityd", Persons: 1000, ReadyMillis: 120, ResidentMB: 40}},
	}
	if err := r.Table(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"requests/s", "echo", "identity.VerifyIdentity", "0.500", "identityd", "120"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, out.String())
		}
	}
}
