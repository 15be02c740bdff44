package sqlstore

import (
	"context"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// selectItems are the items of a page with what can follow from them: the contact data of those whose data the partner may get.
const selectItems = `SELECT ` + shareColumns + `, i.seq, i.kind, i.created_at, i.delivered_at,
	CASE WHEN i.kind = 3 OR s.stopped = 1 THEN NULL ELSE m.sealed END
	FROM item i JOIN share s ON s.id = i.share_id JOIN member m ON m.id = s.member_id
	WHERE i.controller = $1 AND i.partner = $2 AND i.purpose = $3 AND i.basis = $4 AND i.seq > $5 ORDER BY i.seq LIMIT $6`

// ItemRows implements store.Store, with two questions whatever the length of the page.
func (s *Store) ItemRows(ctx context.Context, box core.Box, seq int64, limit int) ([]store.ItemRow, error) {
	found, err := s.ask(ctx, question{op: "items", query: selectItems, columns: shareColumnCount + 5}, key(box, seq, int64(limit))...)
	if err != nil {
		return nil, err
	}
	rows := make([]store.ItemRow, len(found))
	var members []int64
	for i, c := range found {
		r := &rows[i]
		r.Share = c.share()
		r.Seq, r.Kind, r.At, r.Delivered, r.Sealed = c.int(), core.ItemKind(c.int()), sqlkit.Time(c.int()), c.some(), c.bytes() //nolint:gosec // small
		if len(r.Sealed) > 0 && !slices.Contains(members, r.Share.Member) {
			members = append(members, r.Share.Member)
		}
	}
	known, err := s.known(ctx, members)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i].Known = known[rows[i].Share.Member]
	}
	return rows, nil
}

// known are the consents and refusals of members.
func (s *Store) known(ctx context.Context, members []int64) (map[int64]core.Known, error) {
	if len(members) == 0 {
		return nil, nil
	}
	list, args := inList(members, 0)
	query := `SELECT member_id, body, withdrawn_at, 0, '', '', 0, 0
		FROM consent WHERE member_id IN ` + list + `
		UNION ALL SELECT member_id, '', NULL, kind, partner, purpose, channel, since FROM refusal WHERE member_id IN ` + list
	found, err := s.ask(ctx, question{op: "consents and refusals", query: query, columns: 8}, args...)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]core.Known, len(members))
	for _, c := range found {
		member, body, withdrawn := c.int(), c.text(), c.some()
		k := out[member]
		if body == "" {
			k.Refusals = append(k.Refusals, core.StoredRefusal{
				Kind: core.RefusalKind(c.int()), Partner: c.text(), Purpose: core.Purpose(c.text()), Channel: int(c.int()), At: sqlkit.Time(c.int()), //nolint:gosec // small
			})
		} else {
			consent, err := readConsent(body)
			if err != nil {
				return nil, err
			}
			consent.Withdrawn = withdrawn
			k.Consents = append(k.Consents, consent)
		}
		out[member] = k
	}
	return out, nil
}

// Said implements core.Book.
func (s *Store) Said(ctx context.Context, member int64) ([]core.Consent, []core.StoredRefusal, error) {
	known, err := s.known(ctx, []int64{member})
	return known[member].Consents, known[member].Refusals, err
}

// MarkDelivered implements core.Book.
func (s *Store) MarkDelivered(ctx context.Context, box core.Box, seqs []int64, now time.Time) error {
	return s.named(ctx, "mark delivered", `UPDATE item SET delivered_at = $5
		WHERE controller = $1 AND partner = $2 AND purpose = $3 AND basis = $4 AND seq IN `, key(box, sqlkit.Micros(now)), seqs)
}

// CountReads implements core.Book.
func (s *Store) CountReads(ctx context.Context, shares []int64) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for len(shares) > 0 {
			var once, again []int64
			for _, id := range shares {
				if slices.Contains(once, id) {
					again = append(again, id)
				} else {
					once = append(once, id)
				}
			}
			if err := s.named(ctx, "count reads", `UPDATE share SET reads = reads + 1, delivered = 1 WHERE id IN `, nil, once); err != nil {
				return err
			}
			shares = again
		}
		return nil
	})
}

// maxNamed is how many rows one statement names at most; a power of two.
const maxNamed = 128

// named runs a statement that ends in IN for the rows with some numbers.
func (s *Store) named(ctx context.Context, op, query string, args []any, numbers []int64) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for part := range slices.Chunk(numbers, maxNamed) {
			list, more := inList(part, len(args))
			if _, err := s.exec(ctx, op, query+list, slices.Concat(args, more)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// inList is the list of an IN, and its arguments, which stand after some others. Its length is a power of two, so that there are few
// texts to keep compiled: the last number stands in it again and again.
func inList(numbers []int64, after int) (list string, args []any) {
	length := 1 << bits.Len(uint(len(numbers)-1))
	var b strings.Builder
	for i := range length {
		b.WriteString(", $" + strconv.Itoa(after+i+1))
		args = append(args, numbers[min(i, len(numbers)-1)])
	}
	return "(" + b.String()[len(", "):] + ")", args
}
