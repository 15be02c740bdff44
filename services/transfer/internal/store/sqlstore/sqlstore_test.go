package sqlstore_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/transfer/internal/core/civil"
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

// fillSQL makes open transfers, all due, without any code of ours.
const fillSQL = `INSERT INTO transfer_case (transfer_id, fund, side, other, country, state, is_open, version, handle, membership, subject, received, wanted,
	agreed, requested, poa_issuer, poa_id, poa_hash, poa_from, poa_to, parts, kinds, effective, rejection, overdue, reminders, due, manual, protected,
	withdrawing, peer_seq, out_seq, opened_at, changed_at)
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	SELECT 'transfer-' || i, CASE WHEN i %% 2 = 0 THEN 'DK:10000009' ELSE 'SE:8020000017' END, 2, 'DK:20000018',
	CASE WHEN i %% 2 = 0 THEN 'DK' ELSE 'SE' END, 4, 1, 1, 'handle', 'm', %s, 0, 739700, 0, 739670, 'issuer', 'poa-' || i, %s, 739660, 739760, 0, 0, 0, 0,
	0, 0, 739680, 0, 0, 0, 1, 0, i, i FROM n`

// BenchmarkDeadlineSweep sweeps open transfers that are all due on one day. SAMVIRKE_TRANSFER_OPEN says how many; the goal is a million in
// 30 s with flat memory. SAMVIRKE_TEST_DB=postgres takes PostgreSQL.
func BenchmarkDeadlineSweep(b *testing.B) {
	n := 100_000
	if text := os.Getenv("SAMVIRKE_TRANSFER_OPEN"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	cfg, bytes := sqltest.FileConfig, "randomblob(20)"
	if os.Getenv("SAMVIRKE_TEST_DB") == "postgres" {
		cfg, bytes = sqltest.PostgresConfig, "decode(md5(i::text), 'hex')"
	}
	db := migrated(b, cfg(b))
	if _, err := db.Exec(b.Context(), fmt.Sprintf(fillSQL, n, bytes, bytes)); err != nil {
		b.Fatal(err)
	}
	s := sqlstore.New(db)
	next := map[string]civil.Date{"DK": 739690, "SE": 739690}
	runtime.GC()
	var before, peak runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	start, swept := time.Now(), 0
	for {
		k, err := s.MissAll(b.Context(), 739681, next, time.Now(), 2000)
		if err != nil {
			b.Fatal(err)
		}
		swept += k
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak.HeapInuse = max(peak.HeapInuse, m.HeapInuse)
		if k < 2000 {
			break
		}
	}
	if swept != n {
		b.Fatalf("%d of %d", swept, n)
	}
	b.ReportMetric(time.Since(start).Seconds(), "s")
	b.ReportMetric(float64(peak.HeapInuse)/(1<<20), "MiB-heap")
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "transfers/s")
}
