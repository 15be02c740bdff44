package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// on runs the service on a database.
func on(db *sqlkit.DB) edit {
	return func(o *suitetest.Options, _ *auditConfig) { o.DB = db }
}

// A service can only write as itself, and an organisation not at all.
//
// covers: SEC-01 SEC-07
func TestForgedRecords(t *testing.T) {
	t.Parallel()
	w := start(t)
	if _, err := w.ship("income", recordOf()); reasonOf(err) != "WRITER_MISMATCH" {
		t.Errorf("a record of the identity service, shipped by another: %v", err)
	}
	w.kept(recordOf())
	stream, err := auditv1.NewIngestServiceClient(w.as(fund)).Ship(t.Context())
	must(t, err)
	_ = stream.Send(&auditv1.ShipRequest{Records: [][]byte{{1}}}) // Recv tells
	if _, err := stream.Recv(); err == nil {
		t.Error("an organisation shipped records")
	}
	for name, edit := range map[string]func(*auditv1.Record){
		"no event id": func(r *auditv1.Record) { r.EventId = "" }, "not a UUID": func(r *auditv1.Record) { r.EventId = strings.Repeat("x", 36) },
		"upper case": func(r *auditv1.Record) { r.EventId = strings.ToUpper(r.GetEventId()) }, "no start": func(r *auditv1.Record) { r.StartedAt = nil },
		"start before 1970": func(r *auditv1.Record) { r.StartedAt = &timestamppb.Timestamp{Seconds: -5} },
		"half a trace id":   func(r *auditv1.Record) { r.TraceId = r.GetTraceId()[:8] }, "long span": func(r *auditv1.Record) { r.SpanId = make([]byte, 90) },
		"huge case": func(r *auditv1.Record) { r.CaseReference = strings.Repeat("c", 600) }, "huge status": func(r *auditv1.Record) { r.StatusCode = 1 << 30 },
		"huge organisation": func(r *auditv1.Record) { r.Actor.Organisation = strings.Repeat("D", 600) },
	} {
		if _, err := w.ship("identity", recordOf(), recordOf(edit)); reasonOf(err) != "RECORD_INVALID" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, req := range map[string]*auditv1.ShipRequest{
		"no records": {}, "an empty record": {Records: [][]byte{{}}}, "a huge record": {Records: [][]byte{make([]byte, 70_000)}},
	} {
		if _, err := w.shipRaw("identity", req); reasonOf(err) != "INVALID_REQUEST" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.shipRaw("identity", &auditv1.ShipRequest{Records: [][]byte{[]byte("no protobuf at all")}}); reasonOf(err) != "RECORD_INVALID" {
		t.Errorf("noise: %v", err)
	}
	if shards, err := w.parts.Store.Shards(t.Context()); err != nil || shards[0].Size != 1 {
		t.Errorf("shards are %+v, %v: nothing of a refused batch is kept", shards, err)
	}
	if len(w.AllRecords()) != 1 { // the organisation's attempt
		t.Errorf("%d records of the service's own", len(w.AllRecords()))
	}
}

// Whatever is sent again, by whomever at once, is in the ledger once, and the order of each writer is kept.
func TestEachRecordOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		const writers, batches, size = 3, 6, 40
		var sent sync.WaitGroup
		want := map[string][]string{}
		for n := range writers {
			service := fmt.Sprintf("service-%d", n)
			var all []*auditv1.Record
			for range batches * size {
				r := recordOf(func(r *auditv1.Record) { r.Writer.Service = service })
				all = append(all, r)
				want[service] = append(want[service], r.GetEventId())
			}
			sent.Go(func() {
				for batch := range slices.Chunk(all, size) {
					for range 2 { // the answer to the first was lost
						if _, err := w.ship(service, batch...); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		sent.Wait()
		w.covered(writers * batches * size)
		rows, err := w.parts.Store.Range(t.Context(), shard(), 0, 10_000)
		must(t, err)
		got := map[string][]string{}
		for _, r := range rows {
			got[r.Service] = append(got[r.Service], eventText(r.Event))
		}
		for service := range want {
			if !slices.Equal(got[service], want[service]) {
				t.Errorf("%s: %d records, want %d in order", service, len(got[service]), len(want[service]))
			}
		}
		if len(rows) != writers*batches*size {
			t.Errorf("%d records", len(rows))
		}
	})
}

// Clocks of services that go wrong change nothing about what is kept, and a call never lasts less than nothing.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, off := range []time.Duration{-20 * 365 * 24 * time.Hour, -time.Hour, time.Hour, 20 * 365 * 24 * time.Hour} {
		r := recordOf(func(r *auditv1.Record) {
			r.StartedAt = timestamppb.New(r.GetStartedAt().AsTime().Add(off))
			r.EndedAt = timestamppb.New(r.GetStartedAt().AsTime().Add(-time.Minute)) // set back meanwhile
		})
		w.kept(r)
		got, err := w.receipt(fund, fund, r.GetEventId())
		must(t, err)
		if got.GetOrigin() != fmt.Sprintf("%s/%d", origin, shard()) {
			t.Errorf("recorded in %s", got.GetOrigin())
		}
	}
}
