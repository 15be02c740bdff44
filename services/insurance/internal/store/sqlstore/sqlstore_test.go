package sqlstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/insurance/internal/store/storetest"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func migrated(tb testing.TB, cfg sqlkit.Config) *sqlkit.DB {
	tb.Helper()
	db := sqltest.Open(tb, cfg)
	if err := db.Migrate(tb.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		tb.Fatal(err)
	}
	return db
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{
		sqltest.File: sqltest.FileConfig, sqltest.Memory: sqltest.MemoryConfig, sqltest.Postgres: sqltest.PostgresConfig,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				t.Helper()
				s := sqlstore.New(migrated(t, config(t)))
				if name == sqltest.Memory { // asks alone; the others ask together, as the program does
					return s
				}
				end := s.Gather(t.Context())
				t.Cleanup(func() {
					if err := end(context.WithoutCancel(t.Context())); err != nil {
						t.Error(err)
					}
				})
				return s
			})
		})
	}
}

func TestMigrationsOfBothDialects(t *testing.T) {
	t.Parallel()
	if err := sqlkit.CheckMigrations(sqlstore.Migrations()); err != nil {
		t.Error(err)
	}
}

func TestClosedDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	db, err := sqlkit.Open(t.Context(), sqltest.MemoryConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	s := sqlstore.New(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RowByHandle(t.Context(), "DK:1", "h"); !errors.Is(err, core.ErrStoreUnavailable) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("%v", err)
	}
}
