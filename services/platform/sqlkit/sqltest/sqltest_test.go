package sqltest_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachGivesFreshDatabases(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	dialects := map[sqlkit.Dialect]int{}
	t.Cleanup(func() {
		if dialects[sqlkit.SQLite] != 4 || dialects[sqlkit.Postgres]%2 != 0 {
			t.Errorf("ran on %v", dialects)
		}
	})
	for _, run := range []string{"first", "second"} {
		t.Run(run, func(t *testing.T) {
			t.Parallel()
			sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
				if _, err := db.Exec(t.Context(), "CREATE TABLE same (id BIGINT)"); err != nil {
					t.Errorf("not fresh: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				dialects[db.Dialect()]++
			})
		})
	}
}

func TestDatabasesOfOneTestAreSeparate(t *testing.T) {
	t.Parallel()
	sqltest.EachConfig(t, func(t *testing.T, cfg sqlkit.Config) {
		a, b := sqltest.Open(t, cfg), sqltest.Open(t, cfg)
		_, first := a.Exec(t.Context(), "CREATE TABLE same (id BIGINT)")
		_, second := b.Exec(t.Context(), "CREATE TABLE same (id BIGINT)")
		if shared := cfg.URL != "sqlite::memory:"; first != nil || (second != nil) != shared {
			t.Errorf("first %v, second %v", first, second)
		}
	})
}
