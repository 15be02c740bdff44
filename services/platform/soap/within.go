package soap

import "encoding/xml"

// Within is an answer that is read by local names, for registers whose versions differ in nothing but their namespaces: elements of a
// namespace that it does not keep are passed over, with all that is in them, and so are attributes that have a namespace or
// declare one.
type Within interface {
	Rooted
	// Keeps reports whether elements of a namespace are read.
	Keeps(space string) bool
	// Content returns a pointer to what the root element is decoded into: a struct without namespaces in its tags.
	Content() any
}

// resolver stands between the scanner and the decoder. Until it is told to keep some namespaces only it hands everything on; from then
// to the end of the present element it hands on local names. It resolves prefixes itself: a second decoder on top of the first would
// double the time of a call.
type resolver struct {
	source xml.TokenReader
	bound  []binding // namespaces in force, the innermost last
	depth  int

	keep  func(space string) bool // nil: everything is handed on
	floor int                     // depth of the element inside which that holds
	tags  names                   // those of the scanner: a local name is one without a prefix
}

// binding is a namespace declaration.
type binding struct {
	prefix, space string
	depth         int
}

// within begins to keep some namespaces only, until the element ends whose start was read last.
func (r *resolver) within(keep func(space string) bool) {
	r.keep, r.floor = keep, r.depth
}

// Token implements xml.TokenReader.
func (r *resolver) Token() (xml.Token, error) {
	for {
		token, err := r.source.Token()
		if err != nil {
			return token, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			r.enter(t)
			if r.keep == nil {
				return token, nil
			}
			if r.keep(r.space(t.Name.Space)) {
				return r.start(t), nil
			}
			if err := r.skip(t.Name); err != nil {
				return nil, err
			}
		case xml.EndElement:
			r.leave()
			switch {
			case r.keep == nil:
			case r.depth < r.floor:
				r.keep = nil
			default:
				return r.tag(t.Name.Local).end, nil
			}
			return token, nil
		default:
			return token, nil
		}
	}
}

// enter takes in the declarations of an element.
func (r *resolver) enter(t xml.StartElement) {
	r.depth++
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			r.bound = append(r.bound, binding{a.Name.Local, a.Value, r.depth})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			r.bound = append(r.bound, binding{"", a.Value, r.depth})
		}
	}
}

// leave gives up those of the element that ends.
func (r *resolver) leave() {
	for n := len(r.bound); n > 0 && r.bound[n-1].depth == r.depth; n-- {
		r.bound = r.bound[:n-1]
	}
	r.depth--
}

// space returns the namespace of a prefix; that of an unknown one is itself, as encoding/xml has it.
func (r *resolver) space(prefix string) string {
	for i := len(r.bound) - 1; i >= 0; i-- {
		if r.bound[i].prefix == prefix {
			return r.bound[i].space
		}
	}
	return prefix
}

// skip passes over the rest of an element, whose parts must be well-formed all the same.
func (r *resolver) skip(name xml.Name) error {
	open := []xml.Name{name}
	for len(open) > 0 {
		token, err := r.source.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			r.enter(t)
			open = append(open, t.Name)
		case xml.EndElement:
			r.leave()
			if t.Name != open[len(open)-1] {
				return malformed("another element ends than began")
			}
			open = open[:len(open)-1]
		}
	}
	return nil
}

func (r *resolver) tag(local string) *tag {
	t, ok := r.tags[local]
	if !ok {
		t = newTag(xml.Name{Local: local})
		r.tags[local] = t
	}
	return t
}

// start returns a start without namespaces.
func (r *resolver) start(s xml.StartElement) xml.Token {
	t := r.tag(s.Name.Local)
	var attrs []xml.Attr
	for _, a := range s.Attr {
		if !named(a) {
			attrs = append(attrs, a)
		}
	}
	if len(attrs) == 0 {
		return t.start
	}
	return xml.StartElement{Name: t.name, Attr: attrs}
}

// named reports whether an attribute has a namespace or declares one.
func named(a xml.Attr) bool { return a.Name.Space != "" || a.Name.Local == "xmlns" }
