package quota_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/quota"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func prepare(t *testing.T, db *sqlkit.DB) {
	t.Helper()
	text := quota.SchemaSQLite
	if db.Dialect() == sqlkit.Postgres {
		text = quota.SchemaPostgres
	}
	_, err := db.Exec(t.Context(), text)
	must(t, err)
}

// begin is the first instant of a minute and of an hour.
func begin() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func memory(t *testing.T) *sqlkit.DB {
	t.Helper()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	prepare(t, db)
	return db
}

// take uses n and reports whether it was granted, and how long to wait if not.
func take(t *testing.T, l *quota.Limiter, name string, q authz.Quota, n int64) (bool, time.Duration) {
	t.Helper()
	use, err := l.Take(t.Context(), name, q, n)
	must(t, err)
	return use.OK, use.Reset
}

// granted takes one at a time until it is refused.
func granted(t *testing.T, l *quota.Limiter, name string, q authz.Quota) (n int64) {
	t.Helper()
	for ; n < 10_000; n++ {
		if ok, _ := take(t, l, name, q, 1); !ok {
			return n
		}
	}
	return n
}

func TestWindows(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		prepare(t, db)
		fake := clock.NewFake(begin())
		l := quota.New(db, fake)
		q := authz.Quota{Requests: 7, Per: time.Minute}
		for window := range 3 {
			if n := granted(t, l, "a", q); n != 7 {
				t.Errorf("window %d: %d granted, want 7", window, n)
			}
			fake.Set(begin().Add(time.Duration(window+1)*time.Minute - 1)) // the last instant
			if ok, retry := take(t, l, "a", q, 1); ok || retry != 1 {
				t.Errorf("last instant of window %d: %v, wait %v", window, ok, retry)
			}
			fake.Advance(1) // the first instant of the next
		}
		fake.Advance(30 * time.Second)
		granted(t, l, "a", q)
		if ok, retry := take(t, l, "a", q, 1); ok || retry != 30*time.Second {
			t.Errorf("half a window before the next: %v, wait %v", ok, retry)
		}
		if n := granted(t, l, "b", q); n != 7 { // names do not share
			t.Errorf("another name: %d granted", n)
		}
	})
}

// A quota smaller than the number of parts that it is cut into is granted to the last one, and a batch is granted whole or not.
func TestSmallQuotasAndBatches(t *testing.T) {
	t.Parallel()
	for _, requests := range []int64{1, 2, 49, 50, 51, 99, 1000} {
		l := quota.New(memory(t), clock.NewFake(begin()))
		if n := granted(t, l, "a", authz.Quota{Requests: requests, Per: time.Hour}); n != requests {
			t.Errorf("quota %d: %d granted", requests, n)
		}
	}
	l := quota.New(memory(t), clock.NewFake(begin()))
	q := authz.Quota{Requests: 250, Per: time.Hour}
	for i, want := range []bool{true, true, false, false} {
		if ok, _ := take(t, l, "batch", q, 100); ok != want {
			t.Errorf("batch %d: %v", i+1, ok)
		}
	}
	if n := granted(t, l, "batch", q); n != 50 {
		t.Errorf("%d granted after the batches, want what they left: 50", n)
	}
	if ok, _ := take(t, l, "too much", q, 251); ok {
		t.Error("more than the whole quota was granted")
	}
	if n := granted(t, l, "too much", q); n != 250 {
		t.Errorf("%d granted after one that was too much", n)
	}
}

// Replicas that share a database never grant more than the quota together, and hardly less.
func TestReplicasShare(t *testing.T) {
	t.Parallel()
	sqltest.EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		const replicas, callers, requests = 4, 4, 500
		dbs := []*sqlkit.DB{sqltest.Open(t, cfg)}
		for range replicas - 1 {
			if cfg.URL == "sqlite::memory:" { // each opening of it is a database of its own
				dbs = append(dbs, dbs[0])
			} else {
				dbs = append(dbs, sqltest.Open(t, cfg))
			}
		}
		prepare(t, dbs[0])
		fake := clock.NewFake(begin())
		q := authz.Quota{Requests: requests, Per: time.Minute}
		limiters := make([]*quota.Limiter, replicas)
		for i := range limiters {
			limiters[i] = quota.New(dbs[i], fake)
		}
		for window := range 2 {
			fake.Set(begin().Add(time.Duration(window) * time.Minute))
			var total atomic.Int64
			var running sync.WaitGroup
			for i := range replicas * callers {
				running.Go(func() {
					for range requests {
						switch use, err := limiters[i%replicas].Take(t.Context(), "a", q, 1); {
						case errors.Is(err, sqlkit.ErrBusy): // the caller is told to try again
						case err != nil:
							t.Error(err)
							return
						case !use.OK:
							return
						default:
							total.Add(1)
						}
					}
				})
			}
			running.Wait()
			if n := total.Load(); n > requests || n < requests*8/10 {
				t.Errorf("window %d: %d granted, want %d at most and nearly", window, n, requests)
			}
		}
	})
}

// A replica whose clock is ahead must not make those behind forget what was used.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	db := memory(t)
	behind, ahead := clock.NewFake(begin()), clock.NewFake(begin())
	a, b := quota.New(db, behind), quota.New(db, ahead)
	q := authz.Quota{Requests: 10, Per: time.Minute}
	if n := granted(t, a, "a", q); n != 10 {
		t.Fatalf("%d granted", n)
	}
	ahead.Advance(time.Minute)
	if n := granted(t, b, "a", q); n != 10 {
		t.Errorf("next window: %d granted", n)
	}
	ahead.Set(begin()) // a clock that steps back
	if n := granted(t, b, "a", q) + granted(t, quota.New(db, behind), "a", q); n != 0 {
		t.Errorf("%d granted beyond the quota of the first window", n)
	}
	ahead.Advance(time.Minute)
	if n := granted(t, b, "a", q); n != 0 {
		t.Errorf("%d granted beyond the quota of the second window", n)
	}
}

// Old windows do not pile up.
func TestOldWindowsGo(t *testing.T) {
	t.Parallel()
	db := memory(t)
	fake := clock.NewFake(begin())
	l := quota.New(db, fake)
	for range 20 {
		take(t, l, "a", authz.Quota{Requests: 5, Per: time.Minute}, 1)
		fake.Advance(time.Minute)
	}
	var rows int
	must(t, db.QueryRow(t.Context(), "SELECT count(*) FROM quota_use").Scan(&rows))
	if rows > 2 {
		t.Errorf("%d rows after twenty windows", rows)
	}
}

// A larger quota, agreed on because the old one was used up, counts at once and not only from the next window on.
func TestLargerQuotaCountsAtOnce(t *testing.T) {
	t.Parallel()
	l := quota.New(memory(t), clock.NewFake(begin()))
	day := 24 * time.Hour
	if n := granted(t, l, "a", authz.Quota{Requests: 10, Per: day}); n != 10 {
		t.Fatalf("%d granted", n)
	}
	if n := granted(t, l, "a", authz.Quota{Requests: 25, Per: day}); n != 15 {
		t.Errorf("%d granted under the larger quota, want 15 more", n)
	}
	if n := granted(t, l, "a", authz.Quota{Requests: 5, Per: day}); n != 0 {
		t.Errorf("%d granted under the smaller quota", n)
	}
}

// Most calls touch no database; when one does and it fails, the caller learns of it and nothing is granted.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	db := memory(t)
	l := quota.New(db, clock.NewFake(begin()))
	q := authz.Quota{Requests: 100, Per: time.Hour} // shares of two
	if ok, _ := take(t, l, "a", q, 1); !ok {
		t.Fatal("not granted")
	}
	must(t, db.Close())
	if ok, _ := take(t, l, "a", q, 1); !ok {
		t.Error("what the replica held already was not granted")
	}
	if use, err := l.Take(t.Context(), "a", q, 1); use.OK || err == nil {
		t.Errorf("granted %v without a database, %v", use.OK, err)
	}
}

// What is told of the rest counts down by what was used, is exact for one replica, and is never less than what is granted after it.
func TestRemaining(t *testing.T) {
	t.Parallel()
	l := quota.New(memory(t), clock.NewFake(begin()))
	q := authz.Quota{Requests: 120, Per: time.Minute}
	for i := range int64(120) {
		use, err := l.Take(t.Context(), "a", q, 1)
		must(t, err)
		if !use.OK || use.Remaining != 119-i || use.Reset != time.Minute {
			t.Fatalf("use %d: %+v", i+1, use)
		}
	}
	use, err := l.Take(t.Context(), "a", q, 1)
	must(t, err)
	if use.OK || use.Remaining != 0 {
		t.Errorf("after the last: %+v", use)
	}
}
