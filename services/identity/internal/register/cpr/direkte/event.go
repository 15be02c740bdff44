package direkte

import (
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Meaning is what an event tells us to look at. It never says how things are now: the person's records in the same delivery do, and where
// there are none, a look-up. CPR reports a death that was registered by mistake and taken back as a death as well.
type Meaning uint8

// The meanings.
const (
	MeaningOther        Meaning = iota // nothing that concerns us, or a code that we don't know
	MeaningAddress                     // A01 move, A09 and A10 correction and annulment, A47 contact address
	MeaningProtection                  // A33: a protection was set, changed or taken away
	MeaningLapse                       // P11: a protection, a note or a contact address reached its end
	MeaningDeath                       // A21
	MeaningReplaced                    // P03, or an event marked PN: another number is in force
	MeaningDeleted                     // P02 and A40: the number is deleted or annulled
	MeaningEmigrated                   // A06
	MeaningEntered                     // A04 re-entry, P31 entry
	MeaningDisappeared                 // A02
	MeaningFound                       // A03
	MeaningName                        // A13 to A17
	MeaningSubscription                // A45
	MeaningUndone                      // P42 and P43: a change or deletion of a number was taken back
	MeaningRelated                     // something was registered of a relative and touches this person
)

// derivedNewNumber marks an event of the number that came in place of another one, see AFLEDTMRK.
const derivedNewNumber = "PN"

// Event is an event (record 099) of a person.
type Event struct {
	Code    string // CPR's own, such as A01; kept also if we don't know it
	Derived string // AFLEDTMRK: set if the event befell somebody else, such as ÆG the spouse; PN if the person's earlier number
	Meaning Meaning
	Day     civil.Date // when it was registered; zero if not told
	Clock   string     // HHMM in Danish time of that day; empty if not told. Such as 2000 stands for no real time
}

// MeaningOf reads an event code and its mark. A mark turns everything but a new number into the event of a relative: the widow gets A21
// as well as the dead.
func MeaningOf(code, derived string) Meaning {
	switch {
	case derived == derivedNewNumber:
		return MeaningReplaced
	case derived != "":
		return MeaningRelated
	}
	switch code {
	case "A01", "A09", "A10", "A47":
		return MeaningAddress
	case "A33":
		return MeaningProtection
	case "P11":
		return MeaningLapse
	case "A21":
		return MeaningDeath
	case "P03":
		return MeaningReplaced
	case "P02", "A40":
		return MeaningDeleted
	case "A06":
		return MeaningEmigrated
	case "A04", "P31":
		return MeaningEntered
	case "A02":
		return MeaningDisappeared
	case "A03":
		return MeaningFound
	case "A13", "A14", "A15", "A16", "A17":
		return MeaningName
	case "A45":
		return MeaningSubscription
	case "P42", "P43":
		return MeaningUndone
	default:
		return MeaningOther
	}
}

func eventOf(r Record) Event {
	e := Event{Code: r.Text("HAENDELSE"), Derived: r.Text("AFLEDTMRK")}
	e.Meaning = MeaningOf(e.Code, e.Derived)
	e.Day, e.Clock = moment(r)
	return e
}

// moment reads TIMESTAMPU, which was checked.
func moment(r Record) (civil.Date, string) {
	day, clock, _ := stampOf(r.Get("TIMESTAMPU"))
	if day.IsZero() {
		return day, ""
	}
	return day, string(clock)
}

// Failure is a record 910: CPR could not do what it was asked to, such as put a number on the subscription.
type Failure struct {
	Number nationalid.Number // whom it was about; zero if that is not told by number
	Code   string            // four digits, CPR's own
	Text   string            // why, in Danish; may repeat what was sent, so it is personal and not for logs
	Input  string            // what was sent; personal
}

// Receipt is a record 997: somebody is no longer on the subscription.
type Receipt struct {
	Number nationalid.Number
	Event  string     // why: an event code
	Day    civil.Date // when; zero if not told
	Clock  string     // HHMM in Danish time; empty if not told
	Key    string     // NGLKONST: what the customer gave the subscription as its own key
}
