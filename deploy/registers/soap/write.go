package soap

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// Writer writes elements. Names are written as they are given, prefix included; values are escaped.
type Writer struct {
	buf bytes.Buffer
}

// Open starts an element; attrs are names and values in turn.
func (w *Writer) Open(name string, attrs ...string) {
	w.buf.WriteByte('<')
	w.buf.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.buf.WriteByte(' ')
		w.buf.WriteString(attrs[i])
		w.buf.WriteString(`="`)
		w.escape(attrs[i+1])
		w.buf.WriteByte('"')
	}
	w.buf.WriteByte('>')
}

// Close ends an element.
func (w *Writer) Close(name string) {
	w.buf.WriteString("</")
	w.buf.WriteString(name)
	w.buf.WriteByte('>')
}

// Value writes an element with a text, also an empty one.
func (w *Writer) Value(name, value string, attrs ...string) {
	w.Open(name, attrs...)
	w.escape(value)
	w.Close(name)
}

// Optional is Value for a text that is not empty, and nothing otherwise.
func (w *Writer) Optional(name, value string) {
	if value != "" {
		w.Value(name, value)
	}
}

// Int is Value for a number.
func (w *Writer) Int(name string, n int) { w.Value(name, strconv.Itoa(n)) }

// Bytes are what was written.
func (w *Writer) Bytes() []byte { return w.buf.Bytes() }

func (w *Writer) escape(s string) {
	_ = xml.EscapeText(&w.buf, []byte(s)) // a buffer takes everything
}
