package audit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// underWay sends all batches over one stream, without waiting for an answer in between, and returns how many were acknowledged.
func (w *world) underWay(batches [][]*auditv1.Record) (acknowledged int, err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	stream, err := auditv1.NewIngestServiceClient(w.Dial(w.CA.Service("identity"))).Ship(ctx)
	must(w.t, err)
	var sent sync.WaitGroup
	defer sent.Wait()
	sent.Go(func() {
		for _, batch := range batches {
			req := &auditv1.ShipRequest{}
			for _, r := range batch {
				raw, err := proto.Marshal(r)
				check(w.t, err)
				req.Records = append(req.Records, raw)
			}
			if stream.Send(req) != nil {
				return // Recv says why
			}
		}
	})
	for ; acknowledged < len(batches); acknowledged++ {
		if _, err := stream.Recv(); err != nil {
			cancel()
			return acknowledged, err
		}
	}
	return acknowledged, nil
}

// order lists the events in the database in their order.
func (w *world) order() (out []string) {
	w.t.Helper()
	rows, err := w.parts.Store.Range(w.t.Context(), shard(), 0, 100_000)
	must(w.t, err)
	for _, r := range rows {
		out = append(out, eventText(r.Event))
	}
	return out
}

// A sender that has many batches under way finds them kept in its order and answered in its order. One that can't be kept ends the stream: of
// the batches before it none is missing, of those behind it none is there, and sent again all are there once.
func TestOrderOfBatchesUnderWay(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		var want []string
		for round := range uint64(8) {
			rnd := rand.New(rand.NewPCG(round, 1))
			batches := make([][]*auditv1.Record, 1+rnd.IntN(20))
			for i := range batches {
				batches[i] = batchOf(1 + rnd.IntN(30))
			}
			bad := rnd.IntN(2 * len(batches))
			if bad < len(batches) {
				spoilt := slices.Clone(batches)
				spoilt[bad] = append(batchOf(1), recordOf(func(r *auditv1.Record) { r.Writer.Service = "income" }))
				done, err := w.underWay(spoilt)
				if reasonOf(err) != "WRITER_MISMATCH" || done != bad {
					t.Fatalf("%d of %d acknowledged before the bad one: %v", done, bad, err)
				}
				if got := len(w.order()) - len(want); got != count(batches[:bad]) {
					t.Fatalf("%d records kept, want %d", got, count(batches[:bad]))
				}
			}
			if done, err := w.underWay(batches); err != nil || done != len(batches) {
				t.Fatalf("%d of %d acknowledged: %v", done, len(batches), err)
			}
			for _, batch := range batches {
				for _, r := range batch {
					want = append(want, r.GetEventId())
				}
			}
			if !slices.Equal(w.order(), want) {
				t.Fatal("records are missing, doubled or out of order")
			}
		}
	})
}

func count(batches [][]*auditv1.Record) (n int) {
	for _, b := range batches {
		n += len(b)
	}
	return n
}

// A database that is full for a while lets no batch overtake another: what is kept is always the beginning of what was sent.
//
// covers: SEC-07
func TestOrderThroughFaults(t *testing.T) {
	t.Parallel()
	w := start(t, on(sqltest.Open(t, sqltest.FileConfig(t))))
	var all []string
	for range 12 {
		var batches [][]*auditv1.Record
		for range 24 {
			batches = append(batches, batchOf(20))
		}
		for _, b := range batches {
			for _, r := range b {
				all = append(all, r.GetEventId())
			}
		}
		w.full(t, true)
		_, err := w.underWay(batches)
		if reasonOf(err) != "STORE_UNAVAILABLE" {
			t.Fatalf("without room: %v", err)
		}
		if got := w.order(); len(got) >= len(all) || !slices.Equal(got, all[:len(got)]) {
			t.Fatalf("%d records kept are not the beginning of what was sent", len(got))
		}
		w.full(t, false)
		_, err = w.underWay(batches)
		must(t, err)
	}
	if got := w.order(); !slices.Equal(got, all) {
		t.Errorf("%d records, want %d", len(got), len(all))
	}
}
