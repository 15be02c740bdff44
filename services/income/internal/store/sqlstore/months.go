package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	storev1 "samvirke.dev/proto/gen/go/samvirke/income/store/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/sqlkit"
)

// PutMonths implements core.Store.
func (s *Store) PutMonths(ctx context.Context, controller string, month civil.Month, members []int64, months []core.MemberMonth) error {
	fund, now := int64(0), sqlkit.Micros(s.clock.Now())
	var err error
	return s.replace(ctx, replacement{
		table: "member_month", head: `INSERT INTO member_month (fund, month, member, updated_at, sealed) VALUES`, controller: controller, month: month,
		members: members, columns: 5,
		row: func(f int64, i int, args []any) ([]any, error) {
			fund = f
			var plain, sealed []byte
			if plain, err = encodeMonth(&months[i]); err != nil {
				return nil, err
			}
			if sealed, err = s.keys.Case.Encrypt(plain, rowKey('m', fund, int64(month), members[i])); err != nil {
				return nil, err
			}
			return append(args, fund, int64(month), members[i], now, sealed), nil
		},
	})
}

// PutAnswers implements core.Store.
func (s *Store) PutAnswers(ctx context.Context, controller string, month civil.Month, members []int64, answers []facts.Answer) error {
	return s.replace(ctx, replacement{
		table: "register_month", head: `INSERT INTO register_month (fund, month, member, retrieved_at, reference, sealed) VALUES`, controller: controller,
		month: month, members: members, columns: 6,
		row: func(fund int64, i int, args []any) ([]any, error) {
			plain, err := s.Encode(answers[i].Records)
			if err != nil {
				return nil, err
			}
			sealed, err := s.keys.Case.Encrypt(plain, rowKey('r', fund, int64(month), members[i]))
			return append(args, fund, int64(month), members[i], micros(answers[i].Retrieved), answers[i].Reference, sealed), err
		},
	})
}

// replacement says what to put in the place of the rows of a month.
type replacement struct {
	table, head, controller string
	month                   civil.Month
	members                 []int64
	columns                 int
	row                     func(fund int64, i int, args []any) ([]any, error)
}

// replace deletes the members' rows and inserts new ones, in one transaction: an upsert of many rows that both databases know.
func (s *Store) replace(ctx context.Context, r replacement) error {
	if len(r.members) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		fund, err := s.fund(ctx, r.controller)
		if err != nil {
			return err
		}
		remove := `DELETE FROM ` + r.table + ` WHERE fund = $1 AND month = $2 AND member IN (` + placeholders(3) + `)`
		err = parts(r.members, func(part []int64) error {
			_, err := s.db.Exec(ctx, remove, padded([]any{fund, int64(r.month)}, part)...)
			return err
		})
		if err != nil {
			return err
		}
		args := make([]any, 0, len(r.members)*r.columns)
		for i := range r.members {
			if args, err = r.row(fund, i, args); err != nil {
				return err
			}
		}
		_, err = s.db.InsertRows(ctx, r.head, r.columns, args)
		return err
	})
}

const (
	subjectRows = `SELECT mm.member, m.handle, mm.sealed, rm.sealed, rm.retrieved_at FROM member_month mm JOIN member m ON m.id = mm.member` +
		` LEFT JOIN register_month rm ON rm.fund = mm.fund AND rm.month = mm.month AND rm.member = mm.member` +
		` WHERE mm.fund = $1 AND mm.month = $2 AND mm.member BETWEEN $3 AND $4 ORDER BY mm.member`
	subjectDecisions = `SELECT ` + decisionColumns + `, '' FROM decision d WHERE d.member BETWEEN $1 AND $2 AND d.kind = 1 AND d.month = $3 ORDER BY d.member, d.seq`
)

// Subjects implements core.Store.
func (s *Store) Subjects(ctx context.Context, controller string, month civil.Month, from, to int64) ([]core.Subject, error) {
	fund, err := s.fund(ctx, controller)
	if err != nil {
		return nil, err
	}
	var out []core.Subject
	var stored storev1.Month
	var answer storev1.Answer
	err = s.each(ctx, subjectRows, []any{fund, int64(month), from, to}, func(rows *sqlkit.Rows) error {
		var sealed, records []byte
		var retrieved *int64
		var subject core.Subject
		if err := rows.Scan(&subject.Member, (*string)(&subject.Handle), &sealed, &records, &retrieved); err != nil {
			return err
		}
		plain, err := s.keys.Case.Decrypt(sealed, rowKey('m', fund, int64(month), subject.Member))
		if err != nil {
			return fmt.Errorf("sqlstore: month of member %d: %w", subject.Member, err)
		}
		if err := proto.Unmarshal(plain, &stored); err != nil {
			return err
		}
		subject.Month, subject.Matched.RawMonth = decodeMonth(&stored), plain
		if retrieved != nil {
			if plain, err = s.keys.Case.Decrypt(records, rowKey('r', fund, int64(month), subject.Member)); err != nil {
				return fmt.Errorf("sqlstore: register month of member %d: %w", subject.Member, err)
			}
			if err := proto.Unmarshal(plain, &answer); err != nil {
				return err
			}
			subject.Matched.Answered, subject.Matched.Records, subject.Matched.RawRecords = true, decodeRecords(&answer), plain
			subject.Retrieved = moment(*retrieved)
		}
		out = append(out, subject)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.latest(ctx, out, month, from, to)
}

// latest finds what was decided before about the subjects, who are in order.
func (s *Store) latest(ctx context.Context, subjects []core.Subject, month civil.Month, from, to int64) error {
	at := 0
	return s.each(ctx, subjectDecisions, []any{from, to, int64(month)}, func(rows *sqlkit.Rows) error {
		d, err := s.scan(rows)
		if err != nil {
			return err
		}
		for at < len(subjects) && subjects[at].Member < d.Member {
			at++
		}
		if at == len(subjects) || subjects[at].Member != d.Member {
			return nil
		}
		subject := &subjects[at]
		d.Handle = subject.Handle
		subject.LastSeq, subject.Net = d.Seq, d.Net
		if !d.HumanOnly() {
			subject.Latest = d
		}
		return nil
	})
}

var errShape = errors.New("sqlstore: a stored row does not have the shape that it was written with")
