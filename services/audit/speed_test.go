package audit_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// How records arrive in these benchmarks: batches of the size that services ship, from several services at once.
const (
	perBatch = 400
	writers  = 12
)

// What durable records cost through the whole ingest: mutual TLS, gRPC, taking apart, sealing, a SQLite file with synchronous=FULL, while
// the ledger follows. The ratio is to bare Tessera, which gets leaves of the same size in the same run. While records come in, receipts are
// fetched of events as soon as they are acknowledged.
//
//	go test ./services/audit -run '^$' -bench Ingest -benchtime 100000x
func BenchmarkIngest(b *testing.B) {
	b.Run("as-fast-as-it-goes", func(b *testing.B) { ingest(b, 0) })
	b.Run("at-20000-a-second", func(b *testing.B) { ingest(b, 20_000) })
}

// ingest measures it with at most so many records a second, 0 for no bound.
func ingest(b *testing.B, most int) {
	db := sqltest.Open(b, sqltest.FileConfig(b))
	w := start(b, on(db))
	w.kept(recordOf()) // the shard's log is made
	batches := make([][]*auditv1.ShipRequest, writers)
	last := make([][]string, writers)
	for i := range batches {
		for n := 0; n < b.N/writers; n += perBatch {
			req := &auditv1.ShipRequest{}
			var id string
			for range perBatch {
				r := recordOf(func(r *auditv1.Record) { r.Writer.Service = fmt.Sprintf("service-%d", i) })
				raw, err := proto.Marshal(r)
				must(b, err)
				req.Records, id = append(req.Records, raw), r.GetEventId()
			}
			batches[i], last[i] = append(batches[i], req), append(last[i], id)
		}
	}
	var sent sync.WaitGroup
	var total atomic.Int64
	acknowledged := make(chan string, 1)
	b.ResetTimer()
	for i := range batches {
		sent.Go(func() {
			stream, err := auditv1.NewIngestServiceClient(w.Dial(w.CA.Service(fmt.Sprintf("service-%d", i)))).Ship(b.Context())
			check(b, err)
			pace := time.NewTicker(max(time.Second*perBatch*writers/time.Duration(max(most, 1)), 1))
			defer pace.Stop()
			for n, req := range batches[i] {
				if most > 0 {
					<-pace.C
				}
				check(b, stream.Send(req))
				if _, err := stream.Recv(); err != nil {
					b.Error(err)
					return
				}
				total.Add(int64(len(req.Records)))
				select {
				case acknowledged <- last[i][n]:
				default: // the one before is still being fetched
				}
			}
		})
	}
	var waits []time.Duration
	var fetched sync.WaitGroup
	fetched.Go(func() { waits = receipts(b, w, acknowledged) })
	sent.Wait()
	took := b.Elapsed()
	b.StopTimer()
	close(acknowledged)
	fetched.Wait()
	w.covered(uint64(total.Load()) + 1)
	rate := float64(total.Load()) / took.Seconds()
	b.ReportMetric(rate, "records/s")
	b.ReportMetric(rate/bare(b, int(total.Load())), "of-bare-tessera")
	if len(waits) > 0 {
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "receipt-p50-ms")
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "receipt-p99-ms")
	}
}

// receipts fetches receipts and tells how long after its acknowledgement each was there.
func receipts(b *testing.B, w *world, events <-chan string) (out []time.Duration) {
	client := auditv1.NewLedgerServiceClient(w.as(fund))
	for e := range events {
		begun := now()
		if _, err := client.GetReceipt(b.Context(), &auditv1.GetReceiptRequest{Context: contextFor(fund, ""), EventId: e}); err != nil {
			b.Errorf("receipt: %v", err)
			continue
		}
		out = append(out, now().Sub(begun))
	}
	return out
}

// bare is how many leaves a second Tessera alone takes, with the ledger's own settings.
func bare(b *testing.B, n int) float64 {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(b.TempDir(), "bare")})
	must(b, err)
	_, key, err := ed25519.GenerateKey(nil)
	must(b, err)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(ledger.NewLocalSigner(origin, key).For(origin)).WithBatching(1024, 20*time.Millisecond).WithCheckpointInterval(100*time.Millisecond))
	must(b, err)
	begun := now()
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			leaf := make([]byte, 32)
			for range n / writers / perBatch {
				futures := make([]tessera.IndexFuture, perBatch)
				for i := range futures {
					futures[i] = appender.Add(ctx, tessera.NewEntry(leaf))
				}
				for _, wait := range futures {
					_, err := wait()
					check(b, err)
				}
			}
		})
	}
	all.Wait()
	rate := float64(n) / now().Sub(begun).Seconds()
	check(b, shutdown(ctx))
	return rate
}

// What checking one receipt offline costs.
func BenchmarkCheckReceipt(b *testing.B) {
	w := start(b)
	r := recordOf()
	w.kept(r)
	got, err := w.receipt(fund, fund, r.GetEventId())
	must(b, err)
	keys := w.parts.Ledger.Keys()
	for b.Loop() {
		proof := receipt.Of(got)
		if _, err := proof.Verify(keys); err != nil {
			b.Fatal(err)
		}
	}
}

func now() time.Time { return clock.System().Now() }
