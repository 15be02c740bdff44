package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/sqlkit"
)

// NewDelivery implements core.IncomeStore.
func (s *Store) NewDelivery(ctx context.Context, controller string, d core.IncomeDelivery, at time.Time) (fresh bool, err error) {
	fund, err := s.fund(ctx, controller)
	if err != nil {
		return false, err
	}
	n, err := s.db.Exec(ctx, `INSERT INTO income_delivery (fund, digest, delivered_at) VALUES ($1, $2, $3) ON CONFLICT (fund, digest) DO NOTHING`,
		fund, d.Digest, sqlkit.Micros(at))
	if err != nil || n == 0 {
		return false, err
	}
	for _, m := range d.Months {
		_, err := s.db.Exec(ctx, `INSERT INTO income_covered (fund, month, delivered_at) VALUES ($1, $2, $3)`+
			` ON CONFLICT (fund, month) DO UPDATE SET delivered_at = excluded.delivered_at`, fund, int64(m), sqlkit.Micros(at))
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// persons are the pseudonyms of a number in one fund, the present one first: rows may bear those of keys before it.
func (s *Store) persons(controller, number string) ([]string, error) {
	return s.keys.Digests.All(controller + " " + number)
}

func incomeKey(fund int64, person string, month civil.Month) []byte {
	return append(rowKey('i', fund, int64(month)), person...)
}

// PersonIncomes implements core.IncomeStore.
func (s *Store) PersonIncomes(ctx context.Context, controller, number string, month civil.Month) (core.IncomeMonth, error) {
	have, err := s.personIncomes(ctx, controller, number, month, month)
	if err != nil || len(have) == 0 {
		return core.IncomeMonth{Month: month}, err
	}
	return have[0], nil
}

func (s *Store) personIncomes(ctx context.Context, controller, number string, from, to civil.Month) (out []core.IncomeMonth, err error) {
	fund, err := s.fund(ctx, controller)
	if err != nil {
		return nil, err
	}
	persons, err := s.persons(controller, number)
	if err != nil {
		return nil, err
	}
	for _, person := range persons {
		err := s.each(ctx, `SELECT month, retrieved_at, sealed FROM person_income WHERE fund = $1 AND person = $2 AND month >= $3 AND month <= $4 ORDER BY month`,
			[]any{fund, person, int64(from), int64(to)}, func(rows *sqlkit.Rows) error {
				var m core.IncomeMonth
				var retrieved int64
				var sealed []byte
				if err := rows.Scan(&m.Month, &retrieved, &sealed); err != nil {
					return err
				}
				plain, err := s.keys.Case.Decrypt(sealed, incomeKey(fund, person, m.Month))
				if err != nil {
					return err
				}
				m.Retrieved = sqlkit.Time(retrieved)
				out = append(out, m)
				return json.Unmarshal(plain, &out[len(out)-1].Incomes)
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutPersonIncomes implements core.IncomeStore.
func (s *Store) PutPersonIncomes(ctx context.Context, controller, number string, m core.IncomeMonth) error {
	fund, err := s.fund(ctx, controller)
	if err != nil {
		return err
	}
	persons, err := s.persons(controller, number)
	if err != nil {
		return err
	}
	for _, old := range persons {
		if _, err := s.db.Exec(ctx, `DELETE FROM person_income WHERE fund = $1 AND person = $2 AND month = $3`, fund, old, int64(m.Month)); err != nil {
			return err
		}
	}
	plain, err := json.Marshal(m.Incomes)
	if err != nil {
		return err
	}
	sealed, err := s.keys.Case.Encrypt(plain, incomeKey(fund, persons[0], m.Month))
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO person_income (fund, person, month, retrieved_at, sealed) VALUES ($1, $2, $3, $4, $5)`,
		fund, persons[0], int64(m.Month), sqlkit.Micros(m.Retrieved), sealed)
	return err
}

// IncomesOf implements core.IncomeStore.
func (s *Store) IncomesOf(
	ctx context.Context, controller string, handle facts.Handle, from, to civil.Month,
) (have []core.IncomeMonth, covered []civil.Month, err error) {
	number, err := s.Number(ctx, controller, handle)
	if err != nil {
		return nil, nil, err
	}
	fund, err1 := s.fund(ctx, controller)
	have, err2 := s.personIncomes(ctx, controller, number, from, to)
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, err
	}
	err = s.each(ctx, `SELECT month FROM income_covered WHERE fund = $1 AND month >= $2 AND month <= $3 ORDER BY month`,
		[]any{fund, int64(from), int64(to)}, func(rows *sqlkit.Rows) error {
			var m civil.Month
			err := rows.Scan(&m)
			covered = append(covered, m)
			return err
		})
	return have, covered, err
}
