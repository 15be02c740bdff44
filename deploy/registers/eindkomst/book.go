package eindkomst

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"samvirke.dev/deploy/registers/eindkomst/upload"
	"samvirke.dev/services/platform/clock"
)

// Errors of changes.
var (
	// ErrInvalid means a change that is not understood.
	ErrInvalid = errors.New("eindkomst: want CPR number, SE number, pay period and figures that a report can have")
	// ErrUnknown means that there is no report to correct or to take back.
	ErrUnknown = errors.New("eindkomst: no such report")
)

// entry is a report as the register keeps it. Nothing is ever removed: what is taken back stays, with its reversal beside it.
type entry struct {
	upload.Report
	reversal   bool
	reversed   bool // a reversal of it follows
	registered time.Time
}

// Book is what employers have reported. It is safe for concurrent use.
type Book struct {
	clk clock.Clock

	mu       sync.RWMutex
	persons  map[string][]entry // by CPR number, in the order of their coming
	reports  int
	sequence int // of ids that the book makes up
}

// NewBook returns an empty book.
func NewBook(clk clock.Clock) *Book { return &Book{clk: clk, persons: map[string][]entry{}} }

// Upload takes a whole file of employers' reports, or nothing of it if there is an error.
func (b *Book) Upload(r io.Reader) (int, error) {
	reports, err := upload.ReadReports(r)
	if err != nil {
		return 0, err
	}
	return len(reports), b.Add(reports)
}

// Add takes reports, or none of them if there is an error.
func (b *Book) Add(reports []upload.Report) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clk.Now()
	for _, r := range reports {
		if r.TakesBack {
			if b.find(r, reports) == nil {
				return ErrUnknown
			}
			continue
		}
		if err := valid(r); err != nil {
			return err
		}
	}
	for _, r := range reports {
		e := entry{Report: r, registered: now}
		if r.TakesBack {
			e = b.reverse(r, now)
		}
		b.persons[r.CPR] = append(b.persons[r.CPR], e)
		b.reports++
	}
	return nil
}

// find returns the report that another one takes back, among those of the book and those that come with it.
func (b *Book) find(r upload.Report, with []upload.Report) *upload.Report {
	for i := range b.persons[r.CPR] {
		e := &b.persons[r.CPR][i]
		if e.ID == r.Reference && e.Employer == r.Employer && !e.reversal && !e.reversed {
			return &e.Report
		}
	}
	for i := range with {
		if w := &with[i]; !w.TakesBack && w.ID == r.Reference && w.Employer == r.Employer && w.CPR == r.CPR {
			return w
		}
	}
	return nil
}

// reverse returns the reversal of a report: its figures below zero.
func (b *Book) reverse(r upload.Report, now time.Time) entry {
	e := entry{registered: now, reversal: true}
	for i := range b.persons[r.CPR] {
		of := &b.persons[r.CPR][i]
		if of.ID != r.Reference || of.Employer != r.Employer || of.reversal || of.reversed {
			continue
		}
		of.reversed = true
		e.Report = of.Report
		e.Figures = slices.Clone(of.Figures)
		for j := range e.Figures {
			e.Figures[j].Hundredths = -e.Figures[j].Hundredths
		}
		break
	}
	e.ID, e.Reference = cmp.Or(r.ID, e.ID), r.Reference
	return e
}

func valid(r upload.Report) error {
	from, err1 := time.Parse(fileDate, r.From)
	to, err2 := time.Parse(fileDate, r.To)
	if !isCPR(r.CPR) || len(r.Employer) != seDigits || r.ID == "" || err1 != nil || err2 != nil || to.Before(from) || len(r.Kind) != 2 {
		return ErrInvalid
	}
	return nil
}

// Correct lets an employer take back what it reported last about a person and a month, and report other figures: hours in hundredths,
// income in øre.
func (b *Book) Correct(cpr, employer, month string, hours, income int64) error {
	b.mu.Lock()
	last, found := upload.Report{}, false
	for _, e := range b.persons[cpr] {
		if e.Employer == employer && !e.reversal && !e.reversed && len(e.From) == len(fileDate) && e.From[:4]+"-"+e.From[4:6] == month {
			last, found = e.Report, true
		}
	}
	b.sequence++
	sequence := b.sequence
	b.mu.Unlock()
	if !found {
		return ErrUnknown
	}
	again := last
	again.ID, again.Reference = fmt.Sprintf("K%d", sequence), ""
	again.Figures = []upload.Figure{{Field: upload.FieldHours, Hundredths: hours}, {Field: upload.FieldIncome, Hundredths: income}}
	back := upload.Report{Employer: employer, ID: fmt.Sprintf("T%d", sequence), Reference: last.ID, CPR: cpr, TakesBack: true}
	return b.Add([]upload.Report{back, again})
}

// Len returns how many reports there are, reversals included.
func (b *Book) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.reports
}

// about returns a person's reports that a search finds, by employer and then as they came.
func (b *Book) about(s search) []entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []entry
	for _, e := range b.persons[s.cpr] {
		if s.finds(e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(x, y entry) int { return cmp.Compare(x.Employer, y.Employer) })
	return out
}
