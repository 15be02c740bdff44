package console_test

import (
	"flag"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/audit/internal/store/storetest"
)

// rows is how many records BenchmarkPages searches; the goal is set for a million.
func rows() int {
	if flag.Lookup("test.short").Value.String() == "true" {
		return 20_000
	}
	return 1_000_000
}

// BenchmarkPages measures pages from request to last byte over a million records. Goal: the first page of any search under 100 ms.
func BenchmarkPages(b *testing.B) {
	w := newWorld(b)
	const batch = 2000
	for n := 0; n < rows(); n += batch {
		if _, err := w.store.Append(b.Context(), storetest.Shard, storetest.RowsOf(n, n+batch)); err != nil {
			b.Fatal(err)
		}
	}
	w.signIn()
	last := storetest.RowOf(rows() - 7)
	for name, path := range map[string]string{
		"all": "/", "organisation": "/?organisation=" + last.Caller, "service": "/?service=" + last.Service, "rpc": "/?rpc=" + last.RPC,
		"purpose": "/?purpose=PURPOSE_ADDRESS_UPDATE", "refused": "/?decision=deny", "failed": "/?decision=failed",
		"trace": "/?trace=" + strings.Repeat("0", 32), "time": "/?from=2026-11-01T00:05&until=2026-11-01T00:06",
		"seldom together": "/?organisation=DK:10000003&service=service-4&decision=failed&purpose=PURPOSE_IDENTIFICATION",
		"never together":  "/?service=service-1&rpc=samvirke.service2.v1.Service/Call2", "services": "/services?minutes=1440",
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if status, body, _ := w.get(path); status != http.StatusOK {
					b.Fatal(status, body)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[0].Microseconds())/1000, "fastest-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
