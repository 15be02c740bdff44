package income

import (
	"context"
	"errors"
	"io"

	"samvirke.dev/services/income/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/command"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/platform/soap"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// usage is what the program says when it is called wrongly.
const usage = `usage:
  incomed serve  [--config FILE] [--KEY VALUE ...]        answer calls and work on runs until told to stop
  incomed audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  incomed config                                          print every key with its meaning
Every key can be set in the file, as SAMVIRKE_INCOME_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_INCOME", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve": {Run: serve},
		"audit": {Min: 1, Max: command.AnyNumber, Run: showRecords},
	}}.Main(ctx, args, out, log)
}

// options are what the chassis needs to know of the service.
func options(log io.Writer) chassis.Options {
	return chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{jobs.SpanName, soap.SpanName},
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

func showRecords(ctx context.Context, call command.Call[Config]) error {
	return chassis.ShowRecords(ctx, call.Config.Config, options(call.Log), call.Args, call.Out)
}
