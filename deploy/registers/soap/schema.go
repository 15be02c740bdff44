package soap

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SchemaError tells where a message breaks its schema.
type SchemaError struct {
	Element string // local name
	Rule    string
}

// Error names the element and the rule.
func (e *SchemaError) Error() string { return "soap: " + e.Element + ": " + e.Rule }

func broken(n *Node, rule string) error { return &SchemaError{Element: n.Name.Local, Rule: rule} }

// Check is a rule for the text of an element.
type Check func(text string) bool

// Cursor reads the children of an element in the order of its schema. After the first breach it returns nothing more, and End tells
// the breach.
type Cursor struct {
	parent *Node
	rest   []*Node
	err    error
}

// Sequence starts reading an element that has element content.
func Sequence(n *Node) *Cursor {
	c := &Cursor{parent: n, rest: n.Children}
	switch {
	case !blank(n.Text):
		c.err = broken(n, "text between elements")
	default:
		c.err = plain(n)
	}
	return c
}

// plain refuses attributes; the schemas of our messages have none but the hints that every instance may carry.
func plain(n *Node) error {
	for _, a := range n.Attrs {
		if a.Name.Space != xsi || a.Name.Local != "schemaLocation" && a.Name.Local != "noNamespaceSchemaLocation" {
			return broken(n, "an attribute that the schema does not know")
		}
	}
	return nil
}

// Is reports whether the next element has the name.
func (c *Cursor) Is(space, local string) bool {
	return c.err == nil && len(c.rest) > 0 && c.rest[0].Name == xml.Name{Space: space, Local: local}
}

// Optional returns the next element if it has the name.
func (c *Cursor) Optional(space, local string) *Node {
	if !c.Is(space, local) {
		return nil
	}
	n := c.rest[0]
	c.rest = c.rest[1:]
	return n
}

// Required returns the next element, which must have the name.
func (c *Cursor) Required(space, local string) *Node {
	n := c.Optional(space, local)
	if n == nil && c.err == nil {
		c.err = broken(c.parent, "expected "+local)
	}
	return n
}

// Value is Required for an element with text.
func (c *Cursor) Value(space, local string, check Check) string {
	return c.value(c.Required(space, local), check)
}

// OptionalValue is Optional for an element with text; empty where it is absent.
func (c *Cursor) OptionalValue(space, local string, check Check) string {
	return c.value(c.Optional(space, local), check)
}

func (c *Cursor) value(n *Node, check Check) string {
	if n == nil || c.err != nil {
		return ""
	}
	if c.err = Simple(n, check); c.err != nil {
		return ""
	}
	return n.Text
}

// Simple checks an element that has text only.
func Simple(n *Node, check Check) error {
	if err := plain(n); err != nil {
		return err
	}
	if len(n.Children) > 0 {
		return broken(n, "elements where a value belongs")
	}
	if !check(n.Text) {
		return broken(n, "not a value of its type")
	}
	return nil
}

// Fail notes a breach found by the caller.
func (c *Cursor) Fail(rule string) {
	if c.err == nil {
		c.err = broken(c.parent, rule)
	}
}

// Join notes a breach found deeper inside.
func (c *Cursor) Join(err error) {
	if c.err == nil {
		c.err = err
	}
}

// End returns the first breach; an element that is left over is one.
func (c *Cursor) End() error {
	if c.err == nil && len(c.rest) > 0 {
		c.err = broken(c.parent, "an element out of place")
	}
	return c.err
}

// Length accepts texts of so many characters.
func Length(least, most int) Check {
	return func(s string) bool { n := utf8.RuneCountInString(s); return n >= least && n <= most }
}

// Pattern accepts what a regular expression matches from beginning to end.
func Pattern(expression string) Check {
	return regexp.MustCompile(`\A(?:` + expression + `)\z`).MatchString
}

// OneOf accepts these texts.
func OneOf(texts ...string) Check { return func(s string) bool { return slices.Contains(texts, s) } }

// Integer accepts a whole number in the given bounds, as xs:int and xs:long write it.
func Integer(least, most int64) Check {
	return func(s string) bool { n, ok := Int(s); return ok && n >= least && n <= most }
}

// Int is the number that a text means to xs:int and xs:long.
func Int(s string) (int64, bool) {
	n, err := strconv.ParseInt(collapse(s), 10, 64)
	return n, err == nil
}

// Date accepts an xs:date, with or without time zone.
func Date(s string) bool { _, ok := Day(s); return ok }

// Day is the day of an xs:date as `YYYY-MM-DD`.
func Day(s string) (string, bool) {
	s = collapse(s)
	if len(s) < len(time.DateOnly) {
		return "", false
	}
	day, zone := s[:len(time.DateOnly)], s[len(time.DateOnly):]
	if _, err := time.Parse(time.DateOnly, day); err != nil || day < "0001" {
		return "", false
	}
	if zone == "" || zone == "Z" {
		return day, true
	}
	_, err := time.Parse("-07:00", zone)
	return day, err == nil
}

func collapse(s string) string { return strings.Trim(s, " \t\r\n") }

// Words accepts what the pattern `\w+[\w\s…]*` of XML Schema accepts, with the given further characters after the first, in a text of
// at most so many characters. Go's \w is ASCII only; the schema's is every letter, mark, number and symbol.
func Words(more string, most int) Check {
	length := Length(1, most)
	return func(s string) bool {
		if !length(s) {
			return false
		}
		for i, r := range s {
			word := unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.S)
			if !word && (i == 0 || !strings.ContainsRune(" \t\r\n"+more, r)) {
				return false
			}
		}
		return true
	}
}

// Any accepts every text.
func Any(string) bool { return true }

// String describes an element without its content.
func (n *Node) String() string { return fmt.Sprintf("<%s>", n.Name.Local) }
