package sqlkit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func benchKey(n int) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	sum := sha256.Sum256(b[:])
	return sum[:]
}

// population fills a table of persons with random 32-byte keys and 600 bytes each.
func population(b *testing.B, db *sqlkit.DB, n int) {
	b.Helper()
	blob := "BLOB"
	if db.Dialect() == sqlkit.Postgres {
		blob = "BYTEA"
	}
	if _, err := db.Exec(b.Context(), "CREATE TABLE person (id BIGINT PRIMARY KEY, blind "+blob+" NOT NULL UNIQUE, body "+blob+" NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte{7}, 600)
	for i := 0; i < n; i += 1000 {
		args := make([]any, 0, 3000)
		for j := i; j < i+1000; j++ {
			args = append(args, benchKey(j), j, body)
		}
		if err := db.InTx(b.Context(), func(ctx context.Context) error {
			_, err := db.InsertRows(ctx, "INSERT INTO person (blind, id, body) VALUES", 3, args)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEach(b *testing.B, fn func(b *testing.B, db *sqlkit.DB)) {
	b.Helper()
	for name, config := range map[string]func(testing.TB) sqlkit.Config{
		sqltest.File: sqltest.FileConfig, sqltest.Postgres: sqltest.PostgresConfig,
	} {
		b.Run(name, func(b *testing.B) { fn(b, sqltest.Open(b, config(b))) })
	}
}

func BenchmarkPointLookup(b *testing.B) {
	const n = 100_000
	benchEach(b, func(b *testing.B, db *sqlkit.DB) {
		population(b, db, n)
		lookup := func(ctx context.Context, key []byte) error {
			var body []byte
			return db.QueryRow(ctx, "SELECT body FROM person WHERE blind = $1", key).Scan(&body)
		}
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.Run("serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := lookup(ctx, benchKey(rand.IntN(n))); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parallel64", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := lookup(ctx, benchKey(rand.IntN(n))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	})
}

func recordTable(b *testing.B, db *sqlkit.DB) {
	b.Helper()
	blob, rowid := "BLOB", "INTEGER PRIMARY KEY"
	if db.Dialect() == sqlkit.Postgres {
		blob, rowid = "BYTEA", "BIGSERIAL PRIMARY KEY"
	}
	if _, err := db.Exec(b.Context(), "CREATE TABLE record (seq "+rowid+", event_id TEXT NOT NULL, body "+blob+" NOT NULL)"); err != nil {
		b.Fatal(err)
	}
}

const recordInsert = "INSERT INTO record (event_id, body) VALUES"

func BenchmarkInsert64(b *testing.B) {
	benchEach(b, func(b *testing.B, db *sqlkit.DB) {
		recordTable(b, db)
		body := bytes.Repeat([]byte{7}, 600)
		args := make([]any, 0, 128)
		for range 64 {
			args = append(args, strings.Repeat("e", 36), body)
		}
		for _, per := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("by%d", per), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := db.InTx(b.Context(), func(ctx context.Context) error {
						for i := 0; i < 64; i += per {
							if _, err := db.InsertRows(ctx, recordInsert, 2, args[2*i:2*(i+per)]); err != nil {
								return err
							}
						}
						return nil
					}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

type benchRecord struct {
	id   string
	body []byte
}

func BenchmarkBatcher64(b *testing.B) {
	benchEach(b, func(b *testing.B, db *sqlkit.DB) {
		recordTable(b, db)
		batches := 0
		batcher := sqlkit.NewBatcher(b.Context(), sqlkit.BatchConfig{}, func(ctx context.Context, items []benchRecord) error {
			batches++
			args := make([]any, 0, 2*len(items))
			for i := range items {
				args = append(args, items[i].id, items[i].body)
			}
			return db.InTx(ctx, func(ctx context.Context) error {
				_, err := db.InsertRows(ctx, recordInsert, 2, args)
				return err
			})
		})
		adders(b, batcher)
		if err := batcher.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/float64(batches), "items/batch")
	})
}

func adders(b *testing.B, batcher *sqlkit.Batcher[benchRecord]) {
	b.Helper()
	body := bytes.Repeat([]byte{7}, 600)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := batcher.Add(b.Context(), benchRecord{id: "01890a5d-ac96-774b-bcce-b302099a8057", body: body}); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "adds/s")
}

// BenchmarkBatcherAlone measures what the batcher itself costs.
func BenchmarkBatcherAlone(b *testing.B) {
	batcher := sqlkit.NewBatcher(b.Context(), sqlkit.BatchConfig{}, func(context.Context, []benchRecord) error { return nil })
	adders(b, batcher)
	if err := batcher.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
