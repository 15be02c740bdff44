// Package upkeep keeps local copies of followed persons up to date: it asks the registers again, reads their deliveries, ends
// memberships whose last day is over, and forgets changes that everybody has had time to fetch. The work is done by jobs, so that one
// replica at a time does each, and what was interrupted goes on.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/telemetry"
)

// UseCases are what the jobs call. *core.Service has them.
type UseCases interface {
	Poll(ctx context.Context, country nationalid.Country, how core.Polling) (core.Polled, error)
	Apply(ctx context.Context, persons []*core.Person) (core.Applied, error)
	Recheck(ctx context.Context, numbers []nationalid.Number) error
	EndMemberships(ctx context.Context) (int, error)
	ForgetChanges(ctx context.Context, keep time.Duration) (int, error)
	Overdue(ctx context.Context, country nationalid.Country) (time.Duration, error)
}

// Config says how the copies are kept.
type Config struct {
	Polling    map[nationalid.Country]core.Polling // of the registers that are connected
	Stale      map[nationalid.Country]Stale        // when copies no longer count
	Deliveries string                              // folder with CPR's deliveries; empty for none
	Keep       time.Duration                       // how long changes are kept
	Every      time.Duration                       // between two goes of a job
}

// Stale says when the copies of a country no longer count.
type Stale struct {
	Due      time.Duration // when somebody has been due for so long
	Delivery time.Duration // when the last delivery was made so long ago; of no meaning without deliveries
}

// Deps are what the jobs need. All are required but Ledger, which is needed with Config.Deliveries.
type Deps struct {
	UseCases UseCases
	Ledger   Ledger
	Clock    core.Clock
	Zone     *time.Location
	Logger   *slog.Logger
	Meter    metric.Meter
	// SetAge learns how old a copy of a country's person may be to count; 0 for none.
	SetAge func(country nationalid.Country, age time.Duration)
}

// Ledger is where it is kept which delivery was applied last.
type Ledger interface {
	// LastDelivery returns the day on which the last applied delivery was made; zero if none was.
	LastDelivery(ctx context.Context) (civil.Date, error)
	// Delivered notes a delivery that was applied.
	Delivered(ctx context.Context, produced civil.Date, lines int) error
}

// Upkeep is the work.
type Upkeep struct {
	cfg    Config
	deps   Deps
	done   metric.Int64Counter
	read   metric.Int64Counter
	behind metric.Float64Gauge

	refused refusal // used by the job that reads deliveries, of which one runs at a time
}

// New returns the upkeep, or an error that names what is missing.
func New(cfg Config, d Deps) (*Upkeep, error) {
	if d.UseCases == nil || d.Clock == nil || d.Zone == nil || d.Logger == nil || d.Meter == nil || d.SetAge == nil {
		return nil, errors.New("upkeep: use cases, clock, zone, logger, meter and set age are required")
	}
	if cfg.Deliveries != "" && d.Ledger == nil {
		return nil, errors.New("upkeep: deliveries need a ledger")
	}
	u := &Upkeep{cfg: cfg, deps: d}
	var err1, err2, err3 error
	u.done, err1 = d.Meter.Int64Counter("samvirke.identity.followed.persons", metric.WithUnit("{person}"),
		metric.WithDescription("Followed persons whose facts came from a register, by register and outcome."))
	u.behind, err2 = d.Meter.Float64Gauge("samvirke.identity.followed.behind", metric.WithUnit("s"),
		metric.WithDescription("How long the longest waiting followed person has been due, or the last delivery is ago."))
	u.read, err3 = d.Meter.Int64Counter("samvirke.identity.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries that were applied, and looks at one that can't be, by outcome."))
	return u, errors.Join(err1, err2, err3)
}

// names of the registers in metrics.
func register(c nationalid.Country) string {
	if c == nationalid.Sweden {
		return "SPAR"
	}
	return "CPR"
}

func (u *Upkeep) count(ctx context.Context, country nationalid.Country, outcome string, n int) {
	if n > 0 {
		u.done.Add(ctx, int64(n), metric.WithAttributes(
			attribute.String(string(telemetry.KeyRegister), register(country)), attribute.String(string(telemetry.KeyOutcome), outcome)))
	}
}

func (u *Upkeep) counted(ctx context.Context, country nationalid.Country, a core.Applied) {
	u.count(ctx, country, "changed", a.Changed)
	u.count(ctx, country, "unchanged", a.Unchanged)
	u.count(ctx, country, "ignored", a.Ignored)
	u.count(ctx, country, "stale", a.Stale)
}

// goLimit is how long one go of a job may last; the next one goes on.
const goLimit = 5 * time.Minute

// poll asks a register about everybody who is due, batch after batch, until nobody is or the register does not answer.
func (u *Upkeep) poll(ctx context.Context, country nationalid.Country) error {
	how, ok := u.cfg.Polling[country]
	if !ok {
		return nil
	}
	for {
		done, err := u.deps.UseCases.Poll(ctx, country, how)
		u.counted(ctx, country, done.Applied)
		u.count(ctx, country, "failed", done.Failed)
		if err != nil {
			return fmt.Errorf("poll: %w", err)
		}
		if done.Unavailable {
			u.deps.Logger.WarnContext(ctx, "register gives no answer", "register", register(country), "failed", done.Failed)
			return nil
		}
		if done.Asked < how.Batch {
			return nil
		}
	}
}

// Look finds out whether the copies are fresh, and how old one may be.
func (u *Upkeep) Look(ctx context.Context) {
	for country, how := range u.cfg.Polling {
		behind, fresh, err := u.lag(ctx, country)
		if err != nil {
			u.deps.Logger.WarnContext(ctx, "can't tell whether local copies are fresh", "register", register(country), "error", err)
		}
		u.behind.Record(ctx, behind.Seconds(), metric.WithAttributes(attribute.String(string(telemetry.KeyRegister), register(country))))
		age := time.Duration(0)
		if err == nil && fresh {
			age = how.Every + u.cfg.Stale[country].Due
		}
		u.deps.SetAge(country, age)
	}
}

// lag returns how long the longest waiting person has been due or, if that is more, how long ago the last delivery was made, and whether
// both are within their limits.
func (u *Upkeep) lag(ctx context.Context, country nationalid.Country) (behind time.Duration, fresh bool, err error) {
	limit := u.cfg.Stale[country]
	behind, err = u.deps.UseCases.Overdue(ctx, country)
	if err != nil {
		return 0, false, err
	}
	fresh = behind < limit.Due
	if country != nationalid.Denmark || u.cfg.Deliveries == "" {
		return behind, fresh, nil
	}
	last, err := u.deps.Ledger.LastDelivery(ctx)
	if err != nil || last.IsZero() {
		return behind, false, err // no delivery yet: not fresh
	}
	made := time.Date(last.Year, time.Month(last.Month), last.Day, 0, 0, 0, 0, u.deps.Zone)
	ago := u.deps.Clock.Now().Sub(made)
	return max(behind, ago), fresh && ago < limit.Delivery, nil
}

// Watch looks again and again until ctx ends. Every replica does, for each needs to know.
func (u *Upkeep) Watch(ctx context.Context) error {
	tick := time.NewTicker(u.cfg.Every)
	defer tick.Stop()
	for {
		u.Look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// The jobs. Their arguments hold nothing personal.
type (
	pollArgs struct {
		Country string `json:"country"`
	}
	deliveryArgs struct{}
	tidyArgs     struct{}
)

// Kind implements river.JobArgs.
func (pollArgs) Kind() string { return "identity.poll" }

// Kind implements river.JobArgs.
func (deliveryArgs) Kind() string { return "identity.deliveries" }

// Kind implements river.JobArgs.
func (tidyArgs) Kind() string { return "identity.tidy" }

// countries that are polled.
func countries() map[string]nationalid.Country {
	return map[string]nationalid.Country{"DK": nationalid.Denmark, "SE": nationalid.Sweden}
}

// Workers returns what does the jobs.
func (u *Upkeep) Workers() *river.Workers {
	w := river.NewWorkers()
	river.AddWorker(w, &worker[pollArgs]{work: func(ctx context.Context, a pollArgs) error { return u.poll(ctx, countries()[a.Country]) }})
	river.AddWorker(w, &worker[deliveryArgs]{work: func(ctx context.Context, _ deliveryArgs) error { return u.deliveries(ctx) }})
	river.AddWorker(w, &worker[tidyArgs]{work: func(ctx context.Context, _ tidyArgs) error { return u.tidy(ctx) }})
	return w
}

// worker runs a function. A go that fails is not tried again as such: the next one comes soon.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]

	work func(ctx context.Context, args T) error
}

// Work implements river.Worker.
func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error { return w.work(ctx, job.Args) }

// Timeout implements river.Worker.
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return goLimit }

// tidyEvery is how often memberships are ended and changes forgotten: the first moves at midnight, so hourly is enough.
const tidyEvery = time.Hour

// Periodic returns when the jobs are done.
func (u *Upkeep) Periodic() []*river.PeriodicJob {
	job := func(every time.Duration, args river.JobArgs) *river.PeriodicJob {
		// One at a time: a go that is still waiting or under way takes in the next.
		opts := &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()}}
		return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) { return args, opts },
			&river.PeriodicJobOpts{RunOnStart: true})
	}
	out := []*river.PeriodicJob{job(tidyEvery, tidyArgs{})}
	for name, country := range countries() {
		if _, ok := u.cfg.Polling[country]; ok {
			out = append(out, job(u.cfg.Every, pollArgs{Country: name}))
		}
	}
	if u.cfg.Deliveries != "" {
		out = append(out, job(u.cfg.Every, deliveryArgs{}))
	}
	return out
}

func (u *Upkeep) tidy(ctx context.Context) error {
	ended, err1 := u.deps.UseCases.EndMemberships(ctx)
	forgotten, err2 := u.deps.UseCases.ForgetChanges(ctx, u.cfg.Keep)
	if ended+forgotten > 0 {
		u.deps.Logger.InfoContext(ctx, "tidied", "memberships_ended", ended, "changes_forgotten", forgotten)
	}
	return errors.Join(err1, err2)
}
