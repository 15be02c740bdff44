package rpc

import (
	"context"
	"errors"
	"time"
)

// Probe says whether one thing that the service needs is well.
type Probe struct {
	Name  string
	Check func(ctx context.Context) error
}

const (
	probeEvery = 2 * time.Second
	probeLimit = time.Second
)

// Watch asks the probes until ctx ends and tells health checks whether traffic can pass. It answers the first round before
// it returns control to waiting, so a service is never called ready unasked.
func (s *Server) Watch(ctx context.Context, probes ...Probe) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	serving := false
	for {
		err := ask(ctx, probes)
		if now := err == nil; now != serving {
			serving = now
			s.SetServing(serving)
			if serving {
				s.log.InfoContext(ctx, "traffic can pass")
			} else {
				s.log.WarnContext(ctx, "traffic can't pass", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			s.SetServing(false)
			return nil
		case <-ticker.C:
		}
	}
}

func ask(ctx context.Context, probes []Probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var problems []error
	for _, p := range probes {
		if err := p.Check(ctx); err != nil {
			problems = append(problems, errors.Join(errors.New(p.Name), err))
		}
	}
	return errors.Join(problems...)
}
