// Package work is what the income service does by itself, as jobs: runs over a month, matching single months again, deciding notices whose
// answer period has ended, and trying again what was incomplete.
package work

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
)

// UseCases are what the jobs call. *core.Service has them.
type UseCases interface {
	WorkRun(ctx context.Context, id core.ID, controller string) error
	Rematch(ctx context.Context, member int64, month civil.Month, fetch bool) error
	DecideDue(ctx context.Context) (int, error)
	Retry(ctx context.Context) (int, error)
}

// Enqueuer adds jobs; *jobs.Jobs is one.
type Enqueuer interface {
	EnqueueMany(ctx context.Context, jobs []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// Config says how the work is done.
type Config struct {
	Workers int           // jobs that work on the same run
	Daily   time.Duration // how often deadlines and retries are looked at
}

// The jobs. Their arguments hold ids of ours and nothing personal.
type (
	runArgs struct {
		Run        string `json:"run"`
		Controller string `json:"controller"`
		Worker     int    `json:"worker"`
	}
	rematchArgs struct {
		Member int64       `json:"member"`
		Month  civil.Month `json:"month"`
		Fetch  bool        `json:"fetch"`
	}
	decideArgs struct{}
	retryArgs  struct{}
)

// Kind implements river.JobArgs.
func (runArgs) Kind() string { return "income.run" }

// Kind implements river.JobArgs.
func (rematchArgs) Kind() string { return "income.rematch" }

// Kind implements river.JobArgs.
func (decideArgs) Kind() string { return "income.decide" }

// Kind implements river.JobArgs.
func (retryArgs) Kind() string { return "income.retry" }

// Work is the work. Set UseCases and Enqueuer before it runs: the service needs the queue, and the queue the jobs of the service.
type Work struct {
	Config   Config
	UseCases UseCases
	Enqueuer Enqueuer
	Logger   *slog.Logger
}

// Workers returns what does the jobs.
func (w *Work) Workers() *river.Workers {
	out := river.NewWorkers()
	river.AddWorker(out, &worker[runArgs]{limit: -1, work: func(ctx context.Context, a runArgs) error {
		id, err := core.ParseID(a.Run)
		if err != nil {
			return river.JobCancel(err)
		}
		err = w.UseCases.WorkRun(ctx, id, a.Controller)
		if errors.Is(err, core.ErrNotFound) {
			return nil // it was rolled back or erased
		}
		return err
	}})
	river.AddWorker(out, &worker[rematchArgs]{limit: time.Minute, work: func(ctx context.Context, a rematchArgs) error {
		return w.UseCases.Rematch(ctx, a.Member, a.Month, a.Fetch)
	}})
	const long = 10 * time.Minute
	river.AddWorker(out, &worker[decideArgs]{limit: long, work: func(ctx context.Context, _ decideArgs) error {
		return w.tell(ctx, "decided")(w.UseCases.DecideDue(ctx))
	}})
	river.AddWorker(out, &worker[retryArgs]{limit: long, work: func(ctx context.Context, _ retryArgs) error { return w.tell(ctx, "tried again")(w.UseCases.Retry(ctx)) }})
	return out
}

func (w *Work) tell(ctx context.Context, what string) func(int, error) error {
	return func(n int, err error) error {
		if n > 0 {
			w.Logger.InfoContext(ctx, "cases went on", "what", what, "cases", n)
		}
		return err
	}
}

// worker runs a function.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]

	limit time.Duration
	work  func(ctx context.Context, args T) error
}

// Work implements river.Worker.
func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error { return w.work(ctx, job.Args) }

// Timeout implements river.Worker.
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return w.limit }

// Periodic returns the jobs that come again and again.
func (w *Work) Periodic() []*river.PeriodicJob {
	job := func(every time.Duration, args river.JobArgs) *river.PeriodicJob {
		// What is left of a process that died counts as under way for long, so a turn is kept apart by its time and not by state.
		opts := &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: every}}
		return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) { return args, opts },
			&river.PeriodicJobOpts{RunOnStart: true})
	}
	return []*river.PeriodicJob{job(w.Config.Daily, decideArgs{}), job(w.Config.Daily, retryArgs{})}
}

// Run implements core.Queue.
func (w *Work) Run(ctx context.Context, id core.ID, controller string) error {
	all := make([]river.InsertManyParams, 0, w.Config.Workers)
	for i := range w.Config.Workers {
		all = append(all, river.InsertManyParams{Args: runArgs{Run: id.String(), Controller: controller, Worker: i}})
	}
	_, err := w.Enqueuer.EnqueueMany(ctx, all)
	return err
}

// Rematch implements core.Queue.
func (w *Work) Rematch(ctx context.Context, member int64, month civil.Month, fetch bool) error {
	_, err := w.Enqueuer.EnqueueMany(ctx, []river.InsertManyParams{{Args: rematchArgs{Member: member, Month: month, Fetch: fetch}}})
	return err
}

var _ core.Queue = (*Work)(nil)
