package direkte

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"samvirke.dev/deploy/registers/cpr"
)

// line is a record in the making: blanks with texts at places.
type line struct {
	runes []rune
	err   error
}

// record starts a record of a type and a length, for a number.
func record(kind string, length int, number string) *line {
	l := &line{runes: []rune(strings.Repeat(" ", length))}
	return l.at(1, 3, kind).at(4, 10, number)
}

// at writes a text at a 1-based position. A text that is longer than its field is an error, for it would spoil the next one.
func (l *line) at(position, length int, text string) *line {
	if utf8.RuneCountInString(text) > length || position+length-1 > len(l.runes) {
		if l.err == nil {
			l.err = fmt.Errorf("direkte: a text does not fit at position %d of record %s", position, string(l.runes[:3]))
		}
		return l
	}
	copy(l.runes[position-1:], []rune(text))
	return l
}

// digits is at for a number, which is zeros where it is not known.
func (l *line) digits(position, length int, text string) *line {
	if text == "" {
		text = strings.Repeat("0", length)
	}
	return l.at(position, length, text)
}

// moment is digits for a moment with its mark of uncertainty behind it: a star that the text has at its end, or that stands for a month, a
// day or a time of day that does not exist.
func (l *line) moment(position int, text string) *line {
	stamp, starred := strings.CutSuffix(text, "*")
	_, err := time.Parse(cpr.Stamp, stamp)
	return l.digits(position, len(cpr.Stamp), stamp).mark(position+len(cpr.Stamp), starred || stamp != "" && err != nil)
}

// day is at for a date, whose mark of uncertainty may be at the end of the text, with room for the mark behind it.
func (l *line) day(position int, text string) *line {
	return l.at(position, len(time.DateOnly)+1, text)
}

// door is at for a door, which stands at the right of its field.
func (l *line) door(position int, text string) *line {
	const width = 4
	return l.at(position, width, fmt.Sprintf("%*s", width, text))
}

// mark is at for a mark of uncertainty.
func (l *line) mark(position int, uncertain bool) *line {
	if uncertain {
		return l.at(position, 1, "*")
	}
	return l
}

// latin1 is the record in ISO 8859-1, without the blanks at its end.
func (l *line) latin1() ([]byte, error) {
	if l.err != nil {
		return nil, l.err
	}
	text := strings.TrimRight(string(l.runes), " ")
	out := make([]byte, 0, len(text)+1)
	for _, r := range text {
		if r > 0xFF {
			return nil, fmt.Errorf("direkte: a letter that ISO 8859-1 does not have in record %s", text[:3])
		}
		out = append(out, byte(r&0xFF))
	}
	return append(out, '\n'), nil
}
