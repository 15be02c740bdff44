package audit_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"testing"
	"time"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/verify"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// expire erases what is over so many months from now, and returns how many records that were.
func (w *world) expire(months int) int {
	w.t.Helper()
	now := clock.System().Now().UTC()
	then := time.Date(now.Year(), now.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC) // the first of a month exists always
	later, err := audit.NewParts(w.t.Context(), w.cfg, audit.Deps{
		DB: w.DB, Keys: w.Keys, Clock: clock.NewFake(then), Log: slog.New(slog.DiscardHandler), Signer: w.signer,
	})
	must(w.t, err)
	defer func() { check(w.t, later.Close(w.t.Context())) }()
	n, err := later.Core.Expire(w.t.Context())
	must(w.t, err)
	return n
}

// Records are erased when their time is over, those that document register data with their whole log later; what is left is proved as before,
// and of a dropped log the last checkpoint stays.
//
// covers: RET-13
func TestRetention(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		register := recordOf()
		plain := recordOf(func(r *auditv1.Record) { r.Source = vocabularyv1.Source_SOURCE_MEMBER })
		w.kept(plain, register)
		w.covered(2)
		keep := audit.DefaultConfig().Keep
		if n := w.expire(keep.Months); n != 0 {
			t.Fatalf("%d records erased in the last month of their time", n)
		}
		if n := w.expire(keep.Months + 1); n != 1 {
			t.Fatalf("%d records erased, want the one that documents no register data", n)
		}
		if _, err := w.receipt(fund, fund, plain.GetEventId()); reasonOf(err) != "RECORD_NOT_FOUND" {
			t.Errorf("receipt of an erased record: %v", err)
		}
		_, err := w.receipt(fund, fund, register.GetEventId())
		must(t, err)
		found, err := verify.Ledger(t.Context(), w.parts.Ledger.Keys(), w.exported(), nil)
		must(t, err)
		if found.Fault != proofs.NoFault || found.Records != 1 || found.Erased != 1 {
			t.Errorf("the ledger after an erasure: %+v", found)
		}

		if n := w.expire(keep.RegisterMonths); n != 0 {
			t.Fatalf("%d records erased in the last month of the log's time", n)
		}
		if n := w.expire(keep.RegisterMonths + 1); n != 2 {
			t.Fatalf("%d records dropped with their log, want 2", n)
		}
		if _, err := w.receipt(fund, fund, register.GetEventId()); reasonOf(err) != "RECORD_NOT_FOUND" {
			t.Errorf("receipt of a dropped record: %v", err)
		}
		if _, err := os.Stat(w.parts.Ledger.Dir(shard())); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the dropped log's files: %v", err)
		}
		shards, err := w.parts.Store.Shards(t.Context())
		must(t, err)
		last, err := w.parts.Ledger.Keys().Open([]byte(shards[0].Checkpoint), "")
		must(t, err)
		if !shards[0].Dropped || last.Size != 2 {
			t.Errorf("of the dropped log is left: %+v", shards[0])
		}
	})
}
