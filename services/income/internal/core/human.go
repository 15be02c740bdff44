package core

import (
	"context"
	"slices"
	"time"

	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/rule"
	"samvirke.dev/services/platform/clock"
)

// Decision returns a decision of the controller. Errors: ErrNotFound.
func (s *Service) Decision(ctx context.Context, c Caller, id ID) (*Decision, error) {
	d, err := s.d.Store.Decision(ctx, c.Controller, id)
	if err != nil {
		return nil, err
	}
	s.about(ctx, c, d)
	return d, nil
}

// about notes in the audit record whom and what a call is about.
func (s *Service) about(ctx context.Context, c Caller, d *Decision) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, d.Handle), d.Protected)
	s.d.Notes.Decided(ctx, d)
}

// List returns decisions in a state, oldest first. Errors: ErrNotFound for a run that the controller does not have.
func (s *Service) List(ctx context.Context, c Caller, q Listing, item func(context.Context, int) context.Context) ([]*Decision, error) {
	// Nothing is decided before the run begins, nor before the month does: so much of the list need not be read.
	if !q.Run.IsZero() {
		run, err := s.d.Store.Run(ctx, c.Controller, q.Run)
		if err != nil {
			return nil, err
		}
		q.from(run.Started.Add(-clock.Skew)) // a replica may be behind
	}
	if q.Month != 0 {
		q.from(q.Month.First().Time(s.d.Zone))
	}
	out, err := s.d.Store.List(ctx, c.Controller, q)
	for i, d := range out {
		s.d.Notes.Subject(item(ctx, i), subjectID(c.Controller, d.Handle), d.Protected)
	}
	return out, err
}

// from leaves out what was decided before a moment.
func (q *Listing) from(t time.Time) {
	if t.After(q.Since) {
		q.Since, q.After = t, ID{}
	}
}

// Posted records the day on which a notice was posted; the answer period runs from then (match.notice_days). The same day again changes
// nothing. Errors: ErrNotFound, ErrFuture, ErrState for what is no notice or was posted on another day.
func (s *Service) Posted(ctx context.Context, c Caller, id ID, day civil.Date) (*Decision, error) {
	d, err := s.Decision(ctx, c, id)
	switch {
	case err != nil:
		return nil, err
	case day > s.today():
		return nil, ErrFuture
	case d.Posted == day:
		return d, nil
	case d.State != Noticed || d.Posted != 0 || day < civil.Of(d.CreatedAt.In(s.d.Zone)):
		return nil, ErrState
	}
	d.Posted = day
	d.AnswerBy = day + civil.Date(s.set(d).NoticeDays.F) //nolint:gosec // days
	return d, s.d.Store.Update(ctx, Noticed, d)
}

// set is the set of values by which a decision was made.
func (s *Service) set(d *Decision) *rule.Set {
	if set := s.d.Sets.ByVersion(d.Version); set != nil {
		return set
	}
	return s.d.Sets.For(d.Month)
}

// Remark records a member's objection to a notice: the case goes to a person. Errors: ErrNotFound, ErrState for what is decided already
// (a review or a complaint is the way then).
func (s *Service) Remark(ctx context.Context, c Caller, id ID, text string) (*Decision, error) {
	d, err := s.d.Store.Decision(ctx, c.Controller, id)
	if err != nil {
		return nil, err
	}
	before := d.State
	if before != Noticed && before != Manual {
		s.about(ctx, c, d)
		return nil, ErrState
	}
	d.State = Manual
	d.Answers.NoRemarks = false
	_, d.Against = automation.Decide(automation.Facts{Answers: d.Answers, AreaOff: !s.areas[d.Kind], Protected: d.Protected, HumanOnly: d.HumanOnly()})
	d.Texts = append(d.Texts, Text{TextRemark, text, s.now()})
	s.about(ctx, c, d)
	return d, s.d.Store.Update(ctx, before, d)
}

// HumanOnly says whether only a person may decide, whatever the data: a review or a complaint, also after it was decided.
func (d *Decision) HumanOnly() bool {
	return d.Complaint || slices.Contains(d.Against, rule.CodeHumanOnly)
}

// Review asks for a person to decide anew. It is never refused: a decision that waits for a person, or about which a person is asked
// already, is that review.
func (s *Service) Review(ctx context.Context, c Caller, id ID) (*Decision, error) {
	d, err := s.d.Store.Decision(ctx, c.Controller, id)
	if err != nil {
		return nil, err
	}
	for d.State != Manual && !d.Later.IsZero() { // what stands in its place
		if d, err = s.d.Store.Decision(ctx, c.Controller, d.Later); err != nil {
			return nil, err
		}
	}
	if d.State == Manual {
		s.about(ctx, c, d)
		return d, nil
	}
	return s.successor(ctx, c, d, nil)
}

// Complain records a complaint about a decision, also a late one; it is a matter for a person from the start. Another complaint about the
// same decision is added to the first while that is open.
func (s *Service) Complain(ctx context.Context, c Caller, id ID, text string, received civil.Date) (*Decision, error) {
	d, err := s.d.Store.Decision(ctx, c.Controller, id)
	if err != nil {
		return nil, err
	}
	if received == 0 {
		received = s.today()
	}
	if received > s.today() {
		return nil, ErrFuture
	}
	complaint := Text{TextComplaint, text, s.now()}
	if open, err := s.openComplaint(ctx, c, d); err != nil || open != nil {
		if err != nil {
			return nil, err
		}
		open.Texts = append(open.Texts, complaint)
		s.about(ctx, c, open)
		return open, s.d.Store.Update(ctx, Manual, open)
	}
	until := d.ComplaintUntil(s.set(d), s.d.Zone)
	return s.successor(ctx, c, d, func(n *Decision) {
		n.Complaint, n.Late, n.Texts = true, until != 0 && received > until, []Text{complaint}
	})
}

func (s *Service) openComplaint(ctx context.Context, c Caller, d *Decision) (*Decision, error) {
	all, err := s.d.Store.Decisions(ctx, c.Controller, d.Member, d.Kind)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if o.Complaint && o.State == Manual && (o.Earlier == d.ID || o.ID == d.ID) {
			return o, nil
		}
	}
	return nil, nil //nolint:nilnil // no complaint is open, which is no error
}

// successor adds a decision that waits for a person about the same as d. What is decided stays in force until then; a notice that is still
// open waits for the person, too.
func (s *Service) successor(ctx context.Context, c Caller, d *Decision, edit func(*Decision)) (*Decision, error) {
	all, err := s.d.Store.Decisions(ctx, c.Controller, d.Member, d.Kind)
	if err != nil {
		return nil, err
	}
	latest := d
	for _, o := range all {
		if o.Month == d.Month && o.Seq > latest.Seq {
			latest = o
		}
	}
	n := *d
	n.ID, n.Seq, n.State, n.Earlier, n.Later, n.Run = NewID(), latest.Seq+1, Manual, d.ID, ID{}, ID{}
	n.DecidedBy, n.Posted, n.AnswerBy, n.Texts, n.Verdict, n.Late, n.Complaint = "", 0, 0, nil, "", false, false
	n.DecidedAt, n.CreatedAt, n.Trace = time.Time{}, s.now(), c.Trace
	n.Against, n.Delta, n.Net = []rule.Code{rule.CodeHumanOnly}, 0, latest.Net
	before := d.State
	if !d.State.Final() { // a notice or an open case: the person takes it over with what it regulates
		n.Delta = d.Delta
		d.State = Superseded
	}
	d.Later = n.ID
	if edit != nil {
		edit(&n)
	}
	sealed, err := s.d.Store.Seal(c.Controller, []*Decision{&n})
	if err != nil {
		return nil, err
	}
	if err := s.d.Store.Update(ctx, before, d); err != nil {
		return nil, err
	}
	s.about(ctx, c, &n)
	return &n, s.d.Store.Write(ctx, sealed)
}

// Ruling is what a person decides.
type Ruling struct {
	Verdict Verdict
	Hours   rule.Hours // with Change: to regulate instead, recovery positive
	Grounds string
}

// DecideHuman records what a person decided about a case that waits for one. Errors: ErrNotFound; ErrHuman without a person; ErrSamePerson
// for a complaint about what the same person decided; ErrState for what does not wait, and for other hours where nothing is matched.
func (s *Service) DecideHuman(ctx context.Context, c Caller, id ID, r Ruling) (*Decision, error) {
	d, err := s.Decision(ctx, c, id)
	switch {
	case err != nil:
		return nil, err
	case c.Person == "":
		return nil, ErrHuman
	case d.State != Manual:
		return nil, ErrState
	case r.Verdict == Change && (d.Kind != Matching || d.Matched == nil || !d.Matched.Month.Status.Known() || d.Matched.Month.Rate <= 0 ||
		r.Hours.Abs() > s.set(d).NormOf(d.Matched.Month.Status)):
		return nil, ErrState
	}
	chain, err := s.chain(ctx, c, d)
	if err != nil {
		return nil, err
	}
	if d.Complaint && !s.d.SamePerson && slices.ContainsFunc(chain, func(e *Decision) bool { return e.DecidedBy == c.Person }) {
		return nil, ErrSamePerson
	}
	s.rule(d, c, r, standing(chain))
	if err := s.shift(ctx, c, d); err != nil {
		return nil, err
	}
	if r.Verdict == Withdraw {
		if err := s.d.Store.MarkUsed(ctx, c.Controller, d.Member, d.Used, false); err != nil {
			return nil, err
		}
	}
	if err := s.d.Store.Update(ctx, Manual, d); err != nil {
		return nil, err
	}
	s.about(ctx, c, d)
	return d, s.supersede(ctx, chain, d)
}

// chain returns the decisions that a case is about, the nearest first.
func (s *Service) chain(ctx context.Context, c Caller, d *Decision) (out []*Decision, err error) {
	for at := d; !at.Earlier.IsZero() && (at.Complaint || slices.Contains(at.Against, rule.CodeHumanOnly)); {
		if at, err = s.d.Store.Decision(ctx, c.Controller, at.Earlier); err != nil {
			return nil, err
		}
		out = append(out, at)
	}
	return out, nil
}

// standing is what the earlier decisions of a chain regulate and still do.
func standing(chain []*Decision) (h rule.Hours) {
	for _, e := range chain {
		if e.State == DecidedAuto || e.State == DecidedHuman || e.State == Forwarded {
			h += e.Delta
		}
	}
	return h
}

// rule fills in what the person decided. earlier is what stands until now by the decisions that this one is about.
func (s *Service) rule(d *Decision, c Caller, r Ruling, earlier rule.Hours) {
	d.State, d.Verdict, d.DecidedBy, d.DecidedAt = DecidedHuman, r.Verdict, c.Person, s.now()
	d.Texts = append(d.Texts, Text{TextGrounds, r.Grounds, d.DecidedAt})
	want := earlier + d.Delta
	switch r.Verdict {
	case Withdraw:
		d.State, want = Withdrawn, 0
	case Change:
		want = r.Hours
		d.Outcome = outcomeOf(want)
		d.Hours = want.Abs()
		d.Amount = s.set(d).AmountOf(d.Hours, d.Matched.Month.Rate, d.Matched.Month.Status)
	default:
	}
	if d.Complaint && r.Verdict != Withdraw {
		d.State = Forwarded // not fully upheld: to the national complaints centre
	}
	d.Net += want - earlier - d.Delta
	d.Delta = want - earlier
}

func outcomeOf(h rule.Hours) string {
	switch {
	case h > 0:
		return "RECOVER"
	case h < 0:
		return "PAY_OUT"
	default:
		return "NO_CHANGE"
	}
}

// shift corrects the net regulation of the decisions about the month that came after one whose effect has changed. d.Net is corrected
// already; the difference is to what the store has.
func (s *Service) shift(ctx context.Context, c Caller, d *Decision) error {
	before, err := s.d.Store.Decision(ctx, c.Controller, d.ID)
	if err != nil || before.Net == d.Net {
		return err
	}
	all, err := s.d.Store.Decisions(ctx, c.Controller, d.Member, d.Kind)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Month == d.Month && o.Seq > d.Seq {
			o.Net += d.Net - before.Net
			if err := s.d.Store.Update(ctx, o.State, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// supersede marks what a person's decision replaces. What a complaint was about stays in force unless it was changed or withdrawn.
func (s *Service) supersede(ctx context.Context, chain []*Decision, d *Decision) error {
	if d.Complaint && d.Verdict == Uphold {
		return nil
	}
	for _, e := range chain {
		if e.State == Superseded {
			continue
		}
		before := e.State
		e.State, e.Later = Superseded, d.ID
		if err := s.d.Store.Update(ctx, before, e); err != nil {
			return err
		}
	}
	return nil
}
