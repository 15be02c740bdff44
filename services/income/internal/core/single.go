package core

import (
	"context"
	"errors"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
)

type fetchedKey struct{}

// fetched is a register's answer that was got before the transaction of a call.
type fetched struct {
	answer facts.Answer
	err    error
}

// Fetch asks the register about a member's month, where one is connected, and hands the answer on in the context: a transaction must not
// wait for a register.
func (s *Service) Fetch(ctx context.Context, c Caller, handle facts.Handle, month civil.Month) context.Context {
	if s.d.Register == nil {
		return ctx
	}
	answer, err := s.d.Register.Month(ctx, Question{Controller: c.Controller, Handle: handle, Month: month, CaseReference: c.Case})
	return context.WithValue(ctx, fetchedKey{}, &fetched{answer, err})
}

// MatchMonth matches one member's month now, after it has kept what the fund says about it, if it says anything. Errors: ErrNotFound when
// nothing is known about the month.
func (s *Service) MatchMonth(ctx context.Context, c Caller, handle facts.Handle, month civil.Month, known *MemberMonth) (*Decision, error) {
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), known != nil && known.Protected)
	var member int64
	if known != nil {
		members, err := s.d.Store.Members(ctx, c.Controller, []facts.Handle{handle})
		if err != nil {
			return nil, err
		}
		member = members[0]
		if err := s.d.Store.PutMonths(ctx, c.Controller, month, members, []MemberMonth{*known}); err != nil {
			return nil, err
		}
	} else {
		var err error
		if member, err = s.d.Store.Member(ctx, c.Controller, handle); err != nil {
			return nil, err
		}
	}
	if f, ok := ctx.Value(fetchedKey{}).(*fetched); ok && f.err == nil {
		if err := s.d.Store.PutAnswers(ctx, c.Controller, month, []int64{member}, []facts.Answer{f.answer}); err != nil {
			return nil, err
		}
	}
	d, err := s.matchOne(ctx, c.Controller, member, month, c.Trace)
	if err != nil {
		return nil, err
	}
	s.d.Notes.Subject(ctx, subjectID(c.Controller, handle), d.Protected)
	s.d.Notes.Retrieved(ctx, d.Retrieved)
	s.d.Notes.Decided(ctx, d)
	return d, nil
}

// matchOne decides one member's month in the transaction of the context, and returns what stands.
func (s *Service) matchOne(ctx context.Context, controller string, member int64, month civil.Month, trace string) (*Decision, error) {
	subjects, err := s.d.Store.Subjects(ctx, controller, month, member, member)
	if err != nil {
		return nil, err
	}
	if len(subjects) == 0 {
		return nil, ErrNotFound
	}
	subject := &subjects[0]
	f := s.frame(month, ID{}, trace)
	digest, err := s.digest(f, subject)
	if err != nil {
		return nil, err
	}
	out := f.decide(subject, digest)
	if out.made == nil {
		return subject.Latest, nil
	}
	sealed, err := s.d.Store.Seal(controller, []*Decision{out.made})
	if err != nil {
		return nil, err
	}
	return out.made, s.d.Store.Write(ctx, sealed)
}

// digest is over everything that decides but the day: what the fund says, whether and what the register says, and the rule's values.
func (s *Service) digest(f *frame, subject *Subject) ([]byte, error) {
	answered := []byte{0}
	if subject.Matched.Answered {
		answered[0] = 1
	}
	return s.d.Store.Digest(subject.Matched.RawMonth, answered, subject.Matched.RawRecords, []byte(f.set.Version))
}

// Rematch matches one member's month again, as a job: after a correction of the register, a late card, or when it is time to try again.
// With fetch the register is asked anew first; if it does not answer, what is known stays.
func (s *Service) Rematch(ctx context.Context, member int64, month civil.Month, fetch bool) error {
	started := s.now()
	controller, handle, err := s.d.Store.HandleOf(ctx, member)
	if err != nil {
		return err
	}
	var answer *facts.Answer
	if fetch && s.d.Register != nil {
		got, err := s.d.Register.Month(ctx, Question{Controller: controller, Handle: handle, Month: month, CaseReference: month.String()})
		switch {
		case err == nil:
			answer = &got
		case ctx.Err() != nil:
			return err
		case !expected(err):
			return err
		}
	}
	return s.d.Store.InTx(ctx, func(ctx context.Context) error {
		if answer != nil {
			if err := s.d.Store.PutAnswers(ctx, controller, month, []int64{member}, []facts.Answer{*answer}); err != nil {
				return err
			}
		}
		d, err := s.matchOne(ctx, controller, member, month, "")
		if errors.Is(err, ErrNotFound) {
			return nil // the fund has said nothing about the month yet
		}
		if err != nil {
			return err
		}
		return s.record(ctx, Work{Name: "income.rematch", Controller: controller, Kind: Matching, Started: started},
			Record{Subject: subjectID(controller, handle), Protected: d.Protected, Retrieved: d.Retrieved, Decision: d})
	})
}

// expected says whether an error of a register is one after which the member simply stays without an answer.
func expected(err error) bool {
	return errors.Is(err, ErrRegisterUnavailable) || errors.Is(err, ErrRegisterRefused) || errors.Is(err, ErrNotEnrolled)
}

func (s *Service) record(ctx context.Context, w Work, items ...Record) error {
	sealed, err := s.d.Records.Seal(w, items)
	if err != nil {
		return err
	}
	return s.d.Records.Write(ctx, sealed)
}
