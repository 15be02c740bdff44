package sqlstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
	"samvirke.dev/services/transfer/internal/store/storetest"
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

// covers: DFH-05
func TestContract(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{
		sqltest.File: sqltest.FileConfig, sqltest.Memory: sqltest.MemoryConfig, sqltest.Postgres: sqltest.PostgresConfig,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				t.Helper()
				return sqlstore.New(migrated(t, config(t)))
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
