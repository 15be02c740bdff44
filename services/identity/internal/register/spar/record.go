package spar

import (
	"samvirke.dev/services/identity/internal/core/civil"
)

// record is a PersonsokningSvarspost, as far as the core has words for it.
type record struct {
	ID               string
	Mark             *flag
	MarkSince        date
	Registration     *flag
	RegistrationFrom date
	Names            []name
	Details          []details
	Registered       []address
	Special          []address
	Abroad           []address
	Contact          []address
}

// flagged reports whether the record has both flags, as the schema demands: without them nothing can be said of a protection.
func (r *record) flagged() bool { return r.Mark != nil && r.Registration != nil }

type name struct {
	period
	Notice string
	Given  string
	Middle string
	Family string
}

type details struct {
	period
	Mark         *flag
	Registration *flag
	Reason       string
	Died         date
	FoundDead    date
	Born         date
	References   []reference
	HolderDied   date
}

// reference is a Hanvisning to another number of the person.
type reference struct {
	ID   string
	Type string // Till, Fran or nothing
}

// address is one of the kinds of address: each holds one or the other.
type address struct {
	Swedish []swedish
	Foreign []foreign
}

type swedish struct {
	period
	CareOf     string
	Line1      string
	Line2      string // where the street usually stands
	PostalCode string
	City       string
}

type foreign struct {
	period
	Line1   string
	Line2   string
	Line3   string
	Country string
}

// period is when a row holds: from From on, and no longer on To. Without history there is neither, and the row holds.
type period struct {
	From date
	To   date
}

func (p period) holds(today civil.Date) bool {
	from, to := p.From.civil(), p.To.civil()
	return (p.From == "" || !from.IsZero() && from.CertainlyNotAfter(today)) && (p.To == "" || !to.IsZero() && to.CertainlyAfter(today))
}

// end returns the last day for comparison: rows without one are the latest.
func (p period) end() string {
	if p.To == "" {
		return "9999-12-31"
	}
	return p.To.civil().String()
}

// flag is a JA or NEJ.
type flag string

// set reports whether a flag is there and does not say NEJ: what it says else, we don't know, so it counts.
func (f *flag) set() bool { return f != nil && *f != "NEJ" }

// date is a date as SPAR writes it: YYYY-MM-DD, where month and day may be 00, or less than eight digits.
type date string

// Widths of a date.
const (
	isoWidth   = len("2006-01-02")
	yearWidth  = len("2006")
	monthWidth = len("200601")
)

// civil returns as much of the date as can be read; zero for nothing.
func (d date) civil() civil.Date {
	s := string(d)
	compact := s
	if len(s) >= isoWidth && s[4] == '-' && s[7] == '-' {
		if whole, err := civil.Parse(s[:isoWidth]); err == nil {
			return whole
		}
		compact = s[:4] + s[5:7]
	} else if len(s) > monthWidth+1 {
		return civil.Date{}
	}
	if len(compact) >= monthWidth {
		if month, err := civil.Parse(compact[:4] + "-" + compact[4:6] + "-00"); err == nil {
			return month
		}
	}
	if len(compact) >= yearWidth {
		if year, err := civil.Parse(compact[:4] + "-00-00"); err == nil {
			return year
		}
	}
	return civil.Date{}
}
