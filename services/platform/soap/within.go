package soap

import "encoding/xml"

// DecodeWithin decodes the element of start into v by local names, for registers whose versions differ in nothing but their namespaces:
// elements of a namespace that keep does not want are passed over, with all that is in them, and so are attributes that have a
// namespace or declare one. The element itself must have been checked. Types for it have no namespaces in their tags. It is called from
// UnmarshalXML.
func DecodeWithin(d *xml.Decoder, start xml.StartElement, keep func(space string) bool, v any) error {
	w := &within{source: d, keep: keep, root: &start, tags: make(names, typicalNames)}
	return xml.NewTokenDecoder(w).Decode(v)
}

// typicalNames is how many names an answer usually has.
const typicalNames = 64

// within hands on the tokens of the wanted namespaces, and takes the namespaces off.
type within struct {
	source *xml.Decoder
	keep   func(space string) bool
	root   *xml.StartElement // read before and still to be handed on, or nil
	space  string            // the last one that was wanted: names of one namespace come in a row
	tags   names             // by local name
}

// Token implements xml.TokenReader.
func (w *within) Token() (xml.Token, error) {
	if w.root != nil {
		out := w.start(*w.root)
		w.root = nil
		return out, nil
	}
	for {
		token, err := w.source.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if w.wants(t.Name.Space) {
				return w.start(t), nil
			}
			if err := w.source.Skip(); err != nil {
				return nil, err
			}
		case xml.EndElement:
			return w.tag(t.Name.Local).end, nil
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

func (w *within) tag(local string) *tag {
	t, ok := w.tags[local]
	if !ok {
		t = newTag(xml.Name{Local: local})
		w.tags[local] = t
	}
	return t
}

// start returns the start without namespaces.
func (w *within) start(s xml.StartElement) xml.Token {
	t := w.tag(s.Name.Local)
	var attrs []xml.Attr
	for _, a := range s.Attr {
		if a.Name.Space == "" && a.Name.Local != "xmlns" {
			attrs = append(attrs, a)
		}
	}
	if len(attrs) == 0 {
		return t.start
	}
	return xml.StartElement{Name: t.name, Attr: attrs}
}
