package sqlkit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// schema makes the tables of these tests; %s is the type of bytes.
func schema(t *testing.T, db *sqlkit.DB) {
	t.Helper()
	blob := "BLOB"
	if db.Dialect() == sqlkit.Postgres {
		blob = "BYTEA"
	}
	for _, statement := range []string{
		`CREATE TABLE fund (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, seal ` + blob + `, closed_at BIGINT, size BIGINT NOT NULL DEFAULT 0 CHECK (size >= 0))`,
		`CREATE TABLE member (id BIGINT PRIMARY KEY, fund_id BIGINT NOT NULL REFERENCES fund (id))`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatalf("schema: %v", err)
		}
	}
}

func mustExec(t *testing.T, db *sqlkit.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func names(t *testing.T, db *sqlkit.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Errorf("close rows: %v", err)
		}
	}()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func count(t *testing.T, db *sqlkit.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNumberedArguments(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		var a, b, c string
		err := db.QueryRow(t.Context(), "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)", "one", "two").Scan(&a, &b, &c)
		if err != nil || a != "two" || b != "one" || c != "two" {
			t.Errorf("got %q %q %q, %v", a, b, c, err)
		}
	})
}

func TestIdentifiersAreCaseSensitive(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		for i, name := range []string{"alfa", "ALFA", "Ålfa", "ålfa"} {
			mustExec(t, db, "INSERT INTO fund (id, name) VALUES ($1, $2)", i, name)
		}
		if got := names(t, db, "SELECT name FROM fund WHERE name = $1", "Alfa"); len(got) != 0 {
			t.Errorf("found %q under another spelling", got)
		}
		if got := names(t, db, "SELECT name FROM fund WHERE name = $1", "Ålfa"); !slices.Equal(got, []string{"Ålfa"}) {
			t.Errorf("found %q", got)
		}
	})
}

func TestDoubleQuotedTextIsAName(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		if _, err := db.Exec(t.Context(), `INSERT INTO fund (id, name) VALUES (1, "alfa")`); !errors.Is(err, sqlkit.ErrQuery) {
			t.Errorf("double-quoted text: %v, want ErrQuery", err)
		}
	})
}

func TestMomentsKeepMicroseconds(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		for i, at := range []time.Time{
			time.Date(2026, 3, 29, 2, 30, 0, 123456789, time.FixedZone("CET", 3600)),
			time.Date(1899, 12, 31, 23, 59, 59, 999999999, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		} {
			mustExec(t, db, "INSERT INTO fund (id, name, closed_at) VALUES ($1, $2, $3)", i, strconv.Itoa(i), sqlkit.NullMicros(at))
			var micros int64
			if err := db.QueryRow(t.Context(), "SELECT closed_at FROM fund WHERE id = $1", i).Scan(&micros); err != nil {
				t.Fatal(err)
			}
			got := sqlkit.Time(micros)
			if !got.Equal(sqlkit.Truncate(at)) || got.Location() != time.UTC || at.Sub(got) < 0 || at.Sub(got) >= time.Microsecond {
				t.Errorf("%v came back as %v", at, got)
			}
		}
	})
}

func TestNullOrderIsStated(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		mustExec(t, db, "INSERT INTO fund (id, name, closed_at) VALUES (1, 'a', 10), (2, 'b', NULL), (3, 'c', 5)")
		if got := names(t, db, "SELECT name FROM fund ORDER BY closed_at NULLS LAST"); !slices.Equal(got, []string{"c", "a", "b"}) {
			t.Errorf("nulls last: %v", got)
		}
		if got := names(t, db, "SELECT name FROM fund ORDER BY closed_at DESC NULLS FIRST"); !slices.Equal(got, []string{"b", "a", "c"}) {
			t.Errorf("nulls first: %v", got)
		}
	})
}

func TestBytesAndEmptyBytes(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		mustExec(t, db, "INSERT INTO fund (id, name, seal) VALUES (1, 'a', $1), (2, 'b', $2), (3, 'c', NULL)", all, []byte{})
		var got []byte
		if err := db.QueryRow(t.Context(), "SELECT seal FROM fund WHERE id = 1").Scan(&got); err != nil || !slices.Equal(got, all) {
			t.Errorf("bytes: %v, %v", got, err)
		}
		var empty, null bool
		err := db.QueryRow(t.Context(), "SELECT (SELECT seal IS NULL FROM fund WHERE id = 2), (SELECT seal IS NULL FROM fund WHERE id = 3)").
			Scan(&empty, &null)
		if err != nil || empty || !null {
			t.Errorf("empty is NULL: %v, NULL is NULL: %v, %v", empty, null, err)
		}
	})
}

func TestFailuresAreClassifiedAlike(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, query string
		args        []any
		want        error
	}{
		{"primary key", "INSERT INTO fund (id, name) VALUES (1, 'other')", nil, sqlkit.ErrUnique},
		{"unique", "INSERT INTO fund (id, name) VALUES (2, $1)", []any{"alfa"}, sqlkit.ErrUnique},
		{"missing reference", "INSERT INTO member (id, fund_id) VALUES (1, 99)", nil, sqlkit.ErrForeignKey},
		{"still referred to", "DELETE FROM fund WHERE id = 1", nil, sqlkit.ErrForeignKey},
		{"not null", "INSERT INTO fund (id, name) VALUES (3, NULL)", nil, sqlkit.ErrCheck},
		{"check", "INSERT INTO fund (id, name, size) VALUES (3, 'x', -1)", nil, sqlkit.ErrCheck},
		{"no table", "INSERT INTO nowhere (id) VALUES (1)", nil, sqlkit.ErrQuery},
		{"syntax", "INSURT INTO fund (id) VALUES (1)", nil, sqlkit.ErrQuery},
		{"missing argument", "INSERT INTO fund (id, name) VALUES ($1, $2)", []any{9}, sqlkit.ErrQuery},
	}
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		mustExec(t, db, "INSERT INTO fund (id, name) VALUES (1, 'alfa')")
		mustExec(t, db, "INSERT INTO member (id, fund_id) VALUES (100, 1)")
		for _, c := range cases {
			_, err := db.Exec(t.Context(), c.query, c.args...)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if n := count(t, db, "fund"); n != 1 {
			t.Errorf("%d rows after failures, want 1", n)
		}
	})
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		var name string
		if err := db.QueryRow(t.Context(), "SELECT name FROM fund WHERE id = 1").Scan(&name); !errors.Is(err, sqlkit.ErrNotFound) {
			t.Errorf("outside: %v", err)
		}
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			return db.QueryRow(ctx, "SELECT name FROM fund WHERE id = 1").Scan(&name)
		})
		if !errors.Is(err, sqlkit.ErrNotFound) {
			t.Errorf("inside: %v", err)
		}
	})
}

// page reads the names after (name, id) in keyset order.
func page(t *testing.T, db *sqlkit.DB, name string, id, limit int) (out []string, lastName string, lastID int) {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT size, id, name FROM fund WHERE (size, id) > ($1, $2) ORDER BY size, id LIMIT $3`, len(name), id, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	lastName, lastID = name, id
	for rows.Next() {
		var size int
		if err := rows.Scan(&size, &lastID, &lastName); err != nil {
			t.Fatal(err)
		}
		out = append(out, lastName)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out, lastName, lastID
}

func TestKeysetPagingIsStableUnderInserts(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		for i := range 20 { // ties in the leading key on purpose: all names are as long as their size says
			name := fmt.Sprintf("%0*d", 2+i%3, i)
			mustExec(t, db, "INSERT INTO fund (id, name, size) VALUES ($1, $2, $3)", 1000+i, name, len(name))
		}
		seen, last, id := map[string]int{}, "", 0
		for round := 0; ; round++ {
			var part []string
			part, last, id = page(t, db, last, id, 3)
			if len(part) == 0 {
				break
			}
			for _, name := range part {
				seen[name]++
			}
			// A row before the present place must shift nothing.
			mustExec(t, db, "INSERT INTO fund (id, name, size) VALUES ($1, $2, 0)", round, fmt.Sprintf("new %d", round))
		}
		if len(seen) != 20 {
			t.Errorf("saw %d of 20 rows", len(seen))
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("saw %q %d times", name, n)
			}
		}
	})
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		mustExec(t, db, "INSERT INTO fund (id, name, size) VALUES (1, 'counter', 0)")
		const workers, each = 6, 15
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					if err := increment(t.Context(), db); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var size int
		if err := db.QueryRow(t.Context(), "SELECT size FROM fund WHERE id = 1").Scan(&size); err != nil || size != workers*each {
			t.Errorf("counter %d, %v; want %d", size, err, workers*each)
		}
	})
}

// increment reads and writes in two statements, which loses updates unless transactions are serializable.
func increment(ctx context.Context, db *sqlkit.DB) error {
	for {
		err := db.InTx(ctx, func(ctx context.Context) error {
			var size int
			if err := db.QueryRow(ctx, "SELECT size FROM fund WHERE id = $1", 1).Scan(&size); err != nil {
				return err
			}
			_, err := db.Exec(ctx, "UPDATE fund SET size = $1 WHERE id = $2", size+1, 1)
			return err
		})
		if !errors.Is(err, sqlkit.ErrBusy) { // a crowd on one row may use up the attempts of InTx; nothing may be lost
			return err
		}
	}
}

func TestConcurrentUniqueInsertsHaveOneWinner(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		schema(t, db)
		const rivals = 8
		errs := make([]error, rivals)
		var wg sync.WaitGroup
		for i := range rivals {
			wg.Go(func() {
				_, errs[i] = db.Exec(t.Context(), "INSERT INTO fund (id, name) VALUES ($1, 'same')", i)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, sqlkit.ErrUnique) && !errors.Is(err, sqlkit.ErrBusy):
				t.Errorf("loser got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d winners, want 1", won)
		}
	})
}
