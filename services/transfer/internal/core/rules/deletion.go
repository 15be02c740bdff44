package rules

import (
	"errors"

	"samvirke.dev/services/transfer/internal/core/civil"
)

// DuesState is where a membership stands towards § 78 (domain rule B.5).
type DuesState int

// The states.
const (
	Paid DuesState = iota + 1
	Overdue
	Reminded
	Deletable
	Deleted
	DeletedFinal
	Reinstated // and then PAID: DuesState moves on to Paid at once, the event is kept
)

// DeletionTerms are the periods of § 78.
type DeletionTerms struct {
	ReminderDays    int // days after the reminder within which may be paid: 21
	GraceDays       int // days of grace on top: 0
	ReinstateDays   int // days after the notice of deletion within which all debt may be paid: 28
	HearingRequired bool
}

// DefaultDeletionTerms are those of domain rule B.5.
func DefaultDeletionTerms() DeletionTerms {
	return DeletionTerms{ReminderDays: 21, GraceDays: 0, ReinstateDays: 28, HearingRequired: true}
}

// Debt is what a member owes, in minor units (øre), by what it is for.
type Debt struct {
	Statutory       int64 // membership contributions fallen due: these alone may delete
	Union           int64 // union dues: never delete
	EarlyRetirement int64 // voluntary early-retirement contribution: never deletes alone
}

// Dues is a membership's standing. The zero value is not valid: begin with State Paid.
type Dues struct {
	State       DuesState
	Debt        Debt
	PaidThrough civil.Date // last day that is paid for
	Reminded    civil.Date // day on which the reminder was sent
	Proof       string     // id of the proof of sending
	Notice      civil.Date // day of the written notice of deletion
	Effective   civil.Date // day on which the membership ended by deletion: paid-through
	Disputed    bool       // a complaint is pending or the debt is disputed
}

// Errors of deletion; each is a refusal with its code.
var (
	ErrReminderProof = errors.New("REMINDER_PROOF_MISSING")
	ErrReminderText  = errors.New("REMINDER_TEXT_MISSING")
	ErrDuesState     = errors.New("DUES_STATE")
	ErrHearingOpen   = errors.New("HEARING_OPEN")
	ErrHumanNeeded   = errors.New("HUMAN_NEEDED")
)

// LastPayDay is the last day on which paying after the reminder keeps the membership.
func (t DeletionTerms) LastPayDay(sent civil.Date) civil.Date {
	return sent + civil.Date(t.ReminderDays+t.GraceDays) //nolint:gosec // days of a configuration
}

// LastReinstateDay is the last day on which paying lifts a deletion.
func (t DeletionTerms) LastReinstateDay(notice civil.Date) civil.Date {
	return notice + civil.Date(t.ReinstateDays) //nolint:gosec // days of a configuration
}

// At moves what the calendar alone moves: PAID becomes OVERDUE at the end of a month with unpaid statutory dues (monthEnded), REMINDED
// becomes DELETABLE after the last day to pay, DELETED becomes final after the last day to reinstate.
func (d Dues) At(today civil.Date, monthEnded bool, t DeletionTerms) Dues {
	switch {
	case d.State == Paid && monthEnded && d.Debt.Statutory > 0:
		d.State = Overdue
	case d.State == Reminded && today > t.LastPayDay(d.Reminded) && d.Debt.Statutory > 0 && !d.Disputed:
		d.State = Deletable
	case d.State == Deleted && today > t.LastReinstateDay(d.Notice):
		d.State = DeletedFinal
	}
	return d
}

// Remind records a reminder: only with proof of sending, and only if its text says expressly that deletion follows.
func (d Dues) Remind(sent civil.Date, proof string, consequence bool) (Dues, error) {
	switch {
	case d.State != Overdue:
		return d, ErrDuesState
	case proof == "":
		return d, ErrReminderProof
	case !consequence:
		return d, ErrReminderText
	}
	d.State, d.Reminded, d.Proof = Reminded, sent, proof
	return d, nil
}

// Pay records what is still owed after a payment on a day. Paid in full before deletion, the member is PAID; a deletion is lifted if the
// old debt and the dues that fell due later are paid in time.
func (d Dues) Pay(on civil.Date, left Debt, paidThrough civil.Date, t DeletionTerms) Dues {
	d = d.At(on, false, t)
	d.Debt = left
	if paidThrough > d.PaidThrough && d.State != Deleted && d.State != DeletedFinal {
		d.PaidThrough = paidThrough
	}
	if left.Statutory > 0 {
		return d
	}
	switch d.State {
	case Overdue, Reminded, Deletable:
		return Dues{State: Paid, Debt: left, PaidThrough: d.PaidThrough}
	case Deleted:
		return Dues{State: Reinstated, Debt: left, PaidThrough: max(paidThrough, d.PaidThrough)}
	default:
		return d
	}
}

// Delete decides on deletion: effective back to the day dues are paid through. automatic says who decides; a person may where the
// system may not (domain rule B.6).
func (d Dues) Delete(today civil.Date, by Automation, human bool) (Dues, error) {
	switch {
	case d.Proof == "" && (d.State == Overdue || d.State == Reminded || d.State == Deletable):
		return d, ErrReminderProof
	case d.State != Deletable, d.Debt.Statutory <= 0:
		return d, ErrDuesState
	case by == Wait:
		return d, ErrHearingOpen
	case by != Auto && !human:
		return d, ErrHumanNeeded
	}
	d.State, d.Notice, d.Effective = Deleted, today, d.PaidThrough
	return d, nil
}

// Uphold lifts a final deletion after a complaint; only a person may.
func (d Dues) Uphold(human bool) (Dues, error) {
	switch {
	case d.State != DeletedFinal && d.State != Deleted:
		return d, ErrDuesState
	case !human:
		return d, ErrHumanNeeded
	}
	return Dues{State: Reinstated, Debt: d.Debt, PaidThrough: d.PaidThrough}, nil
}
