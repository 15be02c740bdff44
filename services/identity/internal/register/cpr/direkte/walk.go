package direkte

import (
	"bytes"
	"context"
	"io"
	"slices"

	"samvirke.dev/services/identity/internal/core/civil"
)

// Summary is what a delivery says of itself, and what was found in it.
type Summary struct {
	Task       string     // OPGAVENR, six digits: which of CPR's jobs made it
	Produced   civil.Date // PRODDTO: when it was made
	Previous   civil.Date // PRODDTOFORRIG: when the one before it was made; zero if it is the first
	Records    int        // between the first and the last
	Persons    int        // of whom all is told, those under replaced numbers too
	EventsOnly int        // of whom only events are told
	Events     int        // in all
	Failures   int        // records 910
	Receipts   int        // records 997
	Skipped    int        // records whose type is not known
	Unknown    []int      // those types, sorted: something for an operator to look at
}

// visitor sees the parts of a delivery in their order.
type visitor interface {
	person(b *block) error                            // all records of one person that stand together
	written(key uint64, r Record, at int64) error     // a 003 that stands apart, at that offset
	control(r Record, line int, day civil.Date) error // 910 or 997
}

// walk goes through a delivery once and sees to it that it is a sound one.
type walk struct {
	sc      *Scanner
	sum     Summary
	visit   visitor
	mode    mode
	current block
	open    bool // there is a current block
	apart   bool // the addresses that stand apart have begun
	ended   bool
}

// everyLines is how often an ended context is noticed.
const everyLines = 1024

// walk reads a delivery and shows it to the visitor. Errors: *RefusedError, those of in, of the visitor and of the ended context.
func (r *Reader) walk(ctx context.Context, in io.Reader, visit visitor, m mode) (Summary, error) {
	w := &walk{sc: r.NewScanner(in), visit: visit, mode: m}
	for w.sc.Scan() {
		if w.sc.line%everyLines == 0 && ctx.Err() != nil {
			return Summary{}, ctx.Err()
		}
		if err := w.record(w.sc.record); err != nil {
			return Summary{}, err
		}
	}
	switch {
	case w.sc.err != nil:
		return Summary{}, w.sc.err
	case w.sc.line == 0:
		return Summary{}, &RefusedError{Line: 1, Reason: "an empty file"}
	case !w.ended:
		return Summary{}, w.sc.refuse("nothing follows, but it is not the end record")
	}
	slices.Sort(w.sum.Unknown)
	return w.sum, ctx.Err()
}

func (w *walk) record(r Record) error {
	switch {
	case w.ended:
		return w.sc.refuse("behind the end record")
	case w.sc.line == 1:
		return w.start(r)
	case r.Type == typeEnd:
		return w.end(r)
	}
	w.sum.Records++
	switch {
	case r.Type == typeStart:
		return w.sc.refuse("a second start record")
	case r.Type >= typeControl:
		return w.control(r)
	default:
		return w.personal(r)
	}
}

func (w *walk) start(r Record) error {
	if r.Type != typeStart {
		return w.sc.refuse("not the start record")
	}
	if reason := r.fault(civil.Date{}); reason != "" {
		return w.sc.refuse(reason)
	}
	w.sum.Task = r.Text("OPGAVENR")
	w.sum.Produced, _ = packedDay(r.Get("PRODDTO"))
	w.sum.Previous, _ = packedDay(r.Get("PRODDTOFORRIG"))
	switch {
	case w.sum.Task == "":
		return w.sc.refuse("OPGAVENR: missing")
	case w.sum.Produced.IsZero() || w.sum.Produced.Partial() || w.sum.Previous.Partial():
		return w.sc.refuse("PRODDTO: no such date")
	case !w.sum.Previous.IsZero() && !w.sum.Produced.CertainlyAfter(w.sum.Previous):
		return w.sc.refuse("PRODDTO: not after PRODDTOFORRIG")
	}
	return nil
}

func (w *walk) end(r Record) error {
	if err := w.flush(); err != nil {
		return err
	}
	if reason := r.fault(w.sum.Produced); reason != "" {
		return w.sc.refuse(reason)
	}
	count := r.Get("TAELLER")
	if len(count) == 0 || value(count) != w.sum.Records {
		return w.sc.refuse("TAELLER: not the number of records")
	}
	w.ended = true
	return nil
}

func (w *walk) control(r Record) error {
	if !r.Known() {
		return w.sc.refuse("a type that is not known")
	}
	if err := w.flush(); err != nil {
		return err
	}
	if reason := r.fault(w.sum.Produced); reason != "" {
		return w.sc.refuse(reason)
	}
	if r.Type == typeReceipt {
		if n, ok := numberOf(r.number(), w.sum.Produced); !ok || n.IsZero() {
			return w.sc.refuse("PNR: not a person's number")
		}
		w.sum.Receipts++
	} else {
		w.sum.Failures++
	}
	return w.visit.control(r, w.sc.line, w.sum.Produced)
}

// personal takes in a record of a person.
func (w *walk) personal(r Record) error {
	if !w.open || !bytes.Equal(r.number(), w.current.raw[:]) {
		if err := w.next(r); err != nil || w.apart {
			return err
		}
	}
	if reason := w.current.add(r); reason != "" {
		return w.sc.refuse(reason)
	}
	switch {
	case !r.Known():
		w.sum.Skipped++
		if !slices.Contains(w.sum.Unknown, r.Type) {
			w.sum.Unknown = append(w.sum.Unknown, r.Type)
		}
	case r.Type == typeEvent:
		w.sum.Events++
	}
	return nil
}

// next steps to another person: to all its records, or to an address that stands apart.
func (w *walk) next(r Record) error {
	if err := w.flush(); err != nil {
		return err
	}
	if r.Type == typeWritten {
		w.apart = true
		return w.address(r)
	}
	switch {
	case w.apart:
		return w.sc.refuse("behind the addresses that stand apart")
	case r.Type != typePerson && r.Type != typeEvent:
		return w.sc.refuse("not of the person whose records come before it")
	case !w.current.begin(r, w.sc.line, w.sum.Produced, w.mode):
		return w.sc.refuse("PNR: not a person's number")
	}
	w.open = true
	return nil
}

func (w *walk) address(r Record) error {
	if n, ok := numberOf(r.number(), w.sum.Produced); !ok || n.IsZero() {
		return w.sc.refuse("PNR: not a person's number")
	}
	if reason := r.fault(w.sum.Produced); reason != "" {
		return w.sc.refuse(reason)
	}
	if err := w.visit.written(keyOf(r.number()), r, w.sc.at); err != nil {
		if reason, ok := err.(reasonError); ok { //nolint:errorlint // never wrapped: our visitors return it as it is
			return w.sc.refuse(string(reason))
		}
		return err
	}
	return nil
}

// flush ends the records of the current person.
func (w *walk) flush() error {
	if !w.open {
		return nil
	}
	w.open = false
	b := &w.current
	if reason := b.lacks(); reason != "" {
		return b.refuse(reason)
	}
	if b.person {
		w.sum.Persons++
	} else {
		w.sum.EventsOnly++
	}
	return w.visit.person(b)
}

// refuse returns the refusal of a person's records, by the line of the first.
func (b *block) refuse(reason string) *RefusedError {
	kind := typePerson
	if !b.person {
		kind = typeEvent
	}
	return &RefusedError{Line: b.line, Record: Record{Type: kind}.name(), Reason: reason}
}

// reasonError is a reason to refuse the present line.
type reasonError string

func (r reasonError) Error() string { return string(r) }
