package core

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/match"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
	"samvirke.dev/services/income/internal/core/swedish"
	"samvirke.dev/services/income/internal/core/waiting"
)

// ID names a decision or a run. It is a UUID of version 7: it sorts by time and says nothing about anybody.
type ID [16]byte

// ErrID is returned for a text that is no ID.
var ErrID = errors.New("core: not the id of a decision or a run")

// NewID returns a new one.
func NewID() ID {
	// As for event ids: the error can only come from the random source, which ends the process itself.
	return ID(uuid.Must(uuid.NewV7()))
}

// ParseID reads the text form.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return ID{}, ErrID
	}
	return ID(u), nil
}

// IsZero says whether it names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the text form; "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return uuid.UUID(id).String()
}

// Kind is which rule was applied.
type Kind uint8

// The kinds.
const (
	Matching        Kind = iota + 1 // § 46
	WaitingDay                      // § 56a
	Shortening                      // § 56b
	IncomeCondition                 // Swedish
)

// Rule returns the rule's id and law.
func (k Kind) Rule() (id, law string) {
	switch k {
	case Matching:
		return match.ID, match.LegalReference
	case WaitingDay:
		return waiting.ID, waiting.LegalReference
	case Shortening:
		return shortening.ID, shortening.LegalReference
	case IncomeCondition:
		return swedish.ID, swedish.LegalReference
	default:
		return "", ""
	}
}

// State is where a decision stands.
type State uint8

// The states. Those up to Forwarded are waited for by somebody, so the store can list them.
const (
	Open         State = iota + 1 // nothing could be decided yet; it is tried again
	Noticed                       // the member is to be told, or has been told and may answer
	Manual                        // a person has to decide
	Forwarded                     // a complaint that was not fully upheld went to the national complaints centre
	DecidedAuto                   // without a person
	DecidedHuman                  // by a person
	Withdrawn                     // a person withdrew it: nothing is regulated
	Superseded                    // a later one stands in its place
)

// Final says whether nothing is left to decide.
func (s State) Final() bool { return s >= Forwarded }

// Kinds of texts.
const (
	TextRemark    = "remark"
	TextComplaint = "complaint"
	TextGrounds   = "grounds"
)

// Text is what a member or the person who decided has written.
type Text struct {
	Kind string
	Text string
	At   time.Time
}

// Figures are the numbers of a decision; those that its rule does not have are 0.
type Figures struct {
	Hours    rule.Hours
	Amount   rule.Money
	Net      rule.Hours // regulation of the month in all, after this decision
	Delta    rule.Hours // what this decision adds to it
	Declared rule.Hours
	Register rule.Hours
	Limit    rule.Hours
	Sum      rule.Hours
	Left     rule.Hours
	Days     int
	Partial  bool
	Retry    civil.Date
	Deducted civil.Month
	First    civil.Month
}

// Basis is what a calculation rests on beside its figures, for the explanation; § 46 keeps all its input instead.
type Basis struct {
	Status  rule.Status
	Rate    rule.Money   // monthly, by which a waiting day is paid
	Hours   []rule.Hours // of the months of a waiting block
	Incomes []rule.Money // of the twelve months of the Swedish frame
}

// Decision is one decision about one member.
type Decision struct {
	ID      ID
	Member  int64 // the store's own number of the member
	Handle  facts.Handle
	Kind    Kind
	Month   civil.Month
	Seq     int // counts the decisions of the kind about the month, from 1
	State   State
	Outcome string
	Codes   []rule.Code

	Figures
	Basis Basis

	Version   string // of the rule's values
	Digest    []byte // keyed, of everything that went in
	Answers   automation.Answers
	Against   []rule.Code // why no automatic decision
	DecidedBy string      // the service, or the caller's pseudonym for its employee
	DecidedAt time.Time
	CreatedAt time.Time
	Posted    civil.Date
	AnswerBy  civil.Date // last day on which the member may answer
	Earlier   ID         // what it replaces, or what a complaint or review is about
	Later     ID         // what stands in its place
	Run       ID         // zero if it was made on its own
	Complaint bool       // it is about a complaint
	Late      bool       // the complaint came after its time
	Verdict   Verdict    // of the person who decided
	Texts     []Text
	Trace     string
	Matched   *Matched // what § 46 looked at; nil for the others
	// Used are the months of consumption that it used up (S8): free again if it is withdrawn.
	Used       []civil.Month
	Protected  bool
	Provision  bool // provisional until the register is complete
	Retrieved  time.Time
	Controller string
}

// Matched is what a matching looked at, so that it can be explained later.
type Matched struct {
	Month    MemberMonth
	Answered bool
	Records  []facts.Record
	Today    civil.Date
	Previous rule.Hours
	// Raw forms of month and records as the store keeps them, so that a run does not write out again what it has just read.
	RawMonth, RawRecords []byte
}

// Verdict is what a person decided.
type Verdict string

// The verdicts.
const (
	Uphold   Verdict = "UPHOLD"
	Change   Verdict = "CHANGE"
	Withdraw Verdict = "WITHDRAW"
)

// Automatic says whether no person took part.
func (d *Decision) Automatic() bool { return d.State == DecidedAuto }

// ComplaintUntil is the last day for a complaint: so many days from receipt, which is the posting of the notice or, where nothing was
// posted, the decision. 0 while nothing is decided.
func (d *Decision) ComplaintUntil(set *rule.Set, zone *time.Location) civil.Date {
	if d.DecidedAt.IsZero() {
		return 0
	}
	return civil.Of(d.DecidedAt.In(zone)) + civil.Date(set.ComplaintDays.F) //nolint:gosec // weeks
}

// MemberMonth is what the fund knows about a member's month.
type MemberMonth struct {
	Status     rule.Status
	Rate       rule.Money
	Other      rule.Hours
	Card       *facts.Card
	Placement  bool
	Ended      []facts.Employer
	Absent     []facts.Employer
	Protected  bool
	Restricted bool
	Objection  bool
	Benefit    int // number of the benefit type
	Document   int // number of the document kind
}
