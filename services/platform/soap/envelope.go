package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Namespace is that of SOAP 1.1's envelope.
const Namespace = "http://schemas.xmlsoap.org/soap/envelope/"

const (
	head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<soap:Envelope xmlns:soap="` + Namespace + `"><soap:Body>`
	tail = `</soap:Body></soap:Envelope>`
)

// Rooted is an answer whose root element is known at run time only, because its namespace depends on a version.
type Rooted interface {
	// Root returns the namespace and name of the element.
	Root() xml.Name
}

// Encode returns an envelope in UTF-8 around the element that encoding/xml makes of body, or an error that does not repeat it. A
// *Fault is a body as well.
func Encode(body any) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteString(head)
	before := buf.Len()
	if err := xml.NewEncoder(&buf).Encode(body); err != nil {
		return nil, fmt.Errorf("soap: can't render a %T", body)
	}
	if buf.Len() == before {
		return nil, fmt.Errorf("soap: nothing to send in a %T", body)
	}
	buf.WriteString(tail)
	return buf.Bytes(), nil
}

// Decode reads one envelope and decodes the child of its body into answer, which is as Client.Call wants it. It reads no more
// than limit bytes. The character set is UTF-8 or, if the XML declaration says so, ISO-8859-1. Errors: *Fault, ErrMalformed,
// ErrTooLarge, and those of r.
func Decode(r io.Reader, limit int64, answer any) error {
	m := newMemory()
	raw, err := readAll(&m.raw, r, limit, 0)
	if err != nil {
		return err
	}
	return decode(raw, limit, "", m, answer)
}

// decode reads a message that is wholly there.
func decode(raw []byte, limit int64, charset string, m *memory, answer any) error {
	root, err := rootOf(answer)
	if err != nil {
		return err
	}
	s := newScanner(raw, limit, charset, m.names)
	e := envelope{resolver: resolver{source: s}, memory: m}
	err = e.read(root, answer)
	_, isFault := errors.AsType[*Fault](err)
	switch {
	case s.err != nil:
		return s.err
	case err == nil, isFault, errors.Is(err, ErrMalformed):
		return err
	default:
		// The text of this error may repeat the message, so only the place is told.
		return malformed("at byte " + strconv.FormatInt(int64(s.pos), 10))
	}
}

// rootOf returns the element that an answer wants.
func rootOf(answer any) (xml.Name, error) {
	if r, ok := answer.(Rooted); ok {
		return r.Root(), nil
	}
	t := reflect.TypeOf(answer)
	if t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		if f, ok := t.Elem().FieldByName("XMLName"); ok {
			if space, local, ok := strings.Cut(f.Tag.Get("xml"), " "); ok {
				return xml.Name{Space: space, Local: local}, nil
			}
		}
	}
	return xml.Name{}, fmt.Errorf("soap: a %T does not say which element it wants", answer)
}

// envelope walks through one envelope.
type envelope struct {
	resolver

	memory *memory
}

func (e *envelope) read(root xml.Name, answer any) error {
	start, err := e.next()
	switch {
	case err != nil:
		return err
	case start == nil || start.Name != (xml.Name{Space: Namespace, Local: "Envelope"}):
		return malformed("not a SOAP 1.1 envelope")
	}
	if err := e.header(); err != nil {
		return err
	}
	if err := e.body(root, answer); err != nil {
		return err
	}
	// The end of the envelope, and of the document.
	if start, err = e.next(); err == nil && start != nil {
		err = malformed("something follows the body")
	}
	if err != nil {
		return err
	}
	if _, err := e.next(); !errors.Is(err, io.EOF) {
		return malformed("something follows the envelope")
	}
	return nil
}

// header passes over the header, if there is one, up to the beginning of the body.
func (e *envelope) header() error {
	start, err := e.next()
	if err == nil && start != nil && start.Name == (xml.Name{Space: Namespace, Local: "Header"}) {
		if err := e.passHeader(); err != nil {
			return err
		}
		start, err = e.next()
	}
	if err != nil {
		return err
	}
	if start == nil || start.Name != (xml.Name{Space: Namespace, Local: "Body"}) {
		return malformed("no body")
	}
	return nil
}

func (e *envelope) passHeader() error {
	for {
		start, err := e.next()
		if err != nil || start == nil {
			return err
		}
		for _, a := range start.Attr {
			if a.Name.Local == "mustUnderstand" && a.Name.Space != "" && e.space(a.Name.Space) == Namespace && a.Value != "0" {
				return malformed("a header that must be understood")
			}
		}
		if err := e.skip(); err != nil {
			return err
		}
	}
}

// body decodes the one child of the body.
func (e *envelope) body(root xml.Name, answer any) error {
	start, err := e.next()
	switch {
	case err != nil:
		return err
	case start == nil:
		return malformed("an empty body")
	case start.Name == (xml.Name{Space: Namespace, Local: "Fault"}):
		return e.fault(start)
	case start.Name != root:
		return malformed("another element than expected")
	}
	if w, ok := answer.(Within); ok {
		err = e.readTree(w)
	} else {
		err = e.decode(answer, start)
	}
	if err != nil {
		return err
	}
	start, err = e.next()
	if err == nil && start != nil {
		return malformed("more than one element in the body")
	}
	return err
}

// readTree lets an answer read itself from the element whose start was read.
func (e *envelope) readTree(answer Within) error {
	root, err := e.tree(answer.Keeps, e.memory)
	if err != nil {
		return err
	}
	return answer.Read(root)
}

// decode lets encoding/xml read the element whose start was read.
func (e *envelope) decode(into any, start *element) error {
	// The decoder has to be told what is declared outside.
	outside := e.declared()
	e.unread = xml.StartElement{Name: start.written, Attr: append(outside, start.Attr...)}
	dec := xml.NewTokenDecoder(&e.resolver)
	token, err := dec.Token()
	if err != nil {
		return err
	}
	first, ok := token.(xml.StartElement)
	if !ok {
		return malformed("no element")
	}
	first.Attr = first.Attr[len(outside):]
	return dec.DecodeElement(into, &first)
}

// element is the start of an element.
type element struct {
	Name    xml.Name   // with its namespace
	Attr    []xml.Attr // as written
	written xml.Name
}

// next returns the next start of an element, or nil at the end of the present one. Text between elements is an error.
func (e *envelope) next() (*element, error) {
	for {
		t, err := e.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return &element{Name: xml.Name{Space: e.space(t.Name.Space), Local: t.Name.Local}, Attr: t.Attr, written: t.Name}, nil
		case xml.EndElement:
			return nil, nil //nolint:nilnil // an end is neither a start nor an error
		case xml.CharData:
			if !blank(t) {
				return nil, malformed("text between elements")
			}
		}
	}
}
