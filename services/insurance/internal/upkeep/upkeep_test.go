package upkeep_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/upkeep"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

// calls notes what the jobs call.
type calls struct {
	swept, tidied chan core.Retention
}

func (c *calls) Sweep(context.Context) (int, error) {
	c.swept <- core.Retention{}
	return 1, nil
}

func (c *calls) Tidy(_ context.Context, keep core.Retention) (core.Tidied, error) {
	c.tidied <- keep
	return core.Tidied{Members: 1}, errors.New("the database is away") // the next go comes all the same
}

// Both jobs are done at start, and again and again, also after a failure.
func TestJobsRun(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	if err := jobs.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	use := &calls{swept: make(chan core.Retention, 64), tidied: make(chan core.Retention, 64)}
	keep := core.Retention{Contact: 1, Items: time.Hour, Disclosures: time.Hour}
	up, err := upkeep.New(upkeep.Config{Sweep: time.Second, Tidy: time.Second, Keep: keep}, use, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.New(jobs.DefaultConfig(), jobs.Deps{
		DB: db, Clock: clock.System(), Logger: slog.New(slog.DiscardHandler), Meter: noop.NewMeterProvider().Meter("test"),
		Tracer: tracenoop.NewTracerProvider().Tracer("test"), Workers: up.Workers(), Periodic: up.Periodic(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	for range 2 {
		for _, c := range []chan core.Retention{use.swept, use.tidied} {
			select {
			case got := <-c:
				if c == use.tidied && got != keep {
					t.Errorf("tidied with %+v", got)
				}
			case <-ctx.Done():
				t.Fatal("a job was not done")
			}
		}
	}
	cancel()
	if err := errors.Join(<-done, j.Close()); err != nil {
		t.Error(err)
	}
}

func TestNeedsEverything(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	if _, err := upkeep.New(upkeep.Config{}, &calls{}, log); err == nil {
		t.Error("no intervals")
	}
	if _, err := upkeep.New(upkeep.Config{Sweep: 1, Tidy: 1}, nil, log); err == nil {
		t.Error("no use cases")
	}
}
