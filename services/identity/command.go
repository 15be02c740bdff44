package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/services/identity/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/config"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/soap"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// Usage is what the program says when it is called wrongly.
const Usage = `usage:
  identityd serve  [--config FILE] [--KEY VALUE ...]      answer calls until told to stop
  identityd import [--config FILE] PERSONS.jsonl          read persons from a file
  identityd audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  identityd config                                        print every key with its meaning
Every key can be set in the file, as SAMVIRKE_IDENTITY_KEY in the environment, or as a flag; the last wins.`

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return usageError{}
	}
	switch args[0] {
	case "serve":
		return withConfig(args[1:], func(cfg Config, rest []string) error { return serve(ctx, cfg, rest, log) })
	case "import":
		return withConfig(args[1:], func(cfg Config, rest []string) error { return importFile(ctx, cfg, rest, out, log) })
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

const envPrefix = "SAMVIRKE_IDENTITY"

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
		if len(args[i]) < 2 || args[i][:2] != "--" {
			return flags, args[i:]
		}
		flags = append(flags, args[i])
		if !containsEqual(args[i]) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, nil
}

func containsEqual(s string) bool {
	for i := range len(s) {
		if s[i] == '=' {
			return true
		}
	}
	return false
}

func serve(ctx context.Context, cfg Config, rest []string, log io.Writer) (err error) {
	if len(rest) > 0 {
		return usageError{}
	}
	cfg.Memory.Use()
	var parts *Parts
	c, err := chassis.New(ctx, cfg.Config, chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames:  []string{soap.SpanName, jobs.SpanName},
		Controller: func(ctx context.Context, id string) error { return parts.Prepare(ctx, id) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	d := telemetryDeps{
		log: c.Log, clock: c.Clock, traces: c.Telemetry.TracerProvider(), meter: c.Telemetry.MeterProvider().Meter("samvirke.dev/services/identity"),
	}
	registers, err := connect(cfg.Registers, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registers.close()) }()
	if parts, err = NewParts(ctx, cfg, c.DB, c.Keys, c.Clock, registers.byCountry); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	keeper, err := parts.keep(ctx, cfg, c.DB, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.close()) }()
	parts.Register(c.Server)
	c.Subjects.Note(parts.Noted)
	return c.Run(ctx, nil, keeper.components()...)
}

// offline opens what the other commands need.
func offline(ctx context.Context, cfg Config, log io.Writer, run func(*chassis.Chassis, *Parts) error) (err error) {
	c, err := chassis.Open(ctx, cfg.Config, chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	parts, err := NewParts(ctx, cfg, c.DB, c.Keys, c.Clock, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	return run(c, parts)
}

// importCache is the page cache in KiB with which many persons are written, in a process that ends when it is done.
const importCache = 16 << 10

func importFile(ctx context.Context, cfg Config, rest []string, out, log io.Writer) error {
	if len(rest) != 1 {
		return usageError{}
	}
	cfg.Database.CacheKiB = max(cfg.Database.CacheKiB, importCache)
	return offline(ctx, cfg, log, func(_ *chassis.Chassis, p *Parts) (err error) {
		f, err := os.Open(rest[0])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		result, err := p.Import(ctx, f)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(result)
	})
}

func showRecords(ctx context.Context, cfg Config, rest []string, out, log io.Writer) error {
	if len(rest) == 0 {
		return usageError{}
	}
	return offline(ctx, cfg, log, func(c *chassis.Chassis, _ *Parts) error {
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
	})
}
