package spar

import (
	"strings"

	"samvirke.dev/services/identity/internal/core/civil"
)

// record is a PersonsokningSvarspost, as far as the core has words for it.
type record struct {
	ID               text      `xml:"PersonId>IdNummer"`
	Mark             *flag     `xml:"Sekretessmarkering"`
	MarkSince        date      `xml:"SekretessDatum"`
	Registration     *flag     `xml:"SkyddadFolkbokforing"`
	RegistrationFrom date      `xml:"SkyddadFolkbokforingDatum"`
	Names            []name    `xml:"Namn"`
	Details          []details `xml:"Persondetaljer"`
	Registered       []address `xml:"Folkbokforingsadress"`
	Special          []address `xml:"SarskildPostadress"`
	Abroad           []address `xml:"Utlandsadress"`
	Contact          []address `xml:"Kontaktadress"`
}

func (r *record) number() string { return r.ID.String() }

// flagged reports whether the record has both flags, as the schema demands: without them nothing can be said of a protection.
func (r *record) flagged() bool { return r.Mark != nil && r.Registration != nil }

type name struct {
	period
	Notice text `xml:"Aviseringsnamn"`
	Given  text `xml:"Fornamn"`
	Middle text `xml:"Mellannamn"`
	Family text `xml:"Efternamn"`
}

type details struct {
	period
	Mark         *flag       `xml:"Sekretessmarkering"`
	Registration *flag       `xml:"SkyddadFolkbokforing"`
	Reason       text        `xml:"AvregistreringsorsakKod"`
	Died         date        `xml:"Avlidendatum"`
	FoundDead    date        `xml:"AntraffadDodDatum"`
	Born         date        `xml:"Fodelsedatum"`
	References   []reference `xml:"Hanvisning"`
	HolderDied   date        `xml:"SnAvlidendatum"`
}

// reference is a Hanvisning to another number of the person.
type reference struct {
	ID   text `xml:"IdNummer"`
	Type text `xml:"Typ"` // Till, Fran or nothing
}

// address is one of the kinds of address: each holds one or the other.
type address struct {
	Swedish []swedish `xml:"SvenskAdress"`
	Foreign []foreign `xml:"InternationellAdress"`
}

type swedish struct {
	period
	CareOf     text `xml:"CareOf"`
	Line1      text `xml:"Utdelningsadress1"`
	Line2      text `xml:"Utdelningsadress2"` // where the street usually stands
	PostalCode text `xml:"PostNr"`
	City       text `xml:"Postort"`
}

type foreign struct {
	period
	Line1   text `xml:"Utdelningsadress1"`
	Line2   text `xml:"Utdelningsadress2"`
	Line3   text `xml:"Utdelningsadress3"`
	Country text `xml:"Land"`
}

// period is when a row holds: from From on, and no longer on To. Without history there is neither, and the row holds.
type period struct {
	From date `xml:"DatumFrom"`
	To   date `xml:"DatumTill"`
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

// text is a text without the white space around it.
type text string

// String returns it.
func (t text) String() string { return trim(string(t)) }

func trim(s string) string { return strings.TrimSpace(s) }

// flag is a JA or NEJ.
type flag string

// set reports whether a flag is there and does not say NEJ: what it says else, we don't know, so it counts.
func (f *flag) set() bool { return f != nil && trim(string(*f)) != "NEJ" }

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
	s := trim(string(d))
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
