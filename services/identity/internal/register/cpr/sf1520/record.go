package sf1520

import (
	"encoding/xml"
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
	Person  *PersonData `xml:"persondata"`
	Address Addresses   `xml:"adresse"`
}

// PersonData is the element persondata.
type PersonData struct {
	Number      string     `xml:"personnummer"`
	Current     string     `xml:"gaeldendePersonnummer"` // the number in force, where that is another one
	Name        Name       `xml:"navn"`
	Birth       Date       `xml:"foedselsdato"`
	From        Date       `xml:"startdato"` // of the number
	Until       Date       `xml:"slutdato"`  // of the number
	Status      Status     `xml:"status"`
	Disappeared Date       `xml:"forsvindingsdato"`
	NameAddress Protection `xml:"adressebeskyttelse"`
	Directory   Protection `xml:"vejviserbeskyttelse"` // hides the person from local directories; no rule of ours knows it
	Marketing   Protection `xml:"markedsfoeringsbeskyttelse"`
}

// Name is the element navn. The marks say what is wrong with a part: + shortened, * characters not allowed, = insufficiently
// documented.
type Name struct {
	Addressing string `xml:"personadresseringsnavn"`
	Given      string `xml:"fornavn"`
	Middle     string `xml:"mellemnavn"`
	Family     string `xml:"efternavn"`
	GivenMark  string `xml:"fornavnMarkering"`
	MiddleMark string `xml:"mellemnavnMarkering"`
	FamilyMark string `xml:"efternavnMarkering"`
	From       Date   `xml:"navnestartdato"`
}

// Status is the element status: the code without leading zero and since when it holds. Of somebody dead that is the date of death.
type Status struct {
	Code  Code `xml:"status"`
	Since Date `xml:"statusdato"`
}

// Protection is one protection. Present says that the element was there at all.
type Protection struct {
	Present   bool
	From      Day
	Until     Day // planned end; the register may have prolonged it, so nothing is ever concluded from it
	Protected Flag
}

// UnmarshalXML reads the element and notes that it was there.
func (p *Protection) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var raw struct {
		From      Day  `xml:"startdato"`
		Until     Day  `xml:"slutdato"`
		Protected Flag `xml:"beskyttet"`
	}
	if err := d.DecodeElement(&raw, &start); err != nil {
		return err
	}
	*p = Protection{Present: true, From: raw.From, Until: raw.Until, Protected: raw.Protected}
	return nil
}

// Holds reports whether the person is protected: the register says so, or has the element without saying yes or no. Dates don't
// count (domain rule B.10, 5).
func (p Protection) Holds() bool { return p.Present && p.Protected != FlagFalse }

// Addresses is the element adresse.
type Addresses struct {
	Current Registered   `xml:"aktuelAdresse"`
	Abroad  Abroad       `xml:"udrejseoplysninger"`
	Contact Contact      `xml:"kontaktAdresse"`
	History []Registered `xml:"adresseHistorik"`
}

// Registered is a present or former address in Denmark or Greenland. Line, Addressee, ShortRoad and the supplementary lines are those of
// the present address only, Correction and Until those of a former one only.
type Registered struct {
	Municipality Code   `xml:"kommunekode"`
	RoadCode     Code   `xml:"vejkode"`
	House        string `xml:"husnummer"` // with leading zeros, `016` or `077A`
	Floor        string `xml:"etage"`
	Door         string `xml:"sidedoer"`
	Building     string `xml:"bygningsnummer"` // in Greenland
	CareOf       string `xml:"conavn"`
	Locality     string `xml:"lokalitet"`
	Place        string `xml:"bynavn"` // the village within the postal district
	PostalCode   string `xml:"postnummer"`
	District     string `xml:"postdistrikt"`
	Road         string `xml:"vejnavn"`
	Line         string `xml:"standardadresse"` // road, house, floor and door as one line
	Addressee    string `xml:"adresseringsnavn"`
	ShortRoad    string `xml:"vejadresseringsnavn"`
	From         Date   `xml:"tilflytningsdato"`
	Until        Date   `xml:"fraflytningsdato"`
	Correction   string `xml:"retFortrydMarkering"` // says that this entry was corrected or undone
	Extra1       string `xml:"adr1-supladr"`
	Extra2       string `xml:"adr2-supladr"`
	Extra3       string `xml:"adr3-supladr"`
	Extra4       string `xml:"adr4-supladr"`
	Extra5       string `xml:"adr5-supladr"`
}

// Abroad is the element udrejseoplysninger: where an emigrated person lives.
type Abroad struct {
	Country     Code   `xml:"udrejselandekode"`
	CountryName string `xml:"udrejselandekodeMyndighedsnavn"`
	Since       Date   `xml:"udrejsedato"`
	Line1       string `xml:"udlandsadresse1"`
	Line2       string `xml:"udlandsadresse2"`
	Line3       string `xml:"udlandsadresse3"`
	Line4       string `xml:"udlandsadresse4"`
	Line5       string `xml:"udlandsadresse5"`
}

// Contact is the element kontaktAdresse: where a person wants letters to go, who need not live there.
type Contact struct {
	Line1   string `xml:"kontaktAdr1"`
	Line2   string `xml:"kontaktAdr2"`
	Line3   string `xml:"kontaktAdr3"`
	Line4   string `xml:"kontaktAdr4"`
	Line5   string `xml:"kontaktAdr5"`
	From    Day    `xml:"startdato"`
	Deleted Day    `xml:"slettedato"` // the first day on which it no longer holds
}

// Date is a date with the register's mark of doubt.
type Date struct {
	Day  Day    `xml:"dato"`
	Mark string `xml:"usikkerhedsmarkering"`
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
