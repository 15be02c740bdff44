package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/audit/internal/store"
)

// Run runs the whole suite. open returns an empty store, which the test that asked for it has to itself.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, fn := range map[string]func(t *testing.T, s store.Store){
		"Append gives dense places in order":             appendDense,
		"Append keeps a record once":                     appendOnce,
		"Append by several at once leaves no gap":        appendTogether,
		"Get and Range give back what was kept":          giveBack,
		"Search agrees with a plain filter":              searchModel,
		"Search stops after a bounded number of entries": searchBounded,
		"Search by party finds both sides once":          searchParty,
		"Oldest pages through a year":                    oldest,
		"Counts add up":                                  counts,
		"Erase empties, Drop deletes":                    eraseAndDrop,
		"An access is approved once":                     access,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s store.Store, rows []store.Row) {
	t.Helper()
	for batch := range slices.Chunk(rows, 512) {
		n, err := s.Append(t.Context(), Shard, batch)
		must(t, err)
		if n != len(batch) {
			t.Fatalf("%d of %d rows were new", n, len(batch))
		}
	}
}

func appendDense(t *testing.T, s store.Store) {
	put(t, s, RowsOf(0, 700))
	other := RowsOf(700, 710)
	_, err := s.Append(t.Context(), Shard+1, other)
	must(t, err)
	leaves, err := s.Leaves(t.Context(), Shard, 0, 1000)
	must(t, err)
	if len(leaves) != 700 {
		t.Fatalf("%d leaves", len(leaves))
	}
	for i, l := range leaves {
		if l.ID != store.Place(Shard, uint64(i)) || l.Data != RowOf(i).Leaf {
			t.Fatalf("leaf %d is at %d", i, l.ID.Index())
		}
	}
	if other[0].ID != store.Place(Shard+1, 0) {
		t.Errorf("the first of another shard is at %v", other[0].ID)
	}
	shards, err := s.Shards(t.Context())
	must(t, err)
	if len(shards) != 2 || shards[0].Size != 700 || shards[1].Size != 10 || shards[1].Number != Shard+1 {
		t.Errorf("shards are %+v", shards)
	}
}

func appendOnce(t *testing.T, s store.Store) {
	put(t, s, RowsOf(0, 10))
	mixed := append(RowsOf(5, 15), RowOf(14), RowOf(3))
	n, err := s.Append(t.Context(), Shard, mixed)
	must(t, err)
	if n != 5 {
		t.Errorf("%d rows were new, want 5", n)
	}
	n, err = s.Append(t.Context(), Shard+1, RowsOf(0, 15)) // also in another shard
	must(t, err)
	if n != 0 {
		t.Errorf("%d rows were new, want none", n)
	}
	leaves, err := s.Leaves(t.Context(), Shard, 0, 100)
	must(t, err)
	for i, l := range leaves {
		if l.Data != RowOf(i).Leaf || l.ID.Index() != uint64(i) {
			t.Errorf("place %d holds another record", i)
		}
	}
	if len(leaves) != 15 {
		t.Errorf("%d leaves, want 15", len(leaves))
	}
}

// appendTogether has several writers send overlapping batches at once, as replicas do whose senders got no answer.
func appendTogether(t *testing.T, s store.Store) {
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				from := (w/2)*1000 + i*20 // two writers send the same
				if _, err := s.Append(t.Context(), Shard, RowsOf(from, from+20)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	leaves, err := s.Leaves(t.Context(), Shard, 0, 1000)
	must(t, err)
	seen := map[[32]byte]bool{}
	for i, l := range leaves {
		if l.ID.Index() != uint64(i) || seen[l.Data] {
			t.Fatalf("place %d of %d: gap or repetition", i, len(leaves))
		}
		seen[l.Data] = true
	}
	if len(leaves) != 400 {
		t.Errorf("%d records, want 400", len(leaves))
	}
}

func giveBack(t *testing.T, s store.Store) {
	want := RowsOf(0, 60)
	want[7].Trace, want[7].Case, want[7].Subject, want[7].Caller, want[7].Owner = nil, nil, "", "", ""
	put(t, s, want)
	for i := range want {
		want[i].ID = store.Place(Shard, uint64(i))
	}
	got, err := s.Range(t.Context(), Shard, 0, 100)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d rows", len(got))
	}
	for i := range got {
		if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
			t.Errorf("row %d\n is  %+v\nwant %+v", i, got[i], want[i])
		}
	}
	one, err := s.Get(t.Context(), want[33].Event, 0)
	must(t, err)
	if fmt.Sprint(one) != fmt.Sprint(want[33]) {
		t.Errorf("Get gives %+v", one)
	}
	if _, err := s.Get(t.Context(), want[33].Event, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error of a row that is not there: %v", err)
	}
	if _, err := s.Get(t.Context(), [16]byte{1}, 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error of a row that is not there: %v", err)
	}
}

// everything pages through a search and checks that each page is in order and no longer than asked for.
func everything(t require, s store.Store, q store.Query) []store.Row {
	t.Helper()
	var out []store.Row
	for pages := 0; ; pages++ {
		found, err := s.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Rows) > q.Limit || pages > 3000 {
			t.Fatalf("page %d holds %d rows", pages, len(found.Rows))
		}
		out = append(out, found.Rows...)
		if found.Next == (store.Key{}) {
			break
		}
		if q.After != (store.Key{}) && found.Next == q.After {
			t.Fatalf("the search does not get on")
		}
		q.After = found.Next
	}
	for i := 1; i < len(out); i++ {
		if a, b := out[i-1], out[i]; a.Started.Before(b.Started) || a.Started.Equal(b.Started) && a.ID <= b.ID {
			t.Fatalf("row %d is out of order or repeated", i)
		}
	}
	return out
}

type require interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func searchModel(t *testing.T, s store.Store) {
	const n = 600
	rows := RowsOf(0, n)
	rows[20].Started = rows[19].Started // two that start at once
	put(t, s, rows)
	rapid.Check(t, func(t *rapid.T) {
		like := RowOf(rapid.IntRange(0, n-1).Draw(t, "like"))
		q := store.Query{Limit: rapid.IntRange(1, 300).Draw(t, "limit")}
		on := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
		if on("party") {
			q.Party = like.Owner
		}
		if on("caller") {
			q.Caller = like.Caller
		}
		if on("owner") {
			q.Owner = like.Owner
		}
		if on("service") {
			q.Service = like.Service
		}
		if on("rpc") {
			q.RPC = like.RPC
		}
		if on("purpose") {
			q.Purpose = like.Purpose
		}
		if on("decision") {
			q.Decision = rapid.SampledFrom([]int32{-1, 1, 2}).Draw(t, "which")
		}
		if on("outcome") {
			q.Outcome = store.Outcome(rapid.IntRange(1, 2).Draw(t, "which"))
		}
		if on("trace") {
			q.Trace = like.Trace
		}
		if on("case") {
			q.Cases = [][]byte{like.Case, RowOf(3).Case}
		}
		if on("subject") {
			q.Subjects = []string{like.Subject, RowOf(400).Subject}
		}
		if on("from") {
			q.From = Epoch.Add(time.Duration(rapid.IntRange(0, n).Draw(t, "from ms")) * time.Millisecond)
		}
		if on("until") {
			q.Until = Epoch.Add(time.Duration(rapid.IntRange(0, n).Draw(t, "until ms")) * time.Millisecond)
		}
		got := everything(t, s, q)
		want := 0
		for i := range rows {
			if Matches(q, rows[i]) {
				want++
			}
		}
		for _, r := range got {
			if !Matches(q, r) {
				t.Fatalf("%+v does not match %+v", r, q)
			}
		}
		if len(got) != want {
			t.Fatalf("%+v finds %d, want %d", q, len(got), want)
		}
	})
}

// Matches is the plain meaning of a query.
func Matches(q store.Query, r store.Row) bool {
	decision := q.Decision
	if decision < 0 {
		decision = 0
	}
	return (q.Party == "" || r.Caller == q.Party || r.Owner == q.Party) && (q.Caller == "" || r.Caller == q.Caller) &&
		(q.Owner == "" || r.Owner == q.Owner) && (q.Service == "" || r.Service == q.Service) && (q.RPC == "" || r.RPC == q.RPC) &&
		(q.Purpose == 0 || r.Purpose == q.Purpose) && (q.Decision == 0 || r.Decision == decision) && (q.Outcome == store.Done || r.Outcome == q.Outcome) &&
		(len(q.Trace) == 0 || slices.Equal(r.Trace, q.Trace)) && (q.From.IsZero() || !r.Started.Before(q.From)) && (q.Until.IsZero() || r.Started.Before(q.Until)) &&
		(len(q.Cases) == 0 || slices.ContainsFunc(q.Cases, func(c []byte) bool { return slices.Equal(c, r.Case) })) &&
		(len(q.Subjects) == 0 || slices.Contains(q.Subjects, r.Subject))
}

// searchBounded looks for a combination that never occurs, among more rows than one search may look at.
func searchBounded(t *testing.T, s store.Store) {
	rows := RowsOf(0, 11_000)
	for i := range rows {
		rows[i].Caller, rows[i].Service = org(1), "one"
	}
	rows[3].Service = "rare"
	put(t, s, rows)
	found, err := s.Search(t.Context(), store.Query{Caller: org(1), Service: "rare", Limit: 10})
	must(t, err)
	if len(found.Rows) != 0 || found.Next == (store.Key{}) {
		t.Fatalf("the first page holds %d rows and %v", len(found.Rows), found.Next)
	}
	if got := everything(t, s, store.Query{Caller: org(1), Service: "rare", Limit: 10}); len(got) != 1 || got[0].Event != rows[3].Event {
		t.Errorf("found %d rows", len(got))
	}
	if got := everything(t, s, store.Query{Caller: "DK:99999999", Limit: 10}); len(got) != 0 {
		t.Errorf("found %d rows of an unknown organisation", len(got))
	}
}

func searchParty(t *testing.T, s store.Store) {
	rows := RowsOf(0, 400)
	put(t, s, rows)
	got := everything(t, s, store.Query{Party: org(1), Limit: 3})
	sides := map[bool]int{}
	for _, r := range got {
		sides[r.Caller == org(1)]++
	}
	if sides[true] == 0 || sides[false] == 0 {
		t.Errorf("sides are %v", sides)
	}
}

func oldest(t *testing.T, s store.Store) {
	put(t, s, RowsOf(0, 1000))
	from, until := Epoch.Add(100*time.Millisecond), Epoch.Add(900*time.Millisecond)
	var after store.Key
	var got []store.Row
	for {
		rows, err := s.Oldest(t.Context(), org(2), from, until, after, 7)
		must(t, err)
		got = append(got, rows...)
		if len(rows) < 7 {
			break
		}
		after = store.Key{Started: rows[6].Started.UnixMicro(), ID: rows[6].ID}
	}
	want := 0
	for _, r := range RowsOf(100, 900) {
		if r.Owner == org(2) {
			want++
		}
	}
	if len(got) != want || !slices.IsSortedFunc(got, func(a, b store.Row) int { return a.Started.Compare(b.Started) }) {
		t.Errorf("%d rows, want %d in order", len(got), want)
	}
}

func counts(t *testing.T, s store.Store) {
	put(t, s, RowsOf(0, 900))
	put(t, s, RowsOf(60_000, 60_100)) // the next minute
	n, err := s.Append(t.Context(), Shard, RowsOf(0, 20))
	must(t, err)
	if n != 0 {
		t.Fatal("rows were kept twice")
	}
	buckets, err := s.Counts(t.Context(), Epoch, Epoch.Add(time.Hour))
	must(t, err)
	by := map[string]int64{}
	for _, b := range buckets {
		by[b.Minute.Format("15:04")] += b.Calls
		by[fmt.Sprint(b.Outcome)] += b.Calls
		if b.Service == "" || b.RPC == "" || store.UpperOf(b.Class) < time.Millisecond || store.UpperOf(b.Class) > 13*time.Millisecond {
			t.Errorf("bucket %+v", b)
		}
	}
	if by["00:00"] != 900 || by["00:01"] != 100 || by["1"] != 24 || by["2"] != 4 {
		t.Errorf("counts are %v", by)
	}
	if rest, err := s.Counts(t.Context(), Epoch.Add(time.Minute), Epoch.Add(2*time.Minute)); err != nil || len(rest) == 0 || len(rest) >= len(buckets) {
		t.Errorf("%d of %d buckets in the second minute, %v", len(rest), len(buckets), err)
	}
}

func eraseAndDrop(t *testing.T, s store.Store) {
	put(t, s, RowsOf(0, 100))
	erased := 0
	for {
		n, err := s.Erase(t.Context(), Shard, 30)
		must(t, err)
		if erased += n; n == 0 {
			break
		}
	}
	rows, err := s.Range(t.Context(), Shard, 0, 200)
	must(t, err)
	for i, r := range rows {
		if empty := len(r.Sealed) == 0 && r.Subject == "" && len(r.Case) == 0; empty == r.Register || r.Leaf != RowOf(i).Leaf {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	if erased != 50 || len(rows) != 100 {
		t.Errorf("%d of %d rows erased", erased, len(rows))
	}
	for {
		n, err := s.Drop(t.Context(), Shard, "the last checkpoint", 40)
		must(t, err)
		if n == 0 {
			break
		}
	}
	shards, err := s.Shards(t.Context())
	must(t, err)
	if len(shards) != 1 || !shards[0].Dropped || shards[0].Checkpoint != "the last checkpoint" || shards[0].Size != 100 {
		t.Errorf("shards are %+v", shards)
	}
	if _, err := s.Append(t.Context(), Shard, RowsOf(100, 101)); err == nil {
		t.Error("a dropped shard took a record")
	}
}

func access(t *testing.T, s store.Store) {
	a := store.Access{ID: "a", Organisation: org(1), Owner: org(2), Reason: 3, Requester: "emp-1", Requested: Epoch}
	must(t, s.PutAccess(t.Context(), a))
	got, err := s.Access(t.Context(), "a")
	must(t, err)
	if got != a {
		t.Errorf("access is %+v", got)
	}
	must(t, s.Approve(t.Context(), "a", "emp-2", Epoch.Add(time.Hour)))
	if err := s.Approve(t.Context(), "a", "emp-3", Epoch.Add(2*time.Hour)); !errors.Is(err, store.ErrState) {
		t.Errorf("a second approval: %v", err)
	}
	a.Approver, a.Expires = "emp-2", Epoch.Add(time.Hour)
	if got, err := s.Access(t.Context(), "a"); err != nil || got != a {
		t.Errorf("access is %+v, %v", got, err)
	}
	if err := s.Approve(t.Context(), "b", "emp-3", Epoch); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("approval of nothing: %v", err)
	}
}
