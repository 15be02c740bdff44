package sqlstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/services/audit/internal/store/sqlstore"
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
