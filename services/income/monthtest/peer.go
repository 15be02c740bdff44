package monthtest

import (
	"context"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
)

// peerTables are what the rule needs, in plain columns. Days are those of the month; counts is 0 for a record that R4 or R5
// leaves out. A card that is missing has no declared hours.
func peerTables() []string {
	return []string{
		`CREATE TABLE peer_card (handle TEXT NOT NULL PRIMARY KEY, status BIGINT NOT NULL, rate BIGINT NOT NULL, other BIGINT NOT NULL, declared BIGINT, income BIGINT NOT NULL, n BIGINT NOT NULL, p BIGINT NOT NULL)`,
		`CREATE TABLE peer_entry (handle TEXT NOT NULL, day BIGINT NOT NULL, hours BIGINT NOT NULL, PRIMARY KEY (handle, day))`,
		`CREATE TABLE peer_record (handle TEXT NOT NULL, employer TEXT NOT NULL, hours BIGINT NOT NULL, income BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, counts BIGINT NOT NULL, PRIMARY KEY (handle, employer))`,
		`CREATE TABLE peer_previous (handle TEXT NOT NULL PRIMARY KEY, net BIGINT NOT NULL)`,
		`CREATE TABLE peer_result (handle TEXT NOT NULL PRIMARY KEY, outcome TEXT NOT NULL, hours BIGINT NOT NULL, amount BIGINT NOT NULL)`,
	}
}

const (
	cardWidth   = 8
	entryWidth  = 3
	recordWidth = 7
)

func (b *bench) fillPeer(ctx context.Context, p plain) error {
	for _, t := range []struct {
		head  string
		width int
		args  []any
	}{
		{`INSERT INTO peer_card (handle, status, rate, other, declared, income, n, p) VALUES`, cardWidth, p.cards},
		{`INSERT INTO peer_entry (handle, day, hours) VALUES`, entryWidth, p.entries},
		{`INSERT INTO peer_record (handle, employer, hours, income, first, last, counts) VALUES`, recordWidth, p.records},
	} {
		if _, err := b.db.InsertRows(ctx, t.head, t.width, t.args); err != nil {
			return err
		}
	}
	return nil
}

// peerStatement is the join and the whole decision table R1 to R13, with the same outcome, hours and amount for everybody, kept in a table
// with a key. It lacks what a service adds: encryption, a decision that can be explained, the four answers, an audit record, resumption. Its
// arguments are the day of the run and the earliest day.
const peerStatement = `INSERT INTO peer_result (handle, outcome, hours, amount)
SELECT handle, CASE WHEN early IS NOT NULL THEN early
    WHEN previous = 0 AND reg = declared AND income <> reg_income AND bare = 0 AND dropped = 0 THEN 'INCOME_ONLY'
    WHEN previous = 0 AND reg = declared THEN 'NO_DIFFERENCE'
    WHEN previous = 0 AND small THEN 'WITHIN_ROUNDING'
    WHEN delta = 0 THEN 'NO_CHANGE' WHEN delta > 0 THEN 'RECOVER' ELSE 'PAY_OUT' END,
  CASE WHEN early IS NULL THEN abs(delta) ELSE 0 END, CASE WHEN early IS NULL THEN (2 * abs(delta) * rate + norm) / (2 * norm) ELSE 0 END
FROM (SELECT *, CASE WHEN small THEN 0 WHEN norm - other <= declared AND norm - other <= reg THEN 0
      WHEN norm - other <= declared THEN reg + other - norm WHEN norm - other <= reg THEN norm - other - declared ELSE reg - declared END - previous AS delta
  FROM (SELECT *, abs(reg - declared) <= 100 AND abs(reg - declared) * 6 <= n * p * 5 AS small
    FROM (SELECT g.handle, g.rate, g.other, g.declared, g.income, g.p, g.n - COALESCE(u.entries, 0) AS n, g.norm, g.reg + COALESCE(u.hours, 0) AS reg,
        g.reg_income, g.dropped, COALESCE(u.entries, 0) AS bare, COALESCE(v.net, 0) AS previous,
        CASE WHEN g.status NOT IN (1, 2) OR g.rate <= 0 OR g.other < 0 OR g.declared < 0 OR g.lowest < 0 OR g.declared > 74400 OR g.said > 74400 THEN 'INVALID'
          WHEN CAST($1 AS BIGINT) < CAST($2 AS BIGINT) THEN 'TOO_EARLY'
          WHEN g.declared IS NULL THEN 'INCOMPLETE'
          WHEN g.records > 0 AND g.dropped = g.records THEN 'SKIPPED'
          WHEN g.records = 0 AND g.declared > 0 THEN 'INCOMPLETE' END AS early
      FROM (SELECT c.handle, c.status, c.rate, c.other, c.declared, c.income, c.n, c.p, CASE c.status WHEN 1 THEN 16033 ELSE 13000 END AS norm,
          count(q.handle) AS records, CAST(COALESCE(sum(q.hours), 0) AS BIGINT) AS said, min(q.hours) AS lowest,
          CAST(COALESCE(sum(q.hours * q.counts), 0) AS BIGINT) AS reg, CAST(COALESCE(sum(q.income * q.counts), 0) AS BIGINT) AS reg_income,
          CAST(COALESCE(sum(1 - q.counts), 0) AS BIGINT) AS dropped
        FROM peer_card c LEFT JOIN peer_record q ON q.handle = c.handle GROUP BY c.handle) g
      LEFT JOIN (SELECT e.handle, count(*) AS entries, CAST(sum(e.hours) AS BIGINT) AS hours FROM peer_entry e
        WHERE NOT EXISTS (SELECT 1 FROM peer_record q WHERE q.handle = e.handle AND q.first <= e.day AND q.last >= e.day)
        GROUP BY e.handle) u ON u.handle = g.handle
      LEFT JOIN peer_previous v ON v.handle = g.handle) AS joined) AS rounded) AS netted`

// peer runs the one statement, as durably as the run: the same database and the same settings of it.
func (b *bench) peer(ctx context.Context, r *Result) error {
	began, spent := clock.System().Now(), processor()
	if _, err := b.db.Exec(ctx, peerStatement, dayOfRun, dayOfRun); err != nil {
		return err
	}
	r.PeerSeconds = since(began)
	r.PeerCPU = (processor() - spent) * 1e6 / float64(r.Members)
	r.PeerRate = float64(r.Members) / r.PeerSeconds
	r.Ratio = r.PerSecond / r.PeerRate
	return nil
}

// dayOfRun stands for the day of the run and for the earliest one: it is not too early.
const dayOfRun = int64(20260411)

func joinClose(err error, rows *sqlkit.Rows) error {
	if closing := rows.Close(); err == nil {
		err = closing
	}
	return err
}
