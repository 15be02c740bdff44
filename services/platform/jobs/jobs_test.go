package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMigrateTwiceBesideOurTables(t *testing.T) {
	t.Parallel()
	sqltest.EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		db := sqltest.Open(t, cfg)
		failed := make(chan error, 2)
		go func() { failed <- jobs.Migrate(t.Context(), db) }()
		if db.Dialect() == sqlkit.Postgres { // another replica at the same time
			replica := sqltest.Open(t, cfg)
			go func() { failed <- jobs.Migrate(t.Context(), replica) }()
		} else {
			failed <- nil
		}
		if err := errors.Join(<-failed, <-failed, jobs.Migrate(t.Context(), db)); err != nil {
			t.Fatal(err)
		}
		if n := countJobs(t, db); n != 0 {
			t.Errorf("%d jobs", n)
		}
	})
}

func TestJobSharesTheFateOfTheTransaction(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		runs := newTally()
		d, log := deps(db, runs.work)
		j := prepare(t, quick(), d)
		start(t, j)
		giveUp := errors.New("changed my mind")
		for handle, verdict := range map[string]error{"dropped": giveUp, "kept": nil} {
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := j.Enqueue(ctx, note{Handle: handle}, nil); err != nil {
					return err
				}
				return verdict
			})
			if !errors.Is(err, verdict) {
				t.Fatal(err)
			}
		}
		enqueue(t, j, "alone", nil)
		runs.wait(t, 2)
		if seen := runs.seen(); seen["kept"] != 1 || seen["alone"] != 1 || len(seen) != 2 || countJobs(t, db) != 2 {
			t.Errorf("ran %v, %d jobs", seen, countJobs(t, db))
		}
		if log.String() != "" {
			t.Errorf("log:\n%s", log)
		}
	})
}

// A job is picked up long before the poll, also when its transaction is committed after it was enqueued.
func TestEnqueueWakesTheWorkers(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		runs := newTally()
		d, _ := deps(db, runs.work)
		cfg := quick()
		cfg.Poll = time.Hour
		j := prepare(t, cfg, d)
		start(t, j)
		enqueue(t, j, "first", nil) // from here on the workers wait
		runs.wait(t, 1)
		enqueue(t, j, "alone", nil)
		runs.wait(t, 1)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := j.Enqueue(ctx, note{Handle: "slow"}, nil); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // the first ring comes too early
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		runs.wait(t, 1)
	})
}

func TestFailingEnqueueFailsTheTransaction(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		d, _ := deps(db, newTally().work)
		j := prepare(t, quick(), d)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			_, _ = j.Enqueue(ctx, stranger{}, nil) // forgotten by the caller
			return nil
		})
		if unknown, ok := errors.AsType[*river.UnknownJobKindError](err); !ok || unknown.Kind != "stranger" {
			t.Errorf("got %v", err)
		}
	})
}

type stranger struct{}

func (stranger) Kind() string { return "stranger" }

func TestUniqueJobs(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		runs := newTally()
		d, _ := deps(db, runs.work)
		j := prepare(t, quick(), d)
		unique := &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
		first := enqueue(t, j, "same", unique)
		again, err := j.Enqueue(t.Context(), note{Handle: "same"}, unique)
		if err != nil || !again.UniqueSkippedAsDuplicate || again.Job.ID != first {
			t.Errorf("second: %+v, %v", again, err)
		}
		enqueue(t, j, "other", unique)
		start(t, j)
		runs.wait(t, 2)
		if seen := runs.seen(); seen["same"] != 1 || seen["other"] != 1 {
			t.Errorf("ran %v", seen)
		}
	})
}

func TestDatabaseKeepsNoCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail   func() error
		reason string
		state  string
	}{
		"error":   {func() error { return errTest }, "INTERNAL (trace ", "discarded"},
		"reason":  {func() error { return errs.New(commonv1.Reason_REASON_REGISTER_UNAVAILABLE, errs.Cause(errTest)) }, "REGISTER_UNAVAILABLE (trace ", "discarded"},
		"panic":   {func() error { panic(errTest.Error()) }, "INTERNAL (trace ", "discarded"},
		"give up": {func() error { return river.JobCancel(errTest) }, "INTERNAL (trace ", "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
				d, log := deps(db, func(context.Context, *river.Job[note]) error { return c.fail() })
				j := prepare(t, quick(), d)
				start(t, j)
				id := enqueue(t, j, "x", &river.InsertOpts{MaxAttempts: 1})
				eventually(t, "end", func() bool { return rowOf(t, db, id).state == c.state })
				got := rowOf(t, db, id)
				if !strings.Contains(got.errors, c.reason) || strings.Contains(got.errors, "register") || strings.Contains(got.errors, "1985") {
					t.Errorf("stored: %s", got.errors)
				}
				if line := log.String(); !strings.Contains(line, `"job":"note"`) || name != "panic" && !strings.Contains(line, "register says no") {
					t.Errorf("log: %s", line)
				}
				if name == "panic" && strings.Contains(log.String(), "register") {
					t.Errorf("the value of the panic is in the log: %s", log)
				}
			})
		})
	}
}

func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		began, finish := make(chan struct{}), make(chan struct{})
		d, _ := deps(db, func(context.Context, *river.Job[note]) error {
			began <- struct{}{}
			<-finish
			return nil
		})
		cfg := quick()
		cfg.Workers = 1
		j := prepare(t, cfg, d)
		stop := start(t, j)
		running, queued := enqueue(t, j, "running", nil), enqueue(t, j, "queued", nil)
		within(t, began)
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		select {
		case err := <-stopped:
			t.Errorf("did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		close(finish)
		if err := within(t, stopped); err != nil {
			t.Error(err)
		}
		if got := rowOf(t, db, running); got.state != "completed" {
			t.Errorf("running: %+v", got)
		}
		if got := rowOf(t, db, queued); got.state != "available" || got.attempt != 0 {
			t.Errorf("queued: %+v", got)
		}
	})
}

func TestShutdownPutsInterruptedJobsBack(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		began := make(chan struct{})
		d, _ := deps(db, func(ctx context.Context, _ *river.Job[note]) error {
			began <- struct{}{}
			<-ctx.Done()
			return errs.New(commonv1.Reason_REASON_CANCELLED, errs.Cause(ctx.Err()))
		})
		cfg := quick()
		cfg.Drain = 10 * time.Millisecond
		j := prepare(t, cfg, d)
		stop := start(t, j)
		id := enqueue(t, j, "long", &river.InsertOpts{MaxAttempts: 1})
		within(t, began)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := rowOf(t, db, id); got.state != "available" || got.attempt != 0 || got.errors != "" {
			t.Errorf("interrupted: %+v", got)
		}
	})
}

func TestJobThatHeedsNothing(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	began, finish := make(chan struct{}), make(chan struct{})
	d, _ := deps(db, func(context.Context, *river.Job[note]) error {
		close(began)
		<-finish
		return nil
	})
	cfg := quick()
	cfg.Drain = 0
	j := prepare(t, cfg, d)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	enqueue(t, j, "deaf", nil)
	within(t, began)
	cancel()
	if err := within(t, done); !errors.Is(err, jobs.ErrStuck) {
		t.Errorf("got %v", err)
	}
	close(finish)
	eventually(t, "the job ends all the same", func() bool { return rowOf(t, db, 1).state == "completed" })
}

func TestQueuesAreApart(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	ran, finish := make(chan string, 10), make(chan struct{})
	d, _ := deps(db, func(_ context.Context, job *river.Job[note]) error {
		ran <- job.Queue
		if job.Queue == river.QueueDefault {
			<-finish
		}
		return nil
	})
	d.Queues = map[string]int{"monthly": 1}
	cfg := quick()
	cfg.Workers = 1
	j := prepare(t, cfg, d)
	start(t, j)
	enqueue(t, j, "hog", nil)
	if queue := within(t, ran); queue != river.QueueDefault {
		t.Errorf("first in %s", queue)
	}
	enqueue(t, j, "a", &river.InsertOpts{Queue: "monthly"})
	if queue := within(t, ran); queue != "monthly" {
		t.Errorf("second in %s", queue)
	}
	close(finish)
}
