package identity

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"samvirke.dev/services/identity/internal/store/sqlstore"
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
  identityd serve  [--config FILE] [--KEY VALUE ...]      answer calls until told to stop
  identityd import [--config FILE] PERSONS.jsonl          read persons from a file
  identityd audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  identityd config                                        print every key with its meaning
Every key can be set in the file, as SAMVIRKE_IDENTITY_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_IDENTITY", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve":  {Run: serve},
		"import": {Min: 1, Max: 1, Run: importFile},
		"audit":  {Min: 1, Max: command.AnyNumber, Run: showRecords},
	}}.Main(ctx, args, out, log)
}

// options are what the chassis needs to know of the service.
func options(log io.Writer) chassis.Options {
	return chassis.Options{
		Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System(),
		SpanNames: []string{soap.SpanName, jobs.SpanName},
	}
}

func serve(ctx context.Context, call command.Call[Config]) (err error) {
	cfg := call.Config
	cfg.Memory.Use()
	var parts *Parts
	o := options(call.Log)
	o.Controller = func(ctx context.Context, id string) error { return parts.Prepare(ctx, id) }
	c, err := chassis.New(ctx, cfg.Config, o)
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

// importCache is the page cache in KiB with which many persons are written, in a process that ends when it is done.
const importCache = 16 << 10

func importFile(ctx context.Context, call command.Call[Config]) (err error) {
	cfg := call.Config
	cfg.Database.CacheKiB = max(cfg.Database.CacheKiB, importCache)
	c, err := chassis.Open(ctx, cfg.Config, options(call.Log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	parts, err := NewParts(ctx, cfg, c.DB, c.Keys, c.Clock, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	f, err := os.Open(call.Args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	result, err := parts.Import(ctx, f)
	if err != nil {
		return err
	}
	return json.NewEncoder(call.Out).Encode(result)
}

func showRecords(ctx context.Context, call command.Call[Config]) error {
	return chassis.ShowRecords(ctx, call.Config.Config, options(call.Log), call.Args, call.Out)
}
