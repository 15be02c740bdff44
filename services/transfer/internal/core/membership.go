package core

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
)

// Rules as decisions name them.
const (
	ruleAdmission = "DK:ALF§41"
	ruleDeletion  = "DK:ALF§78"
	bySystem      = "system"
)

// bits of Decision.Checks: the four answers of domain rule B.6.
const (
	checkData = 1 << iota
	checkEnquiry
	checkDiscretion
	checkRemarks
)

// Admitting is an application for admission; Protected is what the identity service said just now.
type Admitting struct {
	Handle, Membership string
	Facts              rules.AdmissionFacts
	Remarks            bool
	Protected          bool
}

// Admission is what became of it. Standing is nil unless the person was admitted.
type Admission struct {
	Outcome  rules.AdmissionOutcome
	Decision store.Decision
	Mode     rules.Automation
	Standing *store.Membership
}

var outcomeNames = map[rules.AdmissionOutcome]string{ //nolint:gochecknoglobals // a table of constants
	rules.AdmissionInvalid: "INVALID", rules.AdmissionIncomplete: "INCOMPLETE_NO_MEMBERSHIP", rules.AdmissionIsTransfer: "IS_TRANSFER",
	rules.AdmissionManual: "MANUAL", rules.AdmissionAuto: "ADMIT",
}

// AssessAdmission applies § 41 (domain rule B.4). Admitted is only whom the rule admits and of whom domain rule B.6 lets the system decide;
// everybody else is an employee's to decide, so no result to the person's disadvantage is automatic.
func (s *Service) AssessAdmission(ctx context.Context, by Caller, in Admitting) (Admission, error) {
	s.Notes.Subject(ctx, SubjectID(by.Fund, in.Handle), in.Protected)
	if in.Protected && !slices.Contains(in.Facts.Specials, rules.Protected) {
		in.Facts.Specials = append(slices.Clone(in.Facts.Specials), rules.Protected)
	}
	got := rules.AssessAdmission(in.Facts, s.Membership.Pension)
	auto := rules.AutomationFacts{
		AreaEnabled: s.Membership.AdmissionArea, DataComplete: got.Outcome != rules.AdmissionIncomplete, NoEnquiry: true,
		NoDiscretion: got.Outcome != rules.AdmissionManual, NoRemarks: !in.Remarks, Protected: in.Protected, Special: len(in.Facts.Specials) > 0,
		Today: s.Today(),
	}
	mode, more := rules.AssessAutomation(auto)
	codes := got.Codes
	if got.Outcome == rules.AdmissionAuto && mode != rules.Auto {
		got.Outcome, codes = rules.AdmissionManual, more
	}
	out := Admission{Outcome: got.Outcome, Mode: mode}
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		var err error
		if out.Decision, err = s.decide(ctx, by, in.Membership, ruleAdmission, outcomeNames[got.Outcome], codes, auto, mode, in); err != nil {
			return err
		}
		if got.Outcome != rules.AdmissionAuto {
			return nil
		}
		m := store.Membership{
			Fund: by.Fund, Reference: in.Membership, Handle: in.Handle, First: in.Facts.Received, Version: 1, Protected: in.Protected,
			Dues: rules.Dues{State: rules.Paid, PaidThrough: in.Facts.Received},
		}
		out.Standing = &m
		return s.Store.PutMembership(ctx, m)
	})
	return out, err
}

// decide keeps a decision with what it rests on (domain rule B.0).
func (s *Service) decide(
	ctx context.Context, by Caller, reference, rule, outcome string, codes []rules.Code, f rules.AutomationFacts, mode rules.Automation, inputs any,
) (store.Decision, error) {
	raw, err := json.Marshal(inputs)
	if err != nil {
		return store.Decision{}, err
	}
	digest, err := s.Index.Subject("decision " + string(raw)) // keyed, since the inputs can be guessed
	if err != nil {
		return store.Decision{}, err
	}
	sum := sha256.Sum256(digest)
	d := store.Decision{
		Fund: by.Fund, ID: s.NewID(), Reference: reference, RuleID: rule, RuleVersion: rules.Version, Outcome: outcome, Inputs: sum[:],
		DecidedBy: bySystem, DecidedAt: s.Clock.Now(),
	}
	for _, c := range codes {
		d.Codes = append(d.Codes, string(c))
	}
	if mode == rules.Auto {
		d.Automation = 1
	} else if by.Human() {
		d.DecidedBy = by.Actor
	}
	for bit, ok := range map[int]bool{checkData: f.DataComplete, checkEnquiry: f.NoEnquiry, checkDiscretion: f.NoDiscretion, checkRemarks: f.NoRemarks} {
		if ok {
			d.Checks |= bit
		}
	}
	return d, s.Store.PutDecision(ctx, d)
}

// change moves a membership's standing in one transaction.
func (s *Service) change(ctx context.Context, fund, reference string, move func(ctx context.Context, m *store.Membership) error) (store.Membership, error) {
	var out store.Membership
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		m, err := s.membership(ctx, fund, reference)
		if err != nil {
			return err
		}
		m.Dues = m.Dues.At(s.Today(), false, s.Membership.Deletion)
		if err := move(ctx, &m); err != nil {
			return err
		}
		if m.Dues.State == rules.Reinstated {
			m.Dues.State = rules.Paid
		}
		m.Version++
		out = m
		return s.Store.PutMembership(ctx, m)
	})
	return out, err
}

func (s *Service) membership(ctx context.Context, fund, reference string) (store.Membership, error) {
	m, err := s.Store.Membership(ctx, fund, reference)
	if errors.Is(err, store.ErrNotFound) {
		return m, ErrNotFound
	}
	if err == nil {
		s.Notes.Subject(ctx, SubjectID(fund, m.Handle), m.Protected)
	}
	return m, err
}

// DuesReport is what a member owes.
type DuesReport struct {
	Membership, Handle string
	Since, PaidThrough civil.Date
	Debt               rules.Debt
	MonthEnded         bool
	Disputed           bool
}

// RecordDues tells what a member owes; a membership that is not known yet begins here.
func (s *Service) RecordDues(ctx context.Context, by Caller, r DuesReport) (store.Membership, error) {
	var out store.Membership
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		m, err := s.membership(ctx, by.Fund, r.Membership)
		if errors.Is(err, ErrNotFound) && r.Handle != "" && !r.Since.IsZero() {
			m = store.Membership{
				Fund: by.Fund, Reference: r.Membership, Handle: r.Handle, First: r.Since, Dues: rules.Dues{State: rules.Paid, PaidThrough: r.PaidThrough},
			}
			s.Notes.Subject(ctx, SubjectID(by.Fund, r.Handle), false)
			err = nil
		}
		if err != nil {
			return err
		}
		m.Dues = m.Dues.At(s.Today(), false, s.Membership.Deletion)
		m.Dues.Debt, m.Dues.Disputed = r.Debt, r.Disputed
		if m.Dues.State == rules.Paid {
			m.Dues.PaidThrough = r.PaidThrough
		}
		m.Dues = m.Dues.At(s.Today(), r.MonthEnded, s.Membership.Deletion)
		m.Version++
		out = m
		return s.Store.PutMembership(ctx, m)
	})
	return out, err
}

// Remind keeps that a reminder was sent.
func (s *Service) Remind(ctx context.Context, by Caller, reference string, sent civil.Date, proof string, consequence bool) (store.Membership, error) {
	return s.change(ctx, by.Fund, reference, func(_ context.Context, m *store.Membership) (err error) {
		m.Dues, err = m.Dues.Remind(sent, proof, consequence)
		return err
	})
}

// Pay keeps a payment and says whether it lifted a deletion.
func (s *Service) Pay(ctx context.Context, by Caller, reference string, on civil.Date, left int64, through civil.Date) (m store.Membership, lifted bool, err error) {
	err = s.Store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.membership(ctx, by.Fund, reference)
		if err != nil {
			return err
		}
		next := before
		debt := before.Dues.Debt
		debt.Statutory = left
		next.Dues = before.Dues.Pay(on, debt, through, s.Membership.Deletion)
		if lifted = next.Dues.State == rules.Reinstated; lifted {
			next.Dues.State = rules.Paid
		}
		if next.Dues.State == rules.Paid {
			next.HearingEnds, next.Remarks = 0, false
		}
		next.Version++
		m = next
		return s.Store.PutMembership(ctx, next)
	})
	return m, lifted, err
}

// Hear keeps until when the member may remark; Remark that there are remarks.
func (s *Service) Hear(ctx context.Context, by Caller, reference string, ends civil.Date) (store.Membership, error) {
	return s.change(ctx, by.Fund, reference, func(_ context.Context, m *store.Membership) error {
		m.HearingEnds = ends
		return nil
	})
}

// Remark keeps that the member has remarks: an employee decides.
func (s *Service) Remark(ctx context.Context, by Caller, reference string) (store.Membership, error) {
	return s.change(ctx, by.Fund, reference, func(_ context.Context, m *store.Membership) error {
		m.Remarks = true
		return nil
	})
}

// Deleting is what domain rule B.6 asks about a deletion, beside what is kept. Decide means that the employee behind the call decides.
type Deleting struct {
	Complete, NoEnquiry, NoDiscretion, Restricted, Decide bool
	Protected                                             bool
}

// AssessDeletion decides on deletion (§ 78).
func (s *Service) AssessDeletion(ctx context.Context, by Caller, reference string, in Deleting) (store.Membership, store.Decision, rules.Automation, error) {
	var d store.Decision
	var mode rules.Automation
	m, err := s.change(ctx, by.Fund, reference, func(ctx context.Context, m *store.Membership) error {
		m.Protected = m.Protected || in.Protected
		facts := rules.AutomationFacts{
			AreaEnabled: s.Membership.DeletionArea, DataComplete: in.Complete, NoEnquiry: in.NoEnquiry, NoDiscretion: in.NoDiscretion,
			NoRemarks: !m.Remarks, Complaint: m.Dues.Disputed, Restricted: in.Restricted, Protected: m.Protected, Adverse: true,
			HearingRequired: s.Membership.Deletion.HearingRequired, HearingEnds: m.HearingEnds, Today: s.Today(),
		}
		var codes []rules.Code
		mode, codes = rules.AssessAutomation(facts)
		if mode == rules.Manual && (m.HearingEnds.IsZero() || s.Today() <= m.HearingEnds) && facts.HearingRequired {
			mode = rules.Wait // a person must hear the member first as well
		}
		next, err := m.Dues.Delete(s.Today(), mode, by.Human() && in.Decide)
		outcome := "DELETED"
		switch {
		case errors.Is(err, rules.ErrHumanNeeded):
			outcome, next = "MANUAL", m.Dues
		case err != nil:
			return err
		}
		m.Dues = next
		d, err = s.decide(ctx, by, reference, ruleDeletion, outcome, codes, facts, mode, *m)
		return err
	})
	return m, d, mode, err
}

// Uphold lifts a deletion after a complaint; only an employee may, and not the one who decided on it (domain rule B.6).
func (s *Service) Uphold(ctx context.Context, by Caller, reference string) (store.Membership, store.Decision, error) {
	var d store.Decision
	if !by.Human() {
		return store.Membership{}, d, cases.GuardError{Guard: cases.GuardHuman}
	}
	m, err := s.change(ctx, by.Fund, reference, func(ctx context.Context, m *store.Membership) (err error) {
		before, err := s.Store.Decisions(ctx, by.Fund, reference, maxDecisions)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(before, func(d store.Decision) bool { return d.RuleID == ruleDeletion }); i >= 0 && before[i].DecidedBy == by.Actor {
			return cases.GuardError{Guard: cases.GuardOtherPerson}
		}
		if m.Dues, err = m.Dues.Uphold(true); err != nil {
			return err
		}
		m.HearingEnds, m.Remarks = 0, false
		d, err = s.decide(ctx, by, reference, ruleDeletion, "REINSTATED", nil, rules.AutomationFacts{}, rules.HumanOnly, *m)
		return err
	})
	return m, d, err
}

// maxDecisions is how many decisions are shown.
const maxDecisions = 20

// Member returns a membership as it stands today, and the decisions about it.
func (s *Service) Member(ctx context.Context, by Caller, reference string) (store.Membership, []store.Decision, error) {
	m, err := s.membership(ctx, by.Fund, reference)
	if err != nil {
		return m, nil, err
	}
	m.Dues = m.Dues.At(s.Today(), false, s.Membership.Deletion)
	d, err := s.Store.Decisions(ctx, by.Fund, reference, maxDecisions)
	return m, d, err
}
