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

// pageItems are the items of a page with what can follow from them: the contact data of those whose data the partner may get.
const pageItems = `SELECT i.seq, i.kind, i.created_at, i.delivered_at, CASE WHEN i.kind = 3 OR s.stopped = 1 THEN NULL ELSE m.sealed END, ` +
	shareColumns + ` FROM item i JOIN share s ON s.id = i.share_id JOIN member m ON m.id = s.member_id
	WHERE i.controller = $1 AND i.partner = $2 AND i.purpose = $3 AND i.basis = $4 AND i.seq > $5 ORDER BY i.seq LIMIT $6`

// pageMembers are the members of a page's items.
const pageMembers = `(SELECT s.member_id FROM item i JOIN share s ON s.id = i.share_id
	WHERE i.controller = $1 AND i.partner = $2 AND i.purpose = $3 AND i.basis = $4 AND i.seq > $5 AND i.seq <= $6)`

// ItemRows implements store.Store, with the same three questions whatever the length of the page.
func (s *Store) ItemRows(ctx context.Context, box core.Box, seq int64, limit int) ([]store.ItemRow, error) {
	rows, err := s.pageItems(ctx, box, seq, limit)
	if err != nil || !slices.ContainsFunc(rows, func(r store.ItemRow) bool { return len(r.Sealed) > 0 }) {
		return rows, err
	}
	known, err := s.pageKnown(ctx, key(box, seq, rows[len(rows)-1].Seq))
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if k := known[rows[i].Share.Member]; k != nil {
			rows[i].Known = *k
		}
	}
	return rows, nil
}

func (s *Store) pageItems(ctx context.Context, box core.Box, seq int64, limit int) (out []store.ItemRow, err error) {
	err = s.each(ctx, "items", func(scan func(...any) error) error {
		var r store.ItemRow
		var at int64
		var delivered *int64
		dest, finish := scanned(&r.Share)
		if err := scan(append([]any{&r.Seq, &r.Kind, &at, &delivered, &r.Sealed}, dest...)...); err != nil {
			return err
		}
		finish()
		r.At, r.Delivered = sqlkit.Time(at), delivered != nil
		out = append(out, r)
		return nil
	}, pageItems, key(box, seq, limit)...)
	return out, err
}

// pageKnown reads consents and refusals of a page's members.
func (s *Store) pageKnown(ctx context.Context, page []any) (map[int64]*core.Known, error) {
	out := map[int64]*core.Known{}
	of := func(member int64) *core.Known {
		if out[member] == nil {
			out[member] = &core.Known{}
		}
		return out[member]
	}
	err := s.each(ctx, "consents", func(scan func(...any) error) error {
		var member int64
		c, err := scanConsent(scan, &member)
		of(member).Consents = append(of(member).Consents, c)
		return err
	}, `SELECT member_id, body, withdrawn_at FROM consent WHERE member_id IN `+pageMembers+` ORDER BY member_id, recorded_at, consent_id`, page...)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, "refusals", func(scan func(...any) error) error {
		var member int64
		r, err := scanRefusal(scan, &member)
		of(member).Refusals = append(of(member).Refusals, r)
		return err
	}, `SELECT member_id, kind, partner, purpose, channel, since FROM refusal WHERE member_id IN `+pageMembers+
		` ORDER BY member_id, kind, partner, purpose`, page...)
	return out, err
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
const maxNamed = 64

// named runs a statement that ends in IN for the rows with some numbers, in groups of 64, 32, 16, 8, 4, 2 and 1, so that there are few
// texts to keep compiled.
func (s *Store) named(ctx context.Context, op, query string, args []any, numbers []int64) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for len(numbers) > 0 {
			n := 1 << (bits.Len(uint(min(len(numbers), maxNamed))) - 1)
			all := slices.Clone(args)
			var list strings.Builder
			for i, number := range numbers[:n] {
				list.WriteString(", $" + strconv.Itoa(len(args)+i+1))
				all = append(all, number)
			}
			if _, err := s.exec(ctx, op, query+"("+list.String()[len(", "):]+")", all...); err != nil {
				return err
			}
			numbers = numbers[n:]
		}
		return nil
	})
}
