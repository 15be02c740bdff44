package sf1520

import (
	"encoding/xml"

	"samvirke.dev/services/platform/soap"
)

// answer is a PersonLookupResponse in the namespace of one version.
type answer struct {
	space  string
	record Record
}

// Root names the element: no other is read.
func (a *answer) Root() xml.Name { return xml.Name{Space: a.space, Local: "PersonLookupResponse"} }

// UnmarshalXML reads the answer. The versions differ in nothing but their namespace, which therefore can't stand in the tags: what
// is not in it is skipped, wherever it is, and the rest is read by its local names.
func (a *answer) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	a.record = Record{}
	return xml.NewTokenDecoder(&within{source: d, space: a.space, root: &start}).Decode(&a.record)
}

// within hands on the tokens of one namespace, and takes the namespace and the attributes off.
type within struct {
	source *xml.Decoder
	space  string
	root   *xml.StartElement // read before and still to be handed on, or nil
}

// Token returns the next token of the namespace.
func (w *within) Token() (xml.Token, error) {
	if w.root != nil {
		local := w.root.Name.Local
		w.root = nil
		return start(local), nil
	}
	for {
		token, err := w.source.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Space == w.space {
				return start(token.Name.Local), nil
			}
			if err := w.source.Skip(); err != nil {
				return nil, err
			}
		case xml.EndElement:
			return xml.EndElement{Name: xml.Name{Local: token.Name.Local}}, nil
		case xml.CharData:
			return token, nil
		}
	}
}

func start(local string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: local}} }

var _ soap.Rooted = (*answer)(nil)
