package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer is a log that may be written to while it is read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines returns the log as decoded objects.
func (l *buffer) lines(tb testing.TB) []map[string]any {
	tb.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			tb.Fatalf("no JSON: %q", line)
		}
		out = append(out, m)
	}
	return out
}

// start returns telemetry that exports everything to a collector of the test's own.
func start(tb testing.TB, change ...func(*telemetry.Config)) (*telemetry.Telemetry, *oteltest.Collector, *buffer) {
	tb.Helper()
	col := oteltest.Start(tb)
	tel, log := startWith(tb, append([]func(*telemetry.Config){func(c *telemetry.Config) { c.Endpoint = col.Endpoint() }}, change...)...)
	return tel, col, log
}

func startWith(tb testing.TB, change ...func(*telemetry.Config)) (*telemetry.Telemetry, *buffer) {
	tb.Helper()
	log := &buffer{}
	cfg := telemetry.Config{
		SampleRatio: 1, ServiceName: "identity", ServiceVersion: "1.2.3", InstanceID: "i-1", LogWriter: log,
		SpanNames: []string{"job", "step done"}, MetricInterval: time.Hour,
	}
	for _, f := range change {
		f(&cfg)
	}
	tel, err := telemetry.New(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := limit(context.Background())
		defer cancel()
		if err := tel.Shutdown(ctx); err != nil {
			tb.Error(err)
		}
	})
	return tel, log
}

func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 20*time.Second)
}

func flush(tb testing.TB, tel *telemetry.Telemetry) {
	tb.Helper()
	ctx, cancel := limit(tb.Context())
	defer cancel()
	if err := tel.Flush(ctx); err != nil {
		tb.Fatal(err)
	}
}
