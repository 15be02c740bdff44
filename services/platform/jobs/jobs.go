// Package jobs runs work in the background and remembers it in the service's own database: River on SQLite and PostgreSQL, wired to
// sqlkit, clock and telemetry. A job is enqueued by the transaction that the context carries, so it exists if and only if the change does
// that asks for it. Each job runs at least once: after a crash it runs again, so workers are idempotent.
//
// Arguments of a job are JSON in the database, in clear, and may be shown by tools. They hold ids, pseudonyms and handles of ours and
// nothing else: no national id, no name, no address. CheckArgs finds the worst offences in tests. The error of a worker is logged; the
// database keeps only its reason and the trace id. A worker must not use river.RecordOutput or river.MetadataSet for anything else either.
//
// Workers, arguments, options and schedules are River's own types (river.AddWorker, river.WorkerDefaults, river.InsertOpts,
// river.NewPeriodicJob). A periodic job lives in the memory of the leading replica: where a turn must not be missed while all replicas
// are down, make it unique by period (river.UniqueOpts) and let it also run on start.
package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/redact"
	"samvirke.dev/services/platform/sqlkit"
)

// Deps is what jobs rely on. Periodic and Queues may be left empty.
type Deps struct {
	DB       *sqlkit.DB // with the tables that Migrate makes
	Clock    clock.Clock
	Logger   *slog.Logger
	Meter    metric.Meter
	Tracer   trace.Tracer         // each run is a span of its own trace, called SpanName: declare it to telemetry
	Workers  *river.Workers       // with a worker for every kind that is enqueued or periodic
	Periodic []*river.PeriodicJob // enqueued by whichever replica leads
	Queues   map[string]int       // further queues and how many of their jobs run at the same time in each replica
}

func (d Deps) validate() error {
	if d.DB == nil || d.Clock == nil || d.Logger == nil || d.Meter == nil || d.Tracer == nil || d.Workers == nil {
		return errors.New("jobs: DB, Clock, Logger, Meter, Tracer and Workers are needed")
	}
	return nil
}

// Jobs enqueues and runs jobs. It is safe for concurrent use.
type Jobs struct {
	cfg    Config
	deps   Deps
	pool   *sql.DB
	bell   *bell
	client *river.Client[*sql.Tx]
	meters *meters
}

// ErrStuck means that jobs went on after they were interrupted at shutdown. They are run again when RescueAfter has passed.
var ErrStuck = errors.New("jobs: still running after they were interrupted")

// New prepares jobs; nothing runs before Run. Close releases it. Errors: those of Config.Validate, and what River says of workers,
// kinds and queues that do not fit together.
func New(cfg Config, deps Deps) (*Jobs, error) {
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, err
	}
	j := &Jobs{cfg: cfg, deps: deps, bell: newBell(), pool: newBridge(deps.DB)}
	var err error
	if j.meters, err = newMeters(deps); err != nil {
		return nil, errors.Join(err, j.pool.Close())
	}
	if j.client, err = river.NewClient(newDriver(deps.DB, j.pool, j.bell), j.config()); err != nil {
		return nil, errors.Join(fmt.Errorf("jobs: %w", err), j.Close())
	}
	return j, nil
}

// config translates ours to River's.
func (j *Jobs) config() *river.Config {
	queues := map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: j.cfg.Workers}}
	for name, workers := range maps.All(j.deps.Queues) {
		queues[name] = river.QueueConfig{MaxWorkers: workers}
	}
	out := &river.Config{
		CancelledJobRetentionPeriod: j.cfg.KeepFailed,
		CompletedJobRetentionPeriod: j.cfg.KeepDone,
		DiscardedJobRetentionPeriod: j.cfg.KeepFailed,
		FetchCooldown:               j.cfg.FetchPause,
		FetchOnlyKnownKinds:         true, // during an update, the old replicas leave new kinds to the new ones
		FetchPollInterval:           j.cfg.Poll,
		JobTimeout:                  j.cfg.Timeout,
		Logger:                      slog.New(&logHandler{next: j.deps.Logger.Handler()}),
		MaxAttempts:                 j.cfg.MaxAttempts,
		Middleware:                  []rivertype.Middleware{&runner{deps: j.deps, meters: j.meters}},
		PeriodicJobs:                j.deps.Periodic,
		Queues:                      queues,
		RescueStuckJobsAfter:        j.cfg.RescueAfter,
		RetryPolicy:                 &retryPolicy{cfg: j.cfg, clock: j.deps.Clock},
		SoftStopTimeout:             max(j.cfg.Drain, time.Nanosecond), // 0 would wait for ever
		Workers:                     j.deps.Workers,
	}
	if j.deps.DB.Dialect() == sqlkit.SQLite {
		out.ReindexerIndexNames = []string{} // would hold the only writer for long, and indexes there do not bloat
	}
	if j.deps.Clock != clock.System() { // with the real time, replicas go by the clock of the database
		out.Test.Time = timer{j.deps.Clock}
	}
	return out
}

// timer makes River go by another clock.
type timer struct{ clock clock.Clock }

// Now implements rivertype.TimeGenerator.
func (t timer) Now() time.Time { return t.clock.Now() }

// NowOrNil implements rivertype.TimeGenerator.
func (t timer) NowOrNil() *time.Time { return new(t.clock.Now()) }

// Run runs jobs until ctx ends. Then it starts no more, gives those that run the time of Config.Drain, interrupts the rest and puts
// them back. While the database is away it tries again by itself. Errors: what keeps it from starting; ErrStuck.
func (j *Jobs) Run(ctx context.Context) error {
	own := context.WithoutCancel(ctx) // River would take the end of ctx for an order to interrupt
	if err := j.client.Start(own); err != nil {
		return fmt.Errorf("jobs: start: %w", err)
	}
	<-ctx.Done()
	const grace = 3 * time.Second
	limit, cancel := context.WithTimeout(own, j.cfg.Drain+grace)
	defer cancel()
	if err := j.client.Stop(limit); err != nil {
		return ErrStuck
	}
	return nil
}

// Close releases what New took. It does not end Run: end its context and wait for it first.
func (j *Jobs) Close() error {
	j.bell.silence()
	return errors.Join(j.meters.close(), j.pool.Close())
}

// Enqueue adds a job, in the transaction of ctx if there is one, otherwise durably before it returns. The result holds the job's id and
// says whether a unique job was there already (UniqueSkippedAsDuplicate). opts may be nil. Errors: river.UnknownJobKindError, those of sqlkit.
func (j *Jobs) Enqueue(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	out, err := j.EnqueueMany(ctx, []river.InsertManyParams{{Args: args, InsertOpts: opts}})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// EnqueueMany is Enqueue for many jobs: all of them or none.
func (j *Jobs) EnqueueMany(ctx context.Context, jobs []river.InsertManyParams) (out []*rivertype.JobInsertResult, err error) {
	wake := j.bell.ring
	if j.deps.DB.InTransaction(ctx) {
		wake = j.bell.ringSoon
	}
	err = j.deps.DB.InTx(ctx, func(ctx context.Context) (err error) {
		out, err = j.insert(ctx, jobs)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: enqueue: %w", err)
	}
	queues := map[string]bool{}
	for _, result := range out {
		queues[result.Job.Queue] = true
	}
	for queue := range queues {
		wake(queue)
	}
	return out, nil
}

// insert adds jobs in the transaction of ctx: the bridge joins it.
func (j *Jobs) insert(ctx context.Context, jobs []river.InsertManyParams) ([]*rivertype.JobInsertResult, error) {
	tx, err := j.pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	out, err := j.client.InsertManyTx(ctx, tx, jobs)
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return out, tx.Commit()
}

// CheckArgs is for the tests of services: it refuses arguments that look as if they hold a national id, an e-mail address, a phone number
// or a secret. Names and addresses have no form of their own: that none is there is for the author to see. The error names
// the kind of job and of finding, never a value.
func CheckArgs(args river.JobArgs) error {
	encoded, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("jobs: arguments of %s: not JSON", args.Kind())
	}
	if found := redact.Find(string(encoded)); len(found) > 0 {
		return fmt.Errorf("jobs: arguments of %s: hold a %s", args.Kind(), found[0].Mark)
	}
	return nil
}
