package direkte

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"samvirke.dev/services/identity/internal/core/civil"
)

// Errors of deliveries.
var (
	// ErrChanged means that a delivery was not the same when it was read the second time. Nothing from behind the change was handed on.
	ErrChanged = errors.New("cpr direkte: the delivery changed while it was read")
	// ErrRepeated means that a delivery of that day or a later one was applied before.
	ErrRepeated = errors.New("cpr direkte: the delivery was applied before")
	// ErrGap means that CPR made a delivery before this one that was not applied.
	ErrGap = errors.New("cpr direkte: a delivery before this one is missing")
)

// Follows reports whether the delivery comes right after the one that was made on the day last, which is the zero Date if none was
// applied; then any is the first. Errors: ErrRepeated, ErrGap.
func (s Summary) Follows(last civil.Date) error {
	switch {
	case last.IsZero():
		return nil
	case !s.Produced.CertainlyAfter(last):
		return ErrRepeated
	case s.Previous != last:
		return ErrGap
	default:
		return nil
	}
}

// Check reads a delivery to its end and reports what it is. Errors: *RefusedError if it is not a sound one; those of in and of the ended
// context.
func (r *Reader) Check(ctx context.Context, in io.Reader) (Summary, error) {
	sum, _, err := r.check(ctx, in)
	return sum, err
}

// Apply checks a delivery from its present position to its end, and if it is sound, reads it again and hands on what it tells, in its order.
// Errors: those of Open and Delivery.Apply. Use Open to look at the Summary in between.
func (r *Reader) Apply(ctx context.Context, file io.ReadSeeker, apply func(Update) error) error {
	d, err := r.Open(ctx, file)
	if err != nil {
		return err
	}
	return d.Apply(ctx, apply)
}

// Delivery is a delivery that was checked. It is not safe for concurrent use.
type Delivery struct {
	Summary Summary

	reader *Reader
	file   io.ReadSeeker
	start  int64
	seen   *index
	sums   *checksums
}

// Open checks a delivery from the file's present position to its end. Errors: *RefusedError if it is not a sound one; those of the file and
// of the ended context.
func (r *Reader) Open(ctx context.Context, file io.ReadSeeker) (*Delivery, error) {
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("cpr direkte: %w", err)
	}
	d := &Delivery{reader: r, file: file, start: start, sums: newChecksums()}
	d.Summary, d.seen, err = r.check(ctx, d.sums.first(file))
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Apply hands on what the delivery tells, in its order. It may be called again, also after an error. Errors: ErrChanged, those of apply, of
// the file and of the ended context; what was handed on before the error may be handed on again.
func (d *Delivery) Apply(ctx context.Context, apply func(Update) error) error {
	c := &cursor{file: d.file, at: d.start, lost: true}
	a := &applier{reader: d.reader, cursor: c, start: d.start, seen: d.seen, apply: apply}
	sum, err := d.reader.walk(ctx, d.sums.again(c), a, build) // its bytes were looked at when they were read first
	_, refused := errors.AsType[*RefusedError](err)
	switch {
	case a.failed != nil:
		return a.failed
	case refused, err == nil && !sum.equal(d.Summary):
		return ErrChanged
	default:
		return err
	}
}

func (s Summary) equal(o Summary) bool {
	return s.Task == o.Task && s.Produced == o.Produced && s.Records == o.Records && s.Persons == o.Persons
}

// place is where the address of a person stands: among the person's records (inline), at an offset in the delivery (greater than 0: the
// offset, and in the lowest bits a checksum of the line), or not found yet (less than 0: minus the line of the person's first record).
type place int64

const (
	inline  place = 0
	sumBits       = 24
	sumMask       = 1<<sumBits - 1
)

func placeAt(at int64, line []byte, seed maphash.Seed) place {
	return place(at<<sumBits | int64(maphash.Bytes(seed, line)&sumMask))
}

// offset returns where the line begins.
func (p place) offset() int64 { return int64(p) >> sumBits }

// index finds out during the first reading whose address stands where, and persons that are given twice.
type index struct {
	places  map[uint64]place // by number
	pending int              // persons whose address was not found yet
	seed    maphash.Seed
}

func (r *Reader) check(ctx context.Context, in io.Reader) (Summary, *index, error) {
	x := &index{places: map[uint64]place{}, seed: maphash.MakeSeed()}
	sum, err := r.walk(ctx, in, x, look)
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		return Summary{}, nil, err
	}
	return sum, x, nil
}

func (x *index) person(b *block) error {
	if !b.person {
		return nil
	}
	if _, twice := x.places[b.key]; twice {
		return b.refuse("of a person who came before")
	}
	if b.written {
		x.places[b.key] = inline
		return nil
	}
	x.places[b.key] = place(-b.line)
	x.pending++
	return nil
}

func (x *index) written(key uint64, r Record, at int64) error {
	switch p, known := x.places[key]; {
	case !known:
		return reasonError("the address of a person who is not in the delivery")
	case p >= 0:
		return reasonError("a second address of a person")
	}
	x.places[key] = placeAt(at, r.line, x.seed)
	x.pending--
	return nil
}

func (x *index) control(Record, int, civil.Date) error { return nil }

// finish refuses a delivery in which somebody has no address record: not even an empty one, such as the dead have. Taking that for a person
// without address would wipe out what is known.
func (x *index) finish() error {
	if x.pending == 0 {
		return nil
	}
	first := place(0)
	for _, p := range x.places {
		if p < 0 && (first == 0 || p > first) {
			first = p
		}
	}
	return &RefusedError{Line: int(-first), Record: Record{Type: typePerson}.name(), Reason: "without a record 003"}
}

// applier hands on what the second reading finds.
type applier struct {
	reader *Reader
	cursor *cursor
	start  int64
	seen   *index
	apply  func(Update) error
	failed error // of apply
	buffer [maxLine]byte
}

func (a *applier) person(b *block) error {
	if b.person && !b.written {
		if err := a.fetch(b); err != nil {
			return err
		}
	}
	return a.hand(b.update())
}

func (a *applier) hand(u Update) error {
	if err := a.apply(u); err != nil {
		a.failed = fmt.Errorf("cpr direkte: apply, line %d: %w", u.Line, err)
	}
	return a.failed
}

// fetch takes in the address that stands apart, if its line is the one that was looked at.
func (a *applier) fetch(b *block) error {
	p := a.seen.places[b.key]
	if p <= 0 {
		return ErrChanged
	}
	raw, err := a.cursor.lineAt(a.buffer[:], a.start+p.offset())
	if err != nil {
		return err
	}
	r := Record{Type: typeWritten, shape: a.reader.shapes[typeWritten], line: raw}
	if placeAt(p.offset(), raw, a.seen.seed) != p || b.add(r) != "" {
		return ErrChanged
	}
	return nil
}

func (a *applier) written(uint64, Record, int64) error { return nil }

func (a *applier) control(r Record, line int, day civil.Date) error {
	n, ok := numberOf(r.number(), day)
	u := Update{Line: line}
	if ok {
		u.Number = n
	}
	if r.Type == typeReceipt {
		u.Receipt = &Receipt{Number: u.Number, Event: r.Text("HAENDELSE"), Key: r.Text("NGLKONST")}
		u.Receipt.Day, u.Receipt.Clock = moment(r)
	} else {
		u.Failure = &Failure{Number: u.Number, Code: r.Text("FEJLNR"), Text: r.Text("FEJLTXT-UDTRÆK"), Input: r.Text("INDDATA")}
	}
	return a.hand(u)
}
