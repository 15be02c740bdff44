// Package storetest holds every implementation of store.Store to its contract. It is test support.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
)

// Run runs the whole suite. open returns an empty store, which the test that asked for it has to itself.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, fn := range map[string]func(t *testing.T, s store.Store){
		"an empty store knows nobody and nothing":              empty,
		"a handle belongs to its controller, and case matters": handles,
		"a member is replaced and keeps the id":                replace,
		"agreements count by version":                          agreements,
		"a balancing is kept once":                             balancings,
		"a consent is kept once and ends once":                 consents,
		"the first no counts":                                  refusals,
		"a restriction can be lifted, an opt-out can not":      restriction,
		"shares come back as they are":                         shares,
		"the share that goes on is found before a stopped one": subjects,
		"mailboxes are apart and in order":                     mailboxes,
		"positions have no gaps when many append":              appendMany,
		"a page comes with what is known of its members":       page,
		"reads are counted once for each naming":               reads,
		"agreement, balancing and mailbox in one look":         terms,
		"only confirmed and old items are forgotten":           forgetItems,
		"disclosures come newest first, page by page":          disclosures,
		"erasing leaves the pseudonym and the disclosures":     erase,
		"an error undoes the whole transaction":                rollback,
		"an ended context ends the call":                       ended,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t))
		})
	}
}

const (
	controller = "DK:10000009"
	partner    = "DK:70000063"
)

// Moment returns a moment of the suite's own: a whole number of hours after a fixed one.
func Moment(hours int) time.Time {
	return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
}

func box() core.Box {
	return core.Box{Controller: controller, Partner: partner, Purpose: core.InsuranceOffer, Basis: core.Interest}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Member adds a member.
func Member(t *testing.T, s store.Store, handle string) int64 {
	t.Helper()
	id, err := s.PutRow(t.Context(), store.MemberRow{Controller: controller, Handle: handle, Sealed: []byte("sealed " + handle)}, Moment(0))
	must(t, err)
	return id
}

func aShare(member int64, subject string) *core.Share {
	return &core.Share{
		Controller: controller, Partner: partner, Member: member, Subject: subject, Purpose: core.InsuranceOffer, Basis: core.Interest,
		Special: core.ExplicitConsent, Fields: core.FullName | core.Email, Until: Moment(48), MaxReads: 3, CreatedAt: Moment(1),
	}
}

func empty(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.RowByHandle(ctx, controller, "h")
	want(t, err, core.ErrNotFound)
	_, err = s.RowByID(ctx, 1)
	want(t, err, core.ErrNotFound)
	_, err = s.Agreement(ctx, controller, partner)
	want(t, err, core.ErrNotFound)
	_, err = s.Balancing(ctx, controller, "b")
	want(t, err, core.ErrNotFound)
	_, err = s.Withdraw(ctx, 1, "c", 1, Moment(0))
	want(t, err, core.ErrNotFound)
	_, err = s.ShareFor(ctx, box(), 1, "")
	want(t, err, core.ErrNotFound)
	_, err = s.ShareBySubject(ctx, box(), "x")
	want(t, err, core.ErrNotFound)
	if err := s.PutShare(ctx, aShare(1, "x")); err == nil {
		t.Error("a share of nobody")
	}
	items, err := s.ItemRows(ctx, box(), 0, 10)
	if err != nil || len(items) != 0 {
		t.Error(items, err)
	}
}

func handles(t *testing.T, s store.Store) {
	id := Member(t, s, "k1.Ab")
	row, err := s.RowByHandle(t.Context(), controller, "k1.Ab")
	must(t, err)
	if row.ID != id || string(row.Sealed) != "sealed k1.Ab" {
		t.Errorf("%+v", row)
	}
	_, err = s.RowByHandle(t.Context(), controller, "k1.ab")
	want(t, err, core.ErrNotFound)
	_, err = s.RowByHandle(t.Context(), "DK:20000018", "k1.Ab")
	want(t, err, core.ErrNotFound)
}

func replace(t *testing.T, s store.Store) {
	id := Member(t, s, "h")
	again, err := s.PutRow(t.Context(), store.MemberRow{Controller: controller, Handle: "h", Sealed: []byte{0, 1}, Ended: core.Day{Year: 2026, Month: 1, Day: 1}}, Moment(1))
	must(t, err)
	row, err := s.RowByID(t.Context(), id)
	must(t, err)
	if again != id || string(row.Sealed) != "\x00\x01" {
		t.Errorf("id %d then %d: %+v", id, again, row)
	}
}

func agreements(t *testing.T, s store.Store) {
	ctx := t.Context()
	a := &core.Agreement{
		ID: "a", Version: 2, Partner: partner, Name: "Ø", Class: core.InsuranceAgency, Country: "DK", Fields: core.FullName,
		Purposes: []core.AgreedPurpose{{Purpose: core.InsuranceOffer, Bases: []core.Basis{core.Interest}}},
		From:     core.Day{Year: 2026, Month: 1, Day: 1}, Until: core.Day{Year: 2026, Month: 12, Day: 31}, BalancingID: "b",
	}
	must(t, s.PutAgreement(ctx, controller, a, Moment(0)))
	must(t, s.PutAgreement(ctx, controller, a, Moment(1)))
	got, err := s.Agreement(ctx, controller, partner)
	must(t, err)
	if !reflect.DeepEqual(got, a) {
		t.Errorf("%+v", got)
	}
	other := *a
	other.Name = "Å"
	want(t, s.PutAgreement(ctx, controller, &other, Moment(2)), core.ErrConflict)
	other.Version = 1
	want(t, s.PutAgreement(ctx, controller, &other, Moment(2)), core.ErrConflict)
	other.Version = 10
	must(t, s.PutAgreement(ctx, controller, &other, Moment(2)))
	if got, err = s.Agreement(ctx, controller, partner); err != nil || got.Name != "Å" {
		t.Errorf("%+v %v", got, err)
	}
	partners, err := s.Partners(ctx)
	if err != nil || len(partners) != 1 || partners[0] != partner {
		t.Error(partners, err)
	}
}

func balancings(t *testing.T, s store.Store) {
	b := &core.Balancing{ID: "b", Purpose: core.InsuranceOffer, Assessed: core.Day{Year: 2026, Month: 2, Day: 28}}
	must(t, s.PutBalancing(t.Context(), controller, b, Moment(0)))
	must(t, s.PutBalancing(t.Context(), controller, b, Moment(1)))
	got, err := s.Balancing(t.Context(), controller, "b")
	must(t, err)
	if *got != *b {
		t.Errorf("%+v", got)
	}
	want(t, s.PutBalancing(t.Context(), controller, &core.Balancing{ID: "b", Purpose: core.Marketing, Assessed: b.Assessed}, Moment(1)), core.ErrConflict)
}

func consents(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	c := &core.Consent{ID: "c", Purpose: core.Marketing, Special: true, ThirdParty: true, Channels: []int{1, 5}, Registered: core.Day{Year: 2025, Month: 11, Day: 23}}
	must(t, s.PutConsent(ctx, id, c, Moment(0)))
	must(t, s.PutConsent(ctx, id, c, Moment(1)))
	other := *c
	other.Purpose = core.Newsletter
	want(t, s.PutConsent(ctx, id, &other, Moment(1)), core.ErrConflict)
	got, _, err := s.Said(ctx, id)
	must(t, err)
	if len(got) != 1 || !reflect.DeepEqual(got[0], *c) {
		t.Errorf("%+v", got)
	}
	for range 2 {
		at, err := s.Withdraw(ctx, id, "c", 3, Moment(2))
		must(t, err)
		if !at.Equal(Moment(2)) {
			t.Error(at)
		}
	}
	at, err := s.Withdraw(ctx, id, "c", 1, Moment(5))
	must(t, err)
	if got, _, err = s.Said(ctx, id); err != nil || !got[0].Withdrawn || !at.Equal(Moment(2)) {
		t.Errorf("%+v %v %v", got, at, err)
	}
	want(t, s.PutConsent(ctx, id+1, c, Moment(0)), core.ErrNotFound)
}

func refusals(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	r := core.StoredRefusal{Kind: core.KindOptOut, Partner: partner, Purpose: core.InsuranceOffer, Channel: 2, At: Moment(1)}
	for hour := 1; hour < 4; hour++ {
		r.At = Moment(hour)
		at, err := s.PutRefusal(ctx, id, r)
		must(t, err)
		if !at.Equal(Moment(1)) {
			t.Error(at)
		}
	}
	_, got, err := s.Said(ctx, id)
	r.At = Moment(1)
	if err != nil || len(got) != 1 || !got[0].At.Equal(r.At) || got[0].Partner != partner || got[0].Channel != 2 {
		t.Errorf("%+v %v", got, err)
	}
}

func restriction(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	for _, kind := range []core.RefusalKind{core.KindOptOut, core.KindRestriction, core.KindObjection} {
		_, err := s.PutRefusal(ctx, id, core.StoredRefusal{Kind: kind, At: Moment(0)})
		must(t, err)
	}
	must(t, s.LiftRestriction(ctx, id))
	must(t, s.LiftRestriction(ctx, id))
	if _, got, err := s.Said(ctx, id); err != nil || len(got) != 2 {
		t.Errorf("%+v %v", got, err)
	}
}

func shares(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	one := aShare(id, "subject")
	must(t, s.PutShare(ctx, one))
	got, err := s.ShareFor(ctx, box(), id, "")
	must(t, err)
	one.Handle = "h"
	if !got.Until.Equal(one.Until) || !got.CreatedAt.Equal(one.CreatedAt) {
		t.Errorf("%+v", got)
	}
	got.Until, got.CreatedAt = one.Until, one.CreatedAt
	if *got != *one {
		t.Errorf("got %+v, want %+v", got, one)
	}
	if err := s.PutShare(ctx, aShare(id, "subject")); err == nil {
		t.Error("the same share twice")
	}
	one.Stopped, one.Until = true, time.Time{}
	must(t, s.PutShare(ctx, one))
	if got, err = s.ShareFor(ctx, box(), id, ""); err != nil || !got.Stopped || !got.Until.IsZero() {
		t.Errorf("%+v %v", got, err)
	}
	if open, err := s.SharesOf(ctx, id); err != nil || len(open) != 0 {
		t.Error(open, err)
	}
	if open, err := s.SharesAfter(ctx, 0, 10); err != nil || len(open) != 0 {
		t.Error(open, err)
	}
}

func subjects(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	first, second := aShare(id, "x"), aShare(id, "x")
	first.Document, second.Document, second.CreatedAt = "d-1", "d-2", Moment(2)
	must(t, s.PutShare(ctx, first))
	must(t, s.PutShare(ctx, second))
	if got, err := s.ShareBySubject(ctx, box(), "x"); err != nil || got.ID != second.ID {
		t.Errorf("%+v %v", got, err)
	}
	second.Stopped = true
	must(t, s.PutShare(ctx, second))
	if got, err := s.ShareBySubject(ctx, box(), "x"); err != nil || got.ID != first.ID {
		t.Errorf("%+v %v", got, err)
	}
	other := box()
	other.Partner = "DK:1"
	_, err := s.ShareBySubject(ctx, other, "x")
	want(t, err, core.ErrNotFound)
}

func mailboxes(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	one := aShare(id, "x")
	must(t, s.PutShare(ctx, one))
	other := box()
	other.Basis = core.Consented
	for i := range 5 {
		must(t, s.Append(ctx, box(), one.ID, core.ItemNew, Moment(i)))
		must(t, s.Append(ctx, other, one.ID, core.ItemStopUse, Moment(i)))
	}
	got, err := s.ItemRows(ctx, box(), 2, 2)
	must(t, err)
	if len(got) != 2 || got[0].Seq != 3 || got[1].Seq != 4 || got[0].Kind != core.ItemNew || got[0].Share.Handle != "h" || !got[0].At.Equal(Moment(2)) {
		t.Errorf("%+v", got)
	}
	must(t, s.MarkDelivered(ctx, box(), []int64{3}, Moment(9)))
	if got, err = s.ItemRows(ctx, box(), 2, 2); err != nil || !got[0].Delivered || got[1].Delivered {
		t.Errorf("%+v %v", got, err)
	}
}

func appendMany(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	one := aShare(id, "x")
	must(t, s.PutShare(ctx, one))
	const workers, each = 4, 10
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if err := s.Append(ctx, box(), one.ID, core.ItemNew, Moment(0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, err := s.ItemRows(ctx, box(), 0, 1000)
	must(t, err)
	for i, item := range got {
		if item.Seq != int64(i+1) {
			t.Fatalf("position %d at %d", item.Seq, i)
		}
	}
	if len(got) != workers*each {
		t.Errorf("%d items", len(got))
	}
}

func forgetItems(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	one := aShare(id, "x")
	must(t, s.PutShare(ctx, one))
	for i := range 4 {
		must(t, s.Append(ctx, box(), one.ID, core.ItemNew, Moment(i)))
	}
	must(t, s.Confirm(ctx, box(), 3))
	must(t, s.Confirm(ctx, box(), 1))  // goes never back
	must(t, s.Confirm(ctx, box(), 99)) // and never ahead
	n, err := s.ForgetItems(ctx, Moment(2), 10)
	if err != nil || n != 2 {
		t.Error(n, err)
	}
	n, err = s.ForgetItems(ctx, Moment(9), 10)
	if err != nil || n != 1 {
		t.Error(n, err)
	}
	if got, err := s.ItemRows(ctx, box(), 0, 10); err != nil || len(got) != 1 || got[0].Seq != 4 {
		t.Errorf("%+v %v", got, err)
	}
}

func terms(t *testing.T, s store.Store) {
	ctx := t.Context()
	look := func(last, confirmed int64, balanced bool) {
		t.Helper()
		got, err := s.Terms(ctx, box())
		if err != nil || got.Agreement.Partner != partner || got.Last != last || got.Confirmed != confirmed || (got.Balancing != nil) != balanced {
			t.Errorf("%+v %v", got, err)
		}
	}
	_, err := s.Terms(ctx, box())
	want(t, err, core.ErrNotFound)
	must(t, s.PutAgreement(ctx, controller, &core.Agreement{Partner: partner, Version: 1, BalancingID: "b"}, Moment(0)))
	look(0, 0, false)
	day := core.Day{Year: 2026, Month: 1, Day: 2}
	must(t, s.PutBalancing(ctx, controller, &core.Balancing{ID: "b", Purpose: core.InsuranceOffer, Assessed: day}, Moment(0)))
	must(t, s.PutBalancing(ctx, "SE:1", &core.Balancing{ID: "c", Purpose: core.InsuranceOffer, Assessed: day}, Moment(0)))
	look(0, 0, true)
	one := aShare(Member(t, s, "h"), "x")
	must(t, s.PutShare(ctx, one))
	must(t, s.Append(ctx, box(), one.ID, core.ItemNew, Moment(0)))
	must(t, s.Append(ctx, box(), one.ID, core.ItemChanged, Moment(1)))
	look(2, 0, true)
	must(t, s.Confirm(ctx, box(), 1))
	look(2, 1, true)
	must(t, s.PutAgreement(ctx, controller, &core.Agreement{Partner: partner, Version: 2, BalancingID: "c"}, Moment(1)))
	look(2, 1, false) // the later version counts, and another controller's assessment does not
	other := box()
	other.Basis = core.Consented
	if got, err := s.Terms(ctx, other); err != nil || got.Last != 0 || got.Confirmed != 0 {
		t.Errorf("another mailbox: %+v %v", got, err)
	}
}

func disclosures(t *testing.T, s store.Store) {
	ctx, id := t.Context(), Member(t, s, "h")
	other := Member(t, s, "other")
	for i := range 5 {
		for _, m := range []int64{id, other} {
			must(t, s.AddDisclosures(ctx, []core.Disclosure{{
				Controller: controller, Member: m, Kind: core.ItemNew, Partner: partner, Name: "Ø", Class: core.InsuranceAgency, Fields: core.Email,
				Purpose: core.InsuranceOffer, Basis: core.Interest, At: Moment(i), EventID: "e",
			}}))
		}
	}
	first, err := s.Disclosures(ctx, id, 0, 3)
	must(t, err)
	if len(first) != 3 || !first[0].At.Equal(Moment(4)) || first[0].Fields != core.Email || first[0].Name != "Ø" {
		t.Fatalf("%+v", first)
	}
	rest, err := s.Disclosures(ctx, id, first[2].ID, 3)
	must(t, err)
	if len(rest) != 2 || !rest[1].At.Equal(Moment(0)) {
		t.Errorf("%+v", rest)
	}
	if n, err := s.ForgetDisclosures(ctx, Moment(3), 4); err != nil || n != 4 {
		t.Error(n, err)
	}
	if n, err := s.ForgetDisclosures(ctx, Moment(3), 4); err != nil || n != 2 {
		t.Error(n, err)
	}
}

func erase(t *testing.T, s store.Store) {
	ctx := t.Context()
	day := core.Day{Year: 2026, Month: 3, Day: 1}
	gone, err := s.PutRow(ctx, store.MemberRow{Controller: controller, Handle: "gone", Sealed: []byte("x"), Ended: core.Day{Year: 2026, Month: 2, Day: 28}}, Moment(0))
	must(t, err)
	_, err = s.PutRow(ctx, store.MemberRow{Controller: controller, Handle: "last day", Sealed: []byte("x"), Ended: day}, Moment(0))
	must(t, err)
	Member(t, s, "stays")
	must(t, s.PutConsent(ctx, gone, &core.Consent{ID: "c"}, Moment(0)))
	must(t, s.AddDisclosures(ctx, []core.Disclosure{{Controller: controller, Member: gone, At: Moment(0)}}))
	who, err := s.Erase(ctx, day, 10)
	if err != nil || len(who) != 1 || who[0] != gone {
		t.Fatal(who, err)
	}
	row, err := s.RowByID(ctx, gone)
	must(t, err)
	if len(row.Sealed) != 0 || row.Handle != "gone" {
		t.Errorf("%+v", row)
	}
	if c, _, err := s.Said(ctx, gone); err != nil || len(c) != 0 {
		t.Error(c, err)
	}
	if d, err := s.Disclosures(ctx, gone, 0, 10); err != nil || len(d) != 1 {
		t.Error(d, err)
	}
	if who, err = s.Erase(ctx, day, 10); err != nil || len(who) != 0 {
		t.Error(who, err)
	}
}

func rollback(t *testing.T, s store.Store) {
	stop := errors.New("stop")
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.PutRow(ctx, store.MemberRow{Controller: controller, Handle: "h", Sealed: []byte("x")}, Moment(0)); err != nil {
			return err
		}
		return stop
	})
	want(t, err, stop)
	_, err = s.RowByHandle(t.Context(), controller, "h")
	want(t, err, core.ErrNotFound)
}

func ended(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.RowByHandle(ctx, controller, "h")
	want(t, err, context.Canceled)
}
