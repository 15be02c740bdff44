package monthtest

import (
	"context"
	"maps"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
)

// plain are rows of the peer's tables: cards and records.
type plain struct{ cards, records []any }

const (
	cardWidth   = 8
	recordWidth = 4
)

// generate makes members from one index to another: ten kinds of month in turn, most without a difference as in life.
func generate(from, to int) (uploads []core.Upload, deliveries []core.Delivery, p plain) {
	at := time.Date(2026, 4, 10, 3, 0, 0, 0, time.UTC)
	for i := from; i < to; i++ {
		handle := facts.Handle(handleOf(i))
		declared, n, step := rule.Hours(4000+(i%37)*100), 10, 15
		register := declared
		switch i % 10 {
		case 0:
			register += 1250
		case 1:
			register -= 800
		case 2:
			register += 25
		}
		month := core.MemberMonth{
			Status: rule.FullTime, Rate: 2_035_900,
			Card: &facts.Card{Declared: declared, Income: rule.Money(register) * 200, Count: n, Precision: step, Submitted: at},
		}
		first, last := march().First(), march().Last()
		records := []facts.Record{{Employer: "10000001", Hours: register, Income: rule.Money(register) * 200, From: first, To: last, Reported: at}}
		if i%4 == 0 {
			half := register / 2
			records[0].Hours, records[0].Income = half, rule.Money(half)*200
			records = append(records, facts.Record{Employer: "10000002", Hours: register - half, Income: rule.Money(register-half) * 200, From: first, To: last, Reported: at})
		}
		uploads = append(uploads, core.Upload{Handle: handle, Month: month})
		deliveries = append(deliveries, core.Delivery{Handle: handle, Answer: facts.Answer{Records: records, Retrieved: at}})
		p.cards = append(p.cards, string(handle), int64(1), int64(month.Rate), int64(declared), int64(month.Card.Income), int64(n), int64(step), int64(0))
		for _, r := range records {
			p.records = append(p.records, string(handle), string(r.Employer), int64(r.Hours), int64(r.Income))
		}
	}
	return uploads, deliveries, p
}

func peerTables() []string {
	return []string{
		`CREATE TABLE peer_card (handle TEXT NOT NULL PRIMARY KEY, status BIGINT NOT NULL, rate BIGINT NOT NULL, declared BIGINT NOT NULL, income BIGINT NOT NULL, n BIGINT NOT NULL, p BIGINT NOT NULL, other BIGINT NOT NULL)`,
		`CREATE TABLE peer_record (handle TEXT NOT NULL, employer TEXT NOT NULL, hours BIGINT NOT NULL, income BIGINT NOT NULL, PRIMARY KEY (handle, employer))`,
		`CREATE TABLE peer_result (handle TEXT NOT NULL PRIMARY KEY, outcome TEXT NOT NULL, hours BIGINT NOT NULL, amount BIGINT NOT NULL)`,
	}
}

func (b *bench) fillPeer(ctx context.Context, p plain) error {
	if _, err := b.db.InsertRows(ctx, `INSERT INTO peer_card (handle, status, rate, declared, income, n, p, other) VALUES`, cardWidth, p.cards); err != nil {
		return err
	}
	_, err := b.db.InsertRows(ctx, `INSERT INTO peer_record (handle, employer, hours, income) VALUES`, recordWidth, p.records)
	return err
}

// peerStatement is the join and the rows R1, R6, R8 to R13 of the rule: no encryption, no decision to explain, no audit record.
const peerStatement = `INSERT INTO peer_result (handle, outcome, hours, amount)
SELECT handle, CASE
    WHEN rate <= 0 OR declared < 0 OR reg < 0 OR declared > 74400 OR reg > 74400 THEN 'INVALID'
    WHEN records = 0 AND declared > 0 THEN 'INCOMPLETE'
    WHEN reg = declared AND income <> reg_income THEN 'INCOME_ONLY'
    WHEN reg = declared THEN 'NO_DIFFERENCE'
    WHEN abs(reg - declared) <= 100 AND abs(reg - declared) * 6 <= n * p * 5 THEN 'WITHIN_ROUNDING'
    WHEN net = 0 THEN 'NO_CHANGE' WHEN net > 0 THEN 'RECOVER' ELSE 'PAY_OUT' END,
  abs(net), (2 * abs(net) * rate + norm) / (2 * norm)
FROM (SELECT handle, rate, declared, income, n, p, norm, reg, reg_income, records,
    CASE WHEN norm - other > declared THEN norm - other - declared ELSE 0 END - CASE WHEN norm - other > reg THEN norm - other - reg ELSE 0 END AS net
  FROM (SELECT c.handle, c.rate, c.declared, c.income, c.n, c.p, c.other, CASE c.status WHEN 1 THEN 16033 ELSE 13000 END AS norm,
      COALESCE(r.hours, 0) AS reg, COALESCE(r.income, 0) AS reg_income, COALESCE(r.records, 0) AS records
    FROM peer_card c LEFT JOIN (SELECT handle, CAST(sum(hours) AS BIGINT) AS hours, CAST(sum(income) AS BIGINT) AS income, count(*) AS records
      FROM peer_record GROUP BY handle) r ON r.handle = c.handle) AS joined) AS netted`

// peer runs the one statement and compares what it came to.
func (b *bench) peer(ctx context.Context, r *Result) error {
	began, spent := clock.System().Now(), processor()
	if _, err := b.db.Exec(ctx, peerStatement); err != nil {
		return err
	}
	r.PeerSeconds = since(began)
	r.PeerCPU = (processor() - spent) * 1e6 / float64(r.Members)
	r.PeerRate = float64(r.Members) / r.PeerSeconds
	r.Ratio = r.PerSecond / r.PeerRate
	counts := map[string]int64{}
	rows, err := b.db.Query(ctx, `SELECT outcome, count(*) FROM peer_result GROUP BY outcome`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var outcome string
		var n int64
		if err := rows.Scan(&outcome, &n); err != nil {
			return joinClose(err, rows)
		}
		counts[outcome] = n
	}
	r.PeerSame = maps.Equal(counts, r.Outcomes)
	return joinClose(rows.Err(), rows)
}

func joinClose(err error, rows *sqlkit.Rows) error {
	if closing := rows.Close(); err == nil {
		err = closing
	}
	return err
}
