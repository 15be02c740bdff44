// Package upload reads and writes the files by which employers report to eIndkomst: lines of fixed width in ISO-8859-1, each with a running
// number and a record number. Nobody of ours reports; the files are how the simulator learns what it tells.
//
// A file is 1000 (delivery), then for each enterprise 2001, for each report 5000 with 6000 for each person and 6001 to 6005 for the
// person's fields, or 4101 for a person whose earlier report is taken back, and 9999 with the number of all lines.
//
// What is assumed because no source tells it: signs are + and -, numbers are padded with zeros and texts with blanks, the mark of a
// taken-back report is 1, and 9999 counts itself. The sources disagree on record 6000 behind column 53, so nothing is written there.
package upload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// Kind is how a field is padded.
type Kind uint8

// The kinds.
const (
	Text   Kind = iota // to the left, with blanks
	Digits             // to the right, with zeros
)

// Field is a field of a record.
type Field struct {
	Name     string
	Position int // of the first character, from 1
	Length   int
	Kind     Kind
}

// Widths of what every line begins with.
const (
	runningWidth = 7
	recordWidth  = 4
	headWidth    = runningWidth + recordWidth
)

// ErrMalformed means that a file is not what the format allows. Its message tells the line and nothing of its content.
var ErrMalformed = errors.New("upload: malformed file")

// Record is one line.
type Record struct {
	Number string            // four digits
	Values map[string]string // by name of the field, without padding
}

// Writer writes a file line by line.
type Writer struct {
	out     io.Writer
	layouts map[string][]Field
	lines   int
	err     error
}

// NewWriter returns a writer.
func NewWriter(out io.Writer) *Writer {
	return &Writer{out: charmap.ISO8859_1.NewEncoder().Writer(out), layouts: layouts()}
}

// Write writes a record; fields that are not given stay empty. After an error nothing more is written, and Err tells the first.
func (w *Writer) Write(number string, values map[string]string) {
	if w.err != nil {
		return
	}
	w.lines++
	layout, ok := w.layouts[number]
	if !ok {
		w.err = fmt.Errorf("upload: no record %s", number)
		return
	}
	line := []rune(fmt.Sprintf("%0*d%s", runningWidth, w.lines, number))
	for _, f := range layout {
		value := []rune(values[f.Name])
		if len(value) > f.Length || strings.ContainsAny(values[f.Name], "\r\n") {
			w.err = fmt.Errorf("upload: record %s: %s does not fit", number, f.Name)
			return
		}
		for len(line) < f.Position-1 {
			line = append(line, ' ')
		}
		line = append(line, pad(value, f)...)
	}
	for name := range values {
		if !slices.ContainsFunc(layout, func(f Field) bool { return f.Name == name }) {
			w.err = fmt.Errorf("upload: record %s has no field %s", number, name)
			return
		}
	}
	_, w.err = io.WriteString(w.out, strings.TrimRight(string(line), " ")+"\r\n")
}

func pad(value []rune, f Field) []rune {
	fill := slices.Repeat([]rune{' '}, f.Length-len(value))
	if f.Kind == Digits && len(value) > 0 {
		for i := range fill {
			fill[i] = '0'
		}
		return append(fill, value...)
	}
	return append(value, fill...)
}

// End writes record 9999 and returns the first error.
func (w *Writer) End() error {
	w.Write("9999", map[string]string{"antal_records": strconv.Itoa(w.lines + 1)})
	return w.err
}

// maxLine is longer than the longest record.
const maxLine = 256

// Read reads a file and hands on its records but for the last, which only counts. An error of next ends the reading and is returned.
func Read(r io.Reader, next func(Record) error) error {
	known := layouts()
	lines := bufio.NewScanner(charmap.ISO8859_1.NewDecoder().Reader(r))
	lines.Buffer(make([]byte, maxLine), 2*maxLine)
	count, ended := 0, false
	for lines.Scan() {
		count++
		rec, err := parse(known, lines.Text(), count)
		if err == nil && ended {
			err = errors.New("something follows record 9999")
		}
		if err == nil && rec.Number == "9999" {
			ended = true
			if want := fmt.Sprintf("%07d", count); rec.Values["antal_records"] != want {
				err = errors.New("another number of lines than counted")
			}
		} else if err == nil {
			if err := next(rec); err != nil {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrMalformed, count, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%w: line %d: too long", ErrMalformed, count+1)
	case err != nil:
		return fmt.Errorf("upload: %w", err)
	case !ended:
		return fmt.Errorf("%w: breaks off", ErrMalformed)
	}
	return nil
}

func parse(known map[string][]Field, text string, count int) (Record, error) {
	line := []rune(strings.TrimSuffix(text, "\r"))
	if len(line) < headWidth || string(line[:runningWidth]) != fmt.Sprintf("%0*d", runningWidth, count) {
		return Record{}, errors.New("another running number")
	}
	rec := Record{Number: string(line[runningWidth:headWidth]), Values: map[string]string{}}
	layout, ok := known[rec.Number]
	if !ok {
		return Record{}, errors.New("an unknown record")
	}
	last := layout[len(layout)-1]
	if len(line) > last.Position-1+last.Length {
		return Record{}, errors.New("longer than its record")
	}
	for _, f := range layout {
		from := min(f.Position-1, len(line))
		value := string(line[from:min(from+f.Length, len(line))])
		if f.Kind == Digits && strings.TrimSpace(value) != "" && (len(value) != f.Length || strings.Trim(value, "0123456789") != "") {
			return Record{}, fmt.Errorf("%s: want digits", f.Name)
		}
		if value = strings.TrimSpace(value); value != "" {
			rec.Values[f.Name] = value
		}
	}
	return rec, nil
}
