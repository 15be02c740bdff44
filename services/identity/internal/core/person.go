// Package core decides what the identity service answers, and to whom. It knows neither gRPC nor SQL nor keys.
//
// One file holds one use case: resolve.go, verify.go, address.go, status.go. What a caller may know of a protected person is one
// table in protection.go. Everything personal in these types is kept out of logs by the types' users: nothing here is ever logged.
package core

import (
	"slices"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// Person is a person as a register last told.
type Person struct {
	Number        nationalid.Number   // in force
	Earlier       []nationalid.Number // in force before
	Name          names.Name
	Birth         civil.Date // true birth date; need not agree with the number; zero if the register gave none
	Death         civil.Date // possibly partial; zero while alive
	Address       *Address   // nil if the register gave none
	Protections   []Protection
	RegisterState string // the register's own code, such as AV (SPAR) or 90 (CPR); empty if it gave none
	Memberships   []Membership
	RegisterTime  time.Time // when the register gave these facts
	Source        Source
}

// Address is a postal address as it goes on an envelope, without the addressee.
type Address struct {
	CareOf     string
	Lines      []string // without postal code and city, five at most
	PostalCode string
	City       string
	Country    string // ISO 3166-1 alpha-2 where known, else the register's own text
	ValidFrom  civil.Date
}

// Membership is a membership in a fund.
type Membership struct {
	Controller string     // the fund, `DK:12345678`
	From       civil.Date // first day
	Until      civil.Date // last day; zero while it lasts
	Reference  string     // the fund's own; empty if it came with an import
	Phones     []string   // E.164; for the fund's own search
}

// active reports whether the membership holds on that day for certain.
func (m Membership) active(today civil.Date) bool {
	return m.From.CertainlyNotAfter(today) && (m.Until.IsZero() || today.CertainlyNotAfter(m.Until))
}

// followed reports whether a fund follows the person today. Memberships that came with an import are not subscriptions.
func (p *Person) followed(today civil.Date) bool {
	return slices.ContainsFunc(p.Memberships, func(m Membership) bool { return m.Reference != "" && m.active(today) })
}

// followers returns the funds that follow the person today, each once.
func (p *Person) followers(today civil.Date) []string {
	var out []string
	for _, m := range p.Memberships {
		if m.Reference != "" && m.active(today) && !slices.Contains(out, m.Controller) {
			out = append(out, m.Controller)
		}
	}
	return out
}

// memberOf reports whether the person is a member of the fund today.
func (p *Person) memberOf(controller string, today civil.Date) bool {
	for _, m := range p.Memberships {
		if m.Controller == controller && m.active(today) {
			return true
		}
	}
	return false
}

// Source is where facts come from.
type Source uint8

// The sources.
const (
	SourceUnknown Source = iota
	SourceMember
	SourceEmployer
	SourcePublicRegister
	SourceAuthority
	SourceOtherFund
	SourceHealthcare
	SourcePoliceCourt
)

// RegisterStatus is what a register's state code means for us.
type RegisterStatus uint8

// The meanings.
const (
	StatusCurrent     RegisterStatus = iota // in the register, wherever resident
	StatusDeceased                          // dead
	StatusEmigrated                         // lives abroad; only a foreign address counts
	StatusDisappeared                       // not to be found
	StatusAnnulled                          // the number belongs to nobody: annulled, a false identity or a technical row
	StatusReplaced                          // another number is in force
)

// StatusOf reads a state code of SPAR (old and new codes) or CPR. A code that is not known means nothing special.
func StatusOf(code string) RegisterStatus {
	switch code {
	case "AV", "A", "90":
		return StatusDeceased
	case "UV", "80":
		return StatusEmigrated
	case "OB", "70":
		return StatusDisappeared
	case "AS", "FI", "TA", "30":
		return StatusAnnulled
	case "GN", "GS", "G", "50", "60":
		return StatusReplaced
	default:
		return StatusCurrent
	}
}

// deceased reports whether the person is dead by any of the signs.
func (p *Person) deceased() bool {
	return !p.Death.IsZero() || StatusOf(p.RegisterState) == StatusDeceased
}

// exists reports whether the number is somebody's. An annulled number looks like one that was never issued.
func (p *Person) exists() bool { return StatusOf(p.RegisterState) != StatusAnnulled }

// birth returns the register's birth date, or that in the number if the register gave none.
func (p *Person) birth() civil.Date {
	if p.Birth.IsZero() {
		return p.Number.BirthDate()
	}
	return p.Birth
}

// mayBeWrittenTo reports whether there is an address that reaches the person: letters to the dead help nobody.
func (p *Person) mayBeWrittenTo() bool { return p.Address != nil && !p.deceased() }

// Withhold takes off what may not rest here because of the person's protections (domain rule B.10, 4): the registers do not
// give name and address of somebody with a Swedish protection, and nobody may have those of one with the strongest kinds, so a
// copy that came another way is purged. A Danish protected name and address may be read by the own fund: they are purged if the
// register can be asked for them when they are needed, and stay where it can't.
func (p *Person) Withhold(today civil.Date, askable bool) {
	level := p.level(today)
	if level == LevelNone || (level == LevelDKNameAddress && !askable) {
		return
	}
	p.Name, p.Address = names.Name{}, nil
}

// level returns the strongest protection of the person.
func (p *Person) level(today civil.Date) Level {
	strongest := LevelNone
	for _, protection := range p.Protections {
		strongest = max(strongest, protection.level(today))
	}
	return strongest
}
