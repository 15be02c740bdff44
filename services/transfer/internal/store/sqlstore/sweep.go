package sqlstore

import (
	"context"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
)

// The sweep is two statements for any number of records: the records move on together, and their events are read back from them. A
// record that was swept is told from the others by its version, which is that of no event yet. With the third miss a person is called in
// and nothing more is awaited: the same as cases.Machine.Miss, which a test holds it to.
const (
	missRecords = `UPDATE transfer_case SET overdue = 1, version = version + 1, changed_at = $1,
		manual = CASE WHEN reminders >= 2 AND manual / 2 % 2 = 0 THEN manual + 2 ELSE manual END,
		due = CASE WHEN reminders >= 2 THEN 0 WHEN country = 'SE' THEN $2 ELSE $3 END,
		reminders = CASE WHEN reminders >= 2 THEN 3 ELSE reminders + 1 END
		WHERE (transfer_id, fund) IN (SELECT transfer_id, fund FROM transfer_case WHERE due > 0 AND due < $4 ORDER BY due, transfer_id, fund LIMIT $5)
		RETURNING transfer_id, fund, version, state, manual, due`
	eventsHead = `INSERT INTO transfer_event (transfer_id, fund, seq, event, actor, state, overdue, manual, due, happened_at) VALUES `
)

// eventChunk is how many events are written by one statement.
const eventChunk = 500

// swept is a record after the sweep.
type swept struct {
	id, fund           string
	version            int64
	state, manual, due int
}

// MissAll implements store.Store.
func (s *Store) MissAll(ctx context.Context, today civil.Date, next map[string]civil.Date, at time.Time, limit int) (n int, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		rows, err := list(ctx, s.db, "miss deadlines", missRecords, func(scan func(...any) error, r *swept) error {
			return scan(&r.id, &r.fund, &r.version, &r.state, &r.manual, &r.due)
		}, sqlkit.Micros(at), int(next["SE"]), int(next["DK"]), int(today), limit)
		if err != nil {
			return err
		}
		n = len(rows)
		for len(rows) > 0 {
			chunk := rows[:min(len(rows), eventChunk)]
			if err := s.missEvents(ctx, chunk, at); err != nil {
				return err
			}
			rows = rows[len(chunk):]
		}
		return nil
	})
	return n, err
}

func (s *Store) missEvents(ctx context.Context, rows []swept, at time.Time) error {
	const width = 10
	args := make([]any, 0, width*len(rows))
	for _, r := range rows {
		args = append(args, r.id, r.fund, r.version, int(cases.MissDeadline), int(cases.System), r.state, 1, r.manual, r.due, sqlkit.Micros(at))
	}
	_, err := s.db.Exec(ctx, eventsHead+tuples(len(rows), width), args...)
	return failure("add events", err)
}
