package sqlstore_test

import (
	"testing"

	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/audit/internal/store/storetest"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// What a durable record costs the store, in batches of the usual size.
func BenchmarkAppend(b *testing.B) {
	s := sqlstore.New(migrated(b, sqltest.FileConfig(b)))
	const batch = 512
	rows := storetest.RowsOf(0, b.N)
	b.ResetTimer()
	for i := 0; i < len(rows); i += batch {
		if _, err := s.Append(b.Context(), storetest.Shard, rows[i:min(i+batch, len(rows))]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
