package transfer

import (
	"context"
	"errors"
	"io"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/certs/signing"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/command"
	"samvirke.dev/services/platform/jobs"
	"samvirke.dev/services/transfer/internal/store/sqlstore"
	"samvirke.dev/services/transfer/internal/upkeep"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// usage is what the program says when it is called wrongly.
const usage = `usage:
  transferd serve  [--config FILE] [--KEY VALUE ...]      answer calls until told to stop
  transferd audit  [--config FILE] EVENT_ID [EVENT_ID ...]  print audit records, one JSON line each
  transferd config                                        print every key with its meaning
Every key can be set in the file, as SAMVIRKE_TRANSFER_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_TRANSFER", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve": {Run: serve},
		"audit": {Min: 1, Max: command.AnyNumber, Run: showRecords},
	}}.Main(ctx, args, out, log)
}

// options are what the chassis needs to know of the service.
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

func showRecords(ctx context.Context, call command.Call[Config]) error {
	return chassis.ShowRecords(ctx, call.Config.Config, options(call.Log), call.Args, call.Out)
}
