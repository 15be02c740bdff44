package soap

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// text returns the content of a message in UTF-8 without byte order mark and XML declaration, after making sure that all of it is
// characters that XML allows. charset is what the transport says, or "": then the declaration decides.
func text(raw []byte, charset string) ([]byte, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	raw, declared, err := declaration(raw)
	if err != nil {
		return nil, err
	}
	if charset == "" {
		charset = declared
	}
	switch charset {
	case "", "utf-8", "us-ascii":
	case "iso-8859-1":
		if raw, err = charmap.ISO8859_1.NewDecoder().Bytes(raw); err != nil {
			return nil, malformed("not ISO-8859-1")
		}
	default:
		return nil, malformed("an unknown character set")
	}
	return raw, allowed(raw)
}

// declaration takes the XML declaration off, if there is one, and returns the character set that it names, in lower case, or "".
func declaration(raw []byte) (rest []byte, charset string, err error) {
	after, ok := bytes.CutPrefix(raw, []byte("<?xml"))
	if !ok || len(after) == 0 || !isSpace(after[0]) {
		return raw, "", nil // any other instruction is refused where instructions are
	}
	inside, rest, ok := bytes.Cut(after, []byte("?>"))
	if !ok {
		return nil, "", malformed("an XML declaration without end")
	}
	// Inside it looks like the attributes of an element.
	s := scanner{in: inside, names: map[string]*tag{}}
	version := ""
	for s.passSpace() && s.pos < len(s.in) {
		a, err := s.attribute()
		if err != nil {
			return nil, "", err
		}
		switch a.Name.Local {
		case "version":
			version = a.Value
		case "encoding":
			charset = strings.ToLower(a.Value)
		case "standalone":
		default:
			return nil, "", malformed("an XML declaration")
		}
	}
	if s.pos < len(s.in) || version != "1.0" {
		return nil, "", malformed("an XML declaration, or another version of XML")
	}
	return rest, charset, nil
}

// allowed refuses what is not UTF-8 and characters that XML does not have.
func allowed(b []byte) error {
	if !utf8.Valid(b) {
		return malformed("not UTF-8")
	}
	for _, c := range b {
		if c < ' ' && !isSpace(c) {
			return malformed("a control character")
		}
	}
	if bytes.Contains(b, []byte("\ufffe")) || bytes.Contains(b, []byte("\uffff")) {
		return malformed("a character that XML does not have")
	}
	return nil
}

// newlines writes every end of line as \n. It returns b itself if there is nothing to do.
func newlines(b []byte) []byte {
	if bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// maxReference is longer than the longest reference, between ampersand and semicolon.
const maxReference = 16

// expand replaces references: XML's own five and those by number. It returns b itself if there are none.
func expand(b []byte) ([]byte, error) {
	i := bytes.IndexByte(b, '&')
	if i < 0 {
		return b, nil
	}
	out := make([]byte, 0, len(b))
	for i >= 0 {
		out = append(out, b[:i]...)
		b = b[i+1:]
		end := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
		if end < 0 {
			return nil, malformed("a reference without end")
		}
		r, ok := reference(string(b[:end]))
		if !ok {
			return nil, malformed("an unknown entity")
		}
		out = utf8.AppendRune(out, r)
		b = b[end+1:]
		i = bytes.IndexByte(b, '&')
	}
	return append(out, b...), nil
}

// reference returns the character that a reference stands for.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), err == nil && isChar(rune(n))
}

// isChar reports whether XML allows the character (XML 1.0, 2.2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
