// Package importer reads persons from a file into the store.
//
// # Format
//
// JSON Lines: UTF-8 without byte-order mark, one JSON object a line, lines of at most 64 KiB, LF or CRLF. Empty lines are skipped. Keys
// are spelled exactly as here; a key that is unknown, given twice or null is an error. Dates are `YYYY-MM-DD`, where the register does not
// know them with `00` for the day or for day and month.
//
//	number           the number in force, `SE:` and 12 digits or `DK:` and 10. Required
//	type             the register's word: PERSONNUMMER, SAMORDNINGSNUMMER, CPR; must agree. IMMUNITETSNUMMER is refused
//	earlier_numbers  numbers that were in force before, in the same form
//	given_names, middle_name, family_name, addressing_name
//	birth_date       the true one, which need not agree with the number
//	death_date       absent while alive
//	address          {care_of, lines (five at most), postal_code, city, country (ISO 3166-1 alpha-2 or text), valid_from}
//	protections      [{kind, since, ended}]; kind is SE_SECRECY_MARK, SE_PROTECTED_REGISTRATION, DK_NAME_ADDRESS, DK_SPECIAL, AD_BLOCK
//	                 or UNKNOWN (treated as the strongest). ended is the day on which the register said that it ended, never a
//	                 planned end
//	register_state   the register's own code, such as AV (SPAR) or 90 (CPR)
//	memberships      [{controller (`DK:` and 8 digits or `SE:` and 10), from, until (last day)}]
//	register_time    when the register gave these facts, RFC 3339. Required
//	origin           PUBLIC_REGISTER (default), MEMBER, EMPLOYER, AUTHORITY or OTHER_FUND
//	source           a note on where the line comes from; checked and not kept
//
// # Behaviour
//
// A line replaces all that was known of the person under any of the numbers; handles stay. A line whose register_time is older than what
// the store has is left out and counted, so files may be imported again and in any order. Name and address of a person with a Swedish,
// special or unknown protection are not kept, even if the line has them (domain rule B.10, 4). Numbers must belong to the environment (SEC-09).
//
// A file is refused whole or imported whole: it is read twice, first to look for problems. All bad lines are reported, up to a hundred,
// by line number and reason; neither holds any value of the file. Memory does not grow with the file but for eight bytes a number, which are
// needed to find a number that is given twice. The import itself runs in transactions of a thousand lines: when the database fails half-way, the
// lines before are there, and importing again completes them.
package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/store"
)

// Limits.
const (
	maxLine     = 64 << 10 // bytes of a line
	maxProblems = 100      // reported
	batchSize   = 1000     // lines of a transaction
)

// Problem is a bad line.
type Problem struct {
	Line   int    // from 1
	Reason string // without any value of the line
}

// RefusedError says that a file was not imported because of its content.
type RefusedError struct {
	Problems []Problem // in order, at most a hundred
	Total    int       // bad lines in all
}

// Error lists the problems.
func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "import refused: %d bad lines", e.Total)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\nline %d: %s", p.Line, p.Reason)
	}
	if e.Total > len(e.Problems) {
		fmt.Fprintf(&b, "\nand %d more", e.Total-len(e.Problems))
	}
	return b.String()
}

// ErrChanged means that a file was not the same when it was read the second time. What was imported before that line is there.
var ErrChanged = errors.New("import: the file changed while it was read")

// Sink takes persons. It writes all of one call or none.
type Sink interface {
	Put(ctx context.Context, persons []*core.Person) (store.Written, error)
}

// Deps are what an Importer needs. All are required.
type Deps struct {
	Sink  Sink
	Guard *nationalid.Guard
	Clock core.Clock
	Zone  *time.Location // whose civil date is today's
}

// Importer imports files. It is safe for concurrent use.
type Importer struct{ deps Deps }

// New returns an importer.
func New(d Deps) (*Importer, error) {
	if d.Sink == nil || d.Guard == nil || d.Clock == nil || d.Zone == nil {
		return nil, errors.New("import: sink, guard, clock and zone are required")
	}
	return &Importer{deps: d}, nil
}

// Report tells what an import did.
type Report struct {
	Persons int `json:"persons"` // lines with a person
	Stored  int `json:"stored"`  // persons inserted or replaced
	Stale   int `json:"stale"`   // persons of whom the store knows something newer
	Merged  int `json:"merged"`  // rows that turned out to be the same person as another
}

// Import reads the file from its present position, twice. Errors: *RefusedError, after which nothing was changed; ErrChanged; those of
// the file, of the sink and of the ended context.
func (im *Importer) Import(ctx context.Context, file io.ReadSeeker) (Report, error) {
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return Report{}, fmt.Errorf("import: %w", err)
	}
	if _, err := im.Check(ctx, file); err != nil {
		return Report{}, err
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return Report{}, fmt.Errorf("import: %w", err)
	}
	var (
		report Report
		batch  = make([]*core.Person, 0, batchSize)
	)
	flush := func() error {
		done, err := im.deps.Sink.Put(ctx, batch)
		report.Stored, report.Stale, report.Merged = report.Stored+done.Stored, report.Stale+done.Stale, report.Merged+done.Merged
		batch = batch[:0]
		if errors.Is(err, store.ErrDuplicate) {
			return ErrChanged
		}
		return err
	}
	err = im.each(ctx, file, func(_ int, p *core.Person, complaint string) error {
		if complaint != "" {
			return ErrChanged
		}
		report.Persons++
		batch = append(batch, p)
		if len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return report, fmt.Errorf("import: after %d persons: %w", report.Stored, err)
	}
	return report, nil
}

// Check reads a file without importing it and returns how many persons it has. Errors: *RefusedError, those of the file and of the
// ended context.
func (im *Importer) Check(ctx context.Context, file io.Reader) (int, error) {
	refused, persons := &RefusedError{}, 0
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{}
	err := im.each(ctx, file, func(line int, p *core.Person, complaint string) error {
		persons++
		if complaint == "" {
			complaint = twice(seed, seen, p)
		}
		if complaint == "" {
			return nil
		}
		refused.Total++
		if len(refused.Problems) < maxProblems {
			refused.Problems = append(refused.Problems, Problem{Line: line, Reason: complaint})
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("import: check: %w", err)
	case refused.Total > 0:
		return 0, refused
	}
	return persons, nil
}

// twice remembers the person's numbers by a hash and complains about one that was there before.
func twice(seed maphash.Seed, seen map[uint64]struct{}, p *core.Person) string {
	for _, n := range append([]nationalid.Number{p.Number}, p.Earlier...) {
		h := maphash.Comparable(seed, n)
		if _, ok := seen[h]; ok {
			return "a number that another line has, or the same line twice"
		}
		seen[h] = struct{}{}
	}
	return ""
}

// each calls fn for every line with a person or a complaint about it.
func (im *Importer) each(ctx context.Context, file io.Reader, fn func(line int, p *core.Person, complaint string) error) error {
	now := im.deps.Clock.Now()
	r := reader{guard: im.deps.Guard, today: civil.Of(now.In(im.deps.Zone)), now: now}
	in := bufio.NewReaderSize(file, maxLine)
	for line := 1; ; line++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, long, err := nextLine(in)
		raw = bytes.TrimRight(raw, "\r\n")
		switch {
		case long:
			if err := fn(line, nil, "longer than 64 KiB"); err != nil {
				return err
			}
		case len(bytes.TrimSpace(raw)) > 0:
			p, complaint := r.person(raw)
			if err := fn(line, p, complaint); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// nextLine returns the next line, valid until the next call. Of one that is too long it returns nothing but reads it to its end.
func nextLine(in *bufio.Reader) (raw []byte, long bool, err error) {
	raw, err = in.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		raw, long = nil, true
		_, err = in.ReadSlice('\n')
	}
	return raw, long, err
}
