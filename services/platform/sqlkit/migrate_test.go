package sqlkit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// migrations returns the first n versions of a small schema.
func migrations(n int) fstest.MapFS {
	all := []struct{ name, up, down string }{
		{"00001_fund.sql", "CREATE TABLE fund (id BIGINT PRIMARY KEY, name TEXT NOT NULL);", "DROP TABLE fund;"},
		{"00002_size.sql", "ALTER TABLE fund ADD COLUMN size BIGINT NOT NULL DEFAULT 7;", "ALTER TABLE fund DROP COLUMN size;"},
		{"00003_rows.sql", "INSERT INTO fund (id, name) VALUES (1000, 'seed; with a semicolon');", "DELETE FROM fund WHERE id = 1000;"},
	}
	out := fstest.MapFS{}
	for _, m := range all[:n] {
		for _, d := range []sqlkit.Dialect{sqlkit.SQLite, sqlkit.Postgres} {
			out[string(d)+"/"+m.name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + m.up + "\n-- +goose Down\n" + m.down + "\n")}
		}
	}
	return out
}

func TestMigrateFromEveryEarlierVersion(t *testing.T) {
	t.Parallel()
	const latest = 3
	sqltest.EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		for from := range latest + 1 {
			name := fmt.Sprintf("part%d", from) // a version table of its own
			db := sqltest.Open(t, cfg)
			if err := db.Migrate(t.Context(), migrations(from), name); from > 0 && err != nil {
				t.Fatalf("to version %d: %v", from, err)
			}
			if from > 0 {
				mustExec(t, db, "INSERT INTO fund (id, name) VALUES ($1, 'old')", from)
			}
			for range 2 { // the second time there is nothing to do
				if err := db.Migrate(t.Context(), migrations(latest), name); err != nil {
					t.Fatalf("from version %d: %v", from, err)
				}
			}
			if n := count(t, db, "fund"); n != min(from, 1)+1 {
				t.Errorf("from version %d: %d rows", from, n)
			}
			mustExec(t, db, "DROP TABLE fund")
			if strings.Contains(cfg.URL, "memory") {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestMigrateTo(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		if err := db.MigrateTo(t.Context(), migrations(3), "x", 2); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, "fund"); n != 0 {
			t.Errorf("%d rows: version 3 was made too", n)
		}
	})
}

func TestSchemaAhead(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		if err := db.Migrate(t.Context(), migrations(3), "x"); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), migrations(2), "x"); !errors.Is(err, sqlkit.ErrSchemaAhead) {
			t.Errorf("older program: %v", err)
		}
	})
}

func TestBrokenMigrationLeavesTheVersionBefore(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		broken := migrations(1)
		text := "-- +goose Up\nINSERT INTO fund (id, name) VALUES (1, 'half');\nINSERT INTO fund (id, name) VALUES (2, '" + canary + "'::nonsense);\n"
		broken["sqlite/00002_x.sql"] = &fstest.MapFile{Data: []byte(text)}
		broken["postgres/00002_x.sql"] = broken["sqlite/00002_x.sql"]
		err := db.Migrate(t.Context(), broken, "x")
		if !errors.Is(err, sqlkit.ErrQuery) || !strings.Contains(err.Error(), "00002_x.sql") || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db, "fund"); n != 0 {
			t.Errorf("%d rows of half a migration", n)
		}
		if err := db.Migrate(t.Context(), migrations(3), "x"); err != nil {
			t.Errorf("mended: %v", err)
		}
	})
}

func TestMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			var wg sync.WaitGroup
			for range 3 {
				db := sqltest.Open(t, cfg)
				wg.Go(func() {
					if err := db.Migrate(t.Context(), migrations(3), "x"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := count(t, sqltest.Open(t, cfg), "fund"); n != 1 {
				t.Errorf("%d rows, want the one seed", n)
			}
		})
	}
}

func TestMigrateRefusesOddNames(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	for _, name := range []string{"", "X", "a b", "a;b", `a"b`} {
		if err := db.Migrate(t.Context(), migrations(1), name); err == nil {
			t.Errorf("%q accepted", name)
		}
	}
}

func TestCheckMigrations(t *testing.T) {
	t.Parallel()
	if err := sqlkit.CheckMigrations(migrations(3)); err != nil {
		t.Error(err)
	}
	missing := migrations(3)
	delete(missing, "postgres/00002_size.sql")
	for what, fsys := range map[string]fs.FS{"one missing": missing, "none": fstest.MapFS{}} {
		if err := sqlkit.CheckMigrations(fsys); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
