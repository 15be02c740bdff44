package sqlstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// Every list walks the index that is made for it, in its order, whatever is asked for besides.
func TestListsWalkTheirIndex(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		t.Helper()
		if err := db.Migrate(t.Context(), Migrations(), Service); err != nil {
			t.Fatal(err)
		}
		prepare, explain := []string{"SELECT 1"}, "EXPLAIN QUERY PLAN "
		if db.Dialect() == sqlkit.Postgres { // reads an empty table faster than its index, unless it is told to avoid that
			prepare, explain = []string{"SET LOCAL enable_seqscan = off", "SET LOCAL enable_bitmapscan = off"}, "EXPLAIN "
		}
		for name, q := range map[string]core.Listing{
			"decision_automatic": {State: core.DecidedAuto, Since: time.Unix(1, 0), Limit: 100},
			"decision_waiting":   {State: core.Manual, Limit: 100},
		} {
			month := q
			month.Month, month.Run, month.Unposted = 24_315, core.ID{1}, true
			for _, asked := range []core.Listing{q, month} {
				text, args := listing(1, asked)
				plan := planOf(t, db, prepare, explain+text, args)
				if !strings.Contains(plan, name) || strings.Contains(plan, "SCAN d") || strings.Contains(plan, "Seq Scan on decision") ||
					strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s\n%s", text, plan)
				}
			}
		}
	})
}

func planOf(t *testing.T, db *sqlkit.DB, prepare []string, query string, args []any) string {
	t.Helper()
	var plan strings.Builder
	err := db.InTx(t.Context(), func(ctx context.Context) error {
		for _, p := range prepare {
			if _, err := db.Exec(ctx, p); err != nil {
				return err
			}
		}
		rows, err := db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // its error is Err's
		for rows.Next() {
			var line string
			if db.Dialect() == sqlkit.Postgres {
				err = rows.Scan(&line)
			} else {
				var a, b, c any
				err = rows.Scan(&a, &b, &c, &line)
			}
			if err != nil {
				return err
			}
			plan.WriteString(line + "\n")
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
