package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
)

// Caller is who asks, after authorisation.
type Caller struct {
	Controller string // on whose responsibility, DK:12345678
	Person     string // the caller's pseudonym for the employee behind the call; "" when a system acts by itself
	Case       string // the caller's own case reference
	Trace      string // of the call
}

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Notes writes what the use cases find out into the audit record of the running call.
type Notes interface {
	// Subject notes whom the call, or the item of a batch, is about.
	Subject(ctx context.Context, id string, protected bool)
	// Retrieved notes when the register gave the facts.
	Retrieved(ctx context.Context, at time.Time)
	// Decided notes what a rule came to.
	Decided(ctx context.Context, d *Decision)
}

// Work is a piece of work that the service does by itself.
type Work struct {
	Name       string
	Controller string
	Kind       Kind
	Started    time.Time
}

// Record is what such work did about one member.
type Record struct {
	Subject   string
	Protected bool
	Retrieved time.Time
	Decision  *Decision // the new one, or the earlier one that stands
}

// Records writes the audit records of work, one a member.
type Records interface {
	// Seal makes records ready; it needs no transaction.
	Seal(w Work, items []Record) (SealedRecords, error)
	// Write writes them in the transaction of the context.
	Write(ctx context.Context, sealed SealedRecords) error
}

// SealedRecords are records that are ready to be written.
type SealedRecords any

// Queue has work done in the background: enqueued with the transaction of the context, at least once.
type Queue interface {
	// Run has a run worked on.
	Run(ctx context.Context, id ID, controller string) error
	// Rematch has one member's month matched again; fetch asks the register anew.
	Rematch(ctx context.Context, member int64, month civil.Month, fetch bool) error
}

// Deps are what a Service needs. Register may be nil: then only what was uploaded is known. All others are required.
type Deps struct {
	Store    Store
	Register Register
	Notes    Notes
	Records  Records
	Queue    Queue
	Clock    Clock
	Zone     *time.Location // whose civil dates decide
	Sets     rule.Sets
	Name     string // of the service, which is who decides automatically
	Areas    []Kind // in which decisions may be automatic (automation.areas)
	// IncomeCondition switches the Swedish income condition on (se.income_condition).
	IncomeCondition bool
	// SamePerson allows a complaint to be decided by who decided before (complaint.other_person=false).
	SamePerson bool
	Chunk      int           // members of a chunk of a run
	Lease      time.Duration // how long a chunk is left to who claimed it
	Ask        int           // questions to the register at the same time, for each chunk
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	d     Deps
	areas map[Kind]bool
}

// New returns the service, or an error that names what is missing.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Notes == nil || d.Records == nil || d.Queue == nil || d.Clock == nil || d.Zone == nil || len(d.Sets) == 0 ||
		d.Name == "" || d.Chunk <= 0 || d.Lease <= 0 || d.Ask <= 0 {
		return nil, errors.New("income: store, notes, records, queue, clock, zone, rule sets, name, chunk, lease and ask are required")
	}
	s := &Service{d: d, areas: map[Kind]bool{}}
	for _, k := range d.Areas {
		s.areas[k] = true
	}
	return s, nil
}

// now is the moment, as finely as stores keep it.
func (s *Service) now() time.Time { return s.d.Clock.Now().UTC().Truncate(time.Microsecond) }

// Today is the civil date that decides.
func (s *Service) Today() civil.Date { return s.today() }

func (s *Service) today() civil.Date { return civil.Of(s.now().In(s.d.Zone)) }

// frame is what decisions about a month share.
func (s *Service) frame(month civil.Month, run ID, trace string) *frame {
	return &frame{
		set: s.d.Sets.For(month), areas: s.areas, month: month, today: s.today(), now: s.now(), run: run, by: s.d.Name, trace: trace,
	}
}

// subjectID is the member as audit records know it: the fund's handle, which is a pseudonym already, and whose it is.
func subjectID(controller string, handle facts.Handle) string {
	return SubjectID(controller, string(handle))
}

// SubjectID is what stands for a controller's member in audit records.
func SubjectID(controller, handle string) string { return controller + " " + handle }

// Upload is one member's month as it is uploaded.
type Upload struct {
	Handle facts.Handle
	Month  MemberMonth
}

// UploadMonths keeps what the fund knows about its members' months. Of a member who comes twice the last one holds. Those whose month
// was matched before are matched again on their own; it says how many. item returns the context of an item's audit record.
func (s *Service) UploadMonths(
	ctx context.Context, c Caller, month civil.Month, items []Upload, item func(context.Context, int) context.Context,
) (rematched int, err error) {
	handles, at := lastOf(len(items), func(i int) facts.Handle { return items[i].Handle })
	months := make([]MemberMonth, len(at))
	for i, from := range at {
		months[i] = items[from].Month
	}
	for i := range items {
		s.d.Notes.Subject(item(ctx, i), subjectID(c.Controller, items[i].Handle), items[i].Month.Protected)
	}
	members, err := s.d.Store.Members(ctx, c.Controller, handles)
	if err != nil {
		return 0, err
	}
	if err := s.d.Store.PutMonths(ctx, c.Controller, month, members, months); err != nil {
		return 0, err
	}
	return s.rematch(ctx, c.Controller, month, members, false)
}

// lastOf returns each handle once and the index of its last item.
func lastOf(n int, handle func(int) facts.Handle) (handles []facts.Handle, at []int) {
	place := map[facts.Handle]int{}
	for i := range n {
		h := handle(i)
		if p, twice := place[h]; twice {
			at[p] = i
			continue
		}
		place[h] = len(at)
		handles, at = append(handles, h), append(at, i)
	}
	return handles, at
}

// rematch has members matched on their own if their month was matched already, or is being matched.
func (s *Service) rematch(ctx context.Context, controller string, month civil.Month, members []int64, fetch bool) (int, error) {
	matched, err := s.d.Store.HasRun(ctx, controller, month)
	if err != nil || !matched {
		return 0, err
	}
	for _, m := range members {
		if err := s.d.Queue.Rematch(ctx, m, month, fetch); err != nil {
			return 0, err
		}
	}
	return len(members), nil
}

// Delivery is a register's answer as it is uploaded.
type Delivery struct {
	Handle facts.Handle
	Answer facts.Answer
}

// UploadAnswers keeps what a register said; otherwise as UploadMonths.
func (s *Service) UploadAnswers(
	ctx context.Context, c Caller, month civil.Month, items []Delivery, item func(context.Context, int) context.Context,
) (rematched int, err error) {
	handles, at := lastOf(len(items), func(i int) facts.Handle { return items[i].Handle })
	answers := make([]facts.Answer, len(at))
	for i, from := range at {
		answers[i] = items[from].Answer
	}
	for i := range items {
		ctx := item(ctx, i)
		s.d.Notes.Subject(ctx, subjectID(c.Controller, items[i].Handle), false)
		s.d.Notes.Retrieved(ctx, items[i].Answer.Retrieved)
	}
	members, err := s.d.Store.Members(ctx, c.Controller, handles)
	if err != nil {
		return 0, err
	}
	if err := s.d.Store.PutAnswers(ctx, c.Controller, month, members, answers); err != nil {
		return 0, err
	}
	return s.rematch(ctx, c.Controller, month, members, false)
}

// Enrol keeps the numbers for which registers may be asked.
func (s *Service) Enrol(ctx context.Context, c Caller, items []Enrolment, item func(context.Context, int) context.Context) error {
	for i := range items {
		s.d.Notes.Subject(item(ctx, i), subjectID(c.Controller, items[i].Handle), false)
	}
	return s.d.Store.Enrol(ctx, c.Controller, items)
}
