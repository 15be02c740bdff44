package core

import (
	"context"

	"samvirke.dev/services/income/internal/core/automation"
)

// page is how many cases one transaction of the jobs takes.
const page = 500

// DecideDue decides the notices to which nobody has answered in time, on the day after the last one of the answer period, and hands to a
// person those that may not be decided automatically any more. It returns how many it went through.
func (s *Service) DecideDue(ctx context.Context) (n int, err error) {
	var after ID
	for {
		due, err := s.d.Store.Due(ctx, s.today(), after, page)
		if err != nil || len(due) == 0 {
			return n, err
		}
		byController := map[string][]DueDecision{}
		for _, d := range due {
			byController[d.Controller] = append(byController[d.Controller], d)
		}
		for controller, cases := range byController {
			if err := s.decideDue(ctx, controller, cases); err != nil {
				return n, err
			}
		}
		n, after = n+len(due), due[len(due)-1].ID
	}
}

func (s *Service) decideDue(ctx context.Context, controller string, cases []DueDecision) error {
	started := s.now()
	records := make([]Record, len(cases))
	for i, c := range cases {
		f := s.frame(c.Month, ID{}, "")
		verdict, codes := automation.Decide(f.facts(c.Decision, c.Now))
		if verdict == automation.Auto {
			c.State, c.DecidedBy, c.DecidedAt, c.Against = DecidedAuto, s.d.Name, f.now, nil
		} else {
			c.State, c.Against = Manual, codes
		}
		records[i] = Record{Subject: subjectID(controller, c.Handle), Protected: c.Protected, Retrieved: c.Retrieved, Decision: c.Decision}
	}
	return s.d.Store.InTx(ctx, func(ctx context.Context) error {
		for _, c := range cases {
			if err := s.d.Store.Update(ctx, Noticed, c.Decision); err != nil {
				return err
			}
		}
		return s.record(ctx, Work{Name: "income.decide", Controller: controller, Kind: Matching, Started: started}, records...)
	})
}

// Retry has the months matched again for which it is time: those that were too early, incomplete or matched in part.
func (s *Service) Retry(ctx context.Context) (n int, err error) {
	var after ID
	for {
		due, err := s.d.Store.Retry(ctx, s.today(), after, page)
		if err != nil || len(due) == 0 {
			return n, err
		}
		err = s.d.Store.InTx(ctx, func(ctx context.Context) error {
			for _, d := range due {
				if err := s.d.Queue.Rematch(ctx, d.Member, d.Month, true); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n, after = n+len(due), due[len(due)-1].ID
	}
}
