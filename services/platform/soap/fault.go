package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
)

// Fault is what a register answers instead of an answer (SOAP 1.1, 4.4). String, Actor and Detail are the register's own words,
// which may repeat what was asked: they belong in no log.
type Fault struct { //nolint:errname // SOAP's own word
	Code   string // without its prefix: Client, Server, VersionMismatch, MustUnderstand, or the register's own
	String string // for humans
	Actor  string // URI of who met the fault
	Detail []byte // the detail element as XML that stands alone, or nil; see DecodeDetail
}

// Error returns the code alone.
func (f *Fault) Error() string { return "soap: fault " + f.code() }

// maxCode and maxCodeDigits keep what is no code, and could be somebody's number, out of errors.
const (
	maxCode       = 64
	maxCodeDigits = 5
)

// code returns the code if it looks like one.
func (f *Fault) code() string {
	digits := 0
	strange := strings.ContainsFunc(f.Code, func(r rune) bool {
		if r >= '0' && r <= '9' {
			digits++
			return digits > maxCodeDigits
		}
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '_' && r != '-'
	})
	if strange || f.Code == "" || len(f.Code) > maxCode {
		return "of another kind"
	}
	return f.Code
}

// ByCaller reports whether the fault is, by its code, in what was sent, so that sending it again is of no use.
func (f *Fault) ByCaller() bool {
	first, _, _ := strings.Cut(f.Code, ".")
	return first == "Client" || first == "VersionMismatch" || first == "MustUnderstand"
}

// DecodeDetail decodes the child of the detail that into names as its root element; into is as Client.Call wants an answer. It
// returns ErrMalformed if there is no such child.
func (f *Fault) DecodeDetail(into any) error {
	root, err := rootOf(into)
	if err != nil {
		return err
	}
	limit := max(int64(len(f.Detail)), bytesPerElement) * bytesPerElement
	e := envelope{resolver: resolver{source: newScanner(f.Detail, limit, "", names{})}}
	if start, err := e.next(); err != nil || start == nil {
		return malformed("no detail")
	}
	for {
		start, err := e.next()
		switch {
		case err != nil || start == nil:
			return malformed("no such detail")
		case start.Name == root:
			if err := e.decode(into, start); err != nil {
				return malformed("detail")
			}
			return nil
		}
		if err := e.skip(); err != nil {
			return malformed("detail")
		}
	}
}

// MarshalXML renders the fault, so that a server can answer with it. Detail must be XML that stands alone.
func (f *Fault) MarshalXML(enc *xml.Encoder, _ xml.StartElement) error {
	var buf bytes.Buffer
	write := func(name, text string) error {
		buf.WriteString("<" + name + ">")
		err := xml.EscapeText(&buf, []byte(text))
		buf.WriteString("</" + name + ">")
		return err
	}
	err := errors.Join(write("faultcode", "soap:"+f.Code), write("faultstring", f.String))
	if f.Actor != "" {
		err = errors.Join(err, write("faultactor", f.Actor))
	}
	if err != nil {
		return err
	}
	buf.Write(f.Detail)
	// The prefix is declared by the envelope.
	return enc.EncodeElement(struct {
		XML []byte `xml:",innerxml"`
	}{buf.Bytes()}, xml.StartElement{Name: xml.Name{Local: "soap:Fault"}})
}

// fault reads a fault whose start was read, up to the end of the body.
func (e *envelope) fault(start *element) error {
	var wire struct {
		Code   string `xml:"faultcode"`
		String string `xml:"faultstring"`
		Actor  string `xml:"faultactor"`
		Detail detail `xml:"detail"`
	}
	if err := e.decode(&wire, start); err != nil {
		return err
	}
	code := strings.TrimSpace(wire.Code)
	if _, local, ok := strings.Cut(code, ":"); ok {
		code = local
	}
	return &Fault{
		Code: code, String: strings.TrimSpace(wire.String), Actor: strings.TrimSpace(wire.Actor), Detail: wire.Detail.raw,
	}
}

// detail keeps an element as XML with every namespace spelt out, because the prefixes that it uses are declared outside it.
type detail struct {
	raw []byte
}

// UnmarshalXML implements xml.Unmarshaler.
func (d *detail) UnmarshalXML(dec *xml.Decoder, start xml.StartElement) error {
	var buf bytes.Buffer
	enc := xml.NewEncoder(&buf)
	if err := enc.EncodeToken(plain(start)); err != nil {
		return err
	}
	for depth := 1; depth > 0; {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch start, isStart := t.(xml.StartElement); {
		case isStart:
			depth++
			t = plain(start)
		default:
			if _, isEnd := t.(xml.EndElement); isEnd {
				depth--
			}
		}
		if err := enc.EncodeToken(t); err != nil {
			return err
		}
	}
	err := enc.Flush()
	d.raw = buf.Bytes()
	return errors.Join(err, enc.Close())
}

// plain returns the start without namespace declarations: the encoder writes its own.
func plain(start xml.StartElement) xml.StartElement {
	attrs := start.Attr[:0:0]
	for _, a := range start.Attr {
		if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
			attrs = append(attrs, a)
		}
	}
	start.Attr = attrs
	return start
}
