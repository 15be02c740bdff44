package keys_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// stores runs f on every Store: the double in memory must keep the contract too, or the other tests prove nothing.
func stores(t *testing.T, f func(t *testing.T, s keys.Store)) {
	t.Helper()
	t.Run("double", func(t *testing.T) {
		t.Parallel()
		f(t, newMemory())
	})
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema := keys.SchemaSQLite
		if db.Dialect() == sqlkit.Postgres {
			schema = keys.SchemaPostgres
		}
		if _, err := db.Exec(t.Context(), schema); err != nil {
			t.Fatal(err)
		}
		f(t, keys.NewSQLStore(db, clock.NewFake(time.Unix(1_767_225_600, 0)).Now))
	})
}

func TestStoreContract(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s keys.Store) {
		ctx := t.Context()
		if _, _, err := s.Load(ctx, "a"); !errors.Is(err, keys.ErrNoKeyset) {
			t.Errorf("Load of nothing: %v", err)
		}
		if err := s.Save(ctx, "a", []byte("one"), 1); !errors.Is(err, keys.ErrConflict) {
			t.Errorf("change of nothing: %v", err)
		}
		if err := s.Save(ctx, "a", []byte("one"), 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(ctx, "a", []byte("two"), 0); !errors.Is(err, keys.ErrConflict) {
			t.Errorf("second creation: %v", err)
		}
		expect(t, s, "one", 1)
		if err := s.Save(ctx, "a", []byte("two"), 1); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(ctx, "a", []byte("three"), 1); !errors.Is(err, keys.ErrConflict) {
			t.Errorf("stale change: %v", err)
		}
		expect(t, s, "two", 2)
		if _, _, err := s.Load(ctx, "A"); !errors.Is(err, keys.ErrNoKeyset) {
			t.Errorf("names must be case-sensitive: %v", err)
		}
	})
}

func expect(t *testing.T, s keys.Store, wrapped string, revision int64) {
	t.Helper()
	got, rev, err := s.Load(t.Context(), "a")
	if err != nil || !bytes.Equal(got, []byte(wrapped)) || rev != revision {
		t.Errorf("Load = %q, revision %d, %v; want %q, %d", got, rev, err, wrapped, revision)
	}
}

func TestStoreLetsOneWriterWin(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s keys.Store) {
		for revision := range int64(3) {
			var won atomic.Int64
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() {
					err := s.Save(t.Context(), "a", []byte{byte(i)}, revision)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, keys.ErrConflict) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("revision %d: %d writers won", revision, won.Load())
			}
		}
	})
}

func TestReplicasOnOneDatabase(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, s keys.Store) {
		cfg := newKit().config()
		cfg.Store = s
		got := make([]string, 4)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				r, err := keys.Open(t.Context(), cfg, specs()...)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = must[string](t)(prfOf(t, r, fundA).Pseudonym(member))
			})
		}
		wg.Wait()
		for _, ps := range got {
			if ps != got[0] {
				t.Fatalf("replicas disagree: %v", got)
			}
		}
	})
}

func TestStoreReportsTheDatabase(t *testing.T) {
	t.Parallel()
	s := keys.NewSQLStore(brokenDB{}, clock.System().Now)
	if _, _, err := s.Load(t.Context(), "a"); !errors.Is(err, errBroken) {
		t.Errorf("Load: %v", err)
	}
	for _, rev := range []int64{0, 1} {
		if err := s.Save(t.Context(), "a", nil, rev); !errors.Is(err, errBroken) {
			t.Errorf("Save: %v", err)
		}
	}
}

var errBroken = errors.New("broken")

type brokenDB struct{}

func (brokenDB) Exec(context.Context, string, ...any) (int64, error) { return 0, errBroken }

func (brokenDB) QueryRow(context.Context, string, ...any) brokenDB { return brokenDB{} }

func (brokenDB) Scan(...any) error { return errBroken }
