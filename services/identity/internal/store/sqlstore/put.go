package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/store"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
)

// chunk bounds the arguments of one statement of a batch; the last texts of a batch are shorter, in powers of four, so that few texts
// have to be kept compiled.
const chunk = 256

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, entries []store.Entry, now time.Time) (store.Written, error) {
	if err := distinct(entries); err != nil {
		return store.Written{}, err
	}
	var done store.Written
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		b := batch{db: s.db, now: sqlkit.Micros(now), entries: entries}
		err := b.write(ctx)
		done = b.done
		return err
	})
	if err != nil {
		return store.Written{}, failure("put", err)
	}
	return done, nil
}

// distinct refuses entries that claim a number twice: which of them is right can't be known.
func distinct(entries []store.Entry) error {
	seen := make(map[store.Index]struct{}, len(entries))
	for i := range entries {
		for _, index := range append([]store.Index{entries[i].Index}, entries[i].Aliases...) {
			if _, twice := seen[index]; twice {
				return store.ErrDuplicate
			}
			seen[index] = struct{}{}
		}
	}
	return nil
}

// batch is one Put under way.
type batch struct {
	db      *sqlkit.DB
	now     int64 // microseconds
	entries []store.Entry
	own     map[store.Index]struct{} // the entries' own indexes
	known   map[store.Index]known    // rows that have any of the numbers, by those numbers
	done    store.Written
}

// known is a row that is there already.
type known struct {
	id           int64
	index        store.Index // the row's own
	registerTime int64
}

func (b *batch) write(ctx context.Context) error {
	if err := b.find(ctx); err != nil {
		return err
	}
	fresh := b.entries[:0:0]
	var replaced []any
	for _, e := range b.entries {
		rows := b.rowsOf(e)
		if slices.ContainsFunc(rows, func(k known) bool { return b.newer(k, e) }) {
			b.done.Stale++
			continue
		}
		if err := b.settle(ctx, e, rows); err != nil {
			return err
		}
		fresh = append(fresh, e)
		for _, k := range rows {
			replaced = append(replaced, k.id)
		}
	}
	if err := b.inChunks(ctx, dropAliases, replaced); err != nil {
		return err
	}
	if err := b.upsert(ctx, fresh); err != nil {
		return err
	}
	return b.alias(ctx, fresh)
}

// newer reports whether a row is newer than an entry, and not told by a clock that was ahead.
func (b *batch) newer(row known, e store.Entry) bool {
	return row.registerTime > sqlkit.Micros(e.RegisterTime) && row.registerTime <= b.now+clock.Skew.Microseconds()
}

// find looks for rows under all numbers and key versions of all entries.
func (b *batch) find(ctx context.Context) error {
	b.known, b.own = map[store.Index]known{}, make(map[store.Index]struct{}, len(b.entries))
	var all []any
	for i := range b.entries {
		e := &b.entries[i]
		b.own[e.Index] = struct{}{}
		all = append(all, e.Index[:])
		all = append(all, bytesOf(e.Aliases)...)
		all = append(all, bytesOf(e.Candidates)...)
	}
	for len(all) > 0 {
		n := step(len(all))
		if err := b.collect(ctx, findRows(n), all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// findRows looks n indexes up among numbers in force and earlier ones.
func findRows(n int) string {
	list := placeholders(n)
	return `SELECT blind_index, id, blind_index, register_time FROM person WHERE blind_index IN (` + list +
		`) UNION ALL SELECT n.blind_index, p.id, p.blind_index, p.register_time
		FROM person_number n JOIN person p ON p.id = n.person_id WHERE n.blind_index IN (` + list + `)`
}

func (b *batch) collect(ctx context.Context, query string, args []any) (err error) {
	rows, err := b.db.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("sqlstore: find rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			asked, own []byte
			k          known
		)
		if err := rows.Scan(&asked, &k.id, &own, &k.registerTime); err != nil {
			return fmt.Errorf("sqlstore: find rows: %w", err)
		}
		copy(k.index[:], own)
		b.known[store.Index(asked)] = k
	}
	return rows.Err()
}

// rowsOf returns the distinct rows that have a number of the entry, the one under the entry's own index first. A row that another
// entry is in force for is left to that one: the register has parted what it had joined.
func (b *batch) rowsOf(e store.Entry) []known {
	var out []known
	for _, list := range [][]store.Index{{e.Index}, e.Candidates, e.Aliases} {
		for _, index := range list {
			k, ok := b.known[index]
			if _, others := b.own[k.index]; others && k.index != e.Index {
				continue
			}
			if ok && !slices.ContainsFunc(out, func(o known) bool { return o.id == k.id }) {
				out = append(out, k)
			}
		}
	}
	return out
}

const (
	moveHandles = `UPDATE handle SET person_id = $1 WHERE person_id = $2`
	moveAliases = `UPDATE person_number SET person_id = $1 WHERE person_id = $2`
	moveChanges = `UPDATE change SET person_id = $1 WHERE person_id = $2`
	// What both rows have stays with the one that is kept.
	moveFollow = `INSERT INTO followed (person_id, country, due_at, failures)
		SELECT $1, country, due_at, failures FROM followed WHERE person_id = $2 ON CONFLICT (person_id) DO NOTHING`
	moveSubscription = `INSERT INTO subscription (person_id, controller, reference, last_day)
		SELECT $1, controller, reference, last_day FROM subscription WHERE person_id = $2 ON CONFLICT (person_id, controller, reference) DO NOTHING`
	moveTerms = `INSERT INTO member_term (controller, term, person_id)
		SELECT controller, term, $1 FROM member_term WHERE person_id = $2 ON CONFLICT (controller, term, person_id) DO NOTHING`
	dropPerson       = `DELETE FROM person WHERE id = $1`
	dropFollow       = `DELETE FROM followed WHERE person_id = $1`
	dropSubscription = `DELETE FROM subscription WHERE person_id = $1`
	dropTerms        = `DELETE FROM member_term WHERE person_id = $1`
	movePerson       = `UPDATE person SET blind_index = $1 WHERE id = $2`
	dropAliases      = `DELETE FROM person_number WHERE person_id IN (`
)

// settle makes the first row the only one of the entry's person, under the entry's index. Handles of the others move to it.
func (b *batch) settle(ctx context.Context, e store.Entry, rows []known) error {
	if len(rows) == 0 {
		return nil
	}
	keep := rows[0]
	for _, gone := range rows[1:] {
		for _, text := range [...]string{moveHandles, moveAliases, moveChanges, moveFollow, moveSubscription, moveTerms} {
			if _, err := b.db.Exec(ctx, text, keep.id, gone.id); err != nil {
				return fmt.Errorf("sqlstore: join rows: %w", err)
			}
		}
		for _, text := range [...]string{dropFollow, dropSubscription, dropTerms, dropPerson} {
			if _, err := b.db.Exec(ctx, text, gone.id); err != nil {
				return fmt.Errorf("sqlstore: join rows: %w", err)
			}
		}
		b.done.Merged++
	}
	if keep.index == e.Index {
		return nil
	}
	if _, err := b.db.Exec(ctx, movePerson, e.Index[:], keep.id); err != nil {
		return fmt.Errorf("sqlstore: move row: %w", err)
	}
	return nil
}

const (
	upsertHead = `INSERT INTO person (blind_index, index_version, sealed, register_time, updated_at) VALUES `
	upsertTail = ` ON CONFLICT (blind_index) DO UPDATE SET index_version = excluded.index_version, sealed = excluded.sealed,
		register_time = excluded.register_time, updated_at = excluded.updated_at`
	upsertColumns = 5
)

func (b *batch) upsert(ctx context.Context, entries []store.Entry) error {
	args := make([]any, 0, min(len(entries), chunk)*upsertColumns)
	for len(entries) > 0 {
		n := step(len(entries))
		args = args[:0]
		for i := range entries[:n] {
			e := &entries[i]
			args = append(args, e.Index[:], int64(e.IndexVersion), e.Sealed, sqlkit.Micros(e.RegisterTime), b.now)
		}
		if _, err := b.db.Exec(ctx, upsertHead+tuples(n, upsertColumns)+upsertTail, args...); err != nil {
			return fmt.Errorf("sqlstore: upsert: %w", err)
		}
		b.done.Stored += n
		entries = entries[n:]
	}
	return nil
}

const addAlias = `INSERT INTO person_number (blind_index, person_id) VALUES ($1, $2)
	ON CONFLICT (blind_index) DO UPDATE SET person_id = excluded.person_id`

// alias writes the earlier numbers. Few persons have any, so this goes row by row.
func (b *batch) alias(ctx context.Context, entries []store.Entry) error {
	for i := range entries {
		e := &entries[i]
		if len(e.Aliases) == 0 {
			continue
		}
		var id int64
		if err := b.db.QueryRow(ctx, `SELECT id FROM person WHERE blind_index = $1`, e.Index[:]).Scan(&id); err != nil {
			return fmt.Errorf("sqlstore: alias: %w", err)
		}
		for _, index := range e.Aliases {
			if _, err := b.db.Exec(ctx, addAlias, index[:], id); err != nil {
				return fmt.Errorf("sqlstore: alias: %w", err)
			}
		}
	}
	return nil
}

func (b *batch) inChunks(ctx context.Context, head string, args []any) error {
	for len(args) > 0 {
		n := step(len(args))
		if _, err := b.db.Exec(ctx, head+placeholders(n)+`)`, args[:n]...); err != nil {
			return fmt.Errorf("sqlstore: %w", err)
		}
		args = args[n:]
	}
	return nil
}

// step returns how many of the rest go into the next statement.
func step(rest int) int {
	for n := chunk; n > 1; n /= 4 {
		if rest >= n {
			return n
		}
	}
	return 1
}

// placeholder returns "$n".
func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// placeholders returns "$1, $2, …, $n".
func placeholders(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		if i > 1 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i))
	}
	return b.String()
}

// tuples returns rows lists of numbered arguments.
func tuples(rows, columns int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(r*columns + c + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

func bytesOf(indexes []store.Index) []any {
	out := make([]any, len(indexes))
	for i := range indexes {
		out[i] = indexes[i][:]
	}
	return out
}
