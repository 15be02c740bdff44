package income

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"samvirke.dev/services/income/internal/store/sqlstore"
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
  incomed serve  [--config FILE] [--KEY VALUE ...]        answer calls and work on runs until told to stop
  incomed audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  incomed config                                          print every key with its meaning
Every key can be set in the file, as SAMVIRKE_INCOME_KEY in the environment, or as a flag; the last wins.`

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

const envPrefix = "SAMVIRKE_INCOME"

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

// options are what the chassis needs to know of the service.
func options(log io.Writer) chassis.Options {
	return chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{jobs.SpanName, soap.SpanName},
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
	meter, traces := c.Telemetry.MeterProvider().Meter(scope), c.Telemetry.TracerProvider()
	register, hangUp, err := cfg.EIndkomst.connect(registerDeps{log: c.Log, meter: meter, traces: traces, clock: c.Clock})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	parts, err := NewParts(ctx, cfg, Deps{
		DB: c.DB, Keys: c.Keys, Recorder: c.Recorder(), Clock: c.Clock, Log: c.Log, Meter: meter, Tracer: traces.Tracer(scope), Register: register,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	parts.Register(c.Server)
	c.Subjects.Note(noted)
	return c.Run(ctx, nil, app.Component{Name: "work", Run: parts.Work})
}

// scope names the service's own instruments and spans.
const scope = "samvirke.dev/services/income"

func showRecords(ctx context.Context, cfg Config, events []string, out, log io.Writer) (err error) {
	if len(events) == 0 {
		return usageError{}
	}
	c, err := chassis.Open(ctx, cfg.Config, options(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	for _, event := range events {
		found, err := c.Records.Get(ctx, event)
		if err != nil {
			return fmt.Errorf("event %s: %w", event, err)
		}
		for _, r := range found {
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
