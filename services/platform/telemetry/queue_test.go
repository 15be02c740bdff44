package telemetry_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/services/platform/telemetry"
	"samvirke.dev/services/platform/telemetry/oteltest"
)

// span ends one span of the name and exports it.
func span(tb testing.TB, tel *telemetry.Telemetry, name string) {
	tb.Helper()
	_, s := tel.TracerProvider().Tracer("test").Start(tb.Context(), name)
	s.End()
	flush(tb, tel)
}

// queued configures a queue in dir towards the collector at addr.
func queued(dir, addr string) func(*telemetry.Config) {
	return func(c *telemetry.Config) {
		c.Endpoint, c.QueueDir, c.QueueRetry = "http://"+addr, dir, 10*time.Millisecond
		for i := range 100 {
			c.SpanNames = append(c.SpanNames, name(i))
		}
	}
}

func name(i int) string { return fmt.Sprintf("step %d", i) }

// away returns an address at which nobody listens until a collector is started there.
func away(tb testing.TB) string {
	tb.Helper()
	col, err := oteltest.New(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if err := col.Close(); err != nil {
		tb.Fatal(err)
	}
	return col.Address()
}

func collectorAt(tb testing.TB, addr string, opts ...grpc.ServerOption) *oteltest.Collector {
	tb.Helper()
	col, err := oteltest.NewAt(tb.Context(), addr, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := col.Close(); err != nil {
			tb.Error(err)
		}
	})
	return col
}

func wantSpans(tb testing.TB, col *oteltest.Collector, names ...string) {
	tb.Helper()
	ctx, cancel := limit(tb.Context())
	defer cancel()
	spans, err := col.WaitSpans(ctx, len(names))
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, s := range spans {
		got = append(got, s.Name)
	}
	if strings.Join(got, ",") != strings.Join(names, ",") {
		tb.Errorf("spans %v, want %v", got, names)
	}
}

func TestSpansWaitOnDiskWhileTheEndpointIsAway(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), away(t)
	tel, log := startWith(t, queued(dir, addr))
	for i := range 3 {
		span(t, tel, name(i))
	}
	if q := tel.Queue(); q.Requests < 3 || q.Bytes == 0 || q.Lost != 0 {
		t.Errorf("queue %+v", q)
	}
	if n := strings.Count(log.String(), "the telemetry endpoint is away"); n != 1 {
		t.Errorf("told %d times: %s", n, log)
	}
	col := collectorAt(t, addr)
	wantSpans(t, col, name(0), name(1), name(2))
	span(t, tel, name(3))
	wantSpans(t, col, name(0), name(1), name(2), name(3))
	ctx, cancel := limit(t.Context())
	defer cancel()
	if err := col.Wait(ctx, func(c *oteltest.Collector) bool { return len(c.Metrics()) > 0 }); err != nil {
		t.Error("metrics did not wait with the spans:", err)
	}
}

// What waits outlives the process, keeps its order and reads only what is its own.
func TestQueueOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), away(t)
	first, _ := startWith(t, queued(dir, addr))
	span(t, first, name(0))
	_, s := first.TracerProvider().Tracer("test").Start(t.Context(), name(1)) // exported by the shutdown itself
	s.End()
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"notes.txt": "not ours", "00000000000000000099.traces.part": "half", "00000000000000000000.traces": "\xff broken"} {
		if file == "00000000000000000000.traces" { // the oldest was damaged on disk
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	col := collectorAt(t, addr)
	second, _ := startWith(t, queued(dir, addr))
	wantSpans(t, col, name(1))
	if q := second.Queue(); q.Lost != 1 {
		t.Errorf("the damaged request was not counted: %+v", q)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), away(t)
	const bound = 4 << 10
	tel, _ := startWith(t, queued(dir, addr), func(c *telemetry.Config) { c.QueueLimit = bound })
	for i := range 60 {
		span(t, tel, name(i))
	}
	q := tel.Queue()
	if q.Bytes > bound || q.Lost == 0 || q.Requests == 0 {
		t.Errorf("queue %+v", q)
	}
	files, err := os.ReadDir(dir)
	if err != nil || int64(len(files)) != q.Requests {
		t.Errorf("%d files for %+v: %v", len(files), q, err)
	}
	col := collectorAt(t, addr)
	ctx, cancel := limit(t.Context())
	defer cancel()
	err = col.Wait(ctx, func(c *oteltest.Collector) bool {
		spans := c.Spans()
		return len(spans) > 0 && spans[len(spans)-1].Name == name(59)
	})
	if err != nil || col.Spans()[0].Name == name(0) {
		t.Errorf("the newest must be kept and the oldest given up: %v", err)
	}
}

// What the endpoint refuses for good is given up, or it would block all that follows.
func TestQueueGivesUpWhatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), away(t)
	tel, _ := startWith(t, queued(dir, addr))
	span(t, tel, name(0))
	waiting := tel.Queue().Requests
	refuse := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return nil, status.Error(codes.InvalidArgument, "no")
	}
	collectorAt(t, addr, grpc.UnaryInterceptor(refuse))
	ctx, cancel := limit(t.Context())
	defer cancel()
	flush(t, tel)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for int(tel.Queue().Lost) < int(waiting) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if q := tel.Queue(); q.Lost < waiting || ctx.Err() != nil {
		t.Errorf("queue %+v", q)
	}
}

func TestQueueRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := telemetry.Config{ServiceName: "x", LogWriter: &buffer{}, Endpoint: "http://127.0.0.1:1", QueueDir: file}
	if _, err := telemetry.New(t.Context(), cfg); err == nil {
		t.Error("a file was taken for a folder")
	}
	cfg.QueueDir, cfg.QueueLimit = t.TempDir(), -1
	if _, err := telemetry.New(t.Context(), cfg); err == nil {
		t.Error("a negative limit was taken")
	}
}
