package sqlstore

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/store/storetest"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// envRows is how many records TestPlans puts into the ledger; few unless it is set.
const envRows = "SAMVIRKE_TEST_ROWS"

// No search reads the whole table, with whatever conditions: both databases say with EXPLAIN that they walk an index, from its end or from
// where the page before ended, and the searches bound how far.
func TestPlans(t *testing.T) {
	t.Parallel()
	rows := 20_000
	if text := os.Getenv(envRows); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		if err := db.Migrate(t.Context(), Migrations(), Service); err != nil {
			t.Fatal(err)
		}
		s := New(db)
		const batch = 2000
		for n := 0; n < rows; n += batch {
			if _, err := s.Append(t.Context(), storetest.Shard, storetest.RowsOf(n, n+batch)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec(t.Context(), `ANALYZE`); err != nil { //nolint:misspell // SQL
			t.Fatal(err)
		}
		// Once each, so that the pages are there, then once for the time.
		var slowest time.Duration
		for name, q := range searches(rows) {
			for range 2 {
				begun := clock.System().Now()
				if _, err := s.Search(t.Context(), q); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if took := clock.System().Now().Sub(begun); rows > 100_000 {
					t.Logf("%s: %v", name, took)
					slowest = max(slowest, took)
				}
			}
			explained(t, s, name, q, rows < 100_000)
		}
		t.Logf("%d records, slowest search %v", rows, slowest)
	})
}

// searches are the console's and the auditor's, each alone, with a span of time, on a later page, and some together.
func searches(rows int) map[string]store.Query {
	some := storetest.RowOf(rows / 2)
	base := map[string]store.Query{
		"all": {}, "organisation": {Caller: some.Caller}, "controller": {Owner: some.Owner}, "service": {Service: some.Service}, "rpc": {RPC: some.RPC},
		"purpose": {Purpose: some.Purpose}, "allowed": {Decision: 1}, "refused": {Decision: 2}, "undecided": {Decision: -1}, "failed": {Outcome: store.Failed},
		"trace": {Trace: some.Trace}, "case": {Cases: [][]byte{some.Case}}, "person": {Subjects: []string{some.Subject}},
		"organisation and rpc": {Caller: some.Caller, RPC: some.RPC}, "service and purpose": {Service: some.Service, Purpose: some.Purpose},
		"all together": {
			Caller: some.Caller, Owner: some.Owner, Service: some.Service, RPC: some.RPC, Purpose: some.Purpose, Decision: some.Decision,
			Trace: some.Trace, Cases: [][]byte{some.Case}, Subjects: []string{some.Subject},
		},
	}
	out := map[string]store.Query{}
	for name, q := range maps.All(base) {
		q.Limit = 50
		out[name] = q
		spanned := q
		spanned.From, spanned.Until = some.Started.Add(-time.Minute), some.Started.Add(time.Minute)
		out[name+", in a span of time"] = spanned
		q.After = store.Key{Started: sqlkit.Micros(some.Started), ID: store.Place(storetest.Shard, uint64(rows/2))}
		out[name+", a later page"] = q
	}
	return out
}

// explained asks the database how it answers the statements of a search. A small table PostgreSQL may well read whole, since that is
// quick: there it is asked for the plan that it has besides.
func explained(t *testing.T, s *Store, name string, q store.Query, small bool) {
	t.Helper()
	l, none, err := s.look(t.Context(), q)
	if err != nil || none {
		t.Fatalf("%s: no row can meet it: %v", name, err)
	}
	asks := []statement{l.page(q.Limit, store.Key{}), l.page(q.Limit, store.Key{Started: 1, ID: 1})}
	if len(l.text) > l.leading {
		asks = append(asks, l.boundary())
	}
	for _, ask := range asks {
		plan := planOf(t, s.db, ask, small)
		for _, line := range plan {
			if strings.Contains(line, "SCAN ledger_record") && !strings.Contains(line, "USING") || strings.Contains(line, "Seq Scan on ledger_record") {
				t.Errorf("%s reads the whole table:\n%s\n%s", name, ask.text, strings.Join(plan, "\n"))
			}
		}
		if !slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, "ledger_record") }) {
			t.Errorf("%s: a plan that names no table:\n%s", name, strings.Join(plan, "\n"))
		}
	}
}

func planOf(t *testing.T, db *sqlkit.DB, ask statement, small bool) (out []string) {
	t.Helper()
	head, before := "EXPLAIN QUERY PLAN ", 3
	if db.Dialect() == sqlkit.Postgres {
		head, before = "EXPLAIN ", 0
	}
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		out = nil
		if small && db.Dialect() == sqlkit.Postgres {
			if _, err := db.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
				return err
			}
		}
		rows, err := db.Query(ctx, head+ask.text, ask.args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var line string
			cols := make([]any, before+1)
			for i := range before {
				cols[i] = new(int64)
			}
			cols[before] = &line
			if err := rows.Scan(cols...); err != nil {
				return errors.Join(err, rows.Close())
			}
			out = append(out, line)
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
