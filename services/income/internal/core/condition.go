package core

import (
	"bytes"
	"context"
	"errors"
	"time"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/swedish"
)

// frameOf is what the Swedish income condition looks at.
type frameOf struct {
	Incomes []rule.Money  // of the twelve months
	Missing []civil.Month // of which nothing was delivered
	at      time.Time     // of the last delivery; zero where the fund gave the incomes
}

// IncomeCondition decides the Swedish income condition from the incomes of the frame that ends with a month; without any, from what the tax
// agency has delivered. Months of which nothing was delivered leave it open. Asked again about the same, nothing is decided anew. Errors:
// ErrSwitchedOff, ErrNotInForce, ErrNotFound where the member is not enrolled, so that nothing can be looked up.
func (s *Service) IncomeCondition(ctx context.Context, c Caller, handle facts.Handle, month civil.Month, incomes []rule.Money) (*Decision, error) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), false)
	switch {
	case !s.d.IncomeCondition:
		return nil, ErrSwitchedOff
	case month < swedish.FirstFrame():
		return nil, ErrNotInForce
	}
	frame := frameOf{Incomes: incomes}
	if len(incomes) == 0 {
		var err error
		if frame, err = s.delivered(ctx, c.Controller, handle, month); err != nil {
			if errors.Is(err, ErrNotEnrolled) {
				err = ErrNotFound
			}
			return nil, err
		}
		s.d.Notes.Retrieved(ctx, frame.at)
	}
	members, err := s.d.Store.Members(ctx, c.Controller, []facts.Handle{handle})
	if err != nil {
		return nil, err
	}
	earlier, err := s.d.Store.Decisions(ctx, c.Controller, members[0], IncomeCondition)
	if err != nil {
		return nil, err
	}
	d, err := s.draft(c, members[0], handle, IncomeCondition, month, frame)
	if err != nil {
		return nil, err
	}
	s.condition(d, frame)
	last := latestAbout(earlier, month)
	if last != nil && (bytes.Equal(last.Digest, d.Digest) || last.State == Manual && last.HumanOnly()) {
		s.d.Notes.Decided(ctx, last)
		return last, nil
	}
	s.d.Notes.Decided(ctx, d)
	return d, s.keep(ctx, c, earlier, []*Decision{d})
}

// condition fills in what the rule says.
func (s *Service) condition(d *Decision, frame frameOf) {
	d.Version, d.Basis.Incomes, d.Retrieved = swedish.Version, frame.Incomes, frame.at
	if len(frame.Missing) > 0 {
		d.Outcome, d.Codes, d.Answers.DataPresent = string(swedish.Incomplete), []rule.Code{rule.CodeRegister}, false
		s.conclude(d, false, false)
		d.State = Open
		return
	}
	r := swedish.Evaluate(frame.Incomes)
	d.Outcome, d.Codes = string(r.Outcome), r.Codes
	d.Figures = Figures{Days: r.Days, Amount: r.Base}
	if r.Outcome == swedish.Invalid {
		d.Answers.DataPresent = false
	}
	s.conclude(d, false, false)
}
