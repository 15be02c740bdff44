package idem_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/idem"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = idem.Key{Organisation: "DK:12345678", Method: "/samvirke.transfer.v1.TransferService/Create", RequestID: "request-0000000001"}

// fixture is a store on a fresh database with a table that changes write to.
type fixture struct {
	db    *sqlkit.DB
	store *idem.Store
	now   *clock.Fake
}

func each(t *testing.T, fn func(t *testing.T, f fixture)) {
	t.Helper()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		statements := strings.SplitAfter(idem.Schema(db.Dialect()), ";\n")
		for _, statement := range append(statements, "CREATE TABLE effect (id TEXT NOT NULL)") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := db.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		now := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		fn(t, fixture{db: db, store: idem.NewStore(db, now, time.Hour), now: now})
	})
}

// change writes one row and answers with the text.
func (f fixture) change(response string) func(ctx context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		_, err := f.db.Exec(ctx, "INSERT INTO effect (id) VALUES ($1)", response)
		return []byte(response), err
	}
}

func (f fixture) effects(t *testing.T) int {
	t.Helper()
	var n int
	if err := f.db.QueryRow(t.Context(), "SELECT count(*) FROM effect").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (f fixture) do(t *testing.T, k idem.Key, request, response string) (string, bool) {
	t.Helper()
	got, replayed, err := f.store.Do(t.Context(), k, []byte(request), f.change(response))
	if err != nil {
		t.Fatal(err)
	}
	return string(got), replayed
}

func TestRepetitionGetsTheStoredResponse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		if got, replayed := f.do(t, key, "request", "first"); got != "first" || replayed {
			t.Errorf("first: %q, replayed %v", got, replayed)
		}
		if got, replayed := f.do(t, key, "request", "second"); got != "first" || !replayed {
			t.Errorf("second: %q, replayed %v", got, replayed)
		}
		if n := f.effects(t); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestEmptyResponseIsStoredToo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		for i := range 2 {
			got, replayed, err := f.store.Do(t.Context(), key, nil, func(context.Context) ([]byte, error) { return nil, nil })
			if err != nil || len(got) != 0 || replayed != (i == 1) {
				t.Errorf("try %d: %q, %v, %v", i, got, replayed, err)
			}
		}
	})
}

func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		others := []idem.Key{
			key,
			{Organisation: "DK:87654321", Method: key.Method, RequestID: key.RequestID}, // covers: MIN-04
			{Organisation: key.Organisation, Method: key.Method + "2", RequestID: key.RequestID},
			{Organisation: key.Organisation, Method: key.Method, RequestID: "REQUEST-0000000001"}, // case matters
		}
		for i, k := range others {
			if _, replayed := f.do(t, k, "request", "r"); replayed {
				t.Errorf("key %d got another's response", i)
			}
		}
		if n := f.effects(t); n != len(others) {
			t.Errorf("%d effects", n)
		}
	})
}

func TestUUIDsHaveOneSpelling(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		k := key
		k.RequestID = "01890A5D-AC96-474B-BCCE-B302099A8057"
		f.do(t, k, "request", "r")
		k.RequestID = strings.ToLower(k.RequestID)
		if _, replayed := f.do(t, k, "request", "r"); !replayed {
			t.Error("the lower-case spelling is another request")
		}
	})
}

func TestReuseForAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		f.do(t, key, "request", "first")
		_, _, err := f.store.Do(t.Context(), key, []byte("another request"), f.change("second"))
		if !errors.Is(err, errs.New(commonv1.Reason_REASON_REQUEST_ID_REUSED)) {
			t.Errorf("got %v", err)
		}
		if n := f.effects(t); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestMalformedRequestID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		k := key
		k.RequestID = "short"
		_, _, err := f.store.Do(t.Context(), k, nil, f.change("x"))
		e, ok := errors.AsType[*errs.Error](err)
		if !ok || e.Kind() != errs.Invalid || e.Violations()[0].Field != idem.RequestIDField || f.effects(t) != 0 {
			t.Errorf("got %v", err)
		}
	})
}

func TestFailedChangeStoresNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		failure := errors.New("no")
		_, _, err := f.store.Do(t.Context(), key, []byte("request"), func(ctx context.Context) ([]byte, error) {
			_, _ = f.change("half")(ctx)
			return []byte("half"), failure
		})
		if !errors.Is(err, failure) || f.effects(t) != 0 {
			t.Errorf("%v, %d effects", err, f.effects(t))
		}
		if got, replayed := f.do(t, key, "request", "whole"); got != "whole" || replayed {
			t.Errorf("next try: %q, replayed %v", got, replayed)
		}
	})
}

func TestJoinsTheTransactionOfTheCaller(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		failure := errors.New("later step")
		err := f.db.InTx(t.Context(), func(ctx context.Context) error {
			if _, _, err := f.store.Do(ctx, key, []byte("request"), f.change("x")); err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) || f.effects(t) != 0 {
			t.Errorf("%v, %d effects", err, f.effects(t))
		}
		if _, replayed := f.do(t, key, "request", "x"); replayed {
			t.Error("the response outlived the rolled-back change")
		}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		f.do(t, key, "request", "first")
		f.now.Advance(time.Hour - time.Microsecond)
		if _, replayed := f.do(t, key, "request", "x"); !replayed {
			t.Error("expired too early")
		}
		f.now.Advance(time.Microsecond)
		if got, replayed := f.do(t, key, "another request", "second"); replayed || got != "second" {
			t.Errorf("after expiry: %q, replayed %v", got, replayed)
		}
		if got, replayed := f.do(t, key, "another request", "third"); !replayed || got != "second" {
			t.Errorf("the new entry: %q, replayed %v", got, replayed)
		}
	})
}

func TestExpireDeletesInPortions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		for _, id := range []string{"request-0000000001", "request-0000000002", "request-0000000003"} {
			f.do(t, idem.Key{Organisation: "o", Method: "m", RequestID: id}, "r", "x")
		}
		if n, err := f.store.Expire(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("too early: %d, %v", n, err)
		}
		f.now.Advance(time.Hour)
		fresh := idem.Key{Organisation: "o", Method: "m", RequestID: "request-0000000004"}
		f.do(t, fresh, "r", "x")
		for _, want := range []int64{2, 1, 0} {
			if n, err := f.store.Expire(t.Context(), 2); n != want || err != nil {
				t.Errorf("deleted %d, %v; want %d", n, err, want)
			}
		}
		if _, replayed := f.do(t, fresh, "r", "x"); !replayed {
			t.Error("a living entry was deleted")
		}
	})
}

func TestRivalsDoTheWorkOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f fixture) {
		const rivals = 8
		var fresh atomic.Int32
		var wg sync.WaitGroup
		for range rivals {
			wg.Go(func() {
				for {
					got, replayed, err := f.store.Do(t.Context(), key, []byte("request"), f.change("x"))
					if errors.Is(err, sqlkit.ErrBusy) {
						continue
					}
					if err != nil || string(got) != "x" {
						t.Errorf("%q, %v", got, err)
					}
					if !replayed {
						fresh.Add(1)
					}
					return
				}
			})
		}
		wg.Wait()
		if fresh.Load() != 1 || f.effects(t) != 1 {
			t.Errorf("%d did the work, %d effects", fresh.Load(), f.effects(t))
		}
	})
}

func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	s := idem.NewStore(db, clock.System(), 0) // no table
	if _, _, err := s.Do(t.Context(), key, nil, func(context.Context) ([]byte, error) { return nil, nil }); !errors.Is(err, sqlkit.ErrQuery) {
		t.Errorf("do: %v", err)
	}
	if _, err := s.Expire(t.Context(), 1); !errors.Is(err, sqlkit.ErrQuery) {
		t.Errorf("expire: %v", err)
	}
}
