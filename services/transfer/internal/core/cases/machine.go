package cases

import (
	"errors"

	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/core/workday"
)

// Terms are the periods of a transfer, all by our own choice: no source gives any (domain rule B.9, GAP-10).
type Terms struct {
	AckWorkdays     int  // working days within which the releasing fund acknowledges: 5
	DeliverWorkdays int  // working days from then within which it delivers: 10
	ReminderEvery   int  // working days between reminders: 5
	PoAValidDays    int  // days that a power of attorney is good for at most: 90
	CrossBorder     bool // whether funds of two countries may take part: false
}

// DefaultTerms are those of domain rule B.9.
func DefaultTerms() Terms {
	return Terms{AckWorkdays: 5, DeliverWorkdays: 10, ReminderEvery: 5, PoAValidDays: 90}
}

// misses is how many missed deadlines bring a person in: the one after the second reminder.
const misses = 3

// Machine applies the events of domain rule B.9. It is safe for concurrent use.
type Machine struct {
	terms     Terms
	calendars *workday.Calendars
}

// NewMachine returns a machine with these terms.
func NewMachine(t Terms, c *workday.Calendars) *Machine { return &Machine{t, c} }

// Start is what a receiving fund says when it creates a transfer.
type Start struct {
	ID           string
	Fund, Other  string
	Country      string
	OtherCountry string
	OtherIsFund  bool
	Handle       string
	Membership   string
	Protected    bool
}

// Create begins a transfer in the receiving fund.
func (m *Machine) Create(actor Party, s Start) (Case, error) {
	switch {
	case actor != Receiving:
		return Case{}, ErrWrongActor
	case !s.OtherIsFund || s.Other == s.Fund:
		return Case{}, GuardError{GuardFund}
	case s.Country != s.OtherCountry && !m.terms.CrossBorder:
		return Case{}, GuardError{GuardCountry}
	}
	return Case{
		ID: s.ID, Side: Receiving, Fund: s.Fund, Other: s.Other, Country: s.Country, State: Draft, Version: 1, Handle: s.Handle,
		Membership: s.Membership,
	}.protect(s.Protected), nil
}

// protect notes that the member is protected: the case is then for restricted handlers (domain rule B.10).
func (c Case) protect(protected bool) Case {
	c.Protected = c.Protected || protected
	if c.Protected {
		c.Manual |= ManualProtected
	}
	return c
}

// Protect notes freshly what the register says about the member; only a step forward is kept, a protection that lapsed meanwhile is a
// person's matter.
func (c Case) Protect(protected bool) Case { return c.protect(protected) }

// restricted refuses a system where an employee must act.
func (c Case) restricted(human bool) error {
	if c.Protected && !human {
		return GuardError{GuardHuman}
	}
	return nil
}

// Submit fixes the day of receipt of a complete application (SEK-23).
func (m *Machine) Submit(c Case, actor Party, human, complete bool, subject []byte, wanted civil.Date, agreed bool, today civil.Date) (Case, error) {
	if err := c.allow(Submit, actor); err != nil {
		return c, err
	}
	if err := c.restricted(human); err != nil {
		return c, err
	}
	if !complete || len(subject) == 0 {
		return c, GuardError{GuardApplication}
	}
	c.Subject, c.Received, c.Wanted, c.Agreed = subject, today, wanted, agreed
	return c.to(Submitted), nil
}

// check holds a power of attorney against the case.
func (m *Machine) check(p PowerOfAttorney, fund, current, subject string, today civil.Date) error {
	switch {
	case p.Level < Substantial:
		return GuardError{GuardLevel}
	case p.Subject != subject:
		return GuardError{GuardIdentity}
	case p.Fund != fund || p.Current != current:
		return GuardError{GuardPoA}
	case p.Scope&NeededScope != NeededScope:
		return GuardError{GuardScope}
	case p.ValidFrom.IsZero() || p.ValidTo.IsZero() || today < p.ValidFrom:
		return GuardError{GuardPoA}
	case today > m.lastDay(p):
		return GuardError{GuardPoAExpired}
	default:
		return nil
	}
}

// lastDay is the last day of the power of attorney: its own, or the end of the longest time that one is good for.
func (m *Machine) lastDay(p PowerOfAttorney) civil.Date {
	return min(p.ValidTo, p.ValidFrom+civil.Date(m.terms.PoAValidDays)) //nolint:gosec // days of a configuration
}

// Verify accepts a power of attorney. subject is the canonical national number of the application.
func (m *Machine) Verify(c Case, actor Party, human bool, p PowerOfAttorney, subject string, today civil.Date) (Case, error) {
	if err := c.allow(VerifyPoA, actor); err != nil {
		return c, err
	}
	if err := c.restricted(human); err != nil {
		return c, err
	}
	if err := m.check(p, c.Fund, c.Other, subject, today); err != nil {
		return c, err
	}
	return c.granted(p, m.lastDay(p)).to(PoAVerified), nil
}

func (c Case) granted(p PowerOfAttorney, last civil.Date) Case {
	c.PoAIssuer, c.PoAID, c.PoAHash, c.PoAFrom, c.PoATo = p.Issuer, p.ID, p.Hash, p.ValidFrom, last
	return c
}

// current refuses an act on a power of attorney that is over, also before the timer has said so.
func (c Case) current(today civil.Date) error {
	if !c.PoATo.IsZero() && today > c.PoATo {
		return GuardError{GuardPoAExpired}
	}
	return nil
}

// Request hands the case over to the releasing fund.
func (m *Machine) Request(c Case, actor Party, human bool, today civil.Date) (Case, error) {
	if err := c.allow(SendRequest, actor); err != nil {
		return c, err
	}
	if err := errors.Join(c.restricted(human), c.current(today)); err != nil {
		return c, err
	}
	c = c.to(Requested)
	return m.await(c, today, m.terms.AckWorkdays)
}

// await sets the day by which the releasing fund must act, by the holidays of its country.
func (m *Machine) await(c Case, today civil.Date, workdays int) (Case, error) {
	due, err := m.calendars.Add(c.Country, today, workdays)
	if err != nil {
		return c, err
	}
	c.Due = due
	return c, nil
}

// Offer is what a releasing fund gets of a request, and nothing more (domain rule B.9).
type Offer struct {
	ID      string
	Fund    string // the releasing fund, which gets it
	Other   string // the receiving fund, which sends it
	Country string
	Subject []byte
	Number  string // canonical national number
	Wanted  civil.Date
	Agreed  bool
	// PoA is nil when the assertion was missing or could not be verified; Problem then says which.
	PoA     *PowerOfAttorney
	Problem RejectionCode
	// Duplicate means that another transfer of the same person out of this fund is open; Gone that the person has left already.
	Duplicate bool
	Gone      bool
}

// Accept opens the releasing fund's record. What the offer itself rules out is rejected at once: a power of attorney that is missing,
// invalid or over, somebody else's, a second request, or one about a person who has left.
func (m *Machine) Accept(o Offer, today civil.Date) (Case, error) {
	c := Case{
		ID: o.ID, Side: Releasing, Fund: o.Fund, Other: o.Other, Country: o.Country, State: Requested, Version: 1, Subject: o.Subject,
		Wanted: o.Wanted, Agreed: o.Agreed, Requested: today,
	}
	code := o.Problem
	if o.PoA == nil && code == 0 {
		code = PoAMissing
	}
	if o.PoA != nil {
		c = c.granted(*o.PoA, m.lastDay(*o.PoA))
		if err := m.check(*o.PoA, o.Other, o.Fund, o.Number, today); err != nil {
			code = codeOf(err)
		}
	}
	if code == 0 && o.Gone {
		code = AlreadyTransferred
	}
	if code == 0 && o.Duplicate {
		code = DuplicateRequest
	}
	if code != 0 {
		c.Rejection, c.State = code, Rejected
		return c, nil
	}
	return m.await(c, today, m.terms.AckWorkdays)
}

// codeOf is the rejection code of a failed check.
func codeOf(err error) RejectionCode {
	var g GuardError
	if !errors.As(err, &g) {
		return PoAInvalid
	}
	switch g.Guard {
	case GuardPoAExpired:
		return PoAExpired
	case GuardIdentity:
		return IdentityMismatch
	default:
		return PoAInvalid
	}
}

// Acknowledge says that the member is or was one of the releasing fund.
func (m *Machine) Acknowledge(c Case, actor Party, human bool, handle, membership string, protected bool, today civil.Date) (Case, error) {
	if err := c.allow(Acknowledge, actor); err != nil {
		return c, err
	}
	c = c.protect(protected)
	if err := errors.Join(c.restricted(human), c.current(today)); err != nil {
		return c, err
	}
	c.Handle, c.Membership = handle, membership
	c = c.to(Acknowledged)
	return m.await(c, today, m.terms.DeliverWorkdays)
}

// Reject ends a request with a code of the list.
func (m *Machine) Reject(c Case, actor Party, code RejectionCode) (Case, error) {
	if err := c.allow(Reject, actor); err != nil {
		return c, err
	}
	if !code.Valid() {
		return c, GuardError{GuardCode}
	}
	c.Rejection = code
	return c.to(Rejected), nil
}

// Part is one part of the data.
type Part struct {
	Number int         `json:"number"` // from 1, without gaps
	Kind   PackageKind `json:"kind"`
	Last   bool        `json:"last,omitempty"`
}

// Deliver adds a part. The last one needs all mandatory packages.
func (m *Machine) Deliver(c Case, actor Party, human bool, p Part, today civil.Date) (Case, error) {
	if err := c.allow(DeliverPart, actor); err != nil {
		return c, err
	}
	if err := errors.Join(c.restricted(human), c.current(today)); err != nil {
		return c, err
	}
	return m.delivered(c, p, today)
}

func (m *Machine) delivered(c Case, p Part, today civil.Date) (Case, error) {
	if p.Number != c.Parts+1 || !p.Kind.Allowed(c.Country) {
		return c, GuardError{GuardPart}
	}
	kinds := c.Kinds | p.Kind
	if need := Mandatory(c.Country); p.Last && kinds&need != need {
		return c, GuardError{GuardMandatory}
	}
	due, late := c.Due, c.Overdue
	c.Parts, c.Kinds = p.Number, kinds
	switch {
	case p.Last:
		return c.to(DataDelivered), nil
	case late: // progress: reminders begin anew
		return m.await(c.to(DataPartial), today, m.terms.ReminderEvery)
	}
	c = c.to(DataPartial)
	c.Due = due // a part is no reason to put the day for the last one off
	return c, nil
}

// Confirm fixes the day of the move. since is the first day of the membership that ends, zero if not known.
func (m *Machine) Confirm(c Case, actor Party, human bool, since, today civil.Date) (Case, error) {
	if err := c.allow(ConfirmExit, actor); err != nil {
		return c, err
	}
	if err := errors.Join(c.restricted(human), c.current(today)); err != nil {
		return c, err
	}
	effective := c.Wanted
	if c.Country == rules.Sweden {
		var err error
		if effective, err = rules.EffectiveDate(rules.EffectiveFacts{Country: rules.Sweden, ExitRequested: c.Requested}); err != nil {
			return c, err
		}
	}
	if effective.IsZero() || effective-1 < since || (!c.Agreed && effective != effective.MonthStart()) {
		return c, GuardError{GuardDate}
	}
	c.Effective = effective
	return c.to(ExitConfirmed), nil
}

// Reach makes the move effective once its day has come.
func (m *Machine) Reach(c Case, actor Party, today civil.Date) (Case, error) {
	if err := c.allow(DayReached, actor); err != nil {
		return c, err
	}
	switch {
	case today < c.Effective:
		return c, GuardError{GuardNotYet}
	case c.Undoing:
		return c, GuardError{GuardUndoing}
	}
	return c.to(Effective), nil
}

// Withdraw records that the member takes the power of attorney back. Before the exit is confirmed the case ends; after it, a person
// decides. In the receiving fund's record of a case that was handed over, the releasing fund's word is awaited.
func (m *Machine) Withdraw(c Case, actor Party, ch Channel, today civil.Date) (Case, error) {
	if err := c.allow(Withdraw, actor); err != nil {
		return c, err
	}
	switch {
	case c.State == ExitConfirmed && today >= c.Effective:
		return c, StateError{Effective, Withdraw}
	case c.State == ExitConfirmed && c.Manual&ManualWithdrawal != 0:
		return c, StateError{c.State, Withdraw}
	case c.Side == Receiving && c.Withdrawing:
		return c, StateError{c.State, Withdraw}
	}
	c.Channel = ch
	switch {
	case c.Side == Receiving && c.State >= Requested:
		c.Withdrawing = true
		return c.noted(), nil
	case c.State == ExitConfirmed:
		c.Manual |= ManualWithdrawal
		return c.noted(), nil
	}
	return c.to(Withdrawn), nil
}

// Expire ends a case whose power of attorney is over. What was handed over is the releasing fund's to end.
func (m *Machine) Expire(c Case, actor Party, today civil.Date) (Case, error) {
	if err := c.allow(ExpirePoA, actor); err != nil {
		return c, err
	}
	switch {
	case c.Side == Receiving && c.State >= Requested:
		return c, StateError{c.State, ExpirePoA}
	case c.PoATo.IsZero() || today <= c.PoATo:
		return c, GuardError{GuardNotYet}
	}
	return c.to(Expired), nil
}

// Miss records that the day for what is awaited has passed: a reminder, and after the second one a person.
func (m *Machine) Miss(c Case, actor Party, today civil.Date) (Case, error) {
	if err := c.allow(MissDeadline, actor); err != nil {
		return c, err
	}
	if c.Due.IsZero() || today <= c.Due {
		return c, GuardError{GuardNotYet}
	}
	c.Overdue = true
	c.Reminders++
	if c.Reminders >= misses {
		c.Reminders, c.Due = misses, 0
		c.Manual |= ManualDeadline
		return c.noted(), nil
	}
	return m.await(c.noted(), today, m.terms.ReminderEvery)
}

// Cancel ends a case that was not handed over.
func (m *Machine) Cancel(c Case, actor Party) (Case, error) {
	if err := c.allow(Cancel, actor); err != nil {
		return c, err
	}
	return c.to(Cancelled), nil
}

// Reminder is the day of the next reminder after today, in a country.
func (m *Machine) Reminder(country string, today civil.Date) (civil.Date, error) {
	return m.calendars.Add(country, today, m.terms.ReminderEvery)
}
