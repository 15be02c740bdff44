package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/signing"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
	"samvirke.dev/services/transfer/internal/upkeep"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// Usage is what the program says when it is called wrongly.
const Usage = `usage:
  transferd serve  [--config FILE] [--KEY VALUE ...]      answer calls until told to stop
  transferd audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  transferd config                                        print every key with its meaning
Every key can be set in the file, as SAMVIRKE_TRANSFER_KEY in the environment, or as a flag; the last wins.`

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

const envPrefix = "SAMVIRKE_TRANSFER"

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
func withConfig(args []string, run func(cfg Config, rest []string) error) error {
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

func serve(ctx context.Context, cfg Config, rest []string, log io.Writer) (err error) {
	if len(rest) > 0 {
		return usageError{}
	}
	cfg.Memory.Use()
	c, err := chassis.New(ctx, cfg.Config, chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{jobs.SpanName},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	parts, err := NewParts(ctx, cfg, Outside{
		DB: c.DB, Keys: c.Keys, Recorder: c.Recorder(), Clock: c.Clock, Log: c.Log,
		Signer: func(ctx context.Context, f Fund) (Signer, error) {
			return signing.Open(ctx, c.Vault(), cfg.Transit.Mount, f.SigningKey)
		},
		Source: func(f Fund) (mtls.Source, error) { return mtls.Files(f.CertFile, f.KeyFile, f.CAFile) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	j, err := parts.jobs(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	parts.Register(c.Server)
	c.Subjects.Note(noted)
	return c.Run(ctx, nil, append(parts.Components(), app.Component{Name: "jobs", Run: j.Run})...)
}

// jobs prepares what the calendar brings about.
func (p *Parts) jobs(ctx context.Context, c *chassis.Chassis) (*jobs.Jobs, error) {
	if err := jobs.Migrate(ctx, c.DB); err != nil {
		return nil, err
	}
	return jobs.New(p.cfg.Jobs, jobs.Deps{
		DB: c.DB, Clock: c.Clock, Logger: c.Log, Meter: c.Telemetry.MeterProvider().Meter("samvirke.dev/services/transfer"),
		Tracer:  c.Telemetry.TracerProvider().Tracer("samvirke.dev/services/transfer"),
		Workers: upkeep.Workers(p.core, p.peers.Persons()), Periodic: upkeep.Periodic(p.cfg.Sweep),
	})
}

func showRecords(ctx context.Context, cfg Config, ids []string, out, log io.Writer) (err error) {
	if len(ids) == 0 {
		return usageError{}
	}
	c, err := chassis.Open(ctx, cfg.Config, chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	for _, id := range ids {
		records, err := c.Records.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		for _, r := range records {
			line, err := protojson.Marshal(r)
			if err != nil {
				return err
			}
			if err := json.NewEncoder(out).Encode(json.RawMessage(line)); err != nil {
				return err
			}
		}
	}
	return nil
}
