// Package upkeep is what the calendar brings about, as River jobs: missed deadlines, powers of attorney that are over, days of moves that
// have come, and address subscriptions that follow. Each job may run at any time and again.
package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"samvirke.dev/services/transfer/internal/core"
)

// Args are the arguments of the one kind of job: none.
type Args struct{}

// Kind implements river.JobArgs.
func (Args) Kind() string { return "transfer.upkeep" }

// worker runs all sweeps; one that fails keeps none of the others from running.
type worker struct {
	river.WorkerDefaults[Args]

	core    *core.Service
	persons core.Persons
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, _ *river.Job[Args]) error {
	return Run(ctx, w.core, w.persons)
}

// Timeout implements river.Worker: a million deadlines may be due on one day.
func (w *worker) Timeout(*river.Job[Args]) time.Duration { return 10 * time.Minute }

// Run runs all sweeps once.
func Run(ctx context.Context, c *core.Service, persons core.Persons) error {
	_, err1 := c.ExpirePoAs(ctx)
	_, err2 := c.ReachDays(ctx)
	_, err3 := c.MissDeadlines(ctx)
	_, err4 := c.FollowAddresses(ctx, persons)
	return errors.Join(err1, err2, err3, err4)
}

// Workers returns the workers of River.
func Workers(c *core.Service, persons core.Persons) *river.Workers {
	w := river.NewWorkers()
	river.AddWorker(w, &worker{core: c, persons: persons})
	return w
}

// Periodic returns the job, every so often and at the start; over all replicas one runs at a time.
func Periodic(every time.Duration) []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return Args{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: every}}
	}, &river.PeriodicJobOpts{RunOnStart: true})}
}
