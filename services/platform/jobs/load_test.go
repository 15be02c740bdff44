package jobs_test

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// notes makes n jobs.
func notes(n int) []river.InsertManyParams {
	out := make([]river.InsertManyParams, n)
	for i := range out {
		out[i] = river.InsertManyParams{Args: note{Handle: strconv.Itoa(i)}}
	}
	return out
}

// once fails the test unless each of n notes ran exactly once.
func once(tb testing.TB, runs map[string]int, n int) {
	tb.Helper()
	if len(runs) != n {
		tb.Errorf("%d of %d jobs ran", len(runs), n)
	}
	for handle, times := range runs {
		if times != 1 {
			tb.Errorf("job %s ran %d times", handle, times)
		}
	}
}

// Jobs and the service's own writes share the one writer: no lock is ever in the way, and nothing is lost or done twice.
func TestThousandsOfJobsBesideFullWriteLoad(t *testing.T) {
	t.Parallel()
	const total, writers = 5000, 16
	sqltest.EachConfig(t, func(t *testing.T, dbCfg sqlkit.Config) {
		dbCfg.BusyTimeout = time.Second
		if dbCfg.URL == sqltest.MemoryConfig(t).URL {
			// In memory there is no write-ahead log: readers wait for writers, and nothing is fair. A reader that gives up while its
			// schema is stale is told by SQLite that there is no such table.
			dbCfg.BusyTimeout = time.Minute
		}
		db := sqltest.Open(t, dbCfg)
		if _, err := db.Exec(t.Context(), "CREATE TABLE ledger (id BIGINT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		runs := newTally()
		d, log := deps(db, runs.work)
		cfg := quick()
		cfg.Workers = 50
		j := prepare(t, cfg, d)
		start(t, j)
		ctx, cancel := context.WithCancel(t.Context())
		var written, enqueued atomic.Int64
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				for ctx.Err() == nil {
					err := db.InTx(t.Context(), func(ctx context.Context) error {
						_, err := db.Exec(ctx, "INSERT INTO ledger (id) VALUES ($1)", written.Add(1))
						return err
					})
					if err != nil {
						t.Errorf("write: %v", err)
						return
					}
				}
			})
		}
		for range 4 { // half of the jobs one by one, in the transaction of a change
			group.Go(func() {
				for i := enqueued.Add(1) - 1; i < total/2; i = enqueued.Add(1) - 1 {
					err := db.InTx(t.Context(), func(ctx context.Context) error {
						if _, err := db.Exec(ctx, "INSERT INTO ledger (id) VALUES ($1)", -i-1); err != nil {
							return err
						}
						_, err := j.Enqueue(ctx, note{Handle: strconv.Itoa(int(i))}, nil)
						return err
					})
					if err != nil {
						t.Errorf("enqueue: %v", err)
						return
					}
				}
			})
		}
		if _, err := j.EnqueueMany(t.Context(), notes(total)[total/2:]); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		runs.wait(t, total)
		t.Logf("%d jobs and %d writes in %v", total, written.Load(), time.Since(began))
		cancel()
		group.Wait()
		once(t, runs.seen(), total)
		eventually(t, "completion", func() bool { return inState(t, db, "completed") == total })
		if log.String() != "" {
			t.Errorf("log:\n%s", log)
		}
	})
}

func inState(tb testing.TB, db *sqlkit.DB, state string) (n int) {
	tb.Helper()
	if err := db.QueryRow(tb.Context(), "SELECT count(*) FROM river_job WHERE state = $1", state).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	const total = 1000
	dbCfg := sqltest.PostgresConfig(t)
	runs := newTally()
	var by [3]atomic.Int64
	var first *jobs.Jobs
	for i := range by {
		db := sqltest.Open(t, dbCfg)
		d, log := deps(db, func(ctx context.Context, job *river.Job[note]) error {
			by[i].Add(1)
			return runs.work(ctx, job)
		})
		j := prepare(t, quick(), d)
		start(t, j)
		t.Cleanup(func() {
			if log.String() != "" {
				t.Errorf("log:\n%s", log)
			}
		})
		if first == nil {
			first = j
		}
	}
	if _, err := first.EnqueueMany(t.Context(), notes(total)); err != nil {
		t.Fatal(err)
	}
	runs.wait(t, total)
	once(t, runs.seen(), total)
	for i := range by {
		if by[i].Load() == 0 {
			t.Errorf("replica %d did nothing", i)
		}
	}
}

// One replica leads: a periodic job is enqueued once per turn, however many replicas know it. When the leader leaves, another takes over.
func TestReplicasElectOneLeader(t *testing.T) {
	t.Parallel()
	dbCfg := sqltest.PostgresConfig(t)
	runs := newTally()
	stops := make([]func() error, 2)
	db := sqltest.Open(t, dbCfg)
	for i := range stops {
		d, _ := deps(sqltest.Open(t, dbCfg), runs.work)
		d.Periodic = []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(time.Hour),
			func() (river.JobArgs, *river.InsertOpts) { return note{Handle: "turn"}, nil },
			&river.PeriodicJobOpts{RunOnStart: true})}
		stops[i] = start(t, prepare(t, quick(), d))
		if i == 0 {
			runs.wait(t, 1)
		}
	}
	leader := func() (id string) {
		if err := db.QueryRow(t.Context(), "SELECT leader_id FROM river_leader").Scan(&id); err != nil && !errors.Is(err, sqlkit.ErrNotFound) {
			t.Fatal(err)
		}
		return id
	}
	before := leader()
	if n := countJobs(t, db); n != 1 || before == "" {
		t.Errorf("%d jobs, leader %q", n, before)
	}
	if err := stops[0](); err != nil {
		t.Fatal(err)
	}
	runs.wait(t, 1) // the new leader runs its periodic job on start
	if after := leader(); after == before || after == "" {
		t.Errorf("leader %q after %q", after, before)
	}
}

// The database refuses everybody for a while, as it does when it restarts. Jobs go on by themselves afterwards.
func TestDatabaseComesBack(t *testing.T) {
	t.Parallel()
	dbCfg := sqltest.PostgresConfig(t)
	u, err := url.Parse(dbCfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	name := u.Path[1:]
	u.Path = "/postgres"
	adminCfg := dbCfg
	adminCfg.URL = u.String()
	admin := sqltest.Open(t, adminCfg)
	order := func(statement string) {
		t.Helper()
		rows, err := admin.Query(t.Context(), statement) // outside any transaction
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	db := sqltest.Open(t, dbCfg)
	began, finish := make(chan struct{}, 10), make(chan struct{})
	d, log := deps(db, func(context.Context, *river.Job[note]) error {
		began <- struct{}{}
		<-finish
		return nil
	})
	j := prepare(t, quick(), d)
	start(t, j)
	id := enqueue(t, j, "caught", nil)
	within(t, began)

	order("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	order("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	if _, err := j.Enqueue(t.Context(), note{Handle: "refused"}, nil); !errors.Is(err, sqlkit.ErrUnavailable) {
		t.Errorf("enqueued without a database: %v", err)
	}
	finish <- struct{}{} // the job ends while its end can't be written down
	eventually(t, "the log tells", func() bool { return log.String() != "" })
	order("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true")

	close(finish)
	eventually(t, "the job that was under way is completed", func() bool { return rowOf(t, db, id).state == "completed" })
	enqueue(t, j, "new", nil)
	within(t, began)
	if got := rowOf(t, db, id); got.attempt != 1 {
		t.Errorf("ran again: %+v", got)
	}
}

// Another process holds the lock of the SQLite file for longer than we wait, as a backup may.
func TestLockedFileComesFree(t *testing.T) {
	t.Parallel()
	dbCfg := sqltest.FileConfig(t)
	dbCfg.BusyTimeout, dbCfg.MaxAttempts = 10*time.Millisecond, 1
	db, rival := sqltest.Open(t, dbCfg), sqltest.Open(t, dbCfg)
	runs := newTally()
	d, log := deps(db, runs.work)
	j := prepare(t, quick(), d)
	enqueue(t, j, "patient", nil)
	err := rival.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := rival.Exec(ctx, "CREATE TABLE held (id BIGINT)"); err != nil {
			return err
		}
		if _, err := j.Enqueue(t.Context(), note{Handle: "refused"}, nil); !errors.Is(err, sqlkit.ErrBusy) {
			t.Errorf("enqueued under lock: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, j)
	runs.wait(t, 1)
	err = rival.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := rival.Exec(ctx, "DROP TABLE held"); err != nil {
			return err
		}
		eventually(t, "the log tells", func() bool { return log.String() != "" })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, j, "next", nil)
	runs.wait(t, 1)
	once(t, runs.seen(), 2)
}

func BenchmarkEnqueue(b *testing.B) {
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		b.Run(name, func(b *testing.B) {
			db := sqltest.Open(b, config(b))
			d, _ := deps(db, newTally().work)
			j := prepare(b, quick(), d)
			err := db.InTx(b.Context(), func(ctx context.Context) error {
				for b.Loop() {
					if _, err := j.Enqueue(ctx, note{Handle: "x"}, nil); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
