package agi

import (
	"encoding/xml"
	"errors"
	"io"
)

// Limits of a file besides its size.
const (
	maxDepth      = 16
	maxText       = 4 << 10 // bytes of one text
	maxAttributes = 16
	maxElements   = 512 // inside one element below the root
)

// guard hands on the tokens of a file and stops at what the format does not have: document types, instructions, deep or huge elements.
// Entities other than XML's own five are errors of the decoder.
type guard struct {
	dec      *xml.Decoder
	depth    int
	elements int // since the last element below the root began
	begun    bool
}

func newGuard(r io.Reader) *guard {
	return &guard{dec: xml.NewDecoder(marked{r})}
}

// marked tells errors of the reader from those of the decoder.
type marked struct{ io.Reader }

type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// Read implements io.Reader.
func (m marked) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

// Token implements xml.TokenReader.
func (g *guard) Token() (xml.Token, error) {
	for {
		t, err := g.dec.RawToken()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, g.start(t)
		case xml.EndElement:
			g.depth--
			return t, nil
		case xml.CharData:
			if len(t) > maxText {
				return nil, malformed("a text that is too long")
			}
			return t, nil
		case xml.Directive:
			return nil, malformed("a document type")
		case xml.ProcInst:
			if t.Target != "xml" || g.begun {
				return nil, malformed("a processing instruction")
			}
		}
		g.begun = true
	}
}

func (g *guard) start(t xml.StartElement) error {
	const belowRoot = 2
	g.begun = true
	g.depth++
	if g.depth == belowRoot {
		g.elements = 0
	}
	g.elements++
	if g.depth > maxDepth || len(t.Attr) > maxAttributes || g.elements > maxElements {
		return malformed("elements that are too many or too deep")
	}
	return nil
}
