package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// within waits until cond holds.
func within(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !cond() {
		select {
		case <-late:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}

// full lets the database, a SQLite file, grow no more, or grow again.
func (w *world) full(t *testing.T, full bool) {
	t.Helper()
	pragma := "PRAGMA max_page_count = 1000000"
	if full {
		pragma = "PRAGMA max_page_count = 1" // SQLite makes that as many pages as there are now
	}
	check(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
		rows, err := w.DB.Query(ctx, pragma)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return errors.Join(rows.Err(), rows.Close())
	}))
}

func batchOf(n int) (out []*auditv1.Record) {
	for range n {
		out = append(out, recordOf())
	}
	return out
}

// stands demands that exactly these records are in the database and in the log, once, in this order.
func (w *world) stands(t *testing.T, want []*auditv1.Record) {
	t.Helper()
	w.covered(uint64(len(want)))
	rows, err := w.parts.Store.Range(t.Context(), shard(), 0, len(want)+100)
	must(t, err)
	var got, sent []string
	for _, r := range rows {
		got = append(got, eventText(r.Event))
	}
	for _, r := range want {
		sent = append(sent, r.GetEventId())
	}
	if !slices.Equal(got, sent) {
		t.Errorf("%d records, want %d, each once and in order", len(got), len(sent))
	}
	proved, err := w.receipt(fund, fund, sent[len(sent)-1])
	must(t, err)
	proof := receipt.Of(proved)
	_, err = proof.Verify(w.parts.Ledger.Keys())
	must(t, err)
}

// The disk under the database is full: a batch is refused, whole and as unavailable, and nothing of it is kept; when there is room again it is
// sent again, and everything is there once.
//
// covers: SEC-07
func TestDatabaseFull(t *testing.T) {
	t.Parallel()
	w := start(t, on(sqltest.Open(t, sqltest.FileConfig(t))))
	first := batchOf(100)
	w.kept(first...)
	kept := slices.Clone(first)
	w.full(t, true)
	var refused []*auditv1.Record
	within(t, "a batch is refused for want of room", func() bool {
		batch := batchOf(100)
		_, err := w.ship("identity", batch...)
		if err == nil {
			kept = append(kept, batch...)
			return false
		}
		if reasonOf(err) != "STORE_UNAVAILABLE" {
			t.Fatal(err)
		}
		refused = append(refused, batch...)
		return len(refused) == 300
	})
	shards, err := w.parts.Store.Shards(t.Context())
	must(t, err)
	if shards[0].Size != uint64(len(kept)) {
		t.Errorf("%d records kept, %d acknowledged", shards[0].Size, len(kept))
	}
	w.stands(t, kept) // what was acknowledged before is proved all the same
	w.full(t, false)
	for batch := range slices.Chunk(refused, 100) {
		w.kept(batch...)
		w.kept(batch...) // the answer to the first was lost
	}
	w.stands(t, append(kept, refused...))
}

// The disk under the log's files is away, or can't be written: records are taken and kept, receipts wait, and when it is back the log goes on
// without anybody's help.
//
// covers: SEC-07
func TestLogAway(t *testing.T) {
	t.Parallel()
	for name, under := range map[string]string{"all": "", "tiles": "tile"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, on(sqltest.Open(t, sqltest.FileConfig(t))))
			all := batchOf(300)
			w.kept(all...)
			w.stands(t, all)
			dir := filepath.Join(w.parts.Ledger.Dir(shard()), under)
			must(t, os.Rename(dir, dir+".away"))
			must(t, os.WriteFile(dir, nil, 0o400)) // where a file is no folder can be made, by root neither
			for range 3 {
				batch := batchOf(200)
				w.kept(batch...)
				all = append(all, batch...)
			}
			if _, err := w.receipt(fund, fund, all[len(all)-1].GetEventId()); err == nil {
				t.Error("a receipt without tiles")
			}
			within(t, "the log says that it can't go on", func() bool { return strings.Contains(w.Logs.String(), "the ledger can't go on") })
			must(t, os.Remove(dir))
			must(t, os.Rename(dir+".away", dir))
			w.stands(t, all)
		})
	}
}
