package agi

import (
	"encoding/xml"
	"strconv"
	"strings"

	"samvirke.dev/services/income/internal/core/civil"
)

// Codes that say which statement it is.
const (
	codePeriod    = "006"
	codeEmployer  = "201"
	codeRemoved   = "205"
	codeRecipient = "215"
	codeBirth     = "222"
	codeOtherID   = "224"
	codeNumber    = "570"
)

// node is any element.
type node struct {
	XMLName xml.Name `xml:""`
	Code    string   `xml:"faltkod,attr"`
	Text    string   `xml:",chardata"`
	Nodes   []node   `xml:",any"`
}

// child returns the first child of that name, or nil.
func (n *node) child(local string) *node {
	for i := range n.Nodes {
		if c := &n.Nodes[i]; c.XMLName == (xml.Name{Space: nsComponent, Local: local}) {
			return c
		}
	}
	return nil
}

// text returns the text of a child.
func (n *node) text(local string) string {
	if c := n.child(local); c != nil {
		return strings.TrimSpace(c.Text)
	}
	return ""
}

// fields returns every value below an element that has a code.
func (n *node) fields(known *codes) ([]Field, error) {
	var out []Field
	for i := range n.Nodes {
		c := &n.Nodes[i]
		switch {
		case c.XMLName.Space != nsComponent:
			continue
		case c.Code == "":
			below, err := c.fields(known)
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
			continue
		case !digits(c.Code, len(codePeriod)) || len(c.Nodes) > 0:
			return nil, malformed("a field code that is none")
		}
		if name, ok := known.elements[c.Code]; ok && name != c.XMLName.Local {
			return nil, malformed("field " + c.Code + " under another name")
		}
		f := Field{Code: c.Code, Element: c.XMLName.Local, Text: strings.TrimSpace(c.Text)}
		if known.amounts[f.Code] {
			if _, err := strconv.ParseInt(f.Text, 10, 64); err != nil || len(f.Text) > maxAmount {
				return nil, malformed("field " + f.Code + ": want whole kronor")
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// maxAmount is how many characters an amount may have, so that sums never overflow.
const maxAmount = 13

// form reads a Blankett: one HU or one IU.
func (f *file) form(start *xml.StartElement) error {
	var n node
	if err := f.decode(&n, start); err != nil {
		return err
	}
	about, content := n.child("Arendeinformation"), n.child("Blankettinnehall")
	if about == nil || content == nil {
		return malformed("Blankett without Arendeinformation or Blankettinnehall")
	}
	main, single := content.child("HU"), content.child("IU")
	switch {
	case (main == nil) == (single == nil):
		return malformed("Blankettinnehall: want one HU or IU")
	case main != nil:
		return f.total(about, main)
	}
	s, err := f.statement(about, single)
	if err != nil || f.into.Statement == nil {
		return err
	}
	return f.into.Statement(s)
}

func (f *file) total(about, main *node) error {
	fields, err := main.fields(f.known)
	if err != nil {
		return err
	}
	t := &Total{}
	for _, field := range fields {
		switch field.Code {
		case codeEmployer:
			t.Employer = field.Text
		case codePeriod:
			if t.Period, err = period(field.Text, about); err != nil {
				return err
			}
		default:
			t.Fields = append(t.Fields, field)
		}
	}
	if !digits(t.Employer, idLength) || t.Period == 0 {
		return malformed("HU without employer or period")
	}
	if f.into.Total == nil {
		return nil
	}
	return f.into.Total(t)
}

// statement reads an IU.
func (f *file) statement(about, single *node) (*Statement, error) {
	fields, err := single.fields(f.known)
	if err != nil {
		return nil, err
	}
	s := &Statement{}
	seen := map[string]bool{}
	number := ""
	for _, field := range fields {
		if seen[field.Code] {
			return nil, malformed("field " + field.Code + " given twice")
		}
		seen[field.Code] = true
		switch field.Code {
		case codeEmployer:
			s.Key.Employer = field.Text
		case codeRecipient:
			s.Key.Recipient.ID = field.Text
		case codeBirth:
			s.Key.Recipient.Birth = field.Text
		case codeOtherID:
			s.Key.Recipient.Other = field.Text
		case codePeriod:
			if s.Key.Period, err = period(field.Text, about); err != nil {
				return nil, err
			}
		case codeNumber:
			number = field.Text
		case codeRemoved:
			if field.Text != "0" && field.Text != "1" {
				return nil, malformed("field 205: want 0 or 1")
			}
			s.Removed = field.Text == "1"
		default:
			s.Fields = append(s.Fields, field)
		}
	}
	if s.Key.Number, err = strconv.ParseUint(number, 10, 64); err != nil || len(number) > maxNumber {
		return nil, malformed("IU: field 570: want a number of at most ten digits")
	}
	return s, s.check()
}

// maxNumber is how many digits field 570 may have.
const maxNumber = 10

// check says whether it is clear which statement it is.
func (s *Statement) check() error {
	r := s.Key.Recipient
	set := 0
	for _, id := range []string{r.ID, r.Birth, r.Other} {
		if id != "" {
			set++
		}
	}
	switch {
	case !digits(s.Key.Employer, idLength):
		return malformed("IU: field 201: want 12 digits")
	case set != 1 || r.ID != "" && !digits(r.ID, idLength):
		return malformed("IU: want one recipient, and 12 digits in field 215")
	case s.Key.Period == 0:
		return malformed("IU: field 006 is missing")
	}
	return nil
}

// period reads YYYYMM, which must be that of the form.
func period(text string, about *node) (civil.Month, error) {
	if !digits(text, len("200601")) || about.text("Period") != text {
		return 0, malformed("field 006: want the form's own Period, YYYYMM")
	}
	m, err := civil.ParseMonth(text[:4] + "-" + text[4:])
	if err != nil {
		return 0, malformed("field 006: want YYYYMM")
	}
	return m, nil
}
