package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
)

// Errors of the store and the use cases.
var (
	// ErrNotFound means that the controller has nothing of that name.
	ErrNotFound = errors.New("income: not found")
	// ErrChanged means that somebody else changed the same thing first: read it again.
	ErrChanged = errors.New("income: changed by somebody else")
	// ErrDone means that the work was done by somebody else.
	ErrDone = errors.New("income: done by somebody else")
	// ErrState means that the decision's state does not allow it.
	ErrState = errors.New("income: the state does not allow this")
	// ErrHuman means that a natural person must act, and none is named.
	ErrHuman = errors.New("income: a person must decide")
	// ErrSamePerson means that the person decided before (complaint.other_person).
	ErrSamePerson = errors.New("income: another person must decide")
	// ErrSwitchedOff means that the operator has not switched the rule on.
	ErrSwitchedOff = errors.New("income: the rule is switched off")
	// ErrNotInForce means that the rule did not apply to the month yet.
	ErrNotInForce = errors.New("income: the rule was not in force")
	// ErrFuture means a day that has not come yet.
	ErrFuture = errors.New("income: a day in the future")
)

// Enrolment is a member whose number registers may be asked for.
type Enrolment struct {
	Handle facts.Handle
	Number string // canonical
}

// Sealed are decisions that are ready to be written.
type Sealed any

// Store keeps everything, encrypted where it is personal. Methods take part in the transaction of their context. Errors other than
// those named are of the database.
type Store interface {
	// InTx runs fn in a transaction, again if another one was in the way.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error

	// Members returns the store's numbers of members, in order, and makes those that are new.
	Members(ctx context.Context, controller string, handles []facts.Handle) ([]int64, error)
	// Member returns the number of one member. Errors: ErrNotFound.
	Member(ctx context.Context, controller string, handle facts.Handle) (int64, error)
	// Enrol keeps numbers, replacing what was kept.
	Enrol(ctx context.Context, controller string, members []Enrolment) error
	// HandleOf returns controller and handle of a member. Errors: ErrNotFound.
	HandleOf(ctx context.Context, member int64) (string, facts.Handle, error)

	// PutMonths keeps what the fund knows, replacing what was kept.
	PutMonths(ctx context.Context, controller string, month civil.Month, members []int64, months []MemberMonth) error
	// PutAnswers keeps what a register said, replacing what was kept.
	PutAnswers(ctx context.Context, controller string, month civil.Month, members []int64, answers []facts.Answer) error
	// Subjects returns the members from one number to another for whom a month was put, in order, with what was decided last.
	Subjects(ctx context.Context, controller string, month civil.Month, from, to int64) ([]Subject, error)
	// Encode returns the raw form of records.
	Encode(records []facts.Record) ([]byte, error)
	// Digest returns a keyed digest.
	Digest(parts ...[]byte) ([]byte, error)

	// Seal makes decisions ready; it needs no transaction.
	Seal(controller string, decisions []*Decision) (Sealed, error)
	// Write adds sealed decisions. Those that they replace while nothing was decided (Open, Manual) become Superseded.
	// Errors: ErrChanged if a decision of the same number was added meanwhile.
	Write(ctx context.Context, sealed Sealed) error
	// Update replaces a decision in the state in which it was read. Errors: ErrChanged.
	Update(ctx context.Context, before State, d *Decision) error
	// Decision returns one. Errors: ErrNotFound.
	Decision(ctx context.Context, controller string, id ID) (*Decision, error)
	// Decisions returns all of a kind about a member, by month and number.
	Decisions(ctx context.Context, controller string, member int64, kind Kind) ([]*Decision, error)
	// List returns at most limit decisions in a state, oldest first.
	List(ctx context.Context, controller string, q Listing) ([]*Decision, error)
	// Due returns at most limit noticed decisions of all controllers whose answer period ended before the day, with the flags that the
	// fund has given for the month by now; after, they go on.
	Due(ctx context.Context, day civil.Date, after ID, limit int) ([]DueDecision, error)
	// Retry returns at most limit open decisions of all controllers that are to be tried again on the day.
	Retry(ctx context.Context, day civil.Date, after ID, limit int) ([]*Decision, error)

	RunStore
	IncomeStore

	// PutConsumption keeps hours of benefit that a source reports, replacing what it said about the same months, and that it has answered.
	PutConsumption(ctx context.Context, controller string, member int64, source shortening.Source, months []Consumption) error
	// Consumption returns what all sources have said, and which have answered.
	Consumption(ctx context.Context, controller string, member int64) ([]shortening.Entry, []shortening.Source, error)
	// MarkUsed says of months whether they are the basis of a shortening.
	MarkUsed(ctx context.Context, controller string, member int64, months []civil.Month, used bool) error
}

// Listing asks for decisions in a state: DecidedAuto in the order of the moment of the decision and the id, the others, up to Forwarded, in
// that of the id.
type Listing struct {
	State    State
	Unposted bool
	Month    civil.Month // 0 for all
	Run      ID          // zero for all
	Since    time.Time   // moment of the decision from which on, for DecidedAuto
	After    ID          // for DecidedAuto, of those decided at Since
	Limit    int
}

// DueDecision is a decision whose answer period has ended.
type DueDecision struct {
	*Decision

	Now MemberMonth // what the fund knows about the month by now
}

// Consumption is a month of benefit.
type Consumption struct {
	Month civil.Month
	Hours rule.Hours
	Used  bool
}

// RunState is how a run stands.
type RunState uint8

// The states of a run.
const (
	Running RunState = iota + 1
	Done
	Cancelled
)

// Run is a matching of a month of all members of a controller.
type Run struct {
	ID         ID
	Controller string
	Month      civil.Month
	State      RunState
	Planned    bool  // its chunks are known
	Total      int64 // members
	Done       int64
	Started    time.Time
	Ended      time.Time
	Outcomes   []Tally
}

// Tally is how many members came to an outcome.
type Tally struct {
	Outcome string
	Members int64
	Notices int64
}

// Chunk is a part of a run: the members from one number to another.
type Chunk struct {
	Number   int
	From, To int64
	Members  int64
}

// RunStore keeps runs. A chunk is claimed for a while by whoever works on it, and finished once by the transaction that holds its
// decisions.
type RunStore interface {
	// NewRun adds a run, or returns the one that is under way for the month with fresh false.
	NewRun(ctx context.Context, r Run) (run Run, fresh bool, err error)
	// Run returns a run with its progress. Errors: ErrNotFound.
	Run(ctx context.Context, controller string, id ID) (Run, error)
	// HasRun says whether a month was matched, or is being matched, by a run.
	HasRun(ctx context.Context, controller string, month civil.Month) (bool, error)
	// EndRun ends a run that is under way, and says whether it was.
	EndRun(ctx context.Context, id ID, state RunState, at time.Time) (bool, error)
	// Plan cuts the month of a run into chunks of about size members, once.
	Plan(ctx context.Context, r Run, size int) error
	// Claim takes a chunk of a run that is under way, until a moment. ok is false when none is free.
	Claim(ctx context.Context, run ID, now, until time.Time) (c Chunk, ok bool, err error)
	// Finish marks a chunk as done with its tallies. Errors: ErrDone if it was done before.
	Finish(ctx context.Context, run ID, c Chunk, tallies []Tally, at time.Time) error
	// Complete ends a planned run as Done when all its chunks are, and says whether it did.
	Complete(ctx context.Context, run ID, at time.Time) (bool, error)
	// Unfinished returns the runs under way on which nobody works: no chunk is claimed at the moment.
	Unfinished(ctx context.Context, now time.Time) ([]Run, error)
}
