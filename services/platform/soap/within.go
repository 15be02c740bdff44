package soap

import "encoding/xml"

// DecodeWithin decodes the element of start into v by local names, for registers whose versions differ in nothing but their namespaces:
// elements of a namespace that keep does not want are passed over, with all that is in them, and so are attributes that have a
// namespace or declare one. The element itself must have been checked. Types for it have no namespaces in their tags. It is called from
// UnmarshalXML.
func DecodeWithin(d *xml.Decoder, start xml.StartElement, keep func(space string) bool, v any) error {
	return xml.NewTokenDecoder(&within{source: d, keep: keep, root: &start}).Decode(v)
}

// within hands on the tokens of the wanted namespaces, and takes the namespaces off.
type within struct {
	source *xml.Decoder
	keep   func(space string) bool
	root   *xml.StartElement // read before and still to be handed on, or nil
	space  string            // the last one that was wanted: names of one namespace come in a row
}

// Token implements xml.TokenReader.
func (w *within) Token() (xml.Token, error) {
	if w.root != nil {
		out := bare(*w.root)
		w.root = nil
		return out, nil
	}
	for {
		token, err := w.source.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if w.wants(token.Name.Space) {
				return bare(token), nil
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

func (w *within) wants(space string) bool {
	if space == w.space && space != "" {
		return true
	}
	if !w.keep(space) {
		return false
	}
	w.space = space
	return true
}

// bare returns the start without namespaces.
func bare(start xml.StartElement) xml.StartElement {
	out := xml.StartElement{Name: xml.Name{Local: start.Name.Local}}
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local != "xmlns" {
			out.Attr = append(out.Attr, a)
		}
	}
	return out
}
