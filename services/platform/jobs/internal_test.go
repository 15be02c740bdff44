package jobs

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := DefaultConfig()
	cfg.RetryFirst, cfg.RetryMax, cfg.RetryJitter = time.Second, time.Hour, 0.25
	p := &retryPolicy{cfg: cfg, clock: clock.NewFake(now)}
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 11: 2048 * time.Second, 12: time.Hour, 61: time.Hour, 62: time.Hour, 5000: time.Hour,
	} {
		least, most := time.Duration(math.MaxInt64), time.Duration(0)
		for range 1000 {
			wait := p.NextRetry(&rivertype.JobRow{Errors: make([]rivertype.AttemptError, failures)}).Sub(now)
			least, most = min(least, wait), max(most, wait)
		}
		if least < want*3/4 || most > want || least > want*8/10 || most < want*95/100 {
			t.Errorf("after %d failures: %v to %v, want within a quarter below %v", failures, least, most, want)
		}
	}
}

func TestEvenOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query string
		args  []any
		want  string
		list  []any
	}{
		"none":      {"SELECT ?1, ?2", []any{1, 2}, "SELECT ?1, ?2", []any{1, 2}},
		"one":       {"IN (?)", []any{1}, "IN (?)", []any{1}},
		"two":       {"IN (?,?) x", []any{1, 2}, "IN (?,?) x", []any{1, 2}},
		"three":     {"IN (?,?,?) x", []any{1, 2, 3}, "IN (?,?,?,?) x", []any{1, 2, 3, 3}},
		"five":      {"a = ?1 IN (?,?,?,?,?)", []any{0, 1, 2, 3, 4, 5}, "a = ?1 IN (?,?,?,?,?,?,?,?)", []any{0, 1, 2, 3, 4, 5, 5, 5, 5}},
		"not last":  {"IN (?,?,?) LIMIT ?", []any{1, 2, 3, 4}, "IN (?,?,?) LIMIT ?", []any{1, 2, 3, 4}},
		"too short": {"IN (?,?,?)", []any{1}, "IN (?,?,?)", []any{1}},
	} {
		got, list := evenOut(c.query, c.args)
		if got != c.want || !slices.Equal(list, c.list) {
			t.Errorf("%s: %q %v", name, got, list)
		}
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SELECT 1": true, "-- name: X :one\n\n  select 1": true, "-- SELECT\nUPDATE x": false, "WITH a AS (SELECT 1) DELETE": false, "": false,
	} {
		if reads(query) != want {
			t.Errorf("%q: %v", query, !want)
		}
	}
}

// open returns a pool of the bridge on a database with a table.
func open(t *testing.T, db *sqlkit.DB) *sql.DB {
	t.Helper()
	if _, err := db.Exec(t.Context(), "CREATE TABLE pair (id BIGINT PRIMARY KEY, name TEXT)"); err != nil {
		t.Fatal(err)
	}
	pool := newBridge(db)
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

func pairs(t *testing.T, db *sqlkit.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM pair").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBridge(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		pool := open(t, db)
		if err := pool.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		res, err := pool.ExecContext(t.Context(), "INSERT INTO pair (id, name) VALUES ($1, $2), ($3, $4)", 1, "a", 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.RowsAffected(); n != 2 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		var id int64
		var name sql.NullString
		err = pool.QueryRowContext(t.Context(), "UPDATE pair SET name = $1 WHERE id = $2 RETURNING id, name", nil, 1).Scan(&id, &name)
		if err != nil || id != 1 || name.Valid {
			t.Errorf("%d %v, %v", id, name, err)
		}
		for range 2 { // the second time with the width known
			if err := pool.QueryRowContext(t.Context(), "SELECT id, name FROM pair WHERE id = 2").Scan(&id, &name); err != nil || id != 2 {
				t.Errorf("%d, %v", id, err)
			}
		}
		if err := pool.QueryRowContext(t.Context(), "SELECT id FROM pair WHERE id = 3").Scan(&id); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
		if _, err := pool.ExecContext(t.Context(), "INSERT INTO pair (id) VALUES (1)"); !errors.Is(err, sqlkit.ErrUnique) {
			t.Errorf("unique: %v", err)
		}
	})
}

func TestBridgeTransactions(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		pool := open(t, db)
		insert := func(tx *sql.Tx, id int) {
			t.Helper()
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO pair (id) VALUES ($1)", id); err != nil {
				t.Fatal(err)
			}
		}
		begin := func(ctx context.Context) *sql.Tx {
			t.Helper()
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			return tx
		}
		tx := begin(t.Context())
		insert(tx, 1)
		if err := tx.Rollback(); err != nil || pairs(t, db) != 0 {
			t.Errorf("rollback: %v, %d rows", err, pairs(t, db))
		}
		tx = begin(t.Context())
		insert(tx, 1)
		if err := tx.Commit(); err != nil || pairs(t, db) != 1 {
			t.Errorf("commit: %v, %d rows", err, pairs(t, db))
		}
		ctx, cancel := context.WithCancel(t.Context())
		tx = begin(ctx)
		insert(tx, 2)
		cancel()
		if err := tx.Commit(); err == nil || pairs(t, db) != 1 {
			t.Errorf("commit after the end: %v, %d rows", err, pairs(t, db))
		}
		if _, err := pool.BeginTx(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("begin after the end: %v", err)
		}
		giveUp := errors.New("no")
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			tx := begin(ctx)
			insert(tx, 3)
			return errors.Join(tx.Commit(), giveUp) // committing what is joined decides nothing
		})
		if !errors.Is(err, giveUp) || pairs(t, db) != 1 {
			t.Errorf("joined: %v, %d rows", err, pairs(t, db))
		}
	})
}

// River's upkeep of indexes can't run in a transaction block.
func TestReindexOnPostgres(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	pool := newBridge(db)
	defer func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	exec := newDriver(db, pool, nil).GetExecutor()
	if err := exec.IndexReindex(t.Context(), &riverdriver.IndexReindexParams{Index: "river_job_kind"}); err != nil {
		t.Error(err)
	}
	if err := exec.IndexDropIfExists(t.Context(), &riverdriver.IndexDropIfExistsParams{Index: "river_job_kind"}); err != nil {
		t.Error(err)
	}
}

func TestBellNeverBlocks(t *testing.T) {
	t.Parallel()
	b := newBell()
	for range 10 * maxRings {
		b.ring("default")
	}
	n, err := b.WaitForNotification(t.Context())
	if err != nil || n.Topic != insertTopic || !strings.Contains(n.Payload, `"default"`) {
		t.Errorf("%+v, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range maxRings {
		if _, err = b.WaitForNotification(ctx); err != nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
