package sqlkit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Transactions that share a commit don't share their failures: what was told as done is there, what was told as failed is not.
func TestSharedCommitKeepsMembersApart(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		if _, err := db.Exec(t.Context(), "CREATE TABLE member (n BIGINT PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
		const adders, each = 16, 40
		wrong := errors.New("gives up")
		var done atomic.Int64
		var all sync.WaitGroup
		for a := range adders {
			all.Go(func() {
				for i := range each {
					n := a*each + i
					err := db.InTx(t.Context(), func(ctx context.Context) error {
						if _, err := db.Exec(ctx, "INSERT INTO member (n) VALUES ($1)", n); err != nil {
							return err
						}
						if n%3 == 0 {
							return wrong
						}
						return nil
					})
					switch {
					case n%3 == 0 && !errors.Is(err, wrong), n%3 != 0 && err != nil:
						t.Errorf("%d: %v", n, err)
					case err == nil:
						done.Add(1)
					}
				}
			})
		}
		all.Wait()
		var there, bad int64
		if err := db.QueryRow(t.Context(), "SELECT count(*), coalesce(sum(CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END), 0) FROM member").Scan(&there, &bad); err != nil {
			t.Fatal(err)
		}
		if there != done.Load() || bad != 0 {
			t.Errorf("%d rows, %d told as done, %d that had failed", there, done.Load(), bad)
		}
	})
}

// When the database takes the whole common transaction down, nobody is told that theirs was done who has lost it.
func TestFullDiskTellsEveryMember(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.FileConfig(t))
	for _, query := range []string{"CREATE TABLE member (n BIGINT PRIMARY KEY, pad TEXT)", "PRAGMA max_page_count = 60"} {
		if _, err := db.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	pad := strings.Repeat("x", 3000)
	var done sync.Map
	var told atomic.Int64
	var all sync.WaitGroup
	for a := range 16 {
		all.Go(func() {
			for i := range 20 {
				n := int64(a*20 + i)
				_, err := db.Exec(t.Context(), "INSERT INTO member (n, pad) VALUES ($1, $2)", n, pad)
				if err == nil {
					done.Store(n, true)
					told.Add(1)
				} else if !errors.Is(err, sqlkit.ErrFull) && !errors.Is(err, sqlkit.ErrBusy) {
					t.Errorf("%d: %v", n, err)
				}
			}
		})
	}
	all.Wait()
	rows, err := db.Query(t.Context(), "SELECT n FROM member")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	var there int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if _, ok := done.Load(n); !ok {
			t.Errorf("row %d was told as failed", n)
		}
		there++
	}
	if there != told.Load() || there == 0 || there == 320 {
		t.Errorf("%d rows, %d told as done", there, told.Load())
	}
}

// BenchmarkChanges is 64 callers each changing one row in a transaction of its own.
func BenchmarkChanges(b *testing.B) {
	db := sqltest.Open(b, sqltest.FileConfig(b))
	if _, err := db.Exec(b.Context(), "CREATE TABLE member (n INTEGER PRIMARY KEY, pad TEXT)"); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.InTx(b.Context(), func(ctx context.Context) error {
				_, err := db.Exec(ctx, "INSERT INTO member (pad) VALUES ($1)", "some text")
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
