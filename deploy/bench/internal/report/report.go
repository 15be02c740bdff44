// Package report turns the rounds of a benchmark into figures: medians, ratios of rounds that ran side by side, a table for
// people and JSON for machines.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"

	"samvirke.dev/deploy/internal/say"
)

// Round is one measurement.
type Round struct {
	// RPS is answered calls a second.
	RPS float64
	// P50 and P99 are latencies in milliseconds.
	P50 float64
	P99 float64
	// CPU is the server's processor time for each call, in microseconds, and LoadCPU the load process's.
	CPU     float64
	LoadCPU float64
	// BesideCPU is that of a further service, where one has a part in it.
	BesideCPU float64
}

// Row is what becomes of the rounds of one measured thing. Its JSON is a contract with whoever reads `--json`.
type Row struct {
	Name string `json:"name"`
	// RPS, P50, P99 and CPU are medians over the rounds.
	RPS float64 `json:"rps"`
	// Ratio is the median of this row's requests a second against those of the baseline's round beside it; 1 for a
	// baseline itself.
	Ratio    float64 `json:"ratio"`
	Baseline string  `json:"baseline"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	CPU      float64 `json:"cpu_us"`
	// P99Ratio is the median of this row's p99 against the baseline's.
	P99Ratio float64 `json:"p99_ratio"`
	// BaselineRPS is the baseline's median in the rounds beside this row's, at the same message sizes.
	BaselineRPS float64 `json:"baseline_rps"`
	// BaselineCPU is the baseline server's processor time for each call in those rounds, in microseconds.
	BaselineCPU float64 `json:"baseline_cpu_us"`
	// LoadCPU and BaselineLoadCPU are the load process's, which shares the processors with the servers.
	LoadCPU         float64 `json:"load_cpu_us"`
	BaselineLoadCPU float64 `json:"baseline_load_cpu_us"`
	// BesideCPU is the processor time for each call of a further service that has a part in it.
	BesideCPU float64 `json:"beside_cpu_us,omitempty"`
	// RequestBytes and ResponseBytes are the sizes of both.
	RequestBytes  int `json:"request_bytes"`
	ResponseBytes int `json:"response_bytes"`
	// Persons is how many persons the store holds; 0 where that says nothing.
	Persons int `json:"persons,omitempty"`
}

// Service is what was seen of a service beside its answers.
type Service struct {
	Name    string `json:"name"`
	Persons int    `json:"persons"`
	// ReadyMillis is the time from start to readiness.
	ReadyMillis float64 `json:"ready_ms"`
	// ResidentMB and PeakMB are its memory after the rounds; IdleMB before them.
	IdleMB     float64 `json:"idle_mb"`
	ResidentMB float64 `json:"resident_mb"`
	PeakMB     float64 `json:"peak_mb"`
}

// Report is a whole run.
type Report struct {
	Results  []Row     `json:"results"`
	Services []Service `json:"services,omitempty"`
}

// Summarise makes a row of rounds and the baseline's rounds that ran beside them, pair by pair. Without a baseline the row is
// one itself.
func Summarise(name, baseline string, rounds, beside []Round) Row {
	row := Row{
		Name: name, Baseline: baseline, Ratio: 1, P99Ratio: 1,
		RPS: median(rounds, func(r Round) float64 { return r.RPS }),
		P50: median(rounds, func(r Round) float64 { return r.P50 }),
		P99: median(rounds, func(r Round) float64 { return r.P99 }),
		CPU: median(rounds, func(r Round) float64 { return r.CPU }), LoadCPU: median(rounds, func(r Round) float64 { return r.LoadCPU }),
	}
	row.BesideCPU = median(rounds, func(r Round) float64 { return r.BesideCPU })
	row.BaselineRPS, row.BaselineCPU, row.BaselineLoadCPU = row.RPS, row.CPU, row.LoadCPU
	if len(beside) == 0 {
		return row
	}
	row.BaselineRPS = median(beside, func(r Round) float64 { return r.RPS })
	row.BaselineCPU = median(beside, func(r Round) float64 { return r.CPU })
	row.BaselineLoadCPU = median(beside, func(r Round) float64 { return r.LoadCPU })
	row.Ratio = pairwise(rounds, beside, func(r Round) float64 { return r.RPS })
	row.P99Ratio = pairwise(rounds, beside, func(r Round) float64 { return r.P99 })
	return row
}

// pairwise is the median of the quotients of rounds that ran side by side: a noisy minute hits both and cancels out, which
// the quotient of two medians would not give.
func pairwise(a, b []Round, of func(Round) float64) float64 {
	var q []float64
	for i := range min(len(a), len(b)) {
		if d := of(b[i]); d > 0 {
			q = append(q, of(a[i])/d)
		}
	}
	return middle(q)
}

func median(rounds []Round, of func(Round) float64) float64 {
	v := make([]float64, len(rounds))
	for i, r := range rounds {
		v[i] = of(r)
	}
	return middle(v)
}

// middle sorts v and gives its median, rounded to four decimals so that JSON stays readable; 0 for none.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (m + v[len(v)/2-1]) / 2
	}
	return math.Round(m*1e4) / 1e4
}

// JSON writes the report for machines, on one line.
func (r Report) JSON(w io.Writer) error {
	if r.Results == nil {
		r.Results = []Row{}
	}
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Table writes the report for people.
func (r Report) Table(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	say.F(tw, "what\tpersons\trequests/s\tbaseline/s\tratio\tp50 ms\tp99 ms\tp99 ratio\tCPU us: server+load\tbaseline\tbytes in/out\t\n")
	for _, row := range r.Results {
		say.F(tw, "%s\t%s\t%.0f\t%.0f\t%.3f\t%.2f\t%.2f\t%.2f\t%s\t%.1f+%.1f\t%d/%d\t\n", row.Name, count(row.Persons), row.RPS,
			row.BaselineRPS, row.Ratio, row.P50, row.P99, row.P99Ratio, row.cpu(),
			row.BaselineCPU, row.BaselineLoadCPU, row.RequestBytes, row.ResponseBytes)
	}
	if len(r.Services) > 0 {
		say.F(tw, "\t\t\t\t\t\t\t\t\t\t\t\n")
		say.F(tw, "service\tpersons\tready ms\tidle MB\tloaded MB\tpeak MB\t\t\t\t\t\t\n")
	}
	for _, s := range r.Services {
		say.F(tw, "%s\t%s\t%.0f\t%.1f\t%.1f\t%.1f\t\t\t\t\t\t\n", s.Name, count(s.Persons), s.ReadyMillis, s.IdleMB, s.ResidentMB, s.PeakMB)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// cpu is the processor time of server and load, and of a further service.
func (r Row) cpu() string {
	out := fmt.Sprintf("%.1f+%.1f", r.CPU, r.LoadCPU)
	if r.BesideCPU > 0 {
		out += fmt.Sprintf("+%.1f", r.BesideCPU)
	}
	return out
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
