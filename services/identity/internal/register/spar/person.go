package spar

import (
	"slices"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/names"
	"samvirke.dev/services/identity/internal/core/nationalid"
)

// person returns what the record tells of the person under a number.
func (r *record) person(n nationalid.Number, now time.Time, today civil.Date) *core.Person {
	d := latest(r.Details, today, func(d *details) period { return d.period })
	state := d.Reason
	p := &core.Person{
		Number:        n,
		Earlier:       earlier(d, n, today),
		Name:          r.name(today),
		Birth:         d.Born.civil(),
		Death:         first(d.Died.civil(), d.HolderDied.civil(), d.FoundDead.civil()),
		Address:       r.address(state, today),
		Protections:   r.protections(d),
		RegisterState: state,
		RegisterTime:  now.UTC(),
		Source:        core.SourcePublicRegister,
	}
	return p
}

// latest returns the row that holds today, or else the one that did last; the zero row if there is none.
func latest[T any](rows []T, today civil.Date, when func(*T) period) T {
	var out T
	best := -1
	for i := range rows {
		p := when(&rows[i])
		if p.holds(today) {
			return rows[i]
		}
		if best < 0 || p.end() > when(&rows[best]).end() {
			best = i
		}
	}
	if best >= 0 {
		out = rows[best]
	}
	return out
}

func first(dates ...civil.Date) civil.Date {
	for _, d := range dates {
		if !d.IsZero() {
			return d
		}
	}
	return civil.Date{}
}

func (r *record) name(today civil.Date) names.Name {
	n := latest(r.Names, today, func(n *name) period { return n.period })
	return names.Name{Given: n.Given, Middle: n.Middle, Family: n.Family, Addressing: n.Notice}
}

func (r *record) protections(d details) []core.Protection {
	var out []core.Protection
	if r.Mark.set() || d.Mark.set() {
		out = append(out, core.Protection{Kind: core.ProtectionSESecrecyMark, Since: r.MarkSince.civil()})
	}
	if r.Registration.set() || d.Registration.set() {
		out = append(out, core.Protection{Kind: core.ProtectionSEProtectedRegistration, Since: r.RegistrationFrom.civil()})
	}
	return out
}

// The types of a Hanvisning.
const (
	pointsTo   = "Till"
	pointsFrom = "Fran"
)

// successor returns the number in force if the register points to another one. A pointer without a type does when the number was
// replaced.
func (r *record) successor(asked nationalid.Number, today civil.Date) nationalid.Number {
	d := latest(r.Details, today, func(d *details) period { return d.period })
	replaced := core.StatusOf(d.Reason) == core.StatusReplaced
	for _, ref := range d.References {
		if kind := ref.Type; kind != pointsTo && (kind != "" || !replaced) {
			continue
		}
		if n, err := nationalid.ParseCanonical("SE:"+ref.ID, today); err == nil && n != asked {
			return n
		}
	}
	return nationalid.Number{}
}

// earlier returns the numbers that this one took the place of.
func earlier(d details, asked nationalid.Number, today civil.Date) []nationalid.Number {
	var out []nationalid.Number
	for _, ref := range d.References {
		if ref.Type != pointsFrom {
			continue
		}
		n, err := nationalid.ParseCanonical("SE:"+ref.ID, today)
		if err == nil && n != asked && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
