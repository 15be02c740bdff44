package insurance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/services/insurance/internal/identity"
	"samvirke.dev/services/insurance/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/jobs"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// Usage is what the program says when it is called wrongly.
const Usage = `usage:
  insuranced serve  [--config FILE] [--KEY VALUE ...]        answer calls until told to stop
  insuranced audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  insuranced config                                          print every key with its meaning
Every key can be set in the file, as SAMVIRKE_INSURANCE_KEY in the environment, or as a flag; the last wins.`

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

const envPrefix = "SAMVIRKE_INSURANCE"

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return usageError{}
	}
	switch args[0] {
	case "serve":
		return withConfig(args[1:], func(cfg Config, rest []string) error { return serve(ctx, cfg, rest, log) })
	case "audit":
		return withConfig(args[1:], func(cfg Config, rest []string) error { return showRecords(ctx, cfg, rest, out, log) })
	case "config":
		cfg := DefaultConfig()
		_, err := io.WriteString(out, config.Reference(&cfg, envPrefix))
		return err
	default:
		return usageError{}
	}
}

// withConfig loads the configuration from the flags and hands on the arguments that are no flags.
func withConfig(args []string, run func(Config, []string) error) error {
	flags, rest := split(args)
	cfg := DefaultConfig()
	if err := config.Load(&cfg, config.Options{EnvPrefix: envPrefix, Args: flags}); err != nil {
		return err
	}
	return run(cfg, rest)
}

// split parts flags, each with its value, from the other arguments, which come last.
func split(args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "--") {
			return flags, args[i:]
		}
		flags = append(flags, args[i])
		if !strings.Contains(args[i], "=") && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, nil
}

func options(log io.Writer) chassis.Options {
	return chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{jobs.SpanName},
	}
}

func serve(ctx context.Context, cfg Config, rest []string, log io.Writer) (err error) {
	if len(rest) > 0 {
		return usageError{}
	}
	cfg.Memory.Use()
	c, err := chassis.New(ctx, cfg.Config, options(log))
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

func showRecords(ctx context.Context, cfg Config, rest []string, out, log io.Writer) (err error) {
	if len(rest) == 0 {
		return usageError{}
	}
	c, err := chassis.Open(ctx, cfg.Config, options(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	for _, id := range rest {
		records, err := c.Records.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		for _, r := range records {
			line, err := protojson.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
				return err
			}
		}
	}
	return nil
}
