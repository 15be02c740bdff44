// Package direkte writes CPR Direkte deliveries as CPR does: files of fixed-width records (P12170) in ISO 8859-1 with the persons whom
// the customer subscribes to. A person who was subscribed or changed since the last delivery comes whole; the others do not come. The
// production dates in the start records form a chain, by which a receiver notices a delivery that it misses.
package direkte

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"samvirke.dev/deploy/registers/cpr"
)

// Task is the task number (OPGAVENR) in start records and file names.
const Task = "110901"

// errorUnknown is the number of the error about a subscription to nobody, CPR's 172.
const errorUnknown = "0172"

// production is the layout of PRODDTO.
const production = "20060102"

// nameDay is the layout of the day in a file's name, which is `D<yymmdd>.L<task>`.
const nameDay = "060102"

// Errors of subscriptions.
var (
	// ErrNumber means a number that is not ten digits.
	ErrNumber = errors.New("direkte: a number of ten digits is needed")
	// ErrExists means that the folder has a file of the delivery's name already.
	ErrExists = errors.New("direkte: there is a delivery of that day already")
)

// Deps are what deliveries need.
type Deps struct {
	Register *cpr.Register
	// Dir is the folder that deliveries are written to. It must exist.
	Dir    string
	Logger *slog.Logger
}

// Delivery tells of a written file.
type Delivery struct {
	// File is the name inside the folder.
	File string `json:"file"`
	// Production is PRODDTO and Previous PRODDTOFORRIG, `YYYYMMDD`; Previous is 00000000 for the first.
	Production string `json:"production"`
	Previous   string `json:"previous"`
	// Records counts those between start and end, as the end record does.
	Records int `json:"records"`
	// Persons is how many came.
	Persons int `json:"persons"`
}

// subscription remembers what was delivered about a person.
type subscription struct {
	named     bool   // by its number, and not by a filter
	since     string // cpr.Stamp
	delivered bool
	events    int // how many of the person's events are delivered
}

// Deliveries is safe for concurrent use. Subscriptions live in memory: after a restart there are none, while the chain of dates goes on
// from the files in the folder.
type Deliveries struct {
	deps Deps

	mu       sync.Mutex
	last     time.Time // production date of the last delivery, zero for none
	subs     map[string]*subscription
	filters  map[Filter]bool
	seen     map[string]int // how many events of each person there were at the last delivery
	receipts []*line        // of deleted subscriptions
}

// New finds the last delivery in the folder.
func New(d Deps) (*Deliveries, error) {
	if d.Register == nil || d.Dir == "" || d.Logger == nil {
		return nil, errors.New("direkte: a dependency is missing")
	}
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		return nil, fmt.Errorf("direkte: folder of deliveries: %w", err)
	}
	s := &Deliveries{deps: d, subs: map[string]*subscription{}, filters: map[Filter]bool{}, seen: map[string]int{}}
	for _, e := range entries {
		day, found := strings.CutSuffix(strings.TrimPrefix(e.Name(), "D"), ".L"+Task)
		if at, err := time.Parse(nameDay, day); found && err == nil && at.After(s.last) {
			s.last = at
		}
	}
	return s, nil
}

// Add subscribes to a number and reports whether it was not subscribed to. A number that CPR does not know is told in the next delivery.
func (s *Deliveries) Add(number string) (bool, error) {
	if !tenDigits(number) {
		return false, ErrNumber
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[number]
	switch {
	case sub == nil:
		_, _, before := s.deps.Register.Snapshot(number, 0)
		s.subs[number] = &subscription{named: true, since: s.now(), events: before}
	case sub.named:
		return false, nil
	default:
		sub.named = true
	}
	return true, nil
}

// Remove ends the subscription to a number and reports whether there was one; the next delivery has a receipt for it.
func (s *Deliveries) Remove(number string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs[number]; sub == nil || !sub.named {
		return false
	}
	delete(s.subs, number)
	s.receipts = append(s.receipts, record("997", 43, number).digits(14, 12, s.now()).at(26, 3, cpr.EventSubscribed))
	return true
}

// Subscribe is Add for several numbers, of which none is added when one is refused.
func (s *Deliveries) Subscribe(numbers ...string) error {
	for _, n := range numbers {
		if !tenDigits(n) {
			return ErrNumber
		}
	}
	for _, n := range numbers {
		if _, err := s.Add(n); err != nil {
			return err
		}
	}
	return nil
}

// Unsubscribe is Remove for several numbers.
func (s *Deliveries) Unsubscribe(numbers ...string) {
	for _, n := range numbers {
		s.Remove(n)
	}
}

// Subscribed are the numbers that are subscribed to by name, in order.
func (s *Deliveries) Subscribed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := make([]string, 0, len(s.subs))
	for n, sub := range s.subs {
		if sub.named {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func tenDigits(number string) bool {
	return len(number) == 10 && strings.Trim(number, "0123456789") == ""
}

func (s *Deliveries) now() string { return s.deps.Register.Now().Format(cpr.Stamp) }

// Deliver writes a file with everything since the last delivery, also when that is nothing. Its production date is today, or the day
// after the last delivery's when that is later, so that every delivery has a date of its own. Until the file is in its place nothing
// counts as delivered.
func (s *Deliveries) Deliver(ctx context.Context) (Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Delivery{}, fmt.Errorf("direkte: %w", err)
	}
	today := s.deps.Register.Now()
	day := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC)
	d := Delivery{Previous: strings.Repeat("0", len(production))}
	if !s.last.IsZero() {
		d.Previous = s.last.Format(production)
		if next := s.last.AddDate(0, 0, 1); day.Before(next) {
			day = next
		}
	}
	d.Production, d.File = day.Format(production), "D"+day.Format(nameDay)+".L"+Task
	seen := s.catch()
	lines, done := s.collect(&d)
	data, err := render(d, lines)
	if err != nil {
		return Delivery{}, err
	}
	if err := s.place(d.File, data); err != nil {
		return Delivery{}, err
	}
	s.last, s.receipts, s.seen = day, nil, seen
	for number, sub := range done {
		s.subs[number] = sub
	}
	s.release()
	s.deps.Logger.InfoContext(ctx, "delivery written", "file", d.File, "records", d.Records, "persons", d.Persons)
	return d, nil
}

// collect gathers the records, and what the subscriptions will be once they are delivered.
func (s *Deliveries) collect(d *Delivery) ([]*line, map[string]*subscription) {
	var lines, complaints []*line
	done := map[string]*subscription{}
	for _, number := range slices.Sorted(maps.Keys(s.subs)) {
		sub := s.subs[number]
		p, events, total := s.deps.Register.Snapshot(number, sub.events)
		switch {
		case sub.delivered && (p == nil || len(events) == 0):
			continue
		case p == nil:
			complaints = append(complaints, record("910", 157, number).at(14, 75, number).at(89, 4, errorUnknown).
				at(93, 65, "PERSONNUMMER FINDES IKKE"))
		default:
			if !sub.delivered {
				events = append([]cpr.Event{{At: sub.since, Code: cpr.EventSubscribed}}, events...)
			}
			lines = append(lines, person(p, events)...)
			d.Persons++
		}
		done[number] = &subscription{named: sub.named, since: sub.since, delivered: true, events: total}
	}
	lines = append(append(lines, complaints...), s.receipts...)
	d.Records = len(lines)
	return lines, done
}

func render(d Delivery, lines []*line) ([]byte, error) {
	start := record("000", 35, strings.Repeat("0", 10)).at(14, 6, Task).at(20, 8, d.Production).at(28, 8, d.Previous)
	end := record("999", 21, strings.Repeat("9", 10)).at(14, 8, fmt.Sprintf("%08d", d.Records))
	var buf bytes.Buffer
	for _, l := range append(append([]*line{start}, lines...), end) {
		raw, err := l.latin1()
		if err != nil {
			return nil, err
		}
		buf.Write(raw)
	}
	return buf.Bytes(), nil
}

// place puts the file into the folder whole or not at all, and never over another one.
func (s *Deliveries) place(name string, data []byte) (err error) {
	f, err := os.CreateTemp(s.deps.Dir, ".delivery-*")
	if err != nil {
		return fmt.Errorf("direkte: temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it is the first error that counts
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("direkte: temporary file: %w", err)
	}
	target := filepath.Join(s.deps.Dir, name)
	if _, err = os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ErrExists, err)
	}
	if err = os.Rename(f.Name(), target); err != nil {
		return fmt.Errorf("direkte: %w", err)
	}
	return nil
}
