package direkte

import (
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr"
)

// block takes in the records of one person, one after the other, and keeps to the rules of their order.
type block struct {
	number   nationalid.Number
	key      uint64 // the digits of number
	raw      [numberWidth]byte
	line     int // of its first record
	produced civil.Date
	mode     mode
	last     int  // type of the latest record
	complete bool // the address came behind everything else, so nothing may follow
	person   bool // there was a 001
	named    bool // there was a 008
	written  bool // there was a 003
	draft    draft
}

// mode says what is done with the records of a person.
type mode uint8

// The modes, which may be put together.
const (
	look  mode = 1 << iota // look at their fields
	build                  // put the person together
)

// begin starts the records of another person. It reports whether the record has a person's number.
func (b *block) begin(r Record, line int, produced civil.Date, m mode) bool {
	raw := r.number()
	n, ok := numberOf(raw, produced)
	if !ok || n.IsZero() {
		return false
	}
	*b = block{number: n, key: keyOf(raw), line: line, produced: produced, mode: m, last: -1}
	copy(b.raw[:], raw)
	return true
}

// keyOf turns ten digits into a number that is quick to look up.
func keyOf(raw []byte) uint64 {
	var k uint64
	for _, c := range raw {
		k = k*10 + uint64(c-'0')
	}
	return k
}

// add takes in a record and returns what is wrong with it, or "".
func (b *block) add(r Record) string {
	if reason := b.order(r); reason != "" {
		return reason
	}
	if !r.Known() {
		return ""
	}
	if b.mode&look != 0 {
		if reason := r.fault(b.produced); reason != "" {
			return reason
		}
		if reason := b.sense(r); reason != "" {
			return reason
		}
	}
	if b.mode&build != 0 {
		b.draft.take(r, b.produced)
	}
	return ""
}

// order checks the place of a record among those of the person.
func (b *block) order(r Record) string {
	switch {
	case b.complete:
		return "behind the address of the person"
	case b.last < 0 && r.Type != typePerson && r.Type != typeEvent:
		return "of a person whose records don't begin with 001"
	case r.Type == typeWritten && b.last > typeWritten && b.person && !b.written:
		b.complete = true
	case r.Type < b.last:
		return "out of the order of record types"
	case r.Type == b.last && r.Known() && r.shape.Once:
		return "a second one for the person"
	case !b.person && r.Type != typePerson && r.Type != typeEvent:
		return "of a person of whom only events are told"
	}
	b.last = r.Type
	switch r.Type {
	case typePerson:
		b.person = true
	case typeName:
		b.named = true
	case typeWritten:
		b.written = true
	}
	return ""
}

// sense checks what must be there for a record to mean anything.
func (b *block) sense(r Record) string {
	switch r.Type {
	case typePerson:
		return senseOfPerson(r, b.produced)
	case typeProtect:
		if len(r.Get("BESKYTTYPE")) == 0 {
			return "BESKYTTYPE: missing"
		}
	case typeFormer:
		if former, _ := numberOf(r.Get("PNR"), b.produced); former.IsZero() {
			return "PNR: missing"
		}
	case typeEvent:
		const width = 3
		if len(r.Get("HAENDELSE")) != width {
			return "HAENDELSE: not an event code"
		}
	}
	return ""
}

func senseOfPerson(r Record, produced civil.Date) string {
	if !stateKnown(r.Get("STATUS")) {
		return "STATUS: not a state of a number"
	}
	if sex := r.Get("KOEN"); len(sex) != 1 || sex[0] != 'K' && sex[0] != 'M' {
		return "KOEN: neither K nor M"
	}
	if since, _, _ := stampOf(r.Get("STATUSHAENSTART")); since.CertainlyAfter(produced) {
		return "STATUSHAENSTART: in the future"
	}
	if birth, _ := dayOf(r.Get("FOED_DT")); birth.CertainlyAfter(produced) {
		return "FOED_DT: in the future"
	}
	return ""
}

func stateKnown(state []byte) bool {
	switch string(state) {
	case cpr.StateResident, cpr.StateNoAbode, cpr.StateGreenland, cpr.StateGreenlandNoAbode, cpr.StateAdministrative,
		cpr.StateAnnulled, cpr.StateDuplicate, cpr.StateChanged, cpr.StateDisappeared, cpr.StateEmigrated, cpr.StateDead:
		return true
	default:
		return false
	}
}

// lacks returns what a person's records lack, or "". The address is not looked for here: it may stand elsewhere in the delivery.
func (b *block) lacks() string {
	if b.person && !b.named {
		return "without a record 008"
	}
	return ""
}

// update turns what was taken in into an update.
func (b *block) update() Update {
	u := Update{Line: b.line, Number: b.number, Events: b.draft.events, Doubts: b.draft.doubts}
	if !b.person {
		return u
	}
	p := b.draft.person(b.number, b.produced)
	if core.StatusOf(p.RegisterState) == core.StatusReplaced {
		u.Superseded = p
	} else {
		u.Person = p
	}
	return u
}
