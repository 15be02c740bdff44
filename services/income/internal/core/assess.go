package core

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/income/internal/core/shortening"
	"samvirke.dev/services/income/internal/core/waiting"
)

// draft is a decision of a rule other than § 46 before it is settled.
func (s *Service) draft(c Caller, member int64, handle facts.Handle, kind Kind, month civil.Month, input any) (*Decision, error) {
	set := s.d.Sets.For(month)
	raw, err := json.Marshal(input) // plain structures of numbers
	if err != nil {
		return nil, err
	}
	digest, err := s.d.Store.Digest(raw, []byte(set.Version))
	if err != nil {
		return nil, err
	}
	return &Decision{
		ID: NewID(), Controller: c.Controller, Member: member, Handle: handle, Kind: kind, Month: month, Seq: 1, Version: set.Version, Digest: digest,
		CreatedAt: s.now(), Trace: c.Trace, Answers: automation.Answers{DataPresent: true, NoEnquiry: true, NoDiscretion: true, NoRemarks: true},
	}, nil
}

// conclude gives a drafted decision its state.
func (s *Service) conclude(d *Decision, hearing, adverse bool) {
	verdict, codes := automation.Decide(automation.Facts{
		Answers: d.Answers, AreaOff: !s.areas[d.Kind], Protected: d.Protected, Adverse: adverse, Hearing: hearing, Today: s.today(),
	})
	d.Against = codes
	switch verdict {
	case automation.Auto:
		d.State, d.DecidedBy, d.DecidedAt = DecidedAuto, s.d.Name, d.CreatedAt
	case automation.Wait:
		d.State, d.Against = Noticed, nil
	default:
		d.State = Manual
	}
}

// keep writes new decisions, numbered after the earlier ones about their months.
func (s *Service) keep(ctx context.Context, c Caller, earlier, made []*Decision) error {
	last := map[civil.Month]*Decision{}
	for _, d := range append(append([]*Decision{}, earlier...), made...) {
		if before := last[d.Month]; before != nil && d.Seq <= before.Seq {
			d.Seq, d.Earlier = before.Seq+1, before.ID
		}
		last[d.Month] = d
	}
	sealed, err := s.d.Store.Seal(c.Controller, made)
	if err != nil {
		return err
	}
	return s.d.Store.Write(ctx, sealed)
}

// WaitingDays decides the waiting days of a benefit period (§ 56a) from all its months, and returns what is new since the last time:
// reversals and decisions. It is announced with the payment, so nobody is heard before (E.2).
func (s *Service) WaitingDays(ctx context.Context, c Caller, handle facts.Handle, months []waiting.Month, protected bool) ([]*Decision, error) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), protected)
	members, err := s.d.Store.Members(ctx, c.Controller, []facts.Handle{handle})
	if err != nil {
		return nil, err
	}
	earlier, err := s.d.Store.Decisions(ctx, c.Controller, members[0], WaitingDay)
	if err != nil {
		return nil, err
	}
	first, last := months[0].Month, months[len(months)-1].Month
	var before []waiting.Decision
	for _, d := range inForce(earlier) {
		if d.Month >= first { // earlier benefit periods are over
			before = append(before, blockOf(d))
		}
	}
	var made []*Decision
	for _, change := range waiting.Reconcile(before, waiting.Evaluate(s.d.Sets.For(last), months)) {
		month := change.Waiting
		if month == 0 {
			month = last
		}
		d, err := s.draft(c, members[0], handle, WaitingDay, month, change)
		if err != nil {
			return nil, err
		}
		fill(d, change)
		d.Protected = protected
		s.conclude(d, false, change.Outcome == waiting.Deduct)
		made = append(made, d)
	}
	if len(made) > 0 {
		s.d.Notes.Decided(ctx, made[len(made)-1])
	}
	return made, s.keep(ctx, c, earlier, made)
}

func fill(d *Decision, w waiting.Decision) {
	d.Outcome, d.Codes, d.Provision = string(w.Outcome), w.Codes, w.Provisional
	d.Figures = Figures{Amount: w.Amount, Sum: w.Hours, Limit: w.Limit, Deducted: w.Deducted, First: w.First}
	d.Basis = Basis{Status: w.Status, Rate: w.Rate, Hours: w.Months}
	if w.Outcome == waiting.Invalid {
		d.Answers.DataPresent, d.Answers.NoEnquiry = false, false
	}
}

func blockOf(d *Decision) waiting.Decision {
	return waiting.Decision{
		Outcome: waiting.Outcome(d.Outcome), Codes: d.Codes, First: d.First, Waiting: d.Month, Deducted: d.Deducted, Hours: d.Sum, Limit: d.Limit,
		Amount: d.Amount, Provisional: d.Provision, Months: d.Basis.Hours, Status: d.Basis.Status, Rate: d.Basis.Rate,
	}
}

// inForce returns the last decision about each month, less those that a person withdrew and deductions that were reversed.
func inForce(all []*Decision) (out []*Decision) {
	last := map[civil.Month]int{}
	for _, d := range all {
		if d.State == Superseded && !d.Later.IsZero() || d.Complaint {
			continue
		}
		at, twice := last[d.Month]
		if !twice {
			at = len(out)
			last[d.Month], out = at, append(out, nil)
		}
		out[at] = d
		if d.Outcome == string(waiting.Reversed) || d.Outcome == string(waiting.Invalid) || d.State == Withdrawn {
			out[at] = nil
		}
	}
	kept := out[:0]
	for _, d := range out {
		if d != nil {
			kept = append(kept, d)
		}
	}
	return kept
}

// RecordConsumption keeps hours of benefit as a source reports them, and returns on how many months the sources now disagree.
func (s *Service) RecordConsumption(ctx context.Context, c Caller, handle facts.Handle, source shortening.Source, months []Consumption) (int, error) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), false)
	members, err := s.d.Store.Members(ctx, c.Controller, []facts.Handle{handle})
	if err != nil {
		return 0, err
	}
	if err := s.d.Store.PutConsumption(ctx, c.Controller, members[0], source, months); err != nil {
		return 0, err
	}
	entries, _, err := s.d.Store.Consumption(ctx, c.Controller, members[0])
	if err != nil {
		return 0, err
	}
	said, conflicts := map[civil.Month]rule.Hours{}, map[civil.Month]bool{}
	for _, e := range entries {
		if h, twice := said[e.Month]; twice && h != e.Hours {
			conflicts[e.Month] = true
		}
		said[e.Month] = e.Hours
	}
	return len(conflicts), nil
}

// ShorteningQuestion is what the fund says about the benefit period.
type ShorteningQuestion struct {
	Paid      civil.Month
	Status    rule.Status
	Former    bool
	Period    shortening.Period
	Left      rule.Hours
	NewPeriod civil.Date // first day of the right to a new period; 0 for none
	Protected bool
}

// Shortening decides whether the benefit period is shortened (§ 56b), from the recorded consumption. What was deferred is applied, or
// lapses, when a new period begins.
func (s *Service) Shortening(ctx context.Context, c Caller, handle facts.Handle, q ShorteningQuestion) (*Decision, error) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), q.Protected)
	members, err := s.d.Store.Members(ctx, c.Controller, []facts.Handle{handle})
	if err != nil {
		return nil, err
	}
	earlier, err := s.d.Store.Decisions(ctx, c.Controller, members[0], Shortening)
	if err != nil {
		return nil, err
	}
	entries, answered, err := s.d.Store.Consumption(ctx, c.Controller, members[0])
	if err != nil {
		return nil, err
	}
	last := latestAbout(earlier, q.Paid)
	d, err := s.shorten(c, members[0], handle, q, before(entries, last), answered, earlier)
	if err != nil {
		return nil, err
	}
	switch {
	case last == nil:
	case bytes.Equal(last.Digest, d.Digest) && last.Outcome == d.Outcome, // asked again about the same
		last.State == Manual && last.HumanOnly(): // a person was asked for, and has not decided yet
		s.d.Notes.Decided(ctx, last)
		return last, nil
	case last.State == Open || last.State == Manual: // d replaces it before it came into force
		if err := s.d.Store.MarkUsed(ctx, c.Controller, members[0], last.Used, false); err != nil {
			return nil, err
		}
	default: // it stands, and so does what it used
		if d, err = s.shorten(c, members[0], handle, q, entries, answered, earlier); err != nil {
			return nil, err
		}
	}
	if err := s.d.Store.MarkUsed(ctx, c.Controller, members[0], d.Used, true); err != nil {
		return nil, err
	}
	s.d.Notes.Decided(ctx, d)
	return d, s.keep(ctx, c, earlier, []*Decision{d})
}

// before returns the entries as they were before a decision used months of them.
func before(entries []shortening.Entry, d *Decision) []shortening.Entry {
	out := slices.Clone(entries)
	for i := range out {
		if d != nil && slices.Contains(d.Used, out[i].Month) {
			out[i].Used = false
		}
	}
	return out
}

// shorten drafts the decision of the rule, with the months that it uses.
func (s *Service) shorten(
	c Caller, member int64, handle facts.Handle, q ShorteningQuestion, entries []shortening.Entry, answered []shortening.Source, earlier []*Decision,
) (*Decision, error) {
	in := shortening.Input{
		Paid: q.Paid, Status: q.Status, Entries: entries, Answered: answered, Former: q.Former, Period: q.Period, Left: q.Left,
	}
	d, err := s.draft(c, member, handle, Shortening, q.Paid, struct {
		In  shortening.Input
		New civil.Date
	}{in, q.NewPeriod})
	if err != nil {
		return nil, err
	}
	d.Protected, d.Basis.Status = q.Protected, q.Status
	d.Used = s.apply(d, in, q, deferred(earlier))
	return d, nil
}

// apply fills in what the rule says, and returns the months that it uses up.
func (s *Service) apply(d *Decision, in shortening.Input, q ShorteningQuestion, open *Decision) []civil.Month {
	set := s.d.Sets.For(q.Paid)
	if open != nil && q.NewPeriod != 0 && q.Status.Known() {
		outcome := shortening.NewPeriod(set, civil.Of(open.CreatedAt.In(s.d.Zone)), q.NewPeriod)
		d.Outcome, d.Earlier = string(outcome), open.ID
		if outcome == shortening.Applied {
			d.Hours = set.NormOf(q.Status)
			d.Left = max(0, q.Left-d.Hours)
		}
		s.conclude(d, true, outcome == shortening.Applied)
		return nil
	}
	r := shortening.Evaluate(set, &in)
	d.Outcome, d.Codes = string(r.Outcome), r.Codes
	d.Figures = Figures{Hours: r.Hours, Sum: r.Sum, Limit: r.Limit, Left: r.Left, First: r.From}
	switch r.Outcome {
	case shortening.Invalid:
		d.Answers.DataPresent, d.Answers.NoEnquiry = false, false
	case shortening.Incomplete:
		d.Answers.DataPresent = false
	case shortening.Conflict:
		d.Answers.NoEnquiry = false
	default:
	}
	s.conclude(d, true, r.Outcome == shortening.Shorten || r.Outcome == shortening.ShortenAccount)
	if r.Outcome == shortening.Incomplete {
		d.State = Open
	}
	return r.Used
}

// deferred is the shortening that still waits for a new period, or nil.
func deferred(all []*Decision) (open *Decision) {
	for _, d := range all {
		switch shortening.Outcome(d.Outcome) {
		case shortening.Deferred:
			if d.State != Withdrawn {
				open = d
			}
		case shortening.Applied, shortening.Lapsed:
			open = nil
		default:
		}
	}
	return open
}

func latestAbout(all []*Decision, month civil.Month) (last *Decision) {
	for _, d := range all {
		if d.Month == month {
			last = d
		}
	}
	return last
}
