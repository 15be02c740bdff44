package identity

import (
	"context"
	"fmt"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/upkeep"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/sqlkit"
)

// keeper keeps the local copies of followed persons up to date, by jobs.
type keeper struct {
	upkeep *upkeep.Upkeep
	jobs   *jobs.Jobs
}

// keep prepares the jobs; their tables are brought up to date. Nothing runs yet.
func (p *Parts) keep(ctx context.Context, cfg Config, db *sqlkit.DB, d telemetryDeps) (*keeper, error) {
	if err := jobs.Migrate(ctx, db); err != nil {
		return nil, err
	}
	polling := map[nationalid.Country]core.Polling{}
	if cfg.Registers.SPAR.URL != "" {
		polling[nationalid.Sweden] = cfg.Registers.SPAR.Copies.polling()
	}
	if cfg.Registers.CPR.URL != "" {
		polling[nationalid.Denmark] = cfg.Registers.CPR.Copies.polling()
	}
	u, err := upkeep.New(upkeep.Config{
		Polling: polling, Deliveries: cfg.Registers.CPR.Subscriptions.Deliveries,
		Stale: map[nationalid.Country]upkeep.Stale{
			nationalid.Sweden:  {Due: cfg.Registers.SPAR.Copies.Stale},
			nationalid.Denmark: {Due: cfg.Registers.CPR.Copies.Stale, Delivery: cfg.Registers.CPR.Subscriptions.Stale},
		},
		Keep: cfg.Feed.Keep, Every: cfg.Registers.LookEvery,
	}, upkeep.Deps{
		UseCases: p.service, Ledger: p.persons, Clock: p.clock, Zone: p.zone, Logger: d.log, Meter: d.meter, SetAge: p.feeds.set,
	})
	if err != nil {
		return nil, err
	}
	j, err := jobs.New(cfg.Jobs, jobs.Deps{
		DB: db, Clock: d.clock, Logger: d.log, Meter: d.meter, Tracer: d.traces.Tracer("samvirke.dev/services/identity"),
		Workers: u.Workers(), Periodic: u.Periodic(),
	})
	if err != nil {
		return nil, fmt.Errorf("upkeep: %w", err)
	}
	return &keeper{upkeep: u, jobs: j}, nil
}

// components are what runs beside the calls.
func (k *keeper) components() []app.Component {
	return []app.Component{{Name: "copies", Run: k.upkeep.Watch}, {Name: "jobs", Run: k.jobs.Run}}
}

func (k *keeper) close() error { return k.jobs.Close() }
