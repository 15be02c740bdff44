package insurance

import (
	"context"
	"errors"
	"io"

	"samvirke.dev/services/insurance/internal/identity"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/command"
	"samvirke.dev/services/platform/jobs"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// usage is what the program says when it is called wrongly.
const usage = `usage:
  insuranced serve  [--config FILE] [--KEY VALUE ...]        answer calls until told to stop
  insuranced audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  insuranced config                                          print every key with its meaning
Every key can be set in the file, as SAMVIRKE_INSURANCE_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_INSURANCE", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve": {Run: serve},
		"audit": {Min: 1, Max: command.AnyNumber, Run: showRecords},
	}}.Main(ctx, args, out, log)
}

func options(log io.Writer) chassis.Options {
	return chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{jobs.SpanName},
	}
}

func serve(ctx context.Context, call command.Call[Config]) (err error) {
	cfg := call.Config
	cfg.Memory.Use()
	c, err := chassis.New(ctx, cfg.Config, options(call.Log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	conn, err := c.Dial(cfg.Identity.Address, "identity")
	if err != nil {
		return err
	}
	asked, err := identity.New(conn, identity.Config{
		TrustDomain: cfg.TrustDomain, Laws: map[string]string{"DK": cfg.Identity.LawDK, "SE": cfg.Identity.LawSE}, Timeout: cfg.Identity.Timeout,
	}, c.Log)
	if err != nil {
		return err
	}
	parts, err := NewParts(cfg, c.DB, c.Keys, c.Clock, asked)
	if err != nil {
		return err
	}
	end := parts.Gather(ctx)
	defer func() { err = errors.Join(err, end(context.WithoutCancel(ctx))) }()
	if err := parts.Prepare(ctx); err != nil {
		return err
	}
	work, err := background(ctx, cfg, c, parts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	parts.Register(c.Server)
	return c.Run(ctx, nil, app.Component{Name: "jobs", Run: work.Run})
}

// background makes the jobs.
func background(ctx context.Context, cfg Config, c *chassis.Chassis, p *Parts) (*jobs.Jobs, error) {
	if err := jobs.Migrate(ctx, c.DB); err != nil {
		return nil, err
	}
	up, err := p.upkeep(cfg, c.Log)
	if err != nil {
		return nil, err
	}
	how := jobs.DefaultConfig()
	return jobs.New(how, jobs.Deps{
		DB: c.DB, Clock: c.Clock, Logger: c.Log, Meter: c.Telemetry.MeterProvider().Meter("samvirke.dev/services/insurance"),
		Tracer:  c.Telemetry.TracerProvider().Tracer("samvirke.dev/services/insurance"),
		Workers: up.Workers(), Periodic: up.Periodic(),
	})
}

func showRecords(ctx context.Context, call command.Call[Config]) error {
	return chassis.ShowRecords(ctx, call.Config.Config, options(call.Log), call.Args, call.Out)
}
