package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
	"samvirke.dev/services/identity/internal/register/cpr/direkte/direktetest"
	"samvirke.dev/services/identity/internal/upkeep"
	"samvirke.dev/services/platform/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errBroken is a fault of ours.
var errBroken = errors.New("broken")

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func on(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func dk(t testing.TB, digits string) nationalid.Number {
	t.Helper()
	n, err := nationalid.Parse(nationalid.Denmark, digits, civil.Of(now()))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cases stands in for the use cases and keeps what it was asked to do.
type cases struct {
	mu       sync.Mutex
	applied  [][]string // numbers of each call
	cities   []string
	recheck  []string
	fail     int // which call of Apply fails, from 1; 0 for none
	polls    []core.Polled
	pollErr  error
	polled   int
	overdue  map[nationalid.Country]time.Duration
	lagErr   error
	ended    int
	forgot   time.Duration
	tidyErrs [2]error
}

// Apply implements upkeep.UseCases.
func (c *cases) Apply(_ context.Context, persons []*core.Person) (core.Applied, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var numbers []string
	for _, p := range persons {
		numbers = append(numbers, p.Number.Canonical())
		if p.Address != nil {
			c.cities = append(c.cities, p.Address.City)
		}
	}
	c.applied = append(c.applied, numbers)
	if len(c.applied) == c.fail {
		return core.Applied{}, errBroken
	}
	return core.Applied{Changed: len(persons)}, nil
}

// Recheck implements upkeep.UseCases.
func (c *cases) Recheck(_ context.Context, numbers []nationalid.Number) error {
	for _, n := range numbers {
		c.recheck = append(c.recheck, n.Canonical())
	}
	return nil
}

// Poll implements upkeep.UseCases.
func (c *cases) Poll(context.Context, nationalid.Country, core.Polling) (core.Polled, error) {
	c.polled++
	if len(c.polls) == 0 {
		return core.Polled{}, c.pollErr
	}
	out := c.polls[0]
	c.polls = c.polls[1:]
	return out, nil
}

// EndMemberships implements upkeep.UseCases.
func (c *cases) EndMemberships(context.Context) (int, error) {
	c.ended++
	return 1, c.tidyErrs[0]
}

// ForgetChanges implements upkeep.UseCases.
func (c *cases) ForgetChanges(_ context.Context, keep time.Duration) (int, error) {
	c.forgot = keep
	return 1, c.tidyErrs[1]
}

// Overdue implements upkeep.UseCases.
func (c *cases) Overdue(_ context.Context, country nationalid.Country) (time.Duration, error) {
	return c.overdue[country], c.lagErr
}

func (c *cases) count() int {
	n := 0
	for _, call := range c.applied {
		n += len(call)
	}
	return n
}

// ledger is where it is kept which delivery was applied.
type ledger struct {
	last  civil.Date
	lines int
	err   error
}

// LastDelivery implements upkeep.Ledger.
func (l *ledger) LastDelivery(context.Context) (civil.Date, error) { return l.last, l.err }

// Delivered implements upkeep.Ledger.
func (l *ledger) Delivered(_ context.Context, produced civil.Date, lines int) error {
	l.last, l.lines = produced, lines
	return nil
}

// world is an upkeep with everything around it.
type world struct {
	*upkeep.Upkeep

	t      *testing.T
	cases  *cases
	ledger *ledger
	dir    string
	log    bytes.Buffer
	ages   map[nationalid.Country]time.Duration
	reader *metric.ManualReader
	clock  *clock.Fake
}

func start(t *testing.T, bend ...func(*upkeep.Config)) *world {
	t.Helper()
	w := &world{
		t: t, cases: &cases{overdue: map[nationalid.Country]time.Duration{}}, ledger: &ledger{}, dir: t.TempDir(),
		ages: map[nationalid.Country]time.Duration{}, reader: metric.NewManualReader(), clock: clock.NewFake(now()),
	}
	polling := core.Polling{Every: 24 * time.Hour, Retry: time.Minute, Batch: 10, Workers: 2, EndUser: "samvirke"}
	cfg := upkeep.Config{
		Polling:    map[nationalid.Country]core.Polling{nationalid.Sweden: polling, nationalid.Denmark: polling},
		Deliveries: w.dir, Keep: 90 * 24 * time.Hour, Every: time.Minute,
		Stale: map[nationalid.Country]upkeep.Stale{
			nationalid.Sweden: {Due: 2 * time.Hour}, nationalid.Denmark: {Due: 2 * time.Hour, Delivery: 72 * time.Hour},
		},
	}
	for _, b := range bend {
		b(&cfg)
	}
	copenhagen, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(w.reader))
	w.Upkeep, err = upkeep.New(cfg, upkeep.Deps{
		UseCases: w.cases, Ledger: w.ledger, Clock: w.clock, Zone: copenhagen, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
		Meter: provider.Meter("test"), SetAge: func(c nationalid.Country, age time.Duration) { w.ages[c] = age },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// counted returns the counter of persons by register and outcome, or the gauge by register.
func (w *world) counted(name, register, outcome string) float64 {
	w.t.Helper()
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(w.t.Context(), &all); err != nil {
		w.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					r, _ := p.Attributes.Value("samvirke.register")
					o, _ := p.Attributes.Value("samvirke.outcome")
					if r.AsString() == register && o.AsString() == outcome {
						return float64(p.Value)
					}
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					if r, _ := p.Attributes.Value("samvirke.register"); r.AsString() == register {
						return p.Value
					}
				}
			}
		}
	}
	return 0
}

// delivery writes a delivery about persons who live in a city.
func (w *world) delivery(name, produced, previous, city string, numbers ...string) []byte {
	w.t.Helper()
	raw := written(w.t, produced, previous, city, numbers...)
	w.put(name, raw)
	return raw
}

func (w *world) put(name string, raw []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), raw, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func written(t *testing.T, produced, previous, city string, numbers ...string) []byte {
	t.Helper()
	opt := direktetest.Options{Produced: on(t, produced)}
	if previous != "" {
		opt.Previous = on(t, previous)
	}
	var buf bytes.Buffer
	out := direktetest.NewWriter(&buf, opt)
	for _, digits := range numbers {
		n := dk(t, digits)
		out.Person(&core.Person{
			Number: n, RegisterState: "01", Birth: n.BirthDate(), Name: names.Name{Given: "Prøve", Family: "Person", Addressing: "Prøve Person"},
			Address: &core.Address{Lines: []string{"Vej 1"}, PostalCode: "2100", City: city, Country: "DK", ValidFrom: on(t, "2020-01-01")},
		}, direktetest.Facts{})
	}
	out.Events(dk(t, "6404720055"), direkte.Event{Code: "P11", Day: on(t, produced), Clock: "0000"})
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// must wants no error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
