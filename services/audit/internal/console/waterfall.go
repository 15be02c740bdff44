package console

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// maxBars bounds how many records of one trace are drawn.
const maxBars = 200

// bar is one record in the waterfall: where it stands in the tree of calls and in time.
type bar struct {
	Row   row
	Depth int
	Here  bool // the record that the page is about
	// X and Width are where the bar is drawn, in thousandths of the width.
	X, Width int
	Offset   string // after the first call began
	Whole    string // how long all calls took together
	Span     string
	Skewed   bool // it seems to lie outside its caller's time: the clocks of the services differ
}

// node is a record on its way into the tree.
type node struct {
	row          store.Row
	span, parent string
	children     []*node
}

// waterfall reads the records of the row's trace and orders them as calls within calls: the records hold span and parent span, so that no
// tracing system is needed, and none of them was sampled away.
func (c *Console) waterfall(ctx context.Context, about store.Row) (bars []bar, cut bool, err error) {
	rows := []store.Row{about}
	if len(about.Trace) > 0 {
		found, err := c.deps.Records.Search(ctx, store.Query{Trace: about.Trace, Limit: maxBars})
		if err != nil {
			return nil, false, err
		}
		rows, cut = found.Rows, found.Next != (store.Key{})
		if !slices.ContainsFunc(rows, func(r store.Row) bool { return r.ID == about.ID }) {
			rows = append(rows, about)
		}
	}
	nodes := make([]*node, 0, len(rows))
	for _, r := range rows {
		n := &node{row: r}
		rec, err := c.deps.Exchange(ctx, r)
		if err != nil && !errors.Is(err, ErrErased) {
			return nil, false, err
		}
		if err == nil {
			n.span, n.parent = hex.EncodeToString(rec.GetSpanId()), hex.EncodeToString(rec.GetParentSpanId())
		}
		nodes = append(nodes, n)
	}
	return c.draw(tree(nodes), about), cut, nil
}

// tree hangs each record on the one whose span called it, and returns those without. Records of one batch share a span; the first stands for it.
// Parents that only claim each other stay at the top, so that no record is left out, whatever a forged one says.
func tree(nodes []*node) []*node {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		return cmp.Or(a.row.Started.Compare(b.row.Started), cmp.Compare(a.row.ID, b.row.ID))
	})
	bySpan := map[string]*node{}
	for _, n := range nodes {
		if _, taken := bySpan[n.span]; n.span != "" && !taken {
			bySpan[n.span] = n
		}
	}
	parents := map[*node]*node{}
	var roots []*node
	for _, n := range nodes {
		parent := bySpan[n.parent]
		for p := parent; p != nil; p = parents[p] {
			if p == n {
				parent = nil
				break
			}
		}
		if n.parent == "" || parent == nil || parent == n {
			roots = append(roots, n)
			continue
		}
		parents[n] = parent
		parent.children = append(parent.children, n)
	}
	return roots
}

// scale is the width of the drawing.
const scale = 1000

func (c *Console) draw(roots []*node, about store.Row) []bar {
	first, last := limits(roots)
	whole := max(last.Sub(first), time.Microsecond)
	var out []bar
	var walk func(n, parent *node, depth int)
	walk = func(n, parent *node, depth int) {
		offset := n.row.Started.Sub(first)
		b := bar{
			Row: c.row(n.row), Depth: min(depth, 8), Here: n.row.ID == about.ID, X: int(offset * scale / whole), Span: n.span,
			Width: max(int(n.row.Lasted*scale/whole), 2), Offset: "+" + short(offset), Whole: short(whole),
		}
		b.X = min(b.X, scale-2)
		b.Width = min(b.Width, scale-b.X)
		if parent != nil {
			end := parent.row.Started.Add(parent.row.Lasted)
			b.Skewed = n.row.Started.Before(parent.row.Started) || n.row.Started.Add(n.row.Lasted).After(end)
		}
		out = append(out, b)
		for _, child := range n.children {
			walk(child, n, depth+1)
		}
	}
	for _, n := range roots {
		walk(n, nil, 0)
	}
	return out
}

func limits(nodes []*node) (first, last time.Time) {
	for _, n := range nodes {
		from, until := n.row.Started, n.row.Started.Add(n.row.Lasted)
		if a, b := limits(n.children); !a.IsZero() {
			from, until = earlier(from, a), later(until, b)
		}
		if first.IsZero() {
			first, last = from, until
			continue
		}
		first, last = earlier(first, from), later(last, until)
	}
	return first, last
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Label says in words what the bar shows, for those who don't see it.
func (b bar) Label() string {
	return fmt.Sprintf("%s begins %s and lasts %s", b.Row.Method, b.Offset, b.Row.Lasted)
}

// Indent is how far the name stands to the right, as one of the style sheet's classes.
func (b bar) Indent() string { return fmt.Sprintf("depth-%d", b.Depth) }
