package direkte

import (
	"slices"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr"
)

// Update is what a delivery tells of one person. Exactly one of Person, Superseded, Failure and Receipt is set, or none of them if there
// are only Events. All of it is personal: it is not for logs.
//
// Person is all that CPR knows now and replaces what was known:
//
//   - Number is the one in force; Earlier are those of records 022.
//   - Birth is the register's own date, also if it is marked as uncertain (see Doubts). Death is the date of the state 90, or the end of
//     the number if that has none; the state alone tells of a death whose date is not known.
//   - Address is where letters go to, by the state and the rules that all readers of CPR share (package cpr): record 003 with the date of
//     moving in from 002, whose supplementary lines stand in for a missing road; the contact address 006 while it holds; the foreign one
//     from 005. Nil for the dead, the disappeared, and those without a fixed address who gave no other.
//   - Protections: 0001 is DK_NAME_ADDRESS, and together with a registration without fixed address also DK_SPECIAL, as CPR has no mark of
//     its own for those under threat (domain rule B.10, read strictly). 0003 is AD_BLOCK. 0002 (local directory) and 0004 (research)
//     concern nobody whom we answer and are left out. A type that we don't know counts as the strongest.
//   - The end date (SLET_DT) of a protection is a plan as long as it does not lie before the day on which the delivery was made, for it may
//     be put off, so Ended stays empty and no clock of ours ever ends the protection (B.10, rule 5). In a later delivery the register itself
//     says that it ended, as it goes on to tell of protections that it deleted, and Ended holds the date: both dates are the register's. In
//     one made on that very day, an event A33 or P11 of the person must say so. Otherwise a protection ends by not being among the records
//     any more.
//   - RegisterTime is the beginning, in UTC, of the day on which the delivery was made. Memberships is empty.
type Update struct {
	Line   int               // of the first record, from 1
	Number nationalid.Number // under which the records stand
	Person *core.Person
	// Superseded is a person under a number that is no longer in force (states 50 and 60): its Number is the one in force if the register
	// names it, Earlier has the old one, the rest is as it last was under the old one. It must not replace what is known under the number in
	// force, which is told separately.
	Superseded *core.Person
	Doubts     Doubts
	Events     []Event // in the order of the delivery
	Failure    *Failure
	Receipt    *Receipt
}

// Doubts is a set of CPR's own marks on what it tells.
type Doubts uint8

// The doubts.
const (
	DoubtBirth            Doubts = 1 << iota // the birth date is uncertain
	DoubtState                               // since when the state holds is uncertain, of the dead the date of death
	DoubtNameShortened                       // a name is shortened
	DoubtNameCharacters                      // a name has characters that CPR can't write
	DoubtNameUndocumented                    // a name is insufficiently documented
)

// Has reports whether the set holds d.
func (s Doubts) Has(d Doubts) bool { return s&d != 0 }

// draft gathers what the records of a person say.
type draft struct {
	state               string
	inForce             nationalid.Number
	since, until, birth civil.Date
	name                names.Name
	called              string // how 003 addresses the person
	road                int
	moved               civil.Date
	extra               []string
	home, abroad, other *core.Address
	kinds               []core.Protection
	earlier             []nationalid.Number
	events              []Event
	doubts              Doubts
}

// take reads a record that was checked.
func (d *draft) take(r Record, produced civil.Date) {
	switch r.Type {
	case typePerson:
		d.takePerson(r, produced)
	case typeAddress:
		d.road = value(r.Get("VEJKOD"))
		d.moved, _, _ = stampOf(r.Get("TILFLYDTO"))
		if holds(r, produced) {
			d.extra = lines(r, "ADR1-SUPLADR", "ADR2-SUPLADR", "ADR3-SUPLADR", "ADR4-SUPLADR", "ADR5-SUPLADR")
		}
	case typeWritten:
		d.takeWritten(r)
	case typeProtect:
		d.takeProtection(r)
	case typeAbroad:
		d.takeAbroad(r)
	case typeContact:
		d.takeContact(r, produced)
	case typeName:
		d.takeName(r)
	case typeFormer:
		former, _ := numberOf(r.Get("PNR"), produced)
		d.earlier = append(d.earlier, former)
	case typeEvent:
		d.events = append(d.events, eventOf(r))
	}
}

func (d *draft) takePerson(r Record, produced civil.Date) {
	d.state = string(r.Get("STATUS"))
	d.inForce, _ = numberOf(r.Get("PNRGAELD"), produced)
	d.since, _, _ = stampOf(r.Get("STATUSHAENSTART"))
	d.until, _ = dayOf(r.Get("SLUT_DT-PERSON"))
	d.birth, _ = dayOf(r.Get("FOED_DT"))
	if len(r.Get("FOED_DT_UMRK")) > 0 {
		d.doubts |= DoubtBirth
	}
	if len(r.Get("STATUSDTO_UMRK")) > 0 {
		d.doubts |= DoubtState
	}
}

func (d *draft) takeName(r Record) {
	d.name = names.Name{
		Given: r.Text("FORNVN"), Middle: r.Text("MELNVN"), Family: r.Text("EFTERNVN"), Addressing: r.Text("ADRNVN"),
	}
	for _, field := range [...]string{"FORNVN_MRK", "MELNVN_MRK", "EFTERNVN_MRK"} {
		switch string(r.Get(field)) {
		case "+":
			d.doubts |= DoubtNameShortened
		case "*":
			d.doubts |= DoubtNameCharacters
		case "=":
			d.doubts |= DoubtNameUndocumented
		}
	}
}

// takeProtection reads a protection; see Update.
func (d *draft) takeProtection(r Record) {
	p := core.Protection{Kind: core.ProtectionUnknown}
	switch string(r.Get("BESKYTTYPE")) {
	case "0001":
		p.Kind = core.ProtectionDKNameAddress
	case "0003":
		p.Kind = core.ProtectionAdBlock
	case "0002", "0004":
		return
	}
	p.Since, _ = dayOf(r.Get("START_DT-BESKYTTELSE"))
	p.Ended, _ = dayOf(r.Get("SLET_DT-BESKYTTELSE"))
	d.kinds = append(d.kinds, p)
}

// over reports whether the register says that a protection with that end date is no more; see Update.
func (d *draft) over(end, produced civil.Date) bool {
	switch {
	case end.IsZero():
		return false
	case end == produced:
		return slices.ContainsFunc(d.events, func(e Event) bool { return e.Meaning == MeaningLapse || e.Meaning == MeaningProtection })
	default:
		return produced.CertainlyAfter(end)
	}
}

// person puts together what the records say.
func (d *draft) person(number nationalid.Number, produced civil.Date) *core.Person {
	p := &core.Person{
		Number: number, Earlier: d.earlier, Name: d.name, Birth: d.birth, Address: d.address(), Protections: d.protections(produced),
		RegisterState: d.state, Source: core.SourcePublicRegister,
		RegisterTime: time.Date(produced.Year, time.Month(produced.Month), produced.Day, 0, 0, 0, 0, time.UTC),
	}
	if p.Name.Addressing == "" {
		p.Name.Addressing = d.called
	}
	if d.state == cpr.StateDead {
		p.Death = d.since
		if p.Death.IsZero() {
			p.Death = d.until
		}
	}
	if cpr.Replaced(d.state) && !d.inForce.IsZero() && d.inForce != number {
		p.Number, p.Earlier = d.inForce, append(d.earlier, number)
	}
	return p
}

// protections takes off the ends that are plans, and adds DK_SPECIAL to each protected name and address of somebody without a fixed address.
func (d *draft) protections(produced civil.Date) []core.Protection {
	for i, p := range d.kinds {
		if !d.over(p.Ended, produced) {
			d.kinds[i].Ended = civil.Date{}
		}
	}
	out := d.kinds
	if !cpr.SpecialRoad(d.state, d.road) {
		return out
	}
	for _, p := range d.kinds {
		if p.Kind == core.ProtectionDKNameAddress {
			p.Kind = core.ProtectionDKSpecial
			out = append(out, p)
		}
	}
	return out
}

// lines returns those of the fields that are not blank.
func lines(r Record, fields ...string) []string {
	var out []string
	for _, field := range fields {
		text := r.Text(field)
		if text == "" {
			continue
		}
		if out == nil {
			out = make([]string, 0, len(fields))
		}
		out = append(out, text)
	}
	return out
}

// holds reports whether an address text (002 and 006) is in force on the day of the delivery.
func holds(r Record, produced civil.Date) bool {
	from, _ := dayOf(r.Get("START_DT-ADRTXT"))
	until, _ := dayOf(r.Get("SLET_DT-ADRTXT"))
	return !from.CertainlyAfter(produced) && (until.IsZero() || !until.CertainlyNotAfter(produced))
}
