package transfer_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// fillSQL makes open transfers, all due, without any code of ours.
const fillSQL = `INSERT INTO transfer_case (transfer_id, fund, side, other, country, state, is_open, version, handle, membership, subject, received, wanted,
	agreed, requested, poa_issuer, poa_id, poa_hash, poa_from, poa_to, parts, kinds, effective, rejection, overdue, reminders, due, manual, protected,
	withdrawing, channel, undoing, peer_seq, out_seq, opened_at, changed_at)
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	SELECT 'transfer-' || i, CASE WHEN i %% 2 = 0 THEN 'DK:10000009' ELSE 'SE:8020000017' END, 2, 'DK:20000018',
	CASE WHEN i %% 2 = 0 THEN 'DK' ELSE 'SE' END, 4, 1, 1, 'handle', 'm', %s, 0, 739700, 0, 739670, 'issuer', 'poa-' || i, %s, 739660, 800000, 0, 0, 0, 0,
	0, 0, 1, 0, 0, 0, 0, 0, 1, 0, i, i FROM n`

// peakHeap samples the heap until stop is called, which returns the highest.
func peakHeap() (stop func() uint64) {
	done, out := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-done:
				out <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(done); return <-out }
}

// BenchmarkDeadlineSweep sweeps open transfers that are all due on one day, with an audit record for each, as the service's job does.
// SAMVIRKE_TRANSFER_OPEN says how many; the goal is a million in 30 s with flat memory. SAMVIRKE_TEST_DB=postgres takes PostgreSQL.
func BenchmarkDeadlineSweep(b *testing.B) {
	n := 100_000
	if text := os.Getenv("SAMVIRKE_TRANSFER_OPEN"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	cfg, bytes := sqltest.FileConfig, "randomblob(20)"
	if os.Getenv("SAMVIRKE_TEST_DB") == "postgres" {
		cfg, bytes = sqltest.PostgresConfig, "decode(substr(md5(i::text) || md5(i::text), 1, 40), 'hex')"
	}
	w := start(b, func(tb testing.TB) *sqlkit.DB { return sqltest.Open(tb, cfg(tb)) }, []string{nord, syd})
	db := w.nodes[0].DB
	if _, err := db.Exec(b.Context(), fmt.Sprintf(fillSQL, n, bytes, bytes)); err != nil {
		b.Fatal(err)
	}
	count := func(query string) (k int) {
		b.Helper()
		must(b, db.QueryRow(b.Context(), query).Scan(&k))
		return k
	}
	before := count(`SELECT coalesce(sum(records), 0) FROM audit_outbox`)
	runtime.GC()
	stop, began := peakHeap(), clock.System().Now()
	b.ResetTimer()
	must(b, w.nodes[0].parts.Sweep(b.Context()))
	took := clock.System().Now().Sub(began).Seconds()
	b.StopTimer()
	peak := stop()
	missed, records := count(`SELECT count(*) FROM transfer_case WHERE overdue = 1`), count(`SELECT coalesce(sum(records), 0) FROM audit_outbox`)-before
	if missed != n || records != n {
		b.Fatalf("%d swept and %d records of %d", missed, records, n)
	}
	b.ReportMetric(took, "s")
	b.ReportMetric(float64(peak)/(1<<20), "MiB-heap")
	b.ReportMetric(float64(n)/took, "transfers/s")
}
