package sqlstore

import (
	"context"
	"encoding/binary"

	"google.golang.org/protobuf/proto"

	storev1 "samvirke.dev/proto/gen/go/samvirke/income/store/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
	"samvirke.dev/services/platform/sqlkit"
)

// openMonth decrypts what the fund says about the month of a decision by now; what it said then, where it says nothing any more.
func (s *Store) openMonth(sealed []byte, fund int64, d *core.Decision) (core.MemberMonth, error) {
	if sealed == nil {
		if d.Matched != nil {
			return d.Matched.Month, nil
		}
		return core.MemberMonth{Protected: d.Protected}, nil
	}
	plain, err := s.keys.Case.Decrypt(sealed, rowKey('m', fund, int64(d.Month), d.Member))
	if err != nil {
		return core.MemberMonth{}, err
	}
	month := &storev1.Month{}
	err = proto.Unmarshal(plain, month)
	return decodeMonth(month), err
}

func consumptionKey(member int64, source shortening.Source, month civil.Month) []byte {
	return rowKey('c', member, int64(source), int64(month))
}

// PutConsumption implements core.Store.
func (s *Store) PutConsumption(ctx context.Context, _ string, member int64, source shortening.Source, months []core.Consumption) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, m := range months {
			plain := binary.BigEndian.AppendUint64(nil, uint64(m.Hours)) //nolint:gosec // bits are bits
			sealed, err := s.keys.Case.Encrypt(plain, consumptionKey(member, source, m.Month))
			if err != nil {
				return err
			}
			used := int64(0)
			if m.Used {
				used = 1
			}
			_, err = s.db.Exec(ctx, `INSERT INTO consumption (member, source, month, used, sealed) VALUES ($1, $2, $3, $4, $5)`+
				` ON CONFLICT (member, source, month) DO UPDATE SET used = CASE WHEN excluded.used > consumption.used THEN excluded.used ELSE consumption.used END, sealed = excluded.sealed`,
				member, int64(source), int64(m.Month), used, sealed)
			if err != nil {
				return err
			}
		}
		_, err := s.db.Exec(ctx, `INSERT INTO consumption_source (member, source, answered_at) VALUES ($1, $2, $3)`+
			` ON CONFLICT (member, source) DO UPDATE SET answered_at = excluded.answered_at`, member, int64(source), sqlkit.Micros(s.clock.Now()))
		return err
	})
}

// Consumption implements core.Store.
func (s *Store) Consumption(ctx context.Context, _ string, member int64) (entries []shortening.Entry, answered []shortening.Source, err error) {
	err = s.each(ctx, `SELECT source, month, used, sealed FROM consumption WHERE member = $1 ORDER BY month, source`, []any{member}, func(rows *sqlkit.Rows) error {
		var e shortening.Entry
		var used int64
		var sealed []byte
		if err := rows.Scan(&e.Source, &e.Month, &used, &sealed); err != nil {
			return err
		}
		plain, err := s.keys.Case.Decrypt(sealed, consumptionKey(member, e.Source, e.Month))
		if err != nil {
			return err
		}
		if len(plain) != 8 {
			return errShape
		}
		e.Hours, e.Used = rule.Hours(binary.BigEndian.Uint64(plain)), used == 1 //nolint:gosec // bits are bits
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	err = s.each(ctx, `SELECT source FROM consumption_source WHERE member = $1 ORDER BY source`, []any{member}, func(rows *sqlkit.Rows) error {
		var source shortening.Source
		err := rows.Scan(&source)
		answered = append(answered, source)
		return err
	})
	return entries, answered, err
}

// MarkUsed implements core.Store.
func (s *Store) MarkUsed(ctx context.Context, _ string, member int64, months []civil.Month, used bool) error {
	mark := 0
	if used {
		mark = 1
	}
	for _, m := range months {
		if _, err := s.db.Exec(ctx, `UPDATE consumption SET used = $1 WHERE member = $2 AND month = $3`, mark, member, int64(m)); err != nil {
			return err
		}
	}
	return nil
}
