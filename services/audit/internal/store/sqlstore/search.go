package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/platform/sqlkit"
)

// examined bounds how many entries of an index one search looks at.
const examined = 10_000

// Search implements store.Store.
func (s *Store) Search(ctx context.Context, q store.Query) (store.Found, error) {
	if q.Limit < 1 {
		return store.Found{}, errors.New("search: no limit")
	}
	if q.Party == "" {
		return s.search(ctx, q)
	}
	asCaller, asOwner := q, q
	asCaller.Party, asOwner.Party = "", ""
	if q.Caller == "" || q.Caller == q.Party {
		asCaller.Caller = q.Party
	} else {
		asOwner.Owner = q.Party
		return s.search(ctx, asOwner)
	}
	one, err := s.search(ctx, asCaller)
	if err != nil || q.Owner != "" && q.Owner != q.Party {
		return one, err
	}
	asOwner.Owner = q.Party
	two, err := s.search(ctx, asOwner)
	if err != nil {
		return store.Found{}, err
	}
	return merge(one, two, q.Limit), nil
}

// merge joins two searches in order. What lies behind the place at which one of them stopped waits for the next page.
func merge(a, b store.Found, limit int) store.Found {
	out := store.Found{Next: newer(a.Next, b.Next)}
	for _, r := range append(a.Rows, b.Rows...) {
		if out.Next == (store.Key{}) || !before(KeyOf(r), out.Next) {
			out.Rows = append(out.Rows, r)
		}
	}
	slices.SortFunc(out.Rows, func(x, y store.Row) int {
		switch {
		case x.ID == y.ID:
			return 0
		case before(KeyOf(x), KeyOf(y)):
			return 1
		default:
			return -1
		}
	})
	out.Rows = slices.CompactFunc(out.Rows, func(x, y store.Row) bool { return x.ID == y.ID })
	if len(out.Rows) > limit {
		out.Rows = out.Rows[:limit]
		out.Next = KeyOf(out.Rows[limit-1])
	}
	return out
}

// KeyOf returns a row's place in the order of searches.
func KeyOf(r store.Row) store.Key { return store.Key{Started: sqlkit.Micros(r.Started), ID: r.ID} }

// before says whether a lies further in the past than b.
func before(a, b store.Key) bool {
	return a.Started < b.Started || a.Started == b.Started && a.ID < b.ID
}

// newer returns the key that is less far in the past; the zero Key, which is no place to go on from, loses.
func newer(a, b store.Key) store.Key {
	if a == (store.Key{}) || b != (store.Key{}) && before(a, b) {
		return b
	}
	return a
}

// condition is one term of a search. The leading one is found by its index; the others are only checked, and written so that no index is
// chosen for them instead.
type condition struct {
	lead, check string // %s is the arguments' place; without a lead it can't be the leading one
	args        []any
}

// look is a search made ready: its conditions, of which the first are found by an index, and its span of time.
type look struct {
	text     []string
	args     []any
	leading  int // conditions
	leadArgs int // their arguments
	window   func(next int) string
	span     []any // the window's arguments
}

// statement is a query with its arguments.
type statement struct {
	text string
	args []any
}

func (s *Store) search(ctx context.Context, q store.Query) (store.Found, error) {
	l, none, err := s.look(ctx, q)
	if err != nil || none {
		return store.Found{}, err
	}
	var bound store.Key
	if len(l.text) > l.leading {
		if bound, err = s.boundary(ctx, l.boundary()); err != nil {
			return store.Found{}, err
		}
	}
	return s.page(ctx, q.Limit, l.page(q.Limit, bound), bound)
}

// look makes a search ready, and says whether no row can meet it.
func (s *Store) look(ctx context.Context, q store.Query) (l look, none bool, err error) {
	terms, none, err := s.terms(ctx, q)
	if err != nil || none {
		return look{}, none, err
	}
	if len(terms) > 0 && terms[0].lead != "" {
		l.leading = 1
	}
	for i, t := range terms {
		form := t.check
		if i < l.leading {
			form = t.lead
		}
		l.text = append(l.text, strings.ReplaceAll(form, "%s", places(len(l.args)+1, len(t.args))))
		l.args = append(l.args, t.args...)
		if i < l.leading {
			l.leadArgs = len(l.args)
		}
	}
	l.window, l.span = span(q)
	return l, false, nil
}

// places writes n numbered arguments from the given one on.
func places(from, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = "$" + strconv.Itoa(from+i)
	}
	return strings.Join(out, ", ")
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}

// terms returns the conditions, the most selective first, and whether one of them can't be met by any row.
func (s *Store) terms(ctx context.Context, q store.Query) (out []condition, none bool, err error) {
	among := func(column string, args []any) {
		if len(args) > 0 {
			out = append(out, condition{lead: column + " IN (%s)", check: column + " IN (%s)", args: args})
		}
	}
	if len(q.Trace) > 0 {
		among("trace", []any{q.Trace})
	}
	among("subject", anys(q.Subjects))
	among("case_digest", anys(q.Cases))
	outcome(q, &out)
	for _, n := range []struct{ column, name string }{{"rpc", q.RPC}, {"caller", q.Caller}, {"owner", q.Owner}, {"service", q.Service}} {
		if n.name == "" {
			continue
		}
		id, found, err := s.names.find(ctx, n.name)
		if err != nil || !found {
			return nil, !found, err
		}
		out = append(out, condition{lead: n.column + " = %s", check: "+" + n.column + " = %s", args: []any{id}})
	}
	if q.Purpose != 0 {
		out = append(out, condition{lead: "purpose = %s", check: "+purpose = %s", args: []any{int64(q.Purpose)}})
	}
	return out, false, nil
}

// outcome adds the conditions on decision and outcome. Calls that went well are most of all, so that they are no way to find anything; the
// index holds only the others.
func outcome(q store.Query, out *[]condition) {
	found := q.Outcome
	switch {
	case found != store.Done:
	case q.Decision < 0:
		found = store.Failed
	case q.Decision == decisionDeny:
		found = store.Refused
	}
	if found != store.Done {
		*out = append(*out, condition{lead: "outcome <> 0 AND outcome = %s", check: "outcome <> 0 AND +outcome = %s", args: []any{int64(found)}})
	}
	if q.Decision != 0 {
		*out = append(*out, condition{check: "decision = %s", args: []any{int64(max(q.Decision, 0))}})
	}
}

// decisionDeny is samvirke.audit.v1.Decision DENY.
const decisionDeny = 2

// span returns the conditions on time, as a text whose arguments are numbered from the given one on.
func span(q store.Query) (func(next int) string, []any) {
	var args []any
	var forms []string
	if !q.From.IsZero() {
		forms, args = append(forms, "started_at >= $%d"), append(args, sqlkit.Micros(q.From))
	}
	if !q.Until.IsZero() {
		forms, args = append(forms, "started_at < $%d"), append(args, sqlkit.Micros(q.Until))
	}
	behind := q.After != (store.Key{})
	if behind {
		args = append(args, q.After.Started, int64(q.After.ID))
	}
	return func(next int) string {
		var out []string
		for _, f := range forms {
			out = append(out, fmt.Sprintf(f, next))
			next++
		}
		if behind {
			out = append(out, fmt.Sprintf("(started_at, id) < ($%d, $%d)", next, next+1))
		}
		return strings.Join(out, " AND ")
	}, args
}

func where(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

const order = ` ORDER BY started_at DESC, id DESC LIMIT `

// boundary asks for the key down to which the leading index may be read for one page.
func (l look) boundary() statement {
	lead, args := l.text[:l.leading], l.args[:l.leadArgs]
	return statement{
		`SELECT started_at, id FROM ledger_record` + where(append(slices.Clone(lead), l.window(len(args)+1))...) + order + `1 OFFSET ` + strconv.Itoa(examined),
		append(slices.Clone(args), l.span...),
	}
}

// page asks for one page and a row more, no further than to a boundary.
func (l look) page(limit int, bound store.Key) statement {
	all := append(slices.Clone(l.args), l.span...)
	parts := append(slices.Clone(l.text), l.window(len(l.args)+1))
	if bound != (store.Key{}) {
		parts = append(parts, fmt.Sprintf("(started_at, id) >= ($%d, $%d)", len(all)+1, len(all)+2))
		all = append(all, bound.Started, int64(bound.ID))
	}
	inner := `SELECT * FROM ledger_record` + where(parts...) + order + strconv.Itoa(limit+1)
	return statement{`SELECT ` + columns + ` FROM (` + inner + `)` + named + ` ORDER BY r.started_at DESC, r.id DESC`, all}
}

// boundary returns that key, or the zero Key when the index may be read to its end.
func (s *Store) boundary(ctx context.Context, ask statement) (store.Key, error) {
	var k store.Key
	err := s.db.QueryRow(ctx, ask.text, ask.args...).Scan(&k.Started, &k.ID)
	switch {
	case errors.Is(err, sqlkit.ErrNotFound):
		return store.Key{}, nil
	case err != nil:
		return store.Key{}, fmt.Errorf("search: %w", err)
	}
	return k, nil
}

func (s *Store) page(ctx context.Context, limit int, ask statement, bound store.Key) (store.Found, error) {
	rows, err := s.rows(ctx, ask.text, ask.args...)
	if err != nil {
		return store.Found{}, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		return store.Found{Rows: rows, Next: KeyOf(rows[limit-1])}, nil
	}
	return store.Found{Rows: rows, Next: bound}, nil
}

// Oldest implements store.Store.
func (s *Store) Oldest(ctx context.Context, owner string, from, until time.Time, after store.Key, limit int) ([]store.Row, error) {
	id, found, err := s.names.find(ctx, owner)
	if err != nil || !found {
		return nil, err
	}
	if after == (store.Key{}) {
		after = store.Key{Started: sqlkit.Micros(from), ID: -1}
	}
	return s.rows(ctx, `SELECT `+columns+` FROM (SELECT * FROM ledger_record WHERE owner = $1 AND (started_at, id) > ($2, $3) AND started_at < $4
 ORDER BY started_at, id LIMIT $5)`+named+` ORDER BY r.started_at, r.id`, id, after.Started, int64(after.ID), sqlkit.Micros(until), limit)
}
