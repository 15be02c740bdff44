package soap

import (
	"encoding/xml"
	"iter"
)

// Within is an answer that reads itself from a tree of elements, by local names: for registers whose versions differ in nothing but their
// namespaces, and where speed counts, since nothing is looked up by reflection. Elements of a namespace that it does not keep are
// passed over, with all that is in them. Attributes are not read.
type Within interface {
	Rooted
	// Keeps reports whether elements of a namespace are read.
	Keeps(space string) bool
	// Read takes what it wants from the root element. Strings may be kept, elements not. An error says that a value is not such as the
	// schema allows; it makes the answer ErrMalformed, and its text is told to nobody.
	Read(root Element) error
}

// Element is an element of an answer. The zero Element is one that is missing: it is empty.
type Element struct {
	nodes []node // of the message, in its order
	at    int
}

// node is an element with the text that stands directly in it.
type node struct {
	name string
	text []byte
	end  int // where the nodes inside it end
}

// Exists reports whether the element is there.
func (e Element) Exists() bool { return e.nodes != nil }

// Child returns the child with a name, the last one if there are several, or the zero Element.
func (e Element) Child(name string) Element {
	var out Element
	for child := range e.All(name) {
		out = child
	}
	return out
}

// All returns the children with a name.
func (e Element) All(name string) iter.Seq[Element] {
	return func(yield func(Element) bool) {
		if !e.Exists() {
			return
		}
		for i := e.at + 1; i < e.nodes[e.at].end; i = e.nodes[i].end {
			if e.nodes[i].name == name && !yield(Element{e.nodes, i}) {
				return
			}
		}
	}
}

// Text returns the text that stands directly in the child with a name, as delivered, or "" if there is none.
func (e Element) Text(name string) string { return e.Child(name).String() }

// String returns the text that stands directly in the element, as delivered.
func (e Element) String() string {
	if !e.Exists() {
		return ""
	}
	return string(e.nodes[e.at].text)
}

// resolver hands on what a scanner cuts and keeps the namespaces in force.
type resolver struct {
	source xml.TokenReader
	bound  []binding // namespaces in force, the innermost last
	depth  int       // how many elements have begun
	unread xml.Token // handed out again by the next Token
}

// binding is a namespace declaration.
type binding struct {
	prefix, space string
	depth         int
}

// Token implements xml.TokenReader.
func (r *resolver) Token() (xml.Token, error) {
	if token := r.unread; token != nil {
		r.unread = nil
		return token, nil
	}
	token, err := r.source.Token()
	if err != nil {
		return token, err
	}
	switch t := token.(type) {
	case xml.StartElement:
		err = r.enter(t)
	case xml.EndElement:
		r.leave()
	}
	return token, err
}

// enter takes in the declarations of an element.
func (r *resolver) enter(t xml.StartElement) error {
	r.depth++
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			r.bound = append(r.bound, binding{a.Name.Local, a.Value, r.depth})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			r.bound = append(r.bound, binding{"", a.Value, r.depth})
		}
	}
	if len(r.bound) > maxNamespaces {
		return malformed("too many namespaces")
	}
	return nil
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

// declared returns the declarations in force outside the element that began last.
func (r *resolver) declared() []xml.Attr {
	var out []xml.Attr
	for _, b := range r.bound {
		switch {
		case b.depth == r.depth:
		case b.prefix == "":
			out = append(out, xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: b.space})
		default:
			out = append(out, xml.Attr{Name: xml.Name{Space: "xmlns", Local: b.prefix}, Value: b.space})
		}
	}
	return out
}

// skip passes over the rest of the element that began last.
func (r *resolver) skip() error {
	for outside := r.depth - 1; r.depth > outside; {
		if _, err := r.Token(); err != nil {
			return err
		}
	}
	return nil
}

// maxNamespaces is how many declarations may be in force at once: a prefix is looked for among them all.
const maxNamespaces = 256

// tree reads the element whose start was read last, up to its end. Elements of namespaces that are not kept
// must be well-formed all the same.
func (r *resolver) tree(keep func(space string) bool, m *memory) (Element, error) {
	nodes := append(m.nodes, node{})
	defer func() { m.nodes = nodes }()
	open := []int{0}
	passed := 0 // how many elements are open of those that are not kept
	for len(open) > 0 {
		token, err := r.Token()
		if err != nil {
			return Element{}, err
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if passed > 0 || !keep(r.space(t.Name.Space)) {
				passed++
				continue
			}
			open = append(open, len(nodes))
			nodes = append(nodes, node{name: t.Name.Local})
		case xml.EndElement:
			if passed > 0 {
				passed--
				continue
			}
			nodes[last].end = len(nodes)
			open = open[:len(open)-1]
		case xml.CharData:
			if passed == 0 {
				nodes[last].text = join(nodes[last].text, t)
			}
		}
	}
	return Element{nodes, 0}, nil
}

// join returns a text with another behind it. One text alone, which is the rule, is not copied.
func join(a, b []byte) []byte {
	if len(a) == 0 {
		return b[:len(b):len(b)]
	}
	return append(a, b...)
}
