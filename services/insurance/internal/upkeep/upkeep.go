// Package upkeep does what time brings about: shares whose ground is gone are stopped, and what is kept no longer is removed. The work is
// done by jobs, so that one replica at a time does each, and what was interrupted goes on.
package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"samvirke.dev/services/insurance/internal/core"
)

// UseCases are what the jobs call. *core.Service has them.
type UseCases interface {
	Sweep(ctx context.Context) (int, error)
	Tidy(ctx context.Context, keep core.Retention) (core.Tidied, error)
}

// Config says how often, and how long things are kept.
type Config struct {
	Sweep time.Duration // between two looks at all shares
	Tidy  time.Duration // between two removals
	Keep  core.Retention
}

// Upkeep is the work.
type Upkeep struct {
	cfg Config
	use UseCases
	log *slog.Logger
}

// New returns the upkeep, or an error that names what is missing.
func New(cfg Config, use UseCases, log *slog.Logger) (*Upkeep, error) {
	if use == nil || log == nil || cfg.Sweep <= 0 || cfg.Tidy <= 0 {
		return nil, errors.New("insurance: upkeep: use cases, logger and intervals are required")
	}
	return &Upkeep{cfg: cfg, use: use, log: log}, nil
}

// The jobs. They have no arguments: nothing personal can be in them.
type (
	sweepArgs struct{}
	tidyArgs  struct{}
)

// Kind implements river.JobArgs.
func (sweepArgs) Kind() string { return "insurance.sweep" }

// Kind implements river.JobArgs.
func (tidyArgs) Kind() string { return "insurance.tidy" }

// goLimit is how long one go of a job may last; the next one goes on.
const goLimit = 30 * time.Minute

// worker runs a function. A go that fails is not tried again as such: the next one comes soon.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]

	work func(ctx context.Context) error
}

// Work implements river.Worker.
func (w *worker[T]) Work(ctx context.Context, _ *river.Job[T]) error { return w.work(ctx) }

// Timeout implements river.Worker.
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return goLimit }

// Workers returns what does the jobs.
func (u *Upkeep) Workers() *river.Workers {
	w := river.NewWorkers()
	river.AddWorker(w, &worker[sweepArgs]{work: u.sweep})
	river.AddWorker(w, &worker[tidyArgs]{work: u.tidy})
	return w
}

// Periodic returns when the jobs are done. One at a time: a go that is still waiting or under way takes in the next.
func (u *Upkeep) Periodic() []*river.PeriodicJob {
	job := func(every time.Duration, args river.JobArgs) *river.PeriodicJob {
		opts := &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()}}
		return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) { return args, opts },
			&river.PeriodicJobOpts{RunOnStart: true})
	}
	return []*river.PeriodicJob{job(u.cfg.Sweep, sweepArgs{}), job(u.cfg.Tidy, tidyArgs{})}
}

// unfinished are the states of a job that is not over.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}
}

func (u *Upkeep) sweep(ctx context.Context) error {
	stopped, err := u.use.Sweep(ctx)
	if stopped > 0 {
		u.log.InfoContext(ctx, "shares stopped", "shares", stopped)
	}
	return err
}

func (u *Upkeep) tidy(ctx context.Context) error {
	done, err := u.use.Tidy(ctx, u.cfg.Keep)
	if done != (core.Tidied{}) {
		u.log.InfoContext(ctx, "tidied", "members", done.Members, "items", done.Items, "disclosures", done.Disclosures)
	}
	return err
}
