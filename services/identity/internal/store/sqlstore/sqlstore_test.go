package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/identity/internal/store/sqlstore"
	"samvirke.dev/services/identity/internal/store/storetest"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func migrated(tb testing.TB, cfg sqlkit.Config) *sqlkit.DB {
	tb.Helper()
	db := sqltest.Open(tb, cfg)
	if err := db.Migrate(tb.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		tb.Fatal(err)
	}
	return db
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{
		sqltest.File: sqltest.FileConfig, sqltest.Memory: sqltest.MemoryConfig, sqltest.Postgres: sqltest.PostgresConfig,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				t.Helper()
				return sqlstore.New(migrated(t, config(t)))
			})
		})
		t.Run(name+", gathered", func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				t.Helper()
				return gathered(t, migrated(t, config(t)))
			})
		})
	}
}

func gathered(t *testing.T, db *sqlkit.DB) *sqlstore.Gathered {
	t.Helper()
	g := sqlstore.Gather(t.Context(), sqlstore.New(db))
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

// Many who ask at once get each their own answer, whether somebody is known or not.
func TestGatheredLookups(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqltest.FileConfig(t))
	plain := sqlstore.New(db)
	fill(t, plain, 500)
	g := gathered(t, db)
	var all sync.WaitGroup
	for worker := range 64 {
		all.Go(func() {
			for i := range 50 {
				candidates := []store.Index{storetest.IndexOf(uint64(worker*13+i*7) % 800)}
				want, wantErr := plain.ByIndex(t.Context(), candidates)
				got, err := g.ByIndex(t.Context(), candidates)
				if !errors.Is(err, wantErr) || got.ID != want.ID || got.Index != want.Index || !bytes.Equal(got.Sealed, want.Sealed) {
					t.Errorf("got %d %v, want %d %v", got.ID, err, want.ID, wantErr)
				}
			}
		})
	}
	all.Wait()
}

func TestMigrationsOfBothDialects(t *testing.T) {
	t.Parallel()
	if err := sqlkit.CheckMigrations(sqlstore.Migrations()); err != nil {
		t.Error(err)
	}
}

func TestClosedDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	db, err := sqlkit.Open(t.Context(), sqltest.MemoryConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	s := sqlstore.New(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = s.ByIndex(t.Context(), []store.Index{storetest.IndexOf(1)})
	if err == nil || !strings.Contains(err.Error(), store.ErrUnavailable.Error()) {
		t.Errorf("%v", err)
	}
}

// No query of the hot path, of an import or of a re-index reads a whole table.
func TestNoQueryScansATable(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		if err := db.Migrate(t.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
			t.Fatal(err)
		}
		fill(t, sqlstore.New(db), 3_000)
		// A small table is read faster than its index, so PostgreSQL is told to avoid that where it can.
		prepare, explain := "SELECT 1", "EXPLAIN QUERY PLAN "
		if db.Dialect() == sqlkit.Postgres {
			prepare, explain = "SET LOCAL enable_seqscan = off", "EXPLAIN "
		}
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			if _, err := db.Exec(ctx, prepare); err != nil {
				return err
			}
			for name, q := range sqlstore.Queries() {
				if plan := planOf(ctx, t, db, explain, q); scans(plan) {
					t.Errorf("%s:\n%s", name, plan)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func scans(plan string) bool {
	for _, sign := range []string{"SCAN p", "SCAN n", "SCAN h", "Seq Scan"} {
		if strings.Contains(plan, sign) {
			return true
		}
	}
	return false
}

func planOf(ctx context.Context, t *testing.T, db *sqlkit.DB, explain string, q sqlstore.Query) string {
	t.Helper()
	index := storetest.IndexOf(1)
	args := make([]any, 0, len(q.Args))
	for _, a := range q.Args {
		if a == nil {
			a = index[:]
		}
		args = append(args, a)
	}
	rows, err := db.Query(ctx, explain+q.Text, args...)
	if err != nil {
		t.Fatalf("%s: %v", q.Text, err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out strings.Builder
	for rows.Next() {
		var line string
		if db.Dialect() == sqlkit.Postgres {
			err = rows.Scan(&line)
		} else {
			var id, parent, unused int64
			err = rows.Scan(&id, &parent, &unused, &line)
		}
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func fill(tb testing.TB, s *sqlstore.Store, n int) {
	tb.Helper()
	for from := 0; from < n; from += 1000 {
		entries := make([]store.Entry, 0, 1000)
		for i := from; i < min(from+1000, n); i++ {
			e := store.Entry{Index: storetest.IndexOf(uint64(i)), IndexVersion: 1, Sealed: make([]byte, 320), RegisterTime: storetest.Moment(0)}
			if i%50 == 0 {
				e.Aliases = []store.Index{storetest.IndexOf(uint64(1_000_000_000 + i))}
			}
			entries = append(entries, e)
		}
		if _, err := s.Put(tb.Context(), entries, storetest.Moment(0)); err != nil {
			tb.Fatal(err)
		}
	}
	for i := 0; i < n; i += 10 {
		row, err := s.ByIndex(tb.Context(), []store.Index{storetest.IndexOf(uint64(i))})
		if err != nil {
			tb.Fatal(err)
		}
		if i < 3_000 {
			if _, err := s.KeepHandle(tb.Context(), "DK:10000009", fmt.Sprint("handle-", i), row.ID, storetest.Moment(0)); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

func BenchmarkStore(b *testing.B) {
	const persons = 100_000
	s := sqlstore.New(migrated(b, sqlkit.DefaultConfig("sqlite:"+filepath.Join(b.TempDir(), "bench.db"))))
	fill(b, s, persons)
	step := func(i *uint64) uint64 { *i = *i*6364136223846793005 + 1442695040888963407; return (*i >> 33) % persons }
	b.Run("ByIndex", func(b *testing.B) {
		b.ReportAllocs()
		var i uint64
		for b.Loop() {
			if _, err := s.ByIndex(b.Context(), []store.Index{storetest.IndexOf(step(&i))}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ByIndex parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var i uint64
			for pb.Next() {
				if _, err := s.ByIndex(b.Context(), []store.Index{storetest.IndexOf(step(&i))}); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("ByHandle", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.ByHandle(b.Context(), "DK:10000009", "handle-2990"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.ByIndex(b.Context(), []store.Index{storetest.IndexOf(persons + 1)}); err == nil {
				b.Fatal("found")
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	s := sqlstore.New(migrated(b, sqlkit.DefaultConfig("sqlite:"+filepath.Join(b.TempDir(), "bench.db"))))
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		entries := make([]store.Entry, 1000)
		for i := range entries {
			n++
			entries[i] = store.Entry{Index: storetest.IndexOf(n), IndexVersion: 1, Sealed: make([]byte, 320), RegisterTime: storetest.Moment(0)}
		}
		if _, err := s.Put(b.Context(), entries, storetest.Moment(0)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "persons/s")
}
