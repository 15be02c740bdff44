// Package storetest holds every implementation of store.Store to its contract. It is test support.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
)

// Run runs the whole suite. open returns an empty store, which the test that asked for it has to itself.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, fn := range map[string]func(t *testing.T, s store.Store){
		"a record comes back as it was put":                 roundTrip,
		"Update refuses a record that was changed":          conflict,
		"nobody moves twice at a time in one direction":     oneOpen,
		"a power of attorney is good for one transfer":      poaOnce,
		"a state without what belongs to it is refused":     invariants,
		"List pages in the order of opening":                pages,
		"MissAll does what the machine does":                missAll,
		"messages keep their order until they are sent":     outbox,
		"contents are dropped, receipts stay":               parts,
		"a person is in one fund on every day":              timeline,
		"a period with a gap or an overlap is refused":      gaps,
		"a membership comes back, a stale one is refused":   memberships,
		"what a failed transaction did is not there":        rollback,
		"details are kept, replaced and dropped":            details,
		"addresses are pending until they are done":         addresses,
		"keys come back, the newest first":                  keys,
		"what is not there is not found, and nobody else's": nothing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t))
		})
	}
}

// Funds of the suite.
const (
	nord, syd = "DK:10000009", "DK:20000018"
	ett       = "SE:8020000017"
)

// at is when everything happens: databases keep microseconds.
func at() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 123000, time.UTC) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func subject(i int) []byte {
	sum := sha256.Sum256(fmt.Append(nil, i))
	return sum[:20]
}

// requested is the releasing fund's record of transfer i.
func requested(i int) cases.Case {
	return cases.Case{
		ID: fmt.Sprintf("transfer-%06d", i), Side: cases.Releasing, Fund: nord, Other: syd, Country: rules.Denmark, State: cases.Requested, Version: 1,
		Subject: subject(i), Wanted: 739700, Requested: 739677, PoAIssuer: "issuer", PoAID: fmt.Sprint("poa-", i), PoAHash: subject(i), PoAFrom: 739670, PoATo: 739760,
		Due: 739682, PeerSeq: 1,
	}
}

func event(e cases.Event) store.Event { return store.Event{Event: e, Actor: cases.Releasing, At: at()} }

func put(t *testing.T, s store.Store, c cases.Case) {
	t.Helper()
	must(t, s.Insert(t.Context(), c, event(cases.SendRequest)))
}

func same(t *testing.T, got, want cases.Case) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func roundTrip(t *testing.T, s store.Store) {
	c := requested(1)
	put(t, s, c)
	got, err := s.Get(t.Context(), c.ID, nord)
	must(t, err)
	same(t, got, c)
	c.Version, c.State, c.Handle, c.Membership, c.Protected, c.Manual, c.Agreed, c.OutSeq = 2, cases.Acknowledged, "h", "m", true, 1, true, 7
	must(t, s.Update(t.Context(), c, event(cases.Acknowledge)))
	got, err = s.Get(t.Context(), c.ID, nord)
	must(t, err)
	same(t, got, c)
	events, err := s.Events(t.Context(), c.ID, nord, 0, 10)
	must(t, err)
	if len(events) != 2 || events[1].Event != cases.Acknowledge || events[1].Seq != 2 || events[1].State != cases.Acknowledged || !events[1].At.Equal(at().Truncate(time.Microsecond)) {
		t.Errorf("%+v", events)
	}
}

func conflict(t *testing.T, s store.Store) {
	c := requested(1)
	put(t, s, c)
	c.Version = 3
	is(t, s.Update(t.Context(), c, event(cases.Acknowledge)), store.ErrConflict)
	is(t, s.Advance(t.Context(), c), store.ErrConflict)
	is(t, s.Insert(t.Context(), requested(1), event(cases.SendRequest)), store.ErrDuplicate)
}

func oneOpen(t *testing.T, s store.Store) {
	put(t, s, requested(1))
	second := requested(2)
	second.Subject = subject(1)
	is(t, s.Insert(t.Context(), second, event(cases.SendRequest)), store.ErrDuplicate)
	open, err := s.OpenOut(t.Context(), nord, subject(1))
	must(t, err)
	none, err := s.OpenOut(t.Context(), syd, subject(1))
	must(t, err)
	if !open || none {
		t.Errorf("open: %v, in the other fund: %v", open, none)
	}
	second.State, second.Rejection, second.Due = cases.Rejected, cases.DuplicateRequest, 0
	must(t, s.Insert(t.Context(), second, event(cases.Reject)))
}

func poaOnce(t *testing.T, s store.Store) {
	put(t, s, requested(1))
	second := requested(2)
	second.PoAID = "poa-1"
	is(t, s.Insert(t.Context(), second, event(cases.SendRequest)), store.ErrDuplicate)
	used, err := s.PoAUsed(t.Context(), nord, "issuer", "poa-1")
	must(t, err)
	unused, err := s.PoAUsed(t.Context(), nord, "issuer", "poa-2")
	must(t, err)
	if !used || unused {
		t.Errorf("%v %v", used, unused)
	}
}

func invariants(t *testing.T, s store.Store) {
	for name, edit := range map[string]func(*cases.Case){
		"confirmed without a day":          func(c *cases.Case) { c.State, c.Due = cases.ExitConfirmed, 0 },
		"a day without confirmation":       func(c *cases.Case) { c.Effective = 739700 },
		"rejected without a code":          func(c *cases.Case) { c.State, c.Due = cases.Rejected, 0 },
		"a code without rejection":         func(c *cases.Case) { c.Rejection = cases.PoAMissing },
		"requested without a person":       func(c *cases.Case) { c.Subject = nil },
		"requested without a PoA":          func(c *cases.Case) { c.PoAID = "" },
		"a releasing fund's draft":         func(c *cases.Case) { c.State = cases.Draft },
		"a fund with itself":               func(c *cases.Case) { c.Other = c.Fund },
		"a releasing fund that waits":      func(c *cases.Case) { c.Withdrawing = true },
		"an ended case that awaits things": func(c *cases.Case) { c.State = cases.Withdrawn },
		"a state that does not exist":      func(c *cases.Case) { c.State = 14 },
	} {
		c := requested(1)
		edit(&c)
		if err := s.Insert(t.Context(), c, event(cases.SendRequest)); !errors.Is(err, store.ErrInvariant) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func pages(t *testing.T, s store.Store) {
	for i := range 7 {
		c := requested(i)
		c.Overdue = i%2 == 0
		e := event(cases.SendRequest)
		e.At = e.At.Add(time.Duration(i/2) * time.Second) // pairs of the same moment
		must(t, s.Insert(t.Context(), c, e))
	}
	var got []string
	var after store.Position
	for {
		page, next, err := s.List(t.Context(), nord, store.Filter{OpenOnly: true, States: []cases.State{cases.Requested}}, after, 2)
		must(t, err)
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got = append(got, c.ID)
		}
		after = next
	}
	if len(got) != 7 || got[0] != "transfer-000000" || got[6] != "transfer-000006" {
		t.Errorf("%v", got)
	}
	overdue, _, err := s.List(t.Context(), nord, store.Filter{Overdue: true}, store.Position{}, 10)
	must(t, err)
	if len(overdue) != 4 {
		t.Errorf("%d overdue", len(overdue))
	}
}

// missAll compares the sweep with the machine, for every number of reminders and both countries.
func missAll(t *testing.T, s store.Store) {
	today := civil.Date(739690)
	next := map[string]civil.Date{rules.Denmark: 739697, rules.Sweden: 739698}
	want := map[string]cases.Case{}
	for i := range 8 {
		c := requested(i)
		c.Reminders, c.Overdue, c.Due = i%4%3, i%4 > 0, today-1
		if i >= 4 {
			c.Country, c.Fund = rules.Sweden, ett
		}
		if i%4 == 3 {
			c.Due = today // not yet
		}
		put(t, s, c)
		if i%4 != 3 {
			c.Overdue, c.Version = true, 2
			c.Reminders++
			c.Due = next[c.Country]
			if c.Reminders == 3 {
				c.Due, c.Manual = 0, cases.ManualDeadline
			}
		}
		want[c.ID] = c
	}
	for _, count := range []int{4, 2, 0} {
		n, err := s.MissAll(t.Context(), today, next, at(), 4)
		must(t, err)
		if len(n) != count {
			t.Errorf("%d swept, want %d", len(n), count)
		}
		for _, m := range n {
			if c, known := want[m.ID]; !known || m.Fund != c.Fund || m.Handle != c.Handle || string(m.Subject) != string(c.Subject) || m.Protected != c.Protected {
				t.Errorf("%+v was swept", m)
			}
		}
	}
	for id, c := range want {
		got, err := s.Get(t.Context(), id, c.Fund)
		must(t, err)
		same(t, got, c)
		events, err := s.Events(t.Context(), id, c.Fund, 1, 10)
		must(t, err)
		if (len(events) == 1) != (c.Version == 2) || (len(events) == 1 && (events[0].Event != cases.MissDeadline || !events[0].Overdue || events[0].Due != c.Due)) {
			t.Errorf("%s: %+v", id, events)
		}
	}
}

func outbox(t *testing.T, s store.Store) {
	put(t, s, requested(1))
	for seq := range int64(3) {
		must(t, s.Send(t.Context(), store.Message{TransferID: "transfer-000001", Fund: nord, Other: syd, Seq: seq + 1, Lane: 2, Body: []byte{byte(seq)}}))
	}
	is(t, s.Send(t.Context(), store.Message{TransferID: "transfer-000001", Fund: nord, Other: syd, Seq: 3, Lane: 2, Body: []byte{9}}), store.ErrDuplicate)
	lanes, err := s.Lanes(t.Context())
	must(t, err)
	waiting, err := s.Unsent(t.Context(), nord, syd, 2, at(), 10)
	must(t, err)
	if len(lanes) != 1 || lanes[0].Lane != 2 || len(waiting) != 3 || waiting[0].Seq != 1 || waiting[2].Seq != 3 {
		t.Fatalf("%+v %+v", lanes, waiting)
	}
	must(t, s.Sent(t.Context(), waiting[0].ID))
	must(t, s.Later(t.Context(), waiting[1].ID, at().Add(time.Minute)))
	now, err := s.Unsent(t.Context(), nord, syd, 2, at(), 10)
	must(t, err)
	later, err := s.Unsent(t.Context(), nord, syd, 2, at().Add(time.Minute), 10)
	must(t, err)
	if len(now) != 1 || now[0].Seq != 3 || len(later) != 2 || later[0].Tries != 1 {
		t.Errorf("%+v %+v", now, later)
	}
	must(t, s.Park(t.Context(), "transfer-000001", nord))
	must(t, s.Send(t.Context(), store.Message{TransferID: "transfer-000001", Fund: nord, Other: syd, Seq: 4, Lane: 2, Body: []byte{4}}))
	parked, err := s.Unsent(t.Context(), nord, syd, 2, at().AddDate(100, 0, 0), 10)
	must(t, err)
	must(t, s.Unpark(t.Context(), "transfer-000001", nord))
	again, err := s.Unsent(t.Context(), nord, syd, 2, at(), 10)
	must(t, err)
	if len(parked) != 0 || len(again) != 3 || again[0].Seq != 2 || again[0].Tries != 0 {
		t.Errorf("%+v %+v", parked, again)
	}
}

func parts(t *testing.T, s store.Store) {
	c := requested(1)
	put(t, s, c)
	sum := sha256.Sum256([]byte("x"))
	p := store.Part{Part: cases.Part{Number: 1, Kind: cases.PackageA, Last: true}, Content: []byte("x"), Digest: sum[:], Signature: "v1:s"}
	must(t, s.PutPart(t.Context(), c.ID, nord, p))
	is(t, s.PutPart(t.Context(), c.ID, nord, p), store.ErrDuplicate)
	n, err := s.DropParts(t.Context(), c.ID, nord)
	must(t, err)
	got, err := s.Parts(t.Context(), c.ID, nord, 0, 10)
	must(t, err)
	if n != 1 || len(got) != 1 || got[0].Content != nil || string(got[0].Digest) != string(p.Digest) || got[0].Part != p.Part {
		t.Errorf("%d %+v", n, got)
	}
	must(t, s.Certify(t.Context(), c.ID, nord, store.Erasure{At: at(), Parts: 1, Rule: "B.9", Digest: sum[:]}))
	e, err := s.Certificate(t.Context(), c.ID, nord)
	must(t, err)
	if e.Parts != 1 || e.Rule != "B.9" {
		t.Errorf("%+v", e)
	}
}

func timeline(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Begin(ctx, subject(1), store.Period{Fund: nord, First: 739000}))
	is(t, s.Begin(ctx, subject(1), store.Period{Fund: syd, First: 739500}), store.ErrDuplicate)
	must(t, s.Move(ctx, subject(1), nord, syd, 739700, "t-1"))
	must(t, s.Move(ctx, subject(1), nord, syd, 739700, "t-1")) // again
	is(t, s.Move(ctx, subject(1), nord, ett, 739800, "t-2"), store.ErrInvariant)
	is(t, s.Move(ctx, subject(2), nord, syd, 739700, "t-3"), store.ErrInvariant)
	line, err := s.Timeline(ctx, subject(1))
	must(t, err)
	if len(line) != 2 || line[0].Last != 739699 || line[1].First != 739700 || line[1].Last != store.Forever || line[1].TransferID != "t-1" {
		t.Errorf("%+v", line)
	}
	for day, fund := range map[civil.Date]string{739000: nord, 739699: nord, 739700: syd, store.Forever: syd} {
		p, err := s.PeriodOf(ctx, subject(1), day)
		must(t, err)
		if p.Fund != fund {
			t.Errorf("%s: in %s", day, p.Fund)
		}
	}
	_, err = s.PeriodOf(ctx, subject(1), 738999)
	is(t, err, store.ErrNotFound)
	undo(t, s)
}

// undo takes the move of timeline back.
func undo(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	for _, row := range []struct {
		transferID string
		day        civil.Date
		done       bool
	}{{"t-9", 739700, false}, {"t-1", 739701, false}, {"t-1", 739700, true}, {"t-1", 739700, true}} {
		done, err := s.Undo(ctx, subject(1), nord, syd, row.day, row.transferID)
		must(t, err)
		if done != row.done {
			t.Errorf("%+v: %v", row, done)
		}
	}
	line, err := s.Timeline(ctx, subject(1))
	must(t, err)
	if len(line) != 1 || line[0].Fund != nord || line[0].First != 739000 || line[0].Last != store.Forever {
		t.Errorf("%+v", line)
	}
	must(t, s.Move(ctx, subject(1), nord, syd, 739800, "t-4"))
	must(t, s.Move(ctx, subject(1), syd, ett, 739900, "t-5"))
	if done, err := s.Undo(ctx, subject(1), nord, syd, 739800, "t-4"); err != nil || done {
		t.Errorf("undone under a later move: %v", err)
	}
}

func gaps(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Begin(ctx, subject(1), store.Period{Fund: nord, First: 739000}))
	if err := s.Move(ctx, subject(1), nord, syd, 739000, "t"); !errors.Is(err, store.ErrInvariant) {
		t.Errorf("a move on the first day leaves nothing behind: %v", err)
	}
}

func memberships(t *testing.T, s store.Store) {
	ctx := t.Context()
	m := store.Membership{Fund: nord, Reference: "m", Handle: "h", First: 739000, Version: 1, Dues: rules.Dues{State: rules.Paid, PaidThrough: 739100}}
	must(t, s.PutMembership(ctx, m))
	is(t, s.PutMembership(ctx, m), store.ErrDuplicate)
	m.Version, m.Dues = 2, rules.Dues{State: rules.Reminded, Debt: rules.Debt{Statutory: 1, Union: 2, EarlyRetirement: 3}, PaidThrough: 739100, Reminded: 739120, Proof: "p", Disputed: true}
	m.HearingEnds, m.Remarks, m.Protected = 739130, true, true
	must(t, s.PutMembership(ctx, m))
	is(t, s.PutMembership(ctx, m), store.ErrConflict)
	got, err := s.Membership(ctx, nord, "m")
	must(t, err)
	if got != m {
		t.Errorf("%+v", got)
	}
	m.Version, m.Dues.Proof = 3, ""
	is(t, s.PutMembership(ctx, m), store.ErrInvariant)
	d := store.Decision{Fund: nord, ID: "d-1", Reference: "m", RuleID: "r", RuleVersion: "v", Outcome: "o", Codes: []string{"A", "B"}, Checks: 5, Inputs: make([]byte, 32), DecidedBy: "system", DecidedAt: at().Truncate(time.Microsecond)}
	must(t, s.PutDecision(ctx, d))
	list, err := s.Decisions(ctx, nord, "m", 10)
	must(t, err)
	if fmt.Sprint(list) != fmt.Sprint([]store.Decision{d}) {
		t.Errorf("%+v", list)
	}
}

func rollback(t *testing.T, s store.Store) {
	wrong := errors.New("no")
	is(t, s.InTx(t.Context(), func(ctx context.Context) error {
		if err := s.Insert(ctx, requested(1), event(cases.SendRequest)); err != nil {
			return err
		}
		return wrong
	}), wrong)
	_, err := s.Get(t.Context(), "transfer-000001", nord)
	is(t, err, store.ErrNotFound)
}

func details(t *testing.T, s store.Store) {
	put(t, s, requested(1))
	ctx, id := t.Context(), "transfer-000001"
	must(t, s.SetDetails(ctx, id, nord, []byte("a")))
	must(t, s.SetDetails(ctx, id, nord, []byte("b")))
	got, err := s.Details(ctx, id, nord)
	must(t, err)
	if string(got) != "b" {
		t.Errorf("%q", got)
	}
	must(t, s.DropDetails(ctx, id, nord))
	_, err = s.Details(ctx, id, nord)
	is(t, err, store.ErrNotFound)
}

func addresses(t *testing.T, s store.Store) {
	for i := range 3 {
		c := requested(i)
		put(t, s, c)
		must(t, s.SetAddress(t.Context(), c.ID, nord, store.AddressPending))
	}
	first, err := s.Addresses(t.Context(), store.Due{}, 2)
	must(t, err)
	must(t, s.SetAddress(t.Context(), first[0].ID, nord, store.AddressDone))
	rest, err := s.Addresses(t.Context(), first[1], 2)
	must(t, err)
	if len(first) != 2 || len(rest) != 1 || rest[0].ID != "transfer-000002" {
		t.Errorf("%v %v", first, rest)
	}
}

func keys(t *testing.T, s store.Store) {
	must(t, s.PutKey(t.Context(), nord, store.Key{ID: 4294967295, Sealed: []byte("s1"), Public: []byte("p1")}, at()))
	must(t, s.PutKey(t.Context(), nord, store.Key{ID: 2, Sealed: []byte("s2"), Public: []byte("p2")}, at().Add(time.Hour)))
	got, err := s.Keys(t.Context(), nord)
	must(t, err)
	if len(got) != 2 || got[0].ID != 2 || got[1].ID != 4294967295 || string(got[1].Public) != "p1" {
		t.Errorf("%+v", got)
	}
}

func nothing(t *testing.T, s store.Store) {
	put(t, s, requested(1))
	_, err := s.Get(t.Context(), "transfer-000001", syd)
	is(t, err, store.ErrNotFound)
	_, err = s.Membership(t.Context(), nord, "m")
	is(t, err, store.ErrNotFound)
	_, err = s.Certificate(t.Context(), "transfer-000001", nord)
	is(t, err, store.ErrNotFound)
}
