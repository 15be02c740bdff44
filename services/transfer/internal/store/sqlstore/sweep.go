package sqlstore

import (
	"context"
	"time"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/store"
)

// The sweep is three statements for any number of records: which ones' day has passed, their events, and the records themselves. All choose
// the same ones, since nothing else is in the transaction. With the third miss a person is called in and nothing more is awaited: the same
// as cases.Machine.Miss, to which the store's suite holds it.
const (
	missed = `SELECT transfer_id, fund FROM transfer_case WHERE due > 0 AND due < $3 ORDER BY due, transfer_id, fund LIMIT $4`

	nextDue    = `CASE WHEN c.reminders >= 2 THEN 0 WHEN c.country = 'SE' THEN $1 ELSE $2 END`
	nextManual = `CASE WHEN c.reminders >= 2 AND c.manual / 2 % 2 = 0 THEN c.manual + 2 ELSE c.manual END`

	missedWho = `SELECT transfer_id, fund, handle, subject, protected FROM transfer_case WHERE due > 0 AND due < $1
		ORDER BY due, transfer_id, fund LIMIT $2`

	missEvents = `INSERT INTO transfer_event (transfer_id, fund, seq, event, actor, state, overdue, manual, due, happened_at)
		SELECT c.transfer_id, c.fund, c.version + 1, $5, $6, c.state, 1, ` + nextManual + `, ` + nextDue + `, $7
		FROM (` + missed + `) AS d JOIN transfer_case c ON c.transfer_id = d.transfer_id AND c.fund = d.fund`
	missRecords = `UPDATE transfer_case AS c SET overdue = 1, version = c.version + 1, changed_at = $5, manual = ` + nextManual + `, due = ` + nextDue + `,
		reminders = CASE WHEN c.reminders >= 2 THEN 3 ELSE c.reminders + 1 END
		FROM (` + missed + `) AS d WHERE c.transfer_id = d.transfer_id AND c.fund = d.fund`
)

// MissAll implements store.Store.
func (s *Store) MissAll(ctx context.Context, today civil.Date, next map[string]civil.Date, at time.Time, limit int) (out []store.Missed, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		out, err = list(ctx, s.db, "missed", missedWho, func(scan func(...any) error, m *store.Missed) error {
			var protected int
			err := scan(&m.ID, &m.Fund, &m.Handle, &m.Subject, &protected)
			m.Protected = protected == 1
			return err
		}, int(today), limit)
		if err != nil || len(out) == 0 {
			return err
		}
		choice := []any{int(next["SE"]), int(next["DK"]), int(today), limit}
		moment := sqlkit.Micros(at)
		_, err = s.db.Exec(ctx, missEvents, append(choice, int(cases.MissDeadline), int(cases.System), moment)...)
		if err != nil {
			return failure("miss events", err)
		}
		changed, err := s.db.Exec(ctx, missRecords, append(choice[:4:4], moment)...)
		if err == nil && int(changed) != len(out) {
			return store.ErrConflict
		}
		return failure("miss deadlines", err)
	})
	return out, err
}
