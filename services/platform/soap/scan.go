package soap

import (
	"bytes"
	"encoding/xml"
	"io"
	"unicode/utf8"
)

// Limits on a message besides its size in bytes.
const (
	maxDepth        = 64
	maxAttributes   = 128 // of one element, namespace declarations included
	bytesPerElement = 32  // a message has room for limit/bytesPerElement elements: smaller ones on average are no register's
)

// scanner cuts a message into the raw tokens that a register's message may have: elements, attributes, text. It is what keeps
// messages safe: it does not know document types, entities of their own or processing instructions, and stops at the first thing
// that it does not know. An xml.Decoder behind it resolves namespaces, matches ends with starts and fills structs.
//
// It exists beside the decoder's own scanner because that one lets all of the above pass and takes more than half of the time of
// a call. Whatever it accepts, that one accepts with the same outcome (FuzzScan), but for white space between two tags of which the
// first does not start an element that the second ends: it means nothing in a register's message and is left out.
type scanner struct {
	in          []byte // whole message in UTF-8
	pos         int
	open        []*tag // elements that have begun
	elements    int64
	maxElements int64
	names       names
	inLeaf      bool // whether the last tag started an element
	closing     *tag // an element that its start closed
	err         error
}

// tag is a name with the tokens of its tags, which are made once.
type tag struct {
	written    string
	name       xml.Name
	start, end xml.Token
}

func newTag(written string, name xml.Name) *tag {
	return &tag{written: written, name: name, start: xml.StartElement{Name: name}, end: xml.EndElement{Name: name}}
}

// names are the tags met so far, by the names as written. A client keeps them from message to message: a register writes the same few
// again and again.
type names map[string]*tag

// newScanner reads a message from memory. limit is the largest size of such messages; charset is what the transport says, or "":
// then the XML declaration decides. The names are used until the message is read.
func newScanner(raw []byte, limit int64, charset string, known names) *scanner {
	s := &scanner{maxElements: limit / bytesPerElement, names: known}
	s.in, s.err = text(raw, charset)
	return s
}

// Token implements xml.TokenReader. Text stays valid.
func (s *scanner) Token() (xml.Token, error) {
	if s.err != nil {
		return nil, s.err
	}
	t, err := s.token()
	if err != nil && err != io.EOF { //nolint:errorlint // our own
		s.err = err
	}
	return t, err
}

func (s *scanner) token() (xml.Token, error) {
	if closing := s.closing; closing != nil {
		s.closing = nil
		return s.close(closing), nil
	}
	for s.pos < len(s.in) {
		if s.in[s.pos] != '<' {
			if text := s.cutText(); !s.meansNothing(text) {
				return textToken(text)
			}
			continue
		}
		rest := s.in[s.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("</")):
			return s.endTag()
		case bytes.HasPrefix(rest, []byte("<!--")):
			if err := s.passComment(); err != nil {
				return nil, err
			}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return s.cdata()
		case bytes.HasPrefix(rest, []byte("<!")):
			return nil, malformed("a document type or another directive")
		case bytes.HasPrefix(rest, []byte("<?")):
			return nil, malformed("a processing instruction")
		default:
			return s.startTag()
		}
	}
	return nil, io.EOF
}

func (s *scanner) passComment() error {
	const open, shut = "<!--", "--"
	body := s.in[s.pos+len(open):]
	i := bytes.Index(body, []byte(shut))
	if i < 0 || i+len(shut) >= len(body) || body[i+len(shut)] != '>' {
		return malformed("a comment without end")
	}
	s.pos += len(open) + i + len(shut) + 1
	return nil
}

func (s *scanner) cdata() (xml.Token, error) {
	const open, shut = "<![CDATA[", "]]>"
	body := s.in[s.pos+len(open):]
	i := bytes.Index(body, []byte(shut))
	if i < 0 {
		return nil, malformed("a CDATA section without end")
	}
	s.pos += len(open) + i + len(shut)
	return xml.CharData(newlines(body[:i])), nil
}

// cutText takes off the text up to the next tag or the end.
func (s *scanner) cutText() []byte {
	text := s.in[s.pos:]
	if i := bytes.IndexByte(text, '<'); i >= 0 {
		text = text[:i]
	}
	s.pos += len(text)
	return text
}

// meansNothing reports whether a text just cut is white space between two tags that do not start and end one element.
func (s *scanner) meansNothing(text []byte) bool {
	if !blank(text) || s.pos+1 >= len(s.in) {
		return false
	}
	next := s.in[s.pos+1]
	return next != '!' && (next != '/' || !s.inLeaf) // behind a comment or a CDATA section the text may go on
}

// blank reports whether there is white space only, as XML understands it.
func blank(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

func textToken(text []byte) (xml.Token, error) {
	if bytes.Contains(text, []byte("]]>")) {
		return nil, malformed("the end of a CDATA section without beginning")
	}
	out, err := expand(newlines(text))
	return xml.CharData(out), err
}

func (s *scanner) endTag() (xml.Token, error) {
	s.pos += len("</")
	if len(s.open) == 0 {
		return nil, malformed("an end without a beginning")
	}
	t := s.open[len(s.open)-1]
	if !bytes.HasPrefix(s.in[s.pos:], []byte(t.written)) {
		return nil, malformed("another element ends than began")
	}
	s.pos += len(t.written)
	s.passSpace()
	if !s.pass('>') { // also if the name goes on
		return nil, malformed("an end tag")
	}
	return s.close(t), nil
}

func (s *scanner) close(t *tag) xml.Token {
	s.open = s.open[:len(s.open)-1]
	s.inLeaf = false
	return t.end
}

func (s *scanner) startTag() (xml.Token, error) {
	s.pos += len("<")
	t, err := s.tag()
	if err != nil {
		return nil, err
	}
	s.open = append(s.open, t)
	s.elements++
	s.inLeaf = true
	switch {
	case len(s.open) > maxDepth:
		return nil, malformed("nested too deeply")
	case s.elements > s.maxElements:
		return nil, malformed("too many elements")
	}
	attrs, err := s.attributes(t)
	if err != nil || len(attrs) == 0 {
		return t.start, err
	}
	return xml.StartElement{Name: t.name, Attr: attrs}, nil
}

// attributes reads up to the end of a start tag.
func (s *scanner) attributes(t *tag) (attrs []xml.Attr, err error) {
	for {
		spaced := s.passSpace()
		switch {
		case s.pass('>'):
			return attrs, nil
		case s.pass('/'):
			if !s.pass('>') {
				return nil, malformed("a start tag")
			}
			s.closing = t
			return attrs, nil
		case !spaced:
			return nil, malformed("a start tag")
		}
		attr, err := s.attribute()
		if err != nil {
			return nil, err
		}
		for _, other := range attrs {
			if other.Name == attr.Name {
				return nil, malformed("an attribute given twice")
			}
		}
		if attrs = append(attrs, attr); len(attrs) > maxAttributes {
			return nil, malformed("too many attributes")
		}
	}
}

func (s *scanner) attribute() (xml.Attr, error) {
	t, err := s.tag()
	if err != nil {
		return xml.Attr{}, err
	}
	s.passSpace()
	if !s.pass('=') {
		return xml.Attr{}, malformed("an attribute without value")
	}
	s.passSpace()
	quote := byte('"')
	if !s.pass(quote) {
		if quote = '\''; !s.pass(quote) {
			return xml.Attr{}, malformed("an attribute without quotes")
		}
	}
	i := bytes.IndexByte(s.in[s.pos:], quote)
	if i < 0 {
		return xml.Attr{}, malformed("an attribute without end")
	}
	value := s.in[s.pos : s.pos+i]
	s.pos += i + 1
	if bytes.IndexByte(value, '<') >= 0 {
		return xml.Attr{}, malformed("an attribute with a tag in it")
	}
	value, err = expand(newlines(value))
	return xml.Attr{Name: t.name, Value: string(value)}, err
}

// pass steps over one byte if it is c.
func (s *scanner) pass(c byte) bool {
	if s.pos < len(s.in) && s.in[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) passSpace() bool {
	before := s.pos
	for s.pos < len(s.in) && isSpace(s.in[s.pos]) {
		s.pos++
	}
	return s.pos > before
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// tag reads a name with or without prefix: letters and digits of ASCII and Latin-1, dots, hyphens, underscores. No register
// writes others.
func (s *scanner) tag() (*tag, error) {
	begin := s.pos
	for s.pos < len(s.in) {
		n := nameRune(s.in[s.pos:])
		if n == 0 {
			break
		}
		s.pos += n
	}
	raw := s.in[begin:s.pos]
	if t, ok := s.names[string(raw)]; ok {
		return t, nil
	}
	prefix, local, colon := bytes.Cut(raw, []byte(":"))
	if !colon {
		prefix, local = nil, prefix
	}
	if !beginsName(local) || colon && !beginsName(prefix) || bytes.IndexByte(local, ':') >= 0 {
		return nil, malformed("a name")
	}
	name := xml.Name{Space: string(prefix), Local: string(local)}
	t := newTag(string(raw), name)
	s.names[t.written] = t
	return t, nil
}

// nameRune returns how many bytes the next letter of a name takes, or 0 if it is none.
func nameRune(b []byte) int {
	c := b[0]
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.', c == ':':
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	if r, n := utf8.DecodeRune(b); r >= 'À' && r <= 'ÿ' && r != '×' && r != '÷' {
		return n
	}
	return 0
}

func beginsName(b []byte) bool {
	return len(b) > 0 && (b[0] < '0' || b[0] > '9') && b[0] != '-' && b[0] != '.'
}
