package cases_test

import (
	"errors"
	"testing"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/workday"
)

// FuzzMachine has both parties' records live through any bytes read as events, with reports of the other side that need not be true. A
// record never leaves an end, never goes back, has a day of the move exactly where it must, and counts every event once.
func FuzzMachine(f *testing.F) {
	m := cases.NewMachine(cases.DefaultTerms(), workday.New())
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte{40, 41, 42, 46, 47, 48, 49, 90, 91, 130, 131, 132, 170, 171, 255})
	f.Add([]byte{1, 2, 3, 64, 66, 67, 68, 70, 71, 72, 73, 74, 75, 76, 77})
	f.Fuzz(func(t *testing.T, script []byte) {
		today := civil.Date(739680)
		n, err := m.Create(cases.Receiving, cases.Start{ID: "t", Fund: "DK:2", Other: "DK:1", Country: "DK", OtherCountry: "DK", OtherIsFund: true})
		if err != nil {
			t.Fatal(err)
		}
		poa := cases.PowerOfAttorney{
			Issuer: "i", ID: "p", Hash: []byte{1}, Level: cases.High, Scope: cases.NeededScope, Subject: "DK:1", Fund: "DK:2", Current: "DK:1",
			ValidFrom: today, ValidTo: today + 80,
		}
		o, err := m.Accept(cases.Offer{ID: "t", Fund: "DK:1", Other: "DK:2", Country: "DK", Subject: []byte{1}, Number: "DK:1", Wanted: 739707, PoA: &poa}, today)
		if err != nil || o.State != cases.Requested {
			t.Fatalf("%+v, %v", o, err)
		}
		records := []cases.Case{n, o}
		for _, b := range script {
			if b == 255 {
				today += 20
				continue
			}
			i := int(b) % 2
			before := records[i]
			after, err := act(m, before, b/2, poa, today)
			switch {
			case err == nil:
				sound(t, before, after)
				records[i] = after
			case !errors.Is(err, cases.ErrState) && !errors.Is(err, cases.ErrGuard) && !errors.Is(err, cases.ErrWrongActor):
				t.Fatalf("%s, %d: %v", before.State, b, err)
			}
		}
	})
}

// act is the event that a number stands for.
func act(m *cases.Machine, c cases.Case, b byte, poa cases.PowerOfAttorney, today civil.Date) (cases.Case, error) {
	if b >= 64 { // a report, true or not
		return m.Follow(c, cases.Report{
			Event: cases.Event(b % 24), Rejection: cases.RejectionCode(b % 12), Part: cases.Part{Number: c.Parts + int(b%2), Kind: 1 << (b % 10), Last: b%3 == 0},
			Effective: civil.Date(b%2) * 739707,
		}, today)
	}
	actor := cases.Party(b%4 + 1)
	switch b / 4 {
	case 0:
		return m.Submit(c, actor, true, true, []byte{1}, 739707, false, today)
	case 1:
		return m.Verify(c, actor, true, poa, "DK:1", today)
	case 2:
		return m.Request(c, actor, true, today)
	case 3:
		return m.Acknowledge(c, actor, true, "h", "m", false, today)
	case 4:
		return m.Reject(c, actor, cases.RejectionCode(b%12))
	case 5, 6:
		return m.Deliver(c, actor, true, cases.Part{Number: c.Parts + 1, Kind: cases.PackageA, Last: b/4 == 6}, today)
	case 7, 8:
		return m.Confirm(c, actor, true, 1, today)
	case 9:
		return m.Reach(c, actor, today)
	case 10:
		return m.Withdraw(c, actor, 1, today)
	case 11:
		return m.Expire(c, actor, today)
	case 12:
		return m.Miss(c, actor, today)
	case 13:
		return m.Cancel(c, actor)
	case 14:
		next, _, err := m.Decide(c, actor, true, b%2 == 0, today)
		return next, err
	default:
		next, _, err := m.Undo(c, today)
		return next, err
	}
}

// sound checks one event.
func sound(t *testing.T, before, after cases.Case) {
	t.Helper()
	switch {
	case after.Version != before.Version+1:
		t.Fatalf("version %d after %d", after.Version, before.Version)
	case !before.State.Open() && after.State != before.State:
		t.Fatalf("%s after %s", after.State, before.State)
	case after.State < before.State:
		t.Fatalf("back from %s to %s", before.State, after.State)
	case (after.Effective > 0) != (after.State == cases.ExitConfirmed || after.State == cases.Effective):
		t.Fatalf("%s with day %s", after.State, after.Effective)
	case (after.Rejection > 0) != (after.State == cases.Rejected):
		t.Fatalf("%s with rejection %s", after.State, after.Rejection)
	case after.Withdrawing && (after.Side != cases.Receiving || !after.State.Open()):
		t.Fatalf("%s withdrawing", after.State)
	case after.Undoing && (after.Side != cases.Releasing || after.State != cases.ExitConfirmed):
		t.Fatalf("%s undoing", after.State)
	case after.Due > 0 && !after.State.Open():
		t.Fatalf("%s awaits something", after.State)
	case after.ID != before.ID || after.Side != before.Side || after.Fund != before.Fund || after.Other != before.Other:
		t.Fatalf("%+v became %+v", before, after)
	}
}
