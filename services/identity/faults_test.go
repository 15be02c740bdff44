package identity_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity"
	"samvirke.dev/services/identity/internal/importer"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

// on starts the service on a database.
func on(db *sqlkit.DB) edit {
	return func(o *suitetest.Options, _ *identity.Config) { o.DB = db }
}

// everything calls every RPC at once and returns the errors by RPC. Nothing may be disclosed where an error is returned.
func everything(t *testing.T, c *client, l importer.Line, handle string) map[string]error {
	t.Helper()
	out := map[string]error{}
	var mu sync.Mutex
	var calls sync.WaitGroup
	call := func(rpc string, do func() (disclosed bool, err error)) {
		calls.Go(func() {
			disclosed, err := do()
			if err != nil && disclosed {
				t.Errorf("%s disclosed something and failed: %v", rpc, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[rpc] = err
		})
	}
	call(resolve, func() (bool, error) { h, err := c.resolve(l.Number); return h != "", err })
	call(verify, func() (bool, error) { v, err := c.verify(l.Number, "", l.BirthDate); return v != 0, err })
	call(batch, func() (bool, error) { b, err := c.batch(l, l); return b != nil, err })
	call(address, func() (bool, error) { a, err := c.address(handle); return a != nil, err })
	call(level, func() (bool, error) { v, err := c.level(handle); return v != 0, err })
	call(levels, func() (bool, error) { v, err := c.levels(handle, handle); return v != nil, err })
	call(letters, func() (bool, error) { v, err := c.letters(handle, handle); return v != nil, err })
	call(secrecy, func() (bool, error) {
		out, err := c.rpc.RecordSecrecyTest(c.w.t.Context(), &identityv1.RecordSecrecyTestRequest{
			Context: why(c.org, secrecy, ""), Handle: handle, Fields: []string{"postal_address"}, Outcome: identityv1.SecrecyOutcome_SECRECY_OUTCOME_REFUSE,
		})
		return out != nil, err
	})
	calls.Wait()
	return out
}

// settled fails the test unless every RPC works, and each call left its record.
func settled(t *testing.T, w *world, c *client, l importer.Line, handle string) {
	t.Helper()
	before := len(w.AllRecords())
	for rpc, err := range everything(t, c, l, handle) {
		if err != nil {
			t.Errorf("afterwards %s: %v", rpc, err)
		}
	}
	if got := len(w.AllRecords()) - before; got != len(allRPCs())+3 {
		t.Errorf("afterwards %d records, want one a person: %d", got, len(allRPCs())+3)
	}
}

// Somebody else holds the write lock: no record can be written, so nothing is disclosed; when the lock is released all is well.
//
// covers: SEC-07
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	cfg := sqltest.FileConfig(t)
	cfg.BusyTimeout, cfg.MaxAttempts = 20*time.Millisecond, 2
	rival := sqltest.Open(t, cfg)
	w := start(t, on(sqltest.Open(t, cfg)))
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	handle := c.handle(l.Number)
	before := events(w)
	must(t, rival.InTx(t.Context(), func(context.Context) error {
		for _, err := range everything(t, c, l, handle) {
			want(t, err, codes.Unavailable, "AUDIT_UNAVAILABLE")
		}
		return nil
	}))
	if got := events(w); got != before {
		t.Errorf("%d events were recorded while the database was locked", got-before)
	}
	settled(t, w, c, l, handle)
}

// The disk is full: as above, until there is room again.
//
// covers: SEC-07
func TestDatabaseFull(t *testing.T) {
	t.Parallel()
	w := start(t, on(sqltest.Open(t, sqltest.FileConfig(t))))
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	handle := c.handle(l.Number)
	limit := func(statement string) {
		t.Helper()
		must(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			rows, err := w.DB.Query(ctx, statement)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		}))
	}
	limit("PRAGMA max_page_count = 1") // SQLite makes that as many pages as there are now
	refused := 0
	within(t, 30*time.Second, "every RPC is refused for want of room", func() bool {
		before := events(w)
		var failed, fine int
		for _, err := range everything(t, c, l, handle) {
			if err == nil {
				fine++
				continue
			}
			failed++
			want(t, err, codes.Unavailable, "AUDIT_UNAVAILABLE")
		}
		// Where a change finds no room, the shorter record of its refusal may.
		if got := events(w) - before; got < int64(fine) || got > int64(fine+failed) {
			t.Errorf("%d answered and %d refused calls left %d events", fine, failed, got)
		}
		refused += failed
		return fine == 0 || t.Failed()
	})
	limit("PRAGMA max_page_count = 1000000")
	settled(t, w, c, l, handle)
}

// The database is gone for good: a deliberate answer, every time, and the health probe knows.
//
// covers: SEC-07
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		l := line(0)
		w.load(l)
		c := w.as(fundDK)
		handle := c.handle(l.Number)
		must(t, db.Close())
		for range 3 {
			for _, err := range everything(t, c, l, handle) {
				want(t, err, codes.Unavailable, "AUDIT_UNAVAILABLE")
			}
		}
		if db.Healthy(t.Context()) == nil {
			t.Error("the closed database calls itself healthy")
		}
	})
}

// The database loses all its connections again and again while calls run, as when PostgreSQL is started anew: each call is answered or is
// refused as the database's matter, whoever was answered has one record, and in the end all is well without anybody's help.
//
// covers: SEC-07
func TestDatabaseConnectionsLost(t *testing.T) {
	t.Parallel()
	const cuts, callers, enough = 5, 8, 50
	cfg := sqltest.PostgresConfig(t)
	admin := sqltest.Open(t, cfg)
	w := start(t, on(sqltest.Open(t, cfg)))
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	handle := c.handle(l.Number)
	ctx, stop := context.WithCancel(t.Context())
	var answered, refused atomic.Int64
	events := make([][]string, callers)
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() {
			for ctx.Err() == nil {
				event, err := c.recorded(i%2 == 0, handle, l)
				switch code := refusalOf(err); {
				case err == nil:
					answered.Add(1)
					events[i] = append(events[i], event)
				case code.code == codes.Unavailable && (code.reason == "AUDIT_UNAVAILABLE" || code.reason == "STORE_UNAVAILABLE"):
					refused.Add(1)
				default:
					t.Errorf("call: %v", err)
				}
			}
		})
	}
	for range cuts {
		before := answered.Load()
		within(t, time.Minute, "calls are answered", func() bool { return answered.Load() >= before+enough || t.Failed() })
		_, err := admin.Exec(t.Context(),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		must(t, err)
	}
	stop()
	running.Wait()
	t.Logf("%d calls answered, %d refused", answered.Load(), refused.Load())
	for _, event := range slices.Concat(events...) {
		if records, err := w.Records.Get(t.Context(), event); err != nil || len(records) != 1 {
			t.Errorf("an answered call has %d records: %v", len(records), err)
		}
	}
	within(t, time.Minute, "all is well", func() bool {
		for _, err := range everything(t, c, l, handle) {
			if err != nil {
				return false
			}
		}
		return true
	})
	settled(t, w, c, l, handle)
}

// recorded makes a change or asks something, and returns the id of the event.
func (c *client) recorded(change bool, handle string, l importer.Line) (event string, err error) {
	var trailer metadata.MD
	if change {
		_, err = c.rpc.ResolveSubject(c.w.t.Context(),
			&identityv1.ResolveSubjectRequest{Context: c.why(resolve), NationalId: number(l.Number)}, grpc.Trailer(&trailer))
	} else {
		_, err = c.address(handle, grpc.Trailer(&trailer))
	}
	return strings.Join(trailer.Get(rpc.EventIDTrailer), " "), err
}

// The table of persons is gone, but records can be written: each call is refused as the database's matter, and the refusal is
// recorded.
//
// covers: SEC-07
func TestPersonsGone(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	handle := c.handle(l.Number)
	for _, table := range []string{"handle", "person_number", "person"} {
		_, err := w.DB.Exec(t.Context(), "DROP TABLE "+table)
		must(t, err)
	}
	before := events(w)
	for _, err := range everything(t, c, l, handle) {
		want(t, err, codes.Internal, "INTERNAL") // a schema without its tables is a fault of ours
	}
	if got := events(w) - before; got != int64(len(allRPCs())) {
		t.Errorf("%d events, want %d", got, len(allRPCs()))
	}
}

// Vault is away: the service goes on with the keys in memory until they are too old, then refuses everything, and recovers when
// Vault is back.
//
// covers: SEC-07
func TestKeysExpire(t *testing.T) {
	t.Parallel()
	fake := &shifted{}
	w := start(t, func(o *suitetest.Options, _ *identity.Config) { o.Clock = fake })
	l := line(0)
	w.load(l)
	c := w.as(fundDK)
	handle := c.handle(l.Number)

	away := errors.New("key service away")
	w.Wrap.Fail(away)
	fake.Advance(59 * time.Minute) // the limit is an hour
	if err := w.Keys.Refresh(t.Context()); !errors.Is(err, away) {
		t.Fatalf("refresh: %v", err)
	}
	settled(t, w, c, l, handle)

	fake.Advance(2 * time.Minute)
	before := records(t, w)
	for _, err := range everything(t, c, l, handle) {
		// Without keys no record can be sealed either, and that is what a caller is told.
		want(t, err, codes.Unavailable, "AUDIT_UNAVAILABLE")
	}
	if got := records(t, w); got != before {
		t.Errorf("%d records were recorded without keys", got-before)
	}

	w.Wrap.Fail(nil)
	must(t, w.Keys.Refresh(t.Context()))
	settled(t, w, c, l, handle)
}

// A controller whose keys were never prepared can't be served, and that is said and recorded.
func TestControllerWithoutKeys(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := line(0)
	w.load(l)
	const late = "DK:80000072"
	file, text := deal(late, "ROLE_FUND", "2100-01-01T00:00:00Z", allRPCs()...)
	files := deals()
	files[file] = text
	w.UseAgreements(files)
	c := w.as(late)
	_, err := c.resolve(l.Number)
	want(t, err, codes.Unavailable, "KEYS_UNAVAILABLE")
	if records := w.AllRecords(); len(records) != 1 || records[0].GetStatusCode() != uint32(codes.Unavailable) {
		t.Errorf("records %v", records)
	}
	must(t, w.parts.Prepare(t.Context(), late))
	if c.handle(l.Number) == "" {
		t.Error("no handle once the keys are there")
	}
}
