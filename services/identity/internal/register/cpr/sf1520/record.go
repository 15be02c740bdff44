package sf1520

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/core/civil"
)

// errValue means that an element holds what its schema does not allow. It never repeats the value.
var errValue = errors.New("cpr sf1520: a value that the schema does not allow")

// Record is what an answer tells of a person, as far as any message of ours can use it: relatives, citizenship, civil status and
// notes are not read. Texts are as delivered. Whatever is missing is zero.
type Record struct {
	Person  *PersonData
	Address Addresses
}

// PersonData is the element persondata.
type PersonData struct {
	Number      string
	Current     string // the number in force, where that is another one
	Name        Name
	Birth       Date
	From        Date // of the number
	Until       Date // of the number
	Status      Status
	Disappeared Date
	NameAddress Protection
	Directory   Protection // hides the person from local directories; no rule of ours knows it
	Marketing   Protection
}

// Name is the element navn. The marks say what is wrong with a part: + shortened, * characters not allowed, = insufficiently
// documented.
type Name struct {
	Addressing string
	Given      string
	Middle     string
	Family     string
	GivenMark  string
	MiddleMark string
	FamilyMark string
	From       Date
}

// Status is the element status: the code without leading zero and since when it holds. Of somebody dead that is the date of death.
type Status struct {
	Code  Code
	Since Date
}

// Protection is one protection. Present says that the element was there at all.
type Protection struct {
	Present   bool
	From      Day
	Until     Day // planned end; the register may have prolonged it, so nothing is ever concluded from it
	Protected Flag
}

// Holds reports whether the person is protected: the register says so, or has the element without saying yes or no. Dates don't
// count (domain rule B.10, 5).
func (p Protection) Holds() bool { return p.Present && p.Protected != FlagFalse }

// Addresses is the element adresse.
type Addresses struct {
	Current Registered
	Abroad  Abroad
	Contact Contact
	History []Registered
}

// Registered is a present or former address in Denmark or Greenland. Line, Addressee, ShortRoad and the supplementary lines are those of
// the present address only, Correction and Until those of a former one only.
type Registered struct {
	Municipality Code
	RoadCode     Code
	House        string // with leading zeros, `016` or `077A`
	Floor        string
	Door         string
	Building     string // in Greenland
	CareOf       string
	Locality     string
	Place        string // the village within the postal district
	PostalCode   string
	District     string
	Road         string
	Line         string // road, house, floor and door as one line
	Addressee    string
	ShortRoad    string
	From         Date
	Until        Date
	Correction   string // says that this entry was corrected or undone
	Extra1       string
	Extra2       string
	Extra3       string
	Extra4       string
	Extra5       string
}

// Abroad is the element udrejseoplysninger: where an emigrated person lives.
type Abroad struct {
	Country     Code
	CountryName string
	Since       Date
	Line1       string
	Line2       string
	Line3       string
	Line4       string
	Line5       string
}

// Contact is the element kontaktAdresse: where a person wants letters to go, who need not live there.
type Contact struct {
	Line1   string
	Line2   string
	Line3   string
	Line4   string
	Line5   string
	From    Day
	Deleted Day // the first day on which it no longer holds
}

// Date is a date with the register's mark of doubt.
type Date struct {
	Day  Day
	Mark string
}

// Uncertain reports whether the register doubts the date.
func (d Date) Uncertain() bool { return strings.TrimSpace(d.Mark) != "" }

// Day is a day as the register writes it: an xsd:date, or an xsd:dateTime whose hours often mean nothing.
type Day struct {
	written civil.Date
	moment  time.Time // set if a dateTime has a time zone
}

// In returns the civil date in the register's zone, or the zero date.
func (d Day) In(zone *time.Location) civil.Date {
	if d.moment.IsZero() {
		return d.written
	}
	return civil.Of(d.moment.In(zone))
}

// UnmarshalText reads an xsd:date or xsd:dateTime; nothing is no day. The zone of an xsd:date changes nothing.
func (d *Day) UnmarshalText(text []byte) error {
	*d = Day{}
	s := strings.TrimSpace(string(text))
	if s == "" {
		return nil
	}
	date, clock, timed := strings.Cut(s, "T")
	var err error
	switch {
	case !timed:
		_, err = time.Parse(time.DateOnly+zoneSuffix(s), s)
		date = s[:min(len(s), len(time.DateOnly))]
	case zoned(clock):
		d.moment, err = time.Parse(time.RFC3339, s)
	case clock == "24:00:00":
		_, err = time.Parse(time.DateOnly, date)
	default:
		_, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil {
		return errValue
	}
	if d.written, err = civil.Parse(date); err != nil {
		return errValue
	}
	return nil
}

// zoneSuffix returns the layout of what stands behind a date.
func zoneSuffix(s string) string {
	if len(s) > len(time.DateOnly) {
		return "Z07:00"
	}
	return ""
}

func zoned(clock string) bool { return strings.ContainsAny(clock, "Z+-") }

// Flag is a boolean that may be unsaid. An unsaid one is not a no.
type Flag uint8

// The values.
const (
	FlagUnsaid Flag = iota
	FlagFalse
	FlagTrue
)

// UnmarshalText reads an xsd:boolean; nothing is unsaid.
func (f *Flag) UnmarshalText(text []byte) error {
	switch strings.TrimSpace(string(text)) {
	case "":
		*f = FlagUnsaid
	case "true", "1":
		*f = FlagTrue
	case "false", "0":
		*f = FlagFalse
	default:
		return errValue
	}
	return nil
}

// Code is a number that the register counts things with; 0 is none.
type Code int

// maxCode is the greatest code with four digits; no code has more.
const maxCode = 9999

// UnmarshalText reads an xsd:integer from 0 to 9999; nothing is 0.
func (c *Code) UnmarshalText(text []byte) error {
	*c = 0
	s := strings.TrimSpace(string(text))
	if s == "" {
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxCode {
		return errValue
	}
	*c = Code(n)
	return nil
}
