package core

import (
	"time"

	"samvirke.dev/services/income/internal/core/automation"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/match"
	"samvirke.dev/services/income/internal/core/rule"
)

// Subject is one member's month with all that was decided about it before.
type Subject struct {
	Member    int64
	Handle    facts.Handle
	Month     MemberMonth
	Matched   Matched    // Today and Previous are filled in by decide
	Retrieved time.Time  // when the register answered; zero if it has not
	Latest    *Decision  // the last § 46 decision about the month that is no review and no complaint, or nil
	LastSeq   int        // of all decisions about the month, reviews and complaints included
	Net       rule.Hours // regulation of the month in all, after the last of them
}

// frame is what all decisions of a run share.
type frame struct {
	set   *rule.Set
	areas map[Kind]bool
	month civil.Month
	today civil.Date
	now   time.Time
	run   ID
	by    string // the service's name
	trace string
}

// outcome is what decide found: a new decision, or that the earlier one stands.
type outcome struct {
	result match.Result
	made   *Decision
	// noticed says that the member is to be told of something new.
	noticed bool
}

// decide applies § 46 to a subject. digest is of what goes in. When the same was decided from the same before, nothing new is made: that is
// what keeps a member from being told twice.
func (f *frame) decide(s *Subject, digest []byte) outcome {
	in := match.Input{
		Month: f.month, Today: f.today, Status: s.Month.Status, Rate: s.Month.Rate, Other: s.Month.Other, Card: s.Month.Card,
		Answered: s.Matched.Answered, Records: s.Matched.Records, Placement: s.Month.Placement, Ended: s.Month.Ended, Absent: s.Month.Absent,
	}
	in.Previous = s.Net
	if s.replaced() {
		in.Previous -= s.Latest.Delta // it was never decided, and the new one stands in its place
	}
	out := outcome{result: match.Evaluate(f.set, &in)}
	if s.Latest != nil && stands(s.Latest, out.result, digest) {
		return out
	}
	s.Matched.Today, s.Matched.Previous, s.Matched.Month = in.Today, in.Previous, s.Month
	d := &Decision{
		ID: NewID(), Member: s.Member, Handle: s.Handle, Kind: Matching, Month: f.month, Seq: 1, Outcome: string(out.result.Outcome), Codes: out.result.Codes,
		Version: f.set.Version, Digest: digest, CreatedAt: f.now, Run: f.run, Trace: f.trace, Protected: s.Month.Protected, Matched: &s.Matched,
		Retrieved: s.Retrieved,
		Figures: Figures{
			Hours: out.result.Hours, Amount: out.result.Amount, Delta: out.result.Delta, Net: in.Previous + out.result.Delta,
			Declared: out.result.Declared, Register: out.result.Register, Partial: out.result.Partial, Retry: out.result.Retry,
		},
	}
	d.Seq = s.LastSeq + 1
	if s.Latest != nil {
		d.Earlier = s.Latest.ID
	}
	// What the member has said about a case goes on with it.
	f.settle(d, s.Month, s.replaced() && !s.Latest.Answers.NoRemarks)
	out.made, out.noticed = d, d.State == Noticed
	return out
}

// replaced says whether the earlier decision waits for something and is replaced by a new one.
func (s *Subject) replaced() bool {
	return s.Latest != nil && (s.Latest.State == Open || s.Latest.State == Manual)
}

// stands says whether an earlier decision holds: it was made from the same data, or nothing could be decided then and now. What a
// person decided is not matched away by the same data either.
func stands(latest *Decision, now match.Result, digest []byte) bool {
	if string(latest.Digest) != string(digest) {
		return false
	}
	return latest.State != Open || latest.Outcome == string(now.Outcome)
}

// settle gives a new decision its state: decided, told to the member first, for a person, or to be tried again.
func (f *frame) settle(d *Decision, m MemberMonth, remarks bool) {
	d.Answers = answersFor(match.Outcome(d.Outcome), d.Codes)
	d.Answers.NoRemarks = !remarks
	verdict, codes := automation.Decide(f.facts(d, m))
	d.Against = codes
	o := match.Outcome(d.Outcome)
	switch {
	case o == match.TooEarly || o == match.Incomplete:
		d.State = Open
	case verdict == automation.Wait:
		d.State, d.Against = Noticed, nil
	case verdict == automation.Auto:
		d.State, d.DecidedBy, d.DecidedAt = DecidedAuto, f.by, f.now
	default:
		d.State = Manual
	}
}

func (f *frame) facts(d *Decision, m MemberMonth) automation.Facts {
	notice := match.Outcome(d.Outcome).Notice()
	return automation.Facts{
		Answers: d.Answers, AreaOff: !f.areas[d.Kind], Restricted: m.Restricted, Objection: m.Objection, Protected: m.Protected || d.Protected,
		// The member is heard about money in either direction (domain B.1).
		Adverse: notice, Hearing: notice, HearingEnds: d.AnswerBy, Today: f.today,
	}
}

// answersFor says which of C1 to C4 hold for an outcome of § 46.
func answersFor(o match.Outcome, codes []rule.Code) automation.Answers {
	a := automation.Answers{DataPresent: true, NoEnquiry: true, NoDiscretion: true, NoRemarks: true}
	switch o {
	case match.Invalid:
		a.DataPresent, a.NoEnquiry = false, false
	case match.TooEarly, match.Incomplete:
		a.DataPresent = false
	case match.IncomeOnly:
		a.NoEnquiry = false
	case match.Manual:
		for _, c := range codes {
			switch c {
			case rule.CodeAbsencePart:
				a.NoDiscretion = false
			case rule.CodeDaysUnknown, rule.CodeHoursUnknown, rule.CodePeriodOut:
				a.NoEnquiry = false
			default:
			}
		}
	default:
	}
	return a
}
