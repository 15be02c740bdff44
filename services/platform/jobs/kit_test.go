package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(crashURL); url != "" {
		crash(url)
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test.
const patience = 30 * time.Second

// note is the arguments of the only kind of job that most tests need.
type note struct {
	Handle string `json:"handle"`
}

func (note) Kind() string { return "note" }

// worker runs a function for each note.
type worker struct {
	river.WorkerDefaults[note]
	work func(ctx context.Context, job *river.Job[note]) error
}

func (w *worker) Work(ctx context.Context, job *river.Job[note]) error { return w.work(ctx, job) }

// tally counts the runs of each job.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
	ran  chan struct{}
}

func newTally() *tally { return &tally{runs: map[string]int{}, ran: make(chan struct{}, 100_000)} }

func (t *tally) work(_ context.Context, job *river.Job[note]) error {
	t.mu.Lock()
	t.runs[job.Args.Handle]++
	t.mu.Unlock()
	t.ran <- struct{}{}
	return nil
}

func (t *tally) seen() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.runs)
}

// wait waits for n runs.
func (t *tally) wait(tb testing.TB, n int) {
	tb.Helper()
	for range n {
		within(tb, t.ran)
	}
}

// quick is a configuration that makes tests fast.
func quick() jobs.Config {
	cfg := jobs.DefaultConfig()
	cfg.Poll, cfg.FetchPause = 50*time.Millisecond, 5*time.Millisecond
	cfg.RetryFirst, cfg.RetryMax = 10*time.Millisecond, 100*time.Millisecond
	return cfg
}

// deps returns what jobs need to run work, and the log.
func deps(db *sqlkit.DB, work func(context.Context, *river.Job[note]) error) (jobs.Deps, *journal) {
	log := &journal{}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{work: work})
	return jobs.Deps{
		DB: db, Clock: clock.System(), Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Meter: noop.Meter{}, Tracer: trace.NewTracerProvider().Tracer("test"), Workers: workers,
	}, log
}

// journal is a log that several goroutines write.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// prepare makes the tables and the jobs, which are closed at the end.
func prepare(tb testing.TB, cfg jobs.Config, d jobs.Deps) *jobs.Jobs {
	tb.Helper()
	if err := jobs.Migrate(tb.Context(), d.DB); err != nil {
		tb.Fatal(err)
	}
	j, err := jobs.New(cfg, d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := j.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return j
}

// start runs the jobs until the returned function or the end of the test.
func start(tb testing.TB, j *jobs.Jobs) (stop func() error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Errorf("run: %v", err)
		}
	})
	return stop
}

func enqueue(tb testing.TB, j *jobs.Jobs, handle string, opts *river.InsertOpts) int64 {
	tb.Helper()
	result, err := j.Enqueue(tb.Context(), note{Handle: handle}, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return result.Job.ID
}

func within[T any](tb testing.TB, ch <-chan T) T {
	tb.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		tb.Fatal("nothing happened in time")
		panic("unreachable")
	}
}

// eventually asks until the answer is yes.
func eventually(tb testing.TB, what string, ask func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !ask(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%s: not in time", what)
		}
	}
}

// row is what the tests look at in a job's row.
type row struct {
	state, errors string
	attempt       int
}

func rowOf(tb testing.TB, db *sqlkit.DB, id int64) row {
	tb.Helper()
	text := "SELECT state, attempt, coalesce(json(errors), '') FROM river_job WHERE id = $1"
	if db.Dialect() == sqlkit.Postgres {
		text = "SELECT state::text, attempt, coalesce(errors::text, '') FROM river_job WHERE id = $1"
	}
	var r row
	if err := db.QueryRow(tb.Context(), text, id).Scan(&r.state, &r.attempt, &r.errors); err != nil {
		tb.Fatal(err)
	}
	return r
}

func countJobs(tb testing.TB, db *sqlkit.DB) (n int) {
	tb.Helper()
	if err := db.QueryRow(tb.Context(), "SELECT count(*) FROM river_job").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

var errTest = errors.New("the register says no to 198503149802")

// failing fails every loose job.
type failing struct{ river.WorkerDefaults[loose] }

func (*failing) Work(context.Context, *river.Job[loose]) error { return errTest }
