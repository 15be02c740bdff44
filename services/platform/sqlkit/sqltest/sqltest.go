// Package sqltest runs tests on every database that the suite supports. It is test support: production code must not import it.
//
// PostgreSQL is the server named by SAMVIRKE_TEST_POSTGRES (a URL whose user may create databases), or else one that is started from
// the binaries of this machine, once per test binary, in a folder of its own and without any network port. Where there is neither,
// the PostgreSQL half is skipped, or fails if SAMVIRKE_TEST_STRICT is 1.
package sqltest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"samvirke.dev/services/platform/sqlkit"
)

// Environment variables that govern the tests.
const (
	EnvPostgres = "SAMVIRKE_TEST_POSTGRES" // URL of a PostgreSQL server to use
	EnvStrict   = "SAMVIRKE_TEST_STRICT"   // 1: a missing PostgreSQL is a failure
)

// Names of the subtests that Each runs.
const (
	File     = "sqlite-file"
	Memory   = "sqlite-memory"
	Postgres = "postgres"
)

// Each runs fn as parallel subtests on a fresh, empty SQLite file, SQLite in memory and PostgreSQL database. The database is closed and
// removed afterwards.
func Each(t *testing.T, fn func(t *testing.T, db *sqlkit.DB)) {
	t.Helper()
	EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		t.Helper()
		fn(t, Open(t, cfg))
	})
}

// EachConfig is Each for tests that open the database themselves, such as those that open it twice.
func EachConfig(t *testing.T, fn func(t *testing.T, cfg sqlkit.Config)) {
	t.Helper()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{File: FileConfig, Memory: MemoryConfig, Postgres: PostgresConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, config(t))
		})
	}
}

// Open opens the database and closes it at the end of the test.
func Open(tb testing.TB, cfg sqlkit.Config) *sqlkit.DB {
	tb.Helper()
	db, err := sqlkit.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatalf("open database: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close database: %v", err)
		}
	})
	return db
}

// FileConfig returns the configuration of a fresh SQLite file.
func FileConfig(tb testing.TB) sqlkit.Config {
	tb.Helper()
	return sqlkit.DefaultConfig("sqlite:" + filepath.Join(tb.TempDir(), "test.db"))
}

// MemoryConfig returns the configuration of a fresh SQLite database in memory.
func MemoryConfig(tb testing.TB) sqlkit.Config {
	tb.Helper()
	return sqlkit.DefaultConfig("sqlite::memory:")
}

// PostgresConfig returns the configuration of a fresh PostgreSQL database, which is dropped at the end of the test. It skips the test,
// or fails it under SAMVIRKE_TEST_STRICT=1, where no PostgreSQL is found.
func PostgresConfig(tb testing.TB) sqlkit.Config {
	tb.Helper()
	srv, err := shared()
	switch {
	case errors.Is(err, errMissing):
		missing(tb, err)
	case err != nil:
		tb.Fatalf("PostgreSQL: %v", err)
	}
	ctx := context.WithoutCancel(tb.Context()) // the database is also dropped after the test's context has ended
	cfg, drop, err := srv.fresh(ctx)
	if err != nil {
		tb.Fatalf("create PostgreSQL database: %v", err)
	}
	tb.Cleanup(func() {
		if err := drop(ctx); err != nil {
			tb.Errorf("drop PostgreSQL database: %v", err)
		}
	})
	return cfg
}

func missing(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv(EnvStrict) == "1" {
		tb.Fatalf("PostgreSQL is demanded by %s=1: %v", EnvStrict, err)
	}
	tb.Skipf("PostgreSQL: %v (set %s to the URL of a server, or install the server's binaries)", err, EnvPostgres)
}
