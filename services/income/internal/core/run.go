package core

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/income/internal/core/match"
)

// StartRun begins to match a month of all the controller's members, or returns the run that is under way. It runs in the call's
// transaction, together with the jobs that work on it.
func (s *Service) StartRun(ctx context.Context, c Caller, month civil.Month) (Run, error) {
	if month.First() > s.today() {
		return Run{}, ErrFuture
	}
	run, fresh, err := s.d.Store.NewRun(ctx, Run{ID: NewID(), Controller: c.Controller, Month: month, State: Running, Started: s.now()})
	if err != nil || !fresh {
		return run, err
	}
	return run, s.d.Queue.Run(ctx, run.ID, c.Controller)
}

// CancelRun ends a run; what was decided stays decided. Cancelling one that has ended changes nothing.
func (s *Service) CancelRun(ctx context.Context, c Caller, id ID) (Run, error) {
	if _, err := s.d.Store.Run(ctx, c.Controller, id); err != nil {
		return Run{}, err
	}
	if _, err := s.d.Store.EndRun(ctx, id, Cancelled, s.now()); err != nil {
		return Run{}, err
	}
	return s.d.Store.Run(ctx, c.Controller, id)
}

// Run returns a run with its progress. Errors: ErrNotFound.
func (s *Service) Run(ctx context.Context, c Caller, id ID) (Run, error) {
	return s.d.Store.Run(ctx, c.Controller, id)
}

// Resume has runs worked on that nobody works on any more, as after a crash of all replicas.
func (s *Service) Resume(ctx context.Context) error {
	runs, err := s.d.Store.Unfinished(ctx, s.now())
	for _, r := range runs {
		err = errors.Join(err, s.d.Queue.Run(ctx, r.ID, r.Controller))
	}
	return err
}

// WorkRun works on a run, chunk after chunk, until no chunk is free or ctx ends. Any number of replicas may do so at the same time.
func (s *Service) WorkRun(ctx context.Context, id ID, controller string) error {
	run, err := s.d.Store.Run(ctx, controller, id)
	if err != nil || run.State != Running {
		return err
	}
	if !run.Planned {
		if err := s.d.Store.Plan(ctx, run, s.d.Chunk); err != nil {
			return err
		}
	}
	var next *Chunk // claimed already
	for ctx.Err() == nil {
		if next == nil {
			now := s.now()
			chunk, ok, err := s.d.Store.Claim(ctx, id, now, now.Add(s.d.Lease))
			if err != nil {
				return err
			}
			if !ok {
				_, err := s.d.Store.Complete(ctx, id, s.now())
				return err
			}
			next = &chunk
		}
		if next, err = s.chunk(ctx, run, *next); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// attempts is how often a chunk is tried when single members are matched on their own beside it.
const attempts = 5

// chunk matches the members of a chunk and claims the next one, which is nil when none is free. Register answers, decisions, audit records,
// the mark that the chunk is done and the claim are one transaction: after a crash either all of it is there, or the chunk is done anew.
func (s *Service) chunk(ctx context.Context, run Run, c Chunk) (next *Chunk, err error) {
	for attempt := 1; ; attempt++ {
		next, err := s.tryChunk(ctx, run, c)
		switch {
		case errors.Is(err, ErrDone): // the lease ran out, and another replica was faster
			return nil, nil
		case !errors.Is(err, ErrChanged) || attempt == attempts:
			return next, err
		}
	}
}

func (s *Service) tryChunk(ctx context.Context, run Run, c Chunk) (next *Chunk, err error) {
	started := s.now()
	subjects, err := s.d.Store.Subjects(ctx, run.Controller, run.Month, c.From, c.To)
	if err != nil {
		return nil, err
	}
	asked, err := s.ask(ctx, run, subjects)
	if err != nil {
		return nil, err
	}
	f := s.frame(run.Month, run.ID, "")
	made, records, tallies, err := s.decideAll(f, run.Controller, subjects)
	if err != nil {
		return nil, err
	}
	sealed, err := s.d.Store.Seal(run.Controller, made)
	if err != nil {
		return nil, err
	}
	audit, err := s.d.Records.Seal(Work{Name: "income.match", Controller: run.Controller, Kind: Matching, Started: started}, records)
	if err != nil {
		return nil, err
	}
	err = s.d.Store.InTx(ctx, func(ctx context.Context) error {
		now := s.now()
		if err := s.d.Store.Finish(ctx, run.ID, c, tallies, now); err != nil {
			return err
		}
		if err := s.d.Store.PutAnswers(ctx, run.Controller, run.Month, asked.members, asked.answers); err != nil {
			return err
		}
		if err := s.d.Store.Write(ctx, sealed); err != nil {
			return err
		}
		if err := s.d.Records.Write(ctx, audit); err != nil {
			return err
		}
		claimed, ok, err := s.d.Store.Claim(ctx, run.ID, now, now.Add(s.d.Lease))
		if next = nil; ok {
			next = &claimed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// decideAll applies the rule to all subjects.
func (s *Service) decideAll(f *frame, controller string, subjects []Subject) (made []*Decision, records []Record, tallies []Tally, err error) {
	made, records = make([]*Decision, 0, len(subjects)), make([]Record, 0, len(subjects))
	counts := map[match.Outcome]*Tally{}
	for i := range subjects {
		subject := &subjects[i]
		digest, err := s.digest(f, subject)
		if err != nil {
			return nil, nil, nil, err
		}
		out := f.decide(subject, digest)
		tally := counts[out.result.Outcome]
		if tally == nil {
			tally = &Tally{Outcome: string(out.result.Outcome)}
			counts[out.result.Outcome] = tally
		}
		tally.Members++
		if out.noticed {
			tally.Notices++
		}
		stands := subject.Latest
		if out.made != nil {
			stands = out.made
			made = append(made, out.made)
		}
		records = append(records, Record{
			Subject: subjectID(controller, subject.Handle), Protected: subject.Month.Protected, Retrieved: subject.Retrieved, Decision: stands,
		})
	}
	for _, t := range slices.SortedFunc(maps.Values(counts), func(a, b *Tally) int { return cmp.Compare(a.Outcome, b.Outcome) }) {
		tallies = append(tallies, *t)
	}
	return made, records, tallies, nil
}

// answers are what a register said, by member.
type answers struct {
	mu      sync.Mutex
	members []int64
	answers []facts.Answer
}

// ask asks the register about the subjects of whom nothing is known yet, some at a time. Who gets no answer stays without one.
func (s *Service) ask(ctx context.Context, run Run, subjects []Subject) (*answers, error) {
	out := &answers{}
	if s.d.Register == nil {
		return out, nil
	}
	next := make(chan *Subject)
	failed := make(chan error, s.d.Ask)
	var all sync.WaitGroup
	for range s.d.Ask {
		all.Go(func() {
			for subject := range next {
				if err := s.askOne(ctx, run, subject, out); err != nil {
					select {
					case failed <- err:
					default: // one is enough
					}
				}
			}
		})
	}
	for i := range subjects {
		if !subjects[i].Matched.Answered {
			next <- &subjects[i]
		}
	}
	close(next)
	all.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return out, ctx.Err()
	}
}

func (s *Service) askOne(ctx context.Context, run Run, subject *Subject, out *answers) error {
	if ctx.Err() != nil {
		return nil // ask returns the error once
	}
	q := Question{Controller: run.Controller, Handle: subject.Handle, Month: run.Month, CaseReference: run.ID.String()}
	answer, err := s.d.Register.Month(ctx, q)
	if err != nil {
		if expected(err) || ctx.Err() != nil {
			return nil
		}
		return err
	}
	raw, err := s.d.Store.Encode(answer.Records)
	if err != nil {
		return err
	}
	subject.Matched.Answered, subject.Matched.Records, subject.Matched.RawRecords = true, answer.Records, raw
	subject.Retrieved = answer.Retrieved
	out.mu.Lock()
	defer out.mu.Unlock()
	out.members, out.answers = append(out.members, subject.Member), append(out.answers, answer)
	return nil
}
