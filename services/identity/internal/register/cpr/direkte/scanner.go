package direkte

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Sizes in bytes.
const (
	bufferSize = 64 << 10
	maxLine    = 1 << 10 // with its end; 306 characters are the most that a record has
)

// RefusedError says why a delivery or an answer is not a sound one. It holds no value of it.
type RefusedError struct {
	Line   int    // from 1; of an answer, the how-many-th record
	Record string // its type, such as 004, if it has one
	Reason string // such as `FOED_DT: no such date`
}

// Error returns the place and the reason.
func (e *RefusedError) Error() string {
	if e.Record == "" {
		return fmt.Sprintf("cpr direkte: refused: line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("cpr direkte: refused: line %d, record %s: %s", e.Line, e.Record, e.Reason)
}

// Scanner reads records line by line. It allocates nothing for a line and looks at nothing but the record type.
type Scanner struct {
	in     *bufio.Reader
	shapes *[types]*shape
	record Record
	line   int
	at     int64 // offset of the present line
	next   int64 // offset of the next line
	done   bool
	err    error
}

// NewScanner returns a scanner that reads from in.
func (r *Reader) NewScanner(in io.Reader) *Scanner {
	return &Scanner{in: bufio.NewReaderSize(in, bufferSize), shapes: &r.shapes}
}

// Scan steps to the next line and reports whether there is one.
func (s *Scanner) Scan() bool {
	if s.done || s.err != nil {
		return false
	}
	raw, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		s.done = true
		if len(raw) == 0 {
			return false
		}
	case err != nil && !errors.Is(err, bufio.ErrBufferFull):
		s.err = fmt.Errorf("cpr direkte: line %d: %w", s.line+1, err)
		return false
	}
	s.line++
	if len(raw) > maxLine {
		s.err = &RefusedError{Line: s.line, Reason: "longer than any record"}
		return false
	}
	s.at, s.next = s.next, s.next+int64(len(raw))
	s.record.line = withoutEnd(raw)
	return s.typed()
}

// typed reads the record type.
func (s *Scanner) typed() bool {
	kind, ok := recordType(s.record.line)
	if !ok {
		s.err = &RefusedError{Line: s.line, Reason: "no record type"}
		return false
	}
	s.record.Type, s.record.shape = kind, s.shapes[kind]
	return true
}

func recordType(line []byte) (int, bool) {
	if len(line) < typeWidth {
		return 0, false
	}
	a, b, c := line[0]-'0', line[1]-'0', line[2]-'0'
	return int(a)*100 + int(b)*10 + int(c), a <= 9 && b <= 9 && c <= 9
}

// withoutEnd takes LF or CRLF off.
func withoutEnd(raw []byte) []byte {
	if n := len(raw); n > 0 && raw[n-1] == '\n' {
		raw = raw[:n-1]
	}
	return bytes.TrimSuffix(raw, []byte{'\r'})
}

// Record returns the present record, valid until the next Scan.
func (s *Scanner) Record() Record { return s.record }

// Line returns the number of the present line, from 1.
func (s *Scanner) Line() int { return s.line }

// Err returns what ended Scan early: *RefusedError for a line that is no record, else the error of the file.
func (s *Scanner) Err() error { return s.err }

// refuse returns the refusal of the present line.
func (s *Scanner) refuse(reason string) *RefusedError {
	return &RefusedError{Line: s.line, Record: s.record.name(), Reason: reason}
}

// name returns the record type as three digits.
func (r Record) name() string { return fmt.Sprintf("%03d", r.Type) }
