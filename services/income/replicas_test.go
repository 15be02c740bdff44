package income_test

import (
	"testing"

	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// Several replicas share one run on PostgreSQL: nobody is matched twice, and nobody is left out.
//
// covers: DFH-38
func TestReplicasShareARun(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.PostgresConfig(t))
	var replica *setup
	w := start(t, func(s *setup) { s.DB = db; replica = s })
	for range 2 {
		w.build(replica)
	}
	c := w.as(fund, "")
	const per = 14
	fill(c, per*len(scenarios()))
	run := c.run("2026-03")
	if run.GetDone() != int64(per*len(scenarios())) || notices(run) != 8*per {
		t.Errorf("%d members, %d notices", run.GetDone(), notices(run))
	}
	decided, twice := 0, 0
	rows, err := db.Query(t.Context(), `SELECT count(*) FROM decision GROUP BY member`)
	must(t, err)
	for rows.Next() {
		var n int
		must(t, rows.Scan(&n))
		decided++
		if n > 1 {
			twice++
		}
	}
	must(t, rows.Close())
	if decided != per*len(scenarios()) || twice != 0 {
		t.Errorf("%d members decided, %d of them more than once", decided, twice)
	}
}
