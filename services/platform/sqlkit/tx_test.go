package sqlkit_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

var errGiveUp = errors.New("give up")

func insertFund(ctx context.Context, db *sqlkit.DB, id int, name string) error {
	_, err := db.Exec(ctx, "INSERT INTO fund (id, name) VALUES ($1, $2)", id, name)
	return err
}

func TestRollbackLeavesNothing(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := insertFund(ctx, db, 1, "a"); err != nil {
				return err
			}
			return errGiveUp
		})
		if !errors.Is(err, errGiveUp) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db, "fund"); n != 0 {
			t.Errorf("%d rows after rollback", n)
		}
	})
}

func TestRollbackOnPanic(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = db.InTx(t.Context(), func(ctx context.Context) error {
				_ = insertFund(ctx, db, 1, "a")
				panic("boom")
			})
		}()
		mustExec(t, db, "INSERT INTO fund (id, name) VALUES (2, 'b')") // the writer is free again
		if n := count(t, db, "fund"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestNestedTransactionsJoin(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := db.InTx(ctx, func(ctx context.Context) error { return insertFund(ctx, db, 1, "a") }); err != nil {
				return err
			}
			return errGiveUp
		})
		if !errors.Is(err, errGiveUp) || count(t, db, "fund") != 0 {
			t.Errorf("outer rollback: %v, %d rows", err, count(t, db, "fund"))
		}
		err = db.InTx(t.Context(), func(ctx context.Context) error {
			_ = db.InTx(ctx, func(context.Context) error { return errGiveUp }) // swallowed on purpose
			return nil
		})
		if !errors.Is(err, errGiveUp) {
			t.Errorf("a failed inner transaction was committed by the outer one: %v", err)
		}
	})
}

func TestTransactionsOfTwoDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		other := sqltest.Open(t, sqltest.MemoryConfig(t))
		schema(t, other)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if err := insertFund(ctx, other, 1, "stays"); err != nil {
				return err
			}
			return errGiveUp
		})
		if !errors.Is(err, errGiveUp) || count(t, other, "fund") != 1 {
			t.Errorf("%v, %d rows in the other database", err, count(t, other, "fund"))
		}
	})
}

func TestReadersSeeOnlyCommittedRows(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqltest.Open(t, config(t))
			schema(t, db)
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				if err := insertFund(ctx, db, 1, "a"); err != nil {
					return err
				}
				var inside int
				if err := db.QueryRow(ctx, "SELECT count(*) FROM fund").Scan(&inside); err != nil {
					return err
				}
				if outside := count(t, db, "fund"); outside != 0 || inside != 1 {
					t.Errorf("inside %d, outside %d", inside, outside)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.InTx(ctx, func(ctx context.Context) error {
			err := insertFund(ctx, db, 1, "a")
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) || count(t, db, "fund") != 0 {
			t.Errorf("cancelled before commit: %v, %d rows", err, count(t, db, "fund"))
		}
		var n int
		if err := db.QueryRow(ctx, "SELECT count(*) FROM fund").Scan(&n); !errors.Is(err, context.Canceled) {
			t.Errorf("query row: %v", err)
		}
		if _, err := db.Query(ctx, "SELECT name FROM fund"); !errors.Is(err, context.Canceled) {
			t.Errorf("query: %v", err)
		}
		if _, err := db.Exec(ctx, "DELETE FROM fund"); !errors.Is(err, context.Canceled) {
			t.Errorf("exec: %v", err)
		}
	})
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.FileConfig(t))
	schema(t, db)
	err := db.InTx(t.Context(), func(context.Context) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := insertFund(ctx, db, 1, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second writer: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestForgottenRowsDoNotHoldTheWriter(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			rows, err := db.Query(ctx, "SELECT 1")
			if err != nil {
				return err
			}
			rows.Next() // neither read to the end nor closed
			return errGiveUp
		})
		if !errors.Is(err, errGiveUp) {
			t.Error(err)
		}
		mustExec(t, db, "INSERT INTO fund (id, name) VALUES (1, 'a')")
	})
}

func TestBusyIsRetriedABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	cfg := sqltest.MemoryConfig(t)
	cfg.MaxAttempts = 3
	db := sqltest.Open(t, cfg)
	var runs atomic.Int32
	err := db.InTx(t.Context(), func(context.Context) error {
		runs.Add(1)
		return sqlkit.ErrBusy
	})
	if !errors.Is(err, sqlkit.ErrBusy) || runs.Load() != 3 {
		t.Errorf("%d runs, %v", runs.Load(), err)
	}
	runs.Store(0)
	err = db.InTx(t.Context(), func(context.Context) error {
		if runs.Add(1) < 3 {
			return sqlkit.ErrBusy
		}
		return nil
	})
	if err != nil || runs.Load() != 3 {
		t.Errorf("%d runs, %v", runs.Load(), err)
	}
}

// Write skew: each reads what the other writes. One must be refused and, tried again, see the other's change.
func TestTransactionsAreSerializable(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		mustExec(t, db, "INSERT INTO fund (id, name, size) VALUES (1, 'a', 1), (2, 'b', 1)")
		leave := func(ctx context.Context, id int) error {
			return db.InTx(ctx, func(ctx context.Context) error {
				var sum int
				if err := db.QueryRow(ctx, "SELECT sum(size) FROM fund").Scan(&sum); err != nil {
					return err
				}
				if sum < 2 {
					return nil // one must stay
				}
				_, err := db.Exec(ctx, "UPDATE fund SET size = 0 WHERE id = $1", id)
				return err
			})
		}
		done := make(chan error, 2)
		for id := 1; id <= 2; id++ {
			go func() { done <- leave(t.Context(), id) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		var sum int
		if err := db.QueryRow(t.Context(), "SELECT sum(size) FROM fund").Scan(&sum); err != nil || sum != 1 {
			t.Errorf("sum %d, %v; want 1", sum, err)
		}
	})
}

// Each of a crowd reads all that the others write, so that on PostgreSQL any two are in each other's way. All must succeed, each having
// seen all before it.
func TestCrowdOfConflictingChangesAllSucceed(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		const crowd, each = 64, 8
		join := func(ctx context.Context, id int) error {
			var before int
			if err := db.QueryRow(ctx, "SELECT count(*) FROM fund").Scan(&before); err != nil {
				return err
			}
			tick := time.NewTimer(time.Millisecond) // a database that is further away
			<-tick.C
			_, err := db.Exec(ctx, "INSERT INTO fund (id, name, size) VALUES ($1, $2, $3)", id, strconv.Itoa(id), before)
			return err
		}
		var running sync.WaitGroup
		for worker := range crowd {
			running.Go(func() {
				for i := range each {
					err := db.InTx(t.Context(), func(ctx context.Context) error { return join(ctx, worker*each+i) })
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		var different int
		if err := db.QueryRow(t.Context(), "SELECT count(DISTINCT size) FROM fund").Scan(&different); err != nil || different != crowd*each {
			t.Errorf("%d different counts of those before, %v; want %d", different, err, crowd*each)
		}
	})
}

func TestStatementCacheMayOverflow(t *testing.T) {
	t.Parallel()
	sqltest.EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		cfg.MaxStatements = 4
		db := sqltest.Open(t, cfg)
		schema(t, db)
		for i := range 20 {
			pad := strings.Repeat(" ", i)
			mustExec(t, db, "INSERT INTO fund (id, name) VALUES ($1, $2)"+pad, i, pad+"x")
			var n int
			if err := db.QueryRow(t.Context(), "SELECT count(*) FROM fund"+pad).Scan(&n); err != nil || n != i+1 {
				t.Fatalf("%d rows, %v", n, err)
			}
		}
	})
}

func TestInsertRows(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		const rows = 64 + 16 + 4 + 3
		args := make([]any, 0, 2*rows)
		for i := range rows {
			args = append(args, i, strings.Repeat("n", i+1))
		}
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			n, err := db.InsertRows(ctx, "INSERT INTO fund (id, name) VALUES", 2, args)
			if n != rows {
				t.Errorf("inserted %d of %d", n, rows)
			}
			return err
		})
		if err != nil || count(t, db, "fund") != rows {
			t.Errorf("%d rows, %v", count(t, db, "fund"), err)
		}
		if _, err := db.InsertRows(t.Context(), "INSERT INTO fund (id, name) VALUES", 2, args[:3]); err == nil {
			t.Error("half a row was accepted")
		}
	})
}

// Holders of open rows who look up single rows must not starve each other.
func TestLookupsDoNotQueueBehindOpenRows(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Memory: sqltest.MemoryConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.ReadConns = 2
			db := sqltest.Open(t, cfg)
			schema(t, db)
			mustExec(t, db, "INSERT INTO fund (id, name) VALUES (1, 'a'), (2, 'b')")
			for range 2 {
				rows, err := db.Query(t.Context(), "SELECT id FROM fund")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = rows.Close() }()
				rows.Next()
			}
			if n := count(t, db, "fund"); n != 2 {
				t.Errorf("%d rows", n)
			}
			first, second := db.QueryRow(t.Context(), "SELECT 1"), db.QueryRow(t.Context(), "SELECT 1")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			var n int
			if err := db.QueryRow(ctx, "SELECT 1").Scan(&n); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("third look-up at the same time: %v", err)
			}
			if err := errors.Join(first.Close(), first.Close(), second.Scan(&n)); err != nil || count(t, db, "fund") != 2 {
				t.Errorf("after they ended: %v", err)
			}
		})
	}
}
