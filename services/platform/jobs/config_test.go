package jobs_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/telemetry"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	cfg := struct {
		Jobs jobs.Config `yaml:"jobs" class:"public" doc:"background jobs"`
	}{jobs.DefaultConfig()}
	if err := config.Load(&cfg, config.Options{Args: []string{"--jobs.retry_jitter=0.5", "--jobs.drain=2s"}, Environ: []string{}}); err != nil {
		t.Fatal(err)
	}
	if cfg.Jobs.RetryJitter != 0.5 || cfg.Jobs.Drain.Seconds() != 2 {
		t.Errorf("got %+v", cfg.Jobs)
	}
	err := jobs.Config{RetryJitter: 2, Drain: -1}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	fields := reflect.TypeFor[jobs.Config]()
	for i := range fields.NumField() {
		if key := fields.Field(i).Tag.Get("yaml"); !strings.Contains(err.Error(), key) {
			t.Errorf("nothing said about %s: %v", key, err)
		}
	}
}

func TestNewChecks(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	if _, err := jobs.New(jobs.DefaultConfig(), jobs.Deps{}); err == nil {
		t.Error("no dependencies: accepted")
	}
	d, _ := deps(db, newTally().work)
	if _, err := jobs.New(jobs.Config{}, d); err == nil {
		t.Error("no configuration: accepted")
	}
	d.Queues = map[string]int{"none": 0}
	if _, err := jobs.New(jobs.DefaultConfig(), d); err == nil {
		t.Error("queue without workers: accepted")
	}
	d.Queues, d.Workers = nil, river.NewWorkers()
	j := prepare(t, jobs.DefaultConfig(), d)
	if err := j.Run(t.Context()); err == nil {
		t.Error("no workers: runs")
	}
}

// loose is a kind of job whose arguments may hold anything.
type loose struct {
	Text string
}

func (loose) Kind() string { return "loose" }

func TestCheckArgs(t *testing.T) {
	t.Parallel()
	for text, fine := range map[string]bool{
		"019b1c5e-7f1e-7a4b-9c3d-2f6a8b1c0d4e": true, "DK:12345678": true, "": true,
		"19850314-9802": false, "198503149802": false, "someone@example.org": false,
	} {
		err := jobs.CheckArgs(loose{text})
		if (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "loose")) {
			t.Errorf("%q: the error is %v", text, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		reader := sdkmetric.NewManualReader()
		runs := newTally()
		d, _ := deps(db, runs.work)
		d.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
		river.AddWorker(d.Workers, &failing{})
		j := prepare(t, quick(), d)
		for range 3 {
			enqueue(t, j, "x", nil)
		}
		if _, err := j.Enqueue(t.Context(), loose{}, &river.InsertOpts{MaxAttempts: 1}); err != nil {
			t.Fatal(err)
		}
		got := collect(t, reader)
		if got["samvirke.jobs.waiting note"] != 3 || got["samvirke.jobs.waiting loose"] != 1 {
			t.Errorf("before: %v", got)
		}
		if age := got["samvirke.jobs.oldest_wait note"]; age < 0 || age > 60 {
			t.Errorf("oldest waits %v s", age)
		}
		start(t, j)
		runs.wait(t, 3)
		eventually(t, "all ended", func() bool { return inState(t, db, "completed") == 3 && inState(t, db, "discarded") == 1 })
		got = collect(t, reader)
		want := map[string]float64{
			"samvirke.jobs.runs note": 3, "samvirke.jobs.runs loose": 1, "samvirke.jobs.failures loose": 1,
			"samvirke.jobs.duration note": 3, "samvirke.jobs.duration loose": 1,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("after: %v", got)
		}
	})
}

// collect returns the values by instrument and kind of job; for histograms the count.
func collect(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	add := func(name string, attrs attribute.Set, v float64) {
		kind, ok := attrs.Value(telemetry.KeyJob)
		if !ok || attrs.Len() != 1 {
			t.Errorf("%s has attributes %v", name, attrs)
		}
		out[name+" "+kind.AsString()] = v
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch v := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range v.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range v.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range v.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range v.DataPoints {
					add(m.Name, p.Attributes, float64(p.Count))
				}
			default:
				t.Errorf("%s is a %T", m.Name, v)
			}
		}
	}
	return out
}
