// Package direkte reads CPR Direkte (product P12170): the deliveries of a subscription and the answers of the on-line service, both in
// records of fixed width.
//
// # Deliveries
//
// A delivery is a file in ISO-8859-1 with one record a line, LF or CRLF, blanks at the end left out. It begins with record 000 and ends
// with 999, which counts the records between the two. Between them stand, as in the one published delivery:
//
//   - the persons, each with all its records one after the other, sorted by record type from 001 to 099;
//   - then, where CPR sorted them by address, the records 003 (clear written address) of all those persons in another order. A 003 may as
//     well stand among the person's own records or right behind them;
//   - records 910 (a request that failed) and 997 (a subscription that ended) between the persons or at the end, and events (099) of somebody
//     of whom nothing else is told.
//
// Anything else is no sound delivery and is refused whole, before the first person of it is handed on, with the line that gives it away and
// without any value of it. A record of a person between those of another is refused too. Record types below 900 that CPR may have added
// are skipped and counted as long as they stand in their order among the records of a person; those from 900 on are refused, as they
// would tell how to read the rest.
//
// Memory grows by some 30 bytes for each person of a delivery, which are needed to find a person given twice and to bring an address to
// its person, and by nothing else.
//
// # What a delivery means
//
// The records of a person are all that CPR knows now, so a person replaces what was known. How the states, protections and addresses are
// read is written at Update and Person.
package direkte

import (
	"strings"
	"unicode/utf8"
)

// Kind is what a field holds. A field that is left blank holds nothing, whatever its kind.
type Kind uint8

// The kinds.
const (
	Text      Kind = iota // free text
	Digits                // digits in the whole width
	Day                   // YYYY-MM-DD, with 00 for what is unknown
	PackedDay             // YYYYMMDD; zeros for none
	Stamp                 // YYYYMMDDHHMM in Danish time; zeros for what is unknown, minute 99 for none
	Doubt                 // * if what stands before it is uncertain
	NameMark              // + shortened, * characters that are not allowed, = insufficiently documented
	Subject               // the number of the person whose record it is; never blank
	Number                // a person's number
	Relative              // ten digits: the number of somebody else, zeros if unknown; not looked at further
)

// Field is a field of a record.
type Field struct {
	Name     string // CPR's own, unique in its record
	Position int    // of the first character, from 1
	Length   int    // in characters
	Kind     Kind
}

// Layout is the layout of a record type.
type Layout struct {
	Type   int // 0 to 999
	Name   string
	Length int  // of the whole line before blanks are cut off
	Once   bool // at most one in a delivery or of a person
	Fields []Field
}

// Layouts returns the layouts of all known records by type. The record type itself, three digits at position 1, is not among the fields.
func Layouts() []Layout { return table() }

// Record types that are more than material.
const (
	typeStart   = 0
	typePerson  = 1
	typeAddress = 2
	typeWritten = 3
	typeProtect = 4
	typeAbroad  = 5
	typeContact = 6
	typeName    = 8
	typeFormer  = 22
	typeEvent   = 99
	typeControl = 900 // those from here on are not of a person
	typeFailure = 910
	typeReceipt = 997
	typeEnd     = 999
	types       = 1000
)

// Widths of what every record begins with.
const (
	typeWidth   = 3
	numberWidth = 10
	numberEnd   = typeWidth + numberWidth
)

// Reader reads deliveries and answers. It is safe for concurrent use.
type Reader struct {
	shapes [types]*shape // nil for a type that is not known
}

// shape is a layout made ready for reading.
type shape struct {
	Layout
	strict []Field // those fields that may not hold just anything, in order
}

// New returns a reader.
func New() *Reader {
	r := &Reader{}
	for _, l := range table() {
		s := &shape{Layout: l}
		for _, f := range l.Fields {
			if f.Kind != Text && f.Kind != Subject {
				s.strict = append(s.strict, f)
			}
		}
		r.shapes[l.Type] = s
	}
	return r
}

// Record is one line. It is valid until the next one is read, and so is all that is taken from it.
type Record struct {
	Type  int
	shape *shape // nil if the type is not known
	line  []byte // without line end
}

// Known reports whether the record's layout is known.
func (r Record) Known() bool { return r.shape != nil }

// Layout returns the record's layout, or the zero value if it is not known.
func (r Record) Layout() Layout {
	if r.shape == nil {
		return Layout{}
	}
	return r.shape.Layout
}

// Raw returns the line as it stands, without line end.
func (r Record) Raw() []byte { return r.line }

// Field returns a field of the layout without the blanks around it, as bytes in ISO-8859-1. It allocates nothing.
func (r Record) Field(f Field) []byte { return trim(r.cut(f.Position-1, f.Length)) }

// Get returns the field of that name like Field, or nil if the record has none of that name.
func (r Record) Get(name string) []byte {
	if r.shape == nil {
		return nil
	}
	for i := range r.shape.Fields {
		if f := &r.shape.Fields[i]; f.Name == name {
			return r.Field(*f)
		}
	}
	return nil
}

// Text returns the field of that name as text.
func (r Record) Text(name string) string { return latin1(r.Get(name)) }

// number returns the ten characters behind the record type, or fewer in a line that is too short.
func (r Record) number() []byte { return r.cut(typeWidth, numberWidth) }

// cut returns what the line has of a field: nothing of one that was cut off as blank.
func (r Record) cut(from, length int) []byte {
	if from >= len(r.line) {
		return nil
	}
	return r.line[from:min(from+length, len(r.line))]
}

func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// latin1 turns ISO-8859-1 into a string.
func latin1(b []byte) string {
	wide := 0
	for _, c := range b {
		if c >= utf8.RuneSelf {
			wide++
		}
	}
	if wide == 0 {
		return string(b)
	}
	var out strings.Builder
	out.Grow(len(b) + wide)
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}
