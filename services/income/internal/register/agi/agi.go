// Package agi reads employers' declarations (arbetsgivardeklaration på individnivå, AGI), the form in which Skatteverket has Swedish
// income: one statement (individuppgift, IU) for each recipient, employer and month, in whole kronor. There are no hours in it.
//
// How a fund gets them is not published, so this package reads files; see Book for what becomes of several.
//
// # What is read
//
// Every value of a statement, by its field code (attribute faltkod), known or not. A known code under another element's name is an error, as
// is anything that leaves open whose statement it is, or for which month. Elements without a code that hold no values are passed over.
//
// A file is read from beginning to end without being held; statements are handed on one by one. One that breaks off, or breaks the
// form at any place, is an error in the end, and nothing of it may be used: hand statements to a Book that is thrown away then.
//
// No error holds anything of the file but element names and field codes that the format knows.
//
// Sources: Skatteverket's published example file, and field codes in public code and documents (registers.md, 4); no schema was found.
package agi

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
)

// Namespaces of the format, version 1.1.
const (
	nsFile      = "http://xmls.skatteverket.se/se/skatteverket/da/instans/schema/1.1"
	nsComponent = "http://xmls.skatteverket.se/se/skatteverket/da/komponent/schema/1.1"
)

// ErrMalformed means that a file is not what the format allows. Its message says where.
var ErrMalformed = errors.New("agi: malformed file")

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// Head is what a file says about itself.
type Head struct {
	Sender   string    // organisation number of who made the file, 12 digits
	Employer string    // 12 digits
	Created  time.Time // in the file's own time, which has no zone
}

// Key says which statement it is. A later one with the same key replaces the earlier one whole.
type Key struct {
	Employer  string // field 201, 12 digits
	Recipient Recipient
	Period    civil.Month // field 006
	Number    uint64      // field 570, which the employer chose
}

// Recipient is who was paid. Exactly one is set.
type Recipient struct {
	ID    string // field 215, 12 digits: a personal, coordination or organisation number
	Birth string // field 222, for somebody without a number
	Other string // field 224
}

// Statement is an IU.
type Statement struct {
	Key     Key
	Removed bool    // field 205: the employer takes the statement back
	Fields  []Field // all others, in the order of the file
}

// Field is a value by its code.
type Field struct {
	Code    string // three digits
	Element string
	Text    string
}

// Kronor returns the amount of a field, or 0 where there is none.
func (s *Statement) Kronor(code string) int64 {
	for _, f := range s.Fields {
		if f.Code == code {
			n, err := strconv.ParseInt(f.Text, 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// Total is an employer's main statement (huvuduppgift, HU).
type Total struct {
	Employer string
	Period   civil.Month
	Fields   []Field
}

// Absence is a statement about parental benefit (frånvarouppgift), from period 202501 on.
type Absence struct {
	Fields []Field
}

// Into takes what a file holds, in its order. A function left nil is not called; an error of one ends the reading and is returned.
type Into struct {
	Head      func(Head) error
	Statement func(*Statement) error
	Total     func(*Total) error
	Absence   func(*Absence) error
}

// Read reads a file of at most limit bytes. Errors: ErrMalformed, those of r and those of into.
func Read(r io.Reader, limit int64, into Into) error {
	counted := &io.LimitedReader{R: r, N: limit + 1}
	f := &file{dec: xml.NewTokenDecoder(newGuard(counted)), known: newCodes(), into: into}
	err := f.read()
	if counted.N <= 0 {
		return malformed("too large")
	}
	return err
}

// file walks through one file.
type file struct {
	dec   *xml.Decoder
	known *codes
	into  Into
}

func (f *file) read() error {
	root, err := f.next()
	switch {
	case err != nil:
		return err
	case root == nil || root.Name != (xml.Name{Space: nsFile, Local: "Skatteverket"}):
		return malformed("not an AGI file of version 1.1")
	}
	var head Head
	for {
		start, err := f.next()
		if err != nil {
			return err
		}
		if start == nil {
			break
		}
		if err := f.part(start, &head); err != nil {
			return err
		}
	}
	return f.end()
}

// end demands that nothing follows but white space.
func (f *file) end() error {
	for {
		t, err := f.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		text, ok := t.(xml.CharData)
		if err != nil || !ok || strings.TrimSpace(string(text)) != "" {
			return malformed("something follows the file")
		}
	}
}

// part reads one element below the root.
func (f *file) part(start *xml.StartElement, head *Head) error {
	if start.Name.Space != nsComponent {
		return f.skip()
	}
	switch start.Name.Local {
	case "Avsandare":
		return f.sender(start, head)
	case "Blankettgemensamt":
		return f.common(start, head)
	case "Blankett":
		return f.form(start)
	case "Franvarouppgift":
		var n node
		if err := f.decode(&n, start); err != nil {
			return err
		}
		fields, err := n.fields(f.known)
		if err != nil || f.into.Absence == nil {
			return err
		}
		return f.into.Absence(&Absence{Fields: fields})
	default:
		return f.skip()
	}
}

func (f *file) sender(start *xml.StartElement, head *Head) error {
	var n node
	if err := f.decode(&n, start); err != nil {
		return err
	}
	head.Sender = n.text("Organisationsnummer")
	created, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(n.text("Skapad"), "Z"))
	if err != nil {
		return malformed("Skapad")
	}
	head.Created = created
	return nil
}

func (f *file) common(start *xml.StartElement, head *Head) error {
	var n node
	if err := f.decode(&n, start); err != nil {
		return err
	}
	employer := n.child("Arbetsgivare")
	if employer == nil || !digits(employer.text("AgRegistreradId"), idLength) {
		return malformed("Blankettgemensamt without AgRegistreradId")
	}
	head.Employer = employer.text("AgRegistreradId")
	if f.into.Head == nil {
		return nil
	}
	return f.into.Head(*head)
}

// next returns the next start, or nil at the end of the present element.
func (f *file) next() (*xml.StartElement, error) {
	for {
		t, err := f.dec.Token()
		if err != nil {
			return nil, wrap(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil //nolint:nilnil // an end is neither a start nor an error
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, malformed("text between elements")
			}
		}
	}
}

func (f *file) skip() error { return wrap(f.dec.Skip()) }

func (f *file) decode(into *node, start *xml.StartElement) error {
	return wrap(f.dec.DecodeElement(into, start))
}

// wrap keeps our errors and those of the reader, and hides the words of the decoder, which may repeat the file.
func wrap(err error) error {
	syntax, isSyntax := errors.AsType[*xml.SyntaxError](err)
	switch {
	case err == nil || errors.Is(err, ErrMalformed):
		return err
	case isSyntax:
		return malformed("line " + strconv.Itoa(syntax.Line))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("breaks off")
	}
	if _, ok := errors.AsType[*readError](err); ok {
		return err
	}
	return malformed("not XML as the format has it")
}

// idLength is how many digits identities have.
const idLength = 12

func digits(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789") == ""
}
