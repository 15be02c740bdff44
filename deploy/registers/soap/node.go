// Package soap is the simulators' own SOAP 1.1: a reader that takes nothing but plain elements within narrow limits, a reader of
// sequences that checks a message against its schema, a writer, faults, and an HTTP endpoint for one operation. It shares no code with the
// adapters that call the simulators, so that a mistake isn't on both sides. Errors name elements and rules, never values.
package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of a request.
const (
	MaxBytes = 64 << 10
	MaxDepth = 16
	MaxNodes = 256
	maxAttrs = 32
)

const (
	xsi     = "http://www.w3.org/2001/XMLSchema-instance"
	xmlSpec = "http://www.w3.org/XML/1998/namespace"
	xmlns   = "xmlns"
)

// ErrMalformed means that a message is no XML that SOAP allows: not well-formed, with a document type, a processing instruction or an
// undeclared prefix, or beyond the limits.
var ErrMalformed = errors.New("soap: malformed message")

// Node is an element.
type Node struct {
	Name     xml.Name
	Attrs    []xml.Attr // without namespace declarations
	Children []*Node
	Text     string // all character data directly inside

	namespaces []string // declared here
}

// Parse reads one document within the limits. It never expands entities, since it refuses every document type.
func Parse(data []byte) (*Node, error) { return parse(data, MaxBytes, MaxNodes) }

func parse(data []byte, most, nodes int) (*Node, error) {
	if len(data) > most {
		return nil, fmt.Errorf("%w: over %d bytes", ErrMalformed, most)
	}
	p := parser{dec: xml.NewDecoder(bytes.NewReader(data)), most: nodes}
	for {
		at := p.dec.InputOffset()
		tok, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: not well-formed", ErrMalformed)
		}
		if err := p.token(tok, at); err != nil {
			return nil, err
		}
	}
	if p.root == nil {
		return nil, fmt.Errorf("%w: no element", ErrMalformed)
	}
	return p.root, nil
}

type parser struct {
	dec   *xml.Decoder
	root  *Node
	open  []*Node
	nodes int
	most  int
}

func (p *parser) token(tok xml.Token, at int64) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		p.open = p.open[:len(p.open)-1] // the decoder has matched it with its start
	case xml.CharData:
		return p.text(t)
	case xml.Directive:
		return fmt.Errorf("%w: a document type", ErrMalformed)
	case xml.ProcInst:
		if t.Target != "xml" || at != 0 {
			return fmt.Errorf("%w: a processing instruction", ErrMalformed)
		}
	}
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	p.nodes++
	switch {
	case p.nodes > p.most, len(p.open) >= MaxDepth, len(t.Attr) > maxAttrs:
		return fmt.Errorf("%w: too many or too deep elements", ErrMalformed)
	case p.root != nil && len(p.open) == 0:
		return fmt.Errorf("%w: a second root", ErrMalformed)
	}
	n := &Node{Name: t.Name}
	if err := p.attributes(n, t.Attr); err != nil {
		return err
	}
	if p.root == nil {
		p.root = n
	} else {
		parent := p.open[len(p.open)-1]
		parent.Children = append(parent.Children, n)
	}
	p.open = append(p.open, n)
	return p.declared(n)
}

// attributes parts namespace declarations from the others.
func (p *parser) attributes(n *Node, attrs []xml.Attr) error {
	seen := make(map[xml.Name]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.Name] {
			return fmt.Errorf("%w: an attribute occurs twice", ErrMalformed)
		}
		seen[a.Name] = true
		switch {
		case a.Name.Space == xmlns && a.Value == "":
			return fmt.Errorf("%w: a prefix without namespace", ErrMalformed)
		case a.Name.Space == xmlns, a.Name.Space == "" && a.Name.Local == xmlns:
			n.namespaces = append(n.namespaces, a.Value)
		default:
			n.Attrs = append(n.Attrs, a)
		}
	}
	return nil
}

// declared refuses undeclared prefixes, which the decoder lets through as if the prefix were the namespace. So that none can look like one,
// namespaces without a colon are refused too; a prefix has none, and every absolute URI has one.
func (p *parser) declared(n *Node) error {
	for _, space := range append(attrSpaces(n.Attrs), n.Name.Space) {
		known := space == "" || space == xmlSpec
		for i := len(p.open) - 1; i >= 0 && !known; i-- {
			known = strings.Contains(space, ":") && slices.Contains(p.open[i].namespaces, space)
		}
		if !known {
			return fmt.Errorf("%w: an undeclared prefix", ErrMalformed)
		}
	}
	return nil
}

func attrSpaces(attrs []xml.Attr) []string {
	spaces := make([]string, 0, len(attrs)+1)
	for _, a := range attrs {
		spaces = append(spaces, a.Name.Space)
	}
	return spaces
}

func (p *parser) text(t xml.CharData) error {
	if len(p.open) > 0 {
		p.open[len(p.open)-1].Text += string(t)
		return nil
	}
	if !blank(strings.TrimPrefix(string(t), "\ufeff")) {
		return fmt.Errorf("%w: text outside the root", ErrMalformed)
	}
	return nil
}

func blank(s string) bool { return strings.Trim(s, " \t\r\n") == "" }
