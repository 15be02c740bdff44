package sqlkit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// canary must be in no error text: drivers like to repeat values.
const canary = "198503149802"

func TestErrorsShowNoValues(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		mustExec(t, db, "INSERT INTO fund (id, name) VALUES (1, $1)", canary)
		_, unique := db.Exec(t.Context(), "INSERT INTO fund (id, name) VALUES (2, $1)", canary)
		_, conversion := db.Exec(t.Context(), "INSERT INTO fund (id, name) VALUES ($1, 'x')", canary+"x")
		var n int
		scan := db.QueryRow(t.Context(), "SELECT name || 'x' FROM fund WHERE id = 1").Scan(&n)
		_, cast := db.Query(t.Context(), "SELECT id FROM nowhere WHERE name = $1", canary)
		for what, err := range map[string]error{"unique": unique, "conversion": conversion, "scan": scan, "no table": cast} {
			if err == nil {
				if what != "conversion" { // SQLite is lax about types
					t.Errorf("%s: no error", what)
				}
				continue
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), canary) {
					t.Errorf("%s shows the value: %v", what, e)
				}
			}
		}
	})
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	cfg := sqltest.FileConfig(t)
	cfg.BusyTimeout = 30 * time.Millisecond
	cfg.MaxAttempts = 2
	db, rival := sqltest.Open(t, cfg), sqltest.Open(t, cfg)
	schema(t, db)
	err := rival.InTx(t.Context(), func(ctx context.Context) error {
		if err := insertFund(ctx, rival, 1, "rival"); err != nil {
			return err
		}
		if err := insertFund(t.Context(), db, 2, "late"); !errors.Is(err, sqlkit.ErrBusy) {
			t.Errorf("locked database: %v", err)
		}
		if n := count(t, db, "fund"); n != 0 { // reading goes on
			t.Errorf("%d rows visible", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := insertFund(t.Context(), db, 2, "late"); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestLockedRowInPostgres(t *testing.T) {
	t.Parallel()
	cfg := sqltest.PostgresConfig(t)
	cfg.BusyTimeout = 30 * time.Millisecond
	cfg.MaxAttempts = 2
	db := sqltest.Open(t, cfg)
	schema(t, db)
	mustExec(t, db, "INSERT INTO fund (id, name) VALUES (1, 'a')")
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := db.Exec(ctx, "UPDATE fund SET size = 1 WHERE id = 1"); err != nil {
			return err
		}
		if _, err := db.Exec(t.Context(), "UPDATE fund SET size = 2 WHERE id = 1"); !errors.Is(err, sqlkit.ErrBusy) {
			t.Errorf("locked row: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullDatabase(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Memory: sqltest.MemoryConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := sqltest.Open(t, config(t))
			schema(t, db)
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				rows, err := db.Query(ctx, "PRAGMA max_page_count = 20")
				if err != nil {
					return err
				}
				return rows.Close()
			})
			if err != nil {
				t.Fatal(err)
			}
			full := db.InTx(t.Context(), func(ctx context.Context) error {
				for i := range 100 {
					if err := insertFund(ctx, db, i, strings.Repeat("x", 4000+i)); err != nil {
						return err
					}
				}
				return nil
			})
			if !errors.Is(full, sqlkit.ErrFull) {
				t.Errorf("full database: %v", full)
			}
			if n := count(t, db, "fund"); n != 0 {
				t.Errorf("%d rows left by the failed transaction", n)
			}
			if err := insertFund(t.Context(), db, 1, "small"); err != nil {
				t.Errorf("what still fits: %v", err)
			}
		})
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	if _, err := sqlkit.Open(t.Context(), sqlkit.DefaultConfig("sqlite:"+filepath.Join(t.TempDir(), "no", "such", "x.db"))); !errors.Is(err, sqlkit.ErrUnavailable) {
		t.Errorf("no folder: %v", err)
	}
	cfg := sqlkit.DefaultConfig("postgres://nobody@127.0.0.1:1/x?sslmode=disable")
	if _, err := sqlkit.Open(t.Context(), cfg); !errors.Is(err, sqlkit.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlkit.Open(t.Context(), sqlkit.DefaultConfig("sqlite:"+path)); !errors.Is(err, sqlkit.ErrUnavailable) {
		t.Errorf("no database: %v", err)
	}
}

func TestGoneWhileOpen(t *testing.T) {
	t.Parallel()
	cfg := sqltest.PostgresConfig(t)
	db, admin := sqltest.Open(t, cfg), sqltest.Open(t, cfg)
	schema(t, db)
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		if err := insertFund(ctx, db, 1, "a"); err != nil {
			return err
		}
		mustExec(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		return insertFund(ctx, db, 2, "b")
	})
	if !errors.Is(err, sqlkit.ErrUnavailable) {
		t.Errorf("connection lost: %v", err)
	}
	// The pool may hold further dead connections; each is found out by use.
	for range 20 {
		if err = insertFund(t.Context(), db, 1, "a"); err == nil {
			break
		}
	}
	if err != nil || count(t, db, "fund") != 1 {
		t.Errorf("after the loss: %v, %d rows", err, count(t, db, "fund"))
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		if db.Dialect() == sqlkit.Postgres {
			err := db.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := db.Exec(ctx, "SET TRANSACTION READ ONLY"); err != nil {
					return err
				}
				return insertFund(ctx, db, 1, "a")
			})
			if !errors.Is(err, sqlkit.ErrReadOnly) {
				t.Errorf("got %v", err)
			}
			return
		}
		rows, err := db.Query(t.Context(), "INSERT INTO fund (id, name) VALUES (1, 'a') RETURNING id") // Query reads only
		if err == nil {
			err = errors.Join(rows.Err(), rows.Close())
		}
		if !errors.Is(err, sqlkit.ErrReadOnly) || count(t, db, "fund") != 0 {
			t.Errorf("got %v, %d rows", err, count(t, db, "fund"))
		}
	})
}

func TestClosed(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		if err := errors.Join(db.Healthy(t.Context()), db.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
		_, query := db.Query(t.Context(), "SELECT 1")
		_, exec := db.Exec(t.Context(), "DELETE FROM fund")
		var n int
		row := db.QueryRow(t.Context(), "SELECT 1").Scan(&n)
		for what, err := range map[string]error{"query": query, "exec": exec, "row": row, "ping": db.Ping(t.Context())} {
			if !errors.Is(err, sqlkit.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	cfg := sqltest.FileConfig(t)
	first := sqltest.Open(t, cfg)
	schema(t, first)
	mustExec(t, first, "INSERT INTO fund (id, name) VALUES (1, 'a')")
	second := sqltest.Open(t, cfg) // while the first is open, as after a kill
	if n := count(t, second, "fund"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestMemoryDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	a, b := sqltest.Open(t, sqltest.MemoryConfig(t)), sqltest.Open(t, sqltest.MemoryConfig(t))
	schema(t, a)
	schema(t, b)
	mustExec(t, a, "INSERT INTO fund (id, name) VALUES (1, 'a')")
	if n := count(t, b, "fund"); n != 0 {
		t.Errorf("%d rows of another database", n)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.FileConfig(t))
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
			var got string
			if err := db.QueryRow(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConfigProblemsAllAtOnce(t *testing.T) {
	t.Parallel()
	cfg := sqlkit.Config{URL: "postgres://user:" + canary + "@host/x", ReadConns: -1, BusyTimeout: -1}
	_, err := sqlkit.Open(t.Context(), cfg)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"url: must not hold a password", "read_conns: ", "busy_timeout: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
	if strings.Contains(err.Error(), canary) {
		t.Error("the password is shown")
	}
	for _, bad := range []string{"", "mysql://x", "sqlite:relative.db", "sqlite:/x.db?mode=ro", "sqlite:", "%zz", "postgres://u@h/x?password=p"} {
		if err := sqlkit.DefaultConfig(bad).Validate(); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if err := (sqlkit.Config{URL: "sqlite::memory:", PasswordFile: "/x"}).Validate(); err == nil {
		t.Error("password for SQLite accepted")
	}
	if _, err := sqlkit.Open(t.Context(), sqlkit.Config{URL: "postgres://u@h/x", PasswordFile: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("missing password file accepted")
	}
}
