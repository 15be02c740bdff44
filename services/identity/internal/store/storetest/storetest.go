// Package storetest holds every implementation of store.Store to its contract. It is test support.
package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"samvirke.dev/services/identity/internal/store"
)

// Run runs the whole suite. open returns an empty store, which the test that asked for it has to itself.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, fn := range map[string]func(t *testing.T, s store.Store){
		"ByIndex finds nobody in an empty store":           emptyStore,
		"ByIndex finds the row under any candidate":        byIndex,
		"ByIndex finds a person by an earlier number":      byAlias,
		"ByHandle is bound to the controller and to case":  byHandle,
		"KeepHandle keeps the first handle":                keepHandle,
		"KeepHandle refuses a row that is not there":       keepHandleOfNobody,
		"Put replaces wholly and keeps handles":            putReplaces,
		"Put again changes nothing":                        putAgain,
		"Put leaves newer facts alone":                     putStale,
		"Put moves a person to a new number":               putMoves,
		"Put joins two rows that are one person":           putJoins,
		"Put parts what was joined":                        putParts,
		"Put drops aliases that are no longer told":        putDropsAliases,
		"Put refuses two entries with one number":          putDuplicate,
		"Put writes all or none":                           putRollback,
		"Put takes thousands at once":                      putMany,
		"OldRows pages by version":                         oldRows,
		"InTx undoes everything on error":                  inTx,
		"Sealed bytes come back as they are":               bytesComeBack,
		"An ended context ends the call":                   endedContext,
		"Callers at the same time get one and the same":    concurrent,
		"The present index is found under an old version":  putFromOldVersion,
		"Two Puts of the same person at once leave one":    concurrentPut,
		"A handle of a joined row is found for the person": joinedHandles,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t))
		})
	}
}

// IndexOf returns the n-th test index. Small and large numbers differ in their first and last bytes.
func IndexOf(n uint64) store.Index {
	var i store.Index
	binary.BigEndian.PutUint64(i[:], n*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(i[12:], n)
	return i
}

// Moment returns a moment of the suite's own: a whole number of hours after a fixed one.
func Moment(hours int) time.Time {
	return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
}

func entry(n uint64, text string) store.Entry {
	return store.Entry{Index: IndexOf(n), IndexVersion: 1, Sealed: []byte(text), RegisterTime: Moment(0)}
}

func put(t *testing.T, s store.Store, entries ...store.Entry) store.Written {
	t.Helper()
	w, err := s.Put(t.Context(), entries, Moment(9))
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return w
}

func want(t *testing.T, s store.Store, n uint64, text string) store.Row {
	t.Helper()
	row, err := s.ByIndex(t.Context(), []store.Index{IndexOf(n)})
	if err != nil || string(row.Sealed) != text {
		t.Fatalf("index %d: %q, %v; want %q", n, row.Sealed, err, text)
	}
	return row
}

func wantNobody(t *testing.T, s store.Store, n uint64) {
	t.Helper()
	if row, err := s.ByIndex(t.Context(), []store.Index{IndexOf(n)}); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("index %d: %q, %v; want nobody", n, row.Sealed, err)
	}
}

func keep(t *testing.T, s store.Store, controller, handle string, row int64, hours int) string {
	t.Helper()
	got, err := s.KeepHandle(t.Context(), controller, handle, row, Moment(hours))
	if err != nil {
		t.Fatalf("keep handle: %v", err)
	}
	return got
}

func emptyStore(t *testing.T, s store.Store) {
	wantNobody(t, s, 1)
	if _, err := s.ByIndex(t.Context(), nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no candidates: %v", err)
	}
	if _, err := s.ByHandle(t.Context(), "DK:10000009", "h"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("handle: %v", err)
	}
	if n, err := s.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("count: %d, %v", n, err)
	}
	if w, err := s.Put(t.Context(), nil, Moment(0)); w != (store.Written{}) || err != nil {
		t.Errorf("put nothing: %v, %v", w, err)
	}
}

func byIndex(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"), entry(2, "two"))
	for _, candidates := range [][]uint64{{2}, {9, 2}, {2, 9}, {8, 9, 2}, {2, 8, 9, 7}} {
		var list []store.Index
		for _, n := range candidates {
			list = append(list, IndexOf(n))
		}
		row, err := s.ByIndex(t.Context(), list)
		if err != nil || string(row.Sealed) != "two" || row.Index != IndexOf(2) || row.ID == 0 {
			t.Errorf("%v: %+v, %v", candidates, row, err)
		}
	}
	wantNobody(t, s, 3)
}

func byAlias(t *testing.T, s store.Store) {
	e := entry(1, "one")
	e.Aliases = []store.Index{IndexOf(10), IndexOf(11)}
	put(t, s, e, entry(2, "two"))
	for _, n := range []uint64{10, 11} {
		if row := want(t, s, n, "one"); row.Index != IndexOf(1) {
			t.Errorf("index %d: the row's own index is not that of the number in force", n)
		}
	}
}

func byHandle(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	row := want(t, s, 1, "one")
	keep(t, s, "DK:10000009", "kAbc", row.ID, 0)
	got, err := s.ByHandle(t.Context(), "DK:10000009", "kAbc")
	if err != nil || got.ID != row.ID || got.Index != row.Index || string(got.Sealed) != "one" {
		t.Errorf("%+v, %v", got, err)
	}
	many, err := s.ByHandles(t.Context(), "DK:10000009", []string{"kabc", "kAbc", "kAbc", "kAbc "})
	if err != nil || len(many) != 4 || many[0] != nil || many[3] != nil || many[1] == nil || many[2] == nil || many[2].ID != row.ID ||
		many[2].Index != row.Index || string(many[2].Sealed) != "one" {
		t.Errorf("many: %+v, %v", many, err)
	}
	if many, err = s.ByHandles(t.Context(), "DK:10000017", []string{"kAbc"}); err != nil || len(many) != 1 || many[0] != nil {
		t.Errorf("many of another controller: %+v, %v", many, err)
	}
	for _, other := range [][2]string{{"DK:10000017", "kAbc"}, {"DK:10000009", "kabc"}, {"dk:10000009", "kAbc"}, {"DK:10000009", "kAbc "}, {"", ""}} {
		if _, err := s.ByHandle(t.Context(), other[0], other[1]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v: %v", other, err)
		}
	}
}

func keepHandle(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	for i, handle := range []string{"first", "first", "second"} {
		if got := keep(t, s, "DK:10000009", handle, id, i); got != "first" {
			t.Errorf("call %d: %s", i+1, got)
		}
	}
	if got := keep(t, s, "SE:8020000009", "other", id, 0); got != "other" {
		t.Errorf("another controller: %s", got)
	}
	if _, err := s.ByHandle(t.Context(), "DK:10000009", "second"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a handle that was not needed was kept: %v", err)
	}
}

func keepHandleOfNobody(t *testing.T, s store.Store) {
	if _, err := s.KeepHandle(t.Context(), "DK:10000009", "h", 4711, Moment(0)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func putReplaces(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	keep(t, s, "DK:10000009", "h", id, 0)
	next := entry(1, "uno")
	next.RegisterTime = Moment(2)
	if w := put(t, s, next); w.Stored != 1 || w.Stale != 0 || w.Merged != 0 {
		t.Errorf("%+v", w)
	}
	if got := want(t, s, 1, "uno"); got.ID != id {
		t.Error("the row has another ID")
	}
	if row, err := s.ByHandle(t.Context(), "DK:10000009", "h"); err != nil || string(row.Sealed) != "uno" {
		t.Errorf("handle: %q, %v", row.Sealed, err)
	}
}

func putAgain(t *testing.T, s store.Store) {
	e := entry(1, "one")
	e.Aliases = []store.Index{IndexOf(10)}
	first := []store.Entry{e, entry(2, "two")}
	put(t, s, first...)
	id := want(t, s, 1, "one").ID
	if w := put(t, s, first...); w.Stored != 2 || w.Merged != 0 {
		t.Errorf("%+v", w)
	}
	if want(t, s, 10, "one").ID != id {
		t.Error("the row has another ID")
	}
	if n, err := s.Count(t.Context()); n != 2 || err != nil {
		t.Errorf("%d persons, %v", n, err)
	}
}

func putStale(t *testing.T, s store.Store) {
	newer := entry(1, "new")
	newer.RegisterTime, newer.Aliases = Moment(5), []store.Index{IndexOf(10)}
	put(t, s, newer)
	old := entry(1, "old")
	old.RegisterTime = Moment(4)
	if w := put(t, s, old, entry(2, "two")); w.Stale != 1 || w.Stored != 1 {
		t.Errorf("%+v", w)
	}
	want(t, s, 1, "new")
	want(t, s, 10, "new")
	want(t, s, 2, "two")
	// A row that a wrong clock dated into the future does not stay for as long.
	future := entry(1, "future")
	future.RegisterTime = Moment(99)
	put(t, s, future)
	if w := put(t, s, newer); w.Stored != 1 || w.Stale != 0 {
		t.Errorf("%+v", w)
	}
	want(t, s, 1, "new")
}

func putMoves(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	keep(t, s, "DK:10000009", "h", id, 0)
	e := entry(5, "five")
	e.Aliases = []store.Index{IndexOf(1)}
	put(t, s, e)
	if want(t, s, 5, "five").ID != id || want(t, s, 1, "five").ID != id {
		t.Error("the row has another ID")
	}
	if row, err := s.ByHandle(t.Context(), "DK:10000009", "h"); err != nil || row.Index != IndexOf(5) {
		t.Errorf("handle: %v", err)
	}
	if n, _ := s.Count(t.Context()); n != 1 {
		t.Errorf("%d persons", n)
	}
}

func putFromOldVersion(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	e := entry(101, "again")
	e.IndexVersion, e.Candidates = 2, []store.Index{IndexOf(1)}
	put(t, s, e)
	if want(t, s, 101, "again").ID != id {
		t.Error("the row has another ID")
	}
	wantNobody(t, s, 1)
}

func putJoins(t *testing.T, s store.Store) {
	gone := entry(1, "one")
	gone.Aliases = []store.Index{IndexOf(10)}
	put(t, s, gone, entry(2, "two"))
	one, two := want(t, s, 1, "one").ID, want(t, s, 2, "two").ID
	keep(t, s, "DK:10000009", "of one", one, 0)
	keep(t, s, "SE:8020000009", "of two", two, 0)
	e := entry(2, "both")
	e.Aliases = []store.Index{IndexOf(1), IndexOf(10)}
	if w := put(t, s, e); w.Merged != 1 || w.Stored != 1 {
		t.Errorf("%+v", w)
	}
	for _, n := range []uint64{1, 2, 10} {
		if want(t, s, n, "both").ID != two {
			t.Errorf("index %d: not the row that was there under the number in force", n)
		}
	}
	for controller, handle := range map[string]string{"DK:10000009": "of one", "SE:8020000009": "of two"} {
		if row, err := s.ByHandle(t.Context(), controller, handle); err != nil || row.ID != two {
			t.Errorf("%s: %v", handle, err)
		}
	}
	if n, _ := s.Count(t.Context()); n != 1 {
		t.Errorf("%d persons", n)
	}
}

func joinedHandles(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"), entry(2, "two"))
	keep(t, s, "DK:10000009", "younger", want(t, s, 2, "two").ID, 2)
	keep(t, s, "DK:10000009", "older", want(t, s, 1, "one").ID, 1)
	e := entry(2, "both")
	e.Aliases = []store.Index{IndexOf(1)}
	put(t, s, e)
	id := want(t, s, 2, "both").ID
	for _, h := range []string{"older", "younger"} {
		if row, err := s.ByHandle(t.Context(), "DK:10000009", h); err != nil || row.ID != id {
			t.Errorf("%s: %v", h, err)
		}
	}
	if got := keep(t, s, "DK:10000009", "third", id, 3); got != "older" {
		t.Errorf("the controller is given %s", got)
	}
}

func putParts(t *testing.T, s store.Store) {
	e := entry(2, "both")
	e.Aliases = []store.Index{IndexOf(1)}
	put(t, s, e)
	both := want(t, s, 2, "both").ID
	put(t, s, entry(1, "one"), entry(2, "two"))
	if want(t, s, 2, "two").ID != both || want(t, s, 1, "one").ID == both {
		t.Error("the joined row does not stay with the number that was in force")
	}
}

func putDropsAliases(t *testing.T, s store.Store) {
	e := entry(1, "one")
	e.Aliases = []store.Index{IndexOf(10), IndexOf(11)}
	put(t, s, e)
	e.Aliases = []store.Index{IndexOf(11)}
	put(t, s, e)
	wantNobody(t, s, 10)
	want(t, s, 11, "one")
}

func putDuplicate(t *testing.T, s store.Store) {
	alias := entry(2, "two")
	alias.Aliases = []store.Index{IndexOf(1)}
	twice := entry(3, "three")
	twice.Aliases = []store.Index{IndexOf(3)}
	for name, entries := range map[string][]store.Entry{
		"same number":         {entry(1, "a"), entry(1, "b")},
		"number and alias":    {entry(1, "a"), alias},
		"alias of one's self": {twice},
	} {
		if _, err := s.Put(t.Context(), entries, Moment(0)); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, _ := s.Count(t.Context()); n != 0 {
		t.Errorf("%d persons", n)
	}
}

func putRollback(t *testing.T, s store.Store) {
	stop := errors.New("stop")
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.Put(ctx, []store.Entry{entry(1, "one")}, Moment(0)); err != nil {
			return err
		}
		if _, err := s.ByIndex(ctx, []store.Index{IndexOf(1)}); err != nil {
			return fmt.Errorf("not seen within the transaction: %w", err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	wantNobody(t, s, 1)
}

func putMany(t *testing.T, s store.Store) {
	const n = 1_347
	entries := make([]store.Entry, n)
	for i := range entries {
		entries[i] = entry(uint64(i+1), fmt.Sprint("person ", i+1))
		if i%100 == 0 {
			entries[i].Aliases = []store.Index{IndexOf(uint64(10_000 + i))}
		}
	}
	for range 2 {
		if w := put(t, s, entries...); w.Stored != n {
			t.Fatalf("%+v", w)
		}
	}
	for _, i := range []uint64{1, 64, 256, 257, 1000, n} {
		want(t, s, i, fmt.Sprint("person ", i))
	}
	want(t, s, 10_300, "person 301")
	if got, _ := s.Count(t.Context()); got != n {
		t.Errorf("%d persons", got)
	}
}

func oldRows(t *testing.T, s store.Store) {
	var entries []store.Entry
	for i := range uint64(10) {
		e := entry(i+1, strconv.FormatUint(i+1, 10))
		e.IndexVersion = uint32(1 + i%2)
		if i == 9 {
			e.IndexVersion = 1<<32 - 1
		}
		entries = append(entries, e)
	}
	put(t, s, entries...)
	var got []string
	for after := int64(0); ; {
		rows, err := s.OldRows(t.Context(), 2, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			if r.ID <= after {
				t.Fatal("not in order of ID")
			}
			after = r.ID
			got = append(got, string(r.Sealed))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"1", "10", "3", "5", "7", "9"}) {
		t.Errorf("%v", got)
	}
}

func inTx(t *testing.T, s store.Store) {
	put(t, s, entry(1, "one"))
	id := want(t, s, 1, "one").ID
	stop := errors.New("stop")
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.KeepHandle(ctx, "DK:10000009", "h", id, Moment(0)); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := s.ByHandle(t.Context(), "DK:10000009", "h"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func bytesComeBack(t *testing.T, s store.Store) {
	for i, text := range []string{"\x00\x01\xff", "'; DROP TABLE person; --", "\xc3\x28", string(make([]byte, 9000)), "$1 ?"} {
		n := uint64(i + 1)
		put(t, s, entry(n, text))
		want(t, s, n, text)
	}
	zero := store.Entry{Sealed: []byte("zero"), RegisterTime: Moment(0)}
	put(t, s, zero)
	if row, err := s.ByIndex(t.Context(), []store.Index{{}}); err != nil || string(row.Sealed) != "zero" {
		t.Errorf("the index of zeros: %v", err)
	}
}
