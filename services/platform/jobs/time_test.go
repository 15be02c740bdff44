package jobs_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river"

	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// bubble is the clock of a synctest bubble; unlike the system's, it makes River tell SQLite the time, which knows no bubble.
type bubble struct{}

func (bubble) Now() time.Time { return time.Now().UTC() }

// inBubble runs jobs on SQLite in memory under the time of a synctest bubble.
func inBubble(t *testing.T, fn func(t *testing.T, db *sqlkit.DB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, sqltest.Open(t, sqltest.MemoryConfig(t))) })
}

func TestRetriesWaitEverLonger(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, db *sqlkit.DB) {
		var mu sync.Mutex
		var at []time.Time
		d, _ := deps(db, func(context.Context, *river.Job[note]) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			return errTest
		})
		d.Clock = bubble{}
		cfg := jobs.DefaultConfig()
		cfg.RetryFirst, cfg.RetryMax, cfg.MaxAttempts = 8*time.Second, 30*time.Second, 5
		j := prepare(t, cfg, d)
		stop := start(t, j)
		id := enqueue(t, j, "stubborn", nil)
		time.Sleep(5 * time.Minute)
		if got := rowOf(t, db, id); got.state != "discarded" || got.attempt != 5 {
			t.Errorf("at the end: %+v", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for i, want := range []time.Duration{8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			// The wait is up to a fifth shorter; on top come the poll and the time until the failure is written down.
			if i+1 >= len(at) {
				t.Fatalf("%d attempts", len(at))
			}
			if wait := at[i+1].Sub(at[i]); wait < want*8/10 || wait > want+cfg.Poll*11/10+time.Second {
				t.Errorf("wait %d: %v, want about %v", i+1, wait, want)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, db *sqlkit.DB) {
		d, _ := deps(db, func(ctx context.Context, _ *river.Job[note]) error {
			<-ctx.Done()
			return ctx.Err()
		})
		d.Clock = bubble{}
		j := prepare(t, jobs.DefaultConfig(), d)
		stop := start(t, j)
		id := enqueue(t, j, "slow", &river.InsertOpts{MaxAttempts: 1})
		time.Sleep(59 * time.Second)
		if got := rowOf(t, db, id); got.state != "running" {
			t.Errorf("before the timeout: %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := rowOf(t, db, id); got.state != "discarded" {
			t.Errorf("after the timeout: %+v", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestPeriodicAndScheduledJobs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, db *sqlkit.DB) {
		runs := newTally()
		d, log := deps(db, runs.work)
		d.Clock = bubble{}
		d.Periodic = []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(10*time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return note{Handle: "turn"}, nil }, nil)}
		j := prepare(t, jobs.DefaultConfig(), d)
		stop := start(t, j)
		enqueue(t, j, "evening", &river.InsertOpts{ScheduledAt: time.Now().Add(30 * time.Minute)})
		time.Sleep(29 * time.Minute)
		if seen := runs.seen(); seen["turn"] != 2 || seen["evening"] != 0 {
			t.Errorf("after 29 minutes: %v", seen)
		}
		time.Sleep(2 * time.Minute)
		if seen := runs.seen(); seen["turn"] != 3 || seen["evening"] != 1 {
			t.Errorf("after 31 minutes: %v", seen)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if log.String() != "" {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestFinishedJobsAreForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, db *sqlkit.DB) {
		runs := newTally()
		d, _ := deps(db, runs.work)
		d.Clock = bubble{}
		cfg := jobs.DefaultConfig()
		cfg.KeepDone = time.Hour
		j := prepare(t, cfg, d)
		stop := start(t, j)
		enqueue(t, j, "done", nil)
		time.Sleep(55 * time.Minute)
		if n := countJobs(t, db); n != 1 || runs.seen()["done"] != 1 {
			t.Errorf("%d jobs, ran %v", n, runs.seen())
		}
		time.Sleep(10 * time.Minute)
		if n := countJobs(t, db); n != 0 {
			t.Errorf("%d jobs left", n)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
