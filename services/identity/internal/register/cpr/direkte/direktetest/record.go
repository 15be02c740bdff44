package direktetest

import (
	"bytes"
	"fmt"

	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

// line is a record on its way.
type line struct {
	layout direkte.Layout
	raw    []byte
	err    error
}

// record begins a record of that type, whose first field is the number or the sort field.
func (w *Writer) record(kind int, first string) *line {
	l := &line{layout: w.layouts[kind]}
	l.raw = bytes.Repeat([]byte{' '}, l.layout.Length)
	copy(l.raw, fmt.Sprintf("%03d%s", kind, first))
	return l
}

// set fills a field. Its errors name the field only.
func (l *line) set(name, text string) {
	for _, f := range l.layout.Fields {
		if f.Name != name {
			continue
		}
		raw, ok := latin1(text)
		if !ok || len(raw) > f.Length {
			l.err = fmt.Errorf("direktetest: %s: too long, or not in ISO-8859-1", name)
			return
		}
		at := f.Position - 1
		copy(l.raw[at:at+f.Length], bytes.Repeat([]byte{' '}, f.Length))
		copy(l.raw[at:], raw)
		return
	}
	l.err = fmt.Errorf("direktetest: %s: no such field", name)
}

func (l *line) mark(name string, on bool, mark string) {
	if on {
		l.set(name, mark)
	}
}

// latin1 turns text into ISO-8859-1.
func latin1(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

// digits returns the ten digits of a number, or blanks.
func digits(n nationalid.Number) string {
	if n.IsZero() {
		return "          "
	}
	return n.Canonical()[len("DK:"):]
}

// packed returns YYYYMMDD, zeros for no date.
func packed(d civil.Date) string { return fmt.Sprintf("%04d%02d%02d", d.Year, d.Month, d.Day) }

func stamp(d civil.Date, clock string) string {
	if d.IsZero() {
		return ""
	}
	if clock == "" {
		clock = "0000"
	}
	return packed(d) + clock
}
