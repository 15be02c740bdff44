package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"k8s.io/klog/v2"

	"samvirke.dev/certs/signing"
	"samvirke.dev/services/audit/internal/export"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/command"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// usage is what the program says when it is called wrongly.
const usage = `usage:
  auditd serve  [--config FILE] [--KEY VALUE ...]   receive records and answer calls until told to stop
  auditd key    [--config FILE]                     print the ledger's public keys, for samvirke-verify
  auditd export [--config FILE] SHARD FOLDER        write a log, such as 202611, with all its records in the clear into a new folder
  auditd records [--config FILE] EVENT_ID [...]     print records in full, one JSON line each
  auditd config                                     print every key with its meaning
Every key can be set in the file, as SAMVIRKE_AUDIT_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_AUDIT", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve":   {Run: serve},
		"key":     {Run: showKeys},
		"export":  {Min: 2, Max: 2, Run: exportShard},
		"records": {Max: command.AnyNumber, Run: showRecords},
	}}.Main(ctx, args, out, log)
}

func options(log io.Writer) chassis.Options {
	return chassis.Options{Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System()}
}

func serve(ctx context.Context, call command.Call[Config]) (err error) {
	cfg := call.Config
	cfg.Memory.Use()
	c, err := chassis.New(ctx, cfg.Config, options(call.Log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	klog.SetSlogLogger(c.Log) // Tessera's own log
	key, err := signing.Open(ctx, c.Vault(), cfg.Transit.Mount, cfg.Ledger.Key)
	if err != nil {
		return err
	}
	signer := ledger.NewVaultSigner(ctx, key, cfg.Ledger.Origin)
	parts, err := NewParts(ctx, cfg, Deps{DB: c.DB, Keys: c.Keys, Clock: c.Clock, Log: c.Log, Signer: signer})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	parts.Register(c.Server)
	if err := c.ShipTo(parts.Own()); err != nil {
		return err
	}
	conns, hangUp, err := cfg.Usage.Dial(c.Certificates(), cfg.TrustDomain)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp()) }()
	if err := parts.RegisterUsage(c.Server, conns, cfg.TrustDomain, c.OrganisationName); err != nil {
		return err
	}
	looks, err := parts.ConsoleComponents(ctx, c.Certificates(), cfg.TrustDomain, Looks{Recorder: c.Recorder(), Names: c.OrganisationName})
	if err != nil {
		return err
	}
	components := append(parts.Components(), looks...)
	if cfg.Telemetry.Endpoint != "" {
		components = append(components, parts.Feed(c.Telemetry))
	}
	components = append(components, app.Component{Name: "ledger-key", Run: func(ctx context.Context) error {
		return refresh(ctx, key, cfg.Keys.RefreshEvery, c.Log)
	}})
	if cfg.Tiles.Listen != "" {
		components = append(components, parts.tiles(c.Certificates()))
	}
	return c.Run(ctx, nil, components...)
}

// refresh asks Vault again for the public keys, so that a rotated key comes into use.
func refresh(ctx context.Context, key *signing.Key, every time.Duration, log *slog.Logger) error {
	timer := time.NewTicker(every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			if err := key.Refresh(ctx); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "the ledger's public keys can't be read; those known are used on", "error", err.Error())
			}
		}
	}
}

// showKeys prints the public keys, the present one first.
func showKeys(ctx context.Context, call command.Call[Config]) error {
	return offline(ctx, call, func(p *Parts) error {
		for _, k := range p.Ledger.Keys() {
			if _, err := io.WriteString(call.Out, k.String()+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportShard writes a log with all its records into a folder.
func exportShard(ctx context.Context, call command.Call[Config]) error {
	number, err := strconv.ParseUint(call.Args[0], 10, 32)
	if err != nil {
		return command.UsageError(usage)
	}
	shard, dir := uint32(number), call.Args[1]
	return offline(ctx, call, func(p *Parts) error {
		n, err := export.Write(ctx, p.Ledger, p.Ledger.Dir(shard), p.Store, p.Core, shard, dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(call.Out, "%d records\n", n)
		return err
	})
}

// showRecords prints records as JSON, one a line, in full. Events that are not there are left out.
func showRecords(ctx context.Context, call command.Call[Config]) error {
	return offline(ctx, call, func(p *Parts) error {
		for _, text := range call.Args {
			event, err := record.EventID(text)
			if err != nil {
				return err
			}
			if err := p.show(ctx, event, call.Out); err != nil {
				return err
			}
		}
		return nil
	})
}

// offline opens what commands need beside a running service.
func offline(ctx context.Context, call command.Call[Config], run func(*Parts) error) (err error) {
	cfg := call.Config
	c, err := chassis.Open(ctx, cfg.Config, options(call.Log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	key, err := signing.Open(ctx, c.Vault(), cfg.Transit.Mount, cfg.Ledger.Key)
	if err != nil {
		return err
	}
	parts, err := NewParts(ctx, cfg, Deps{DB: c.DB, Keys: c.Keys, Clock: c.Clock, Log: c.Log, Signer: ledger.NewVaultSigner(ctx, key, cfg.Ledger.Origin)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	return run(parts)
}

// maxItems is how many persons an event may be about.
const maxItems = 1000

// show prints the records of an event: that of a call about one person, or those of a batch.
func (p *Parts) show(ctx context.Context, event [16]byte, out io.Writer) error {
	for item := uint32(0); item <= maxItems; item++ {
		row, err := p.Store.Get(ctx, event, item)
		if errors.Is(err, store.ErrNotFound) {
			if item == 0 {
				continue // a batch counts from 1
			}
			return nil
		}
		if err != nil {
			return err
		}
		parts, err := p.Core.Everything(&row)
		if err != nil {
			return err
		}
		r, err := record.Join(&parts)
		if err != nil {
			return err
		}
		line, err := protojson.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
