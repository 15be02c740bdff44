package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
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
	"samvirke.dev/services/platform/config"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// Usage is what the program says when it is called wrongly.
const Usage = `usage:
  auditd serve  [--config FILE] [--KEY VALUE ...]   receive records and answer calls until told to stop
  auditd key    [--config FILE]                     print the ledger's public keys, for samvirke-verify
  auditd export [--config FILE] SHARD FOLDER        write a log, such as 202611, with all its records in the clear into a new folder
  auditd records [--config FILE] EVENT_ID [...]     print records in full, one JSON line each
  auditd config                                     print every key with its meaning
Every key can be set in the file, as SAMVIRKE_AUDIT_KEY in the environment, or as a flag; the last wins.`

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

const envPrefix = "SAMVIRKE_AUDIT"

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return usageError{}
	}
	switch args[0] {
	case "serve":
		return withConfig(args[1:], 0, func(cfg Config, _ []string) error { return serve(ctx, cfg, log) })
	case "key":
		return withConfig(args[1:], 0, func(cfg Config, _ []string) error { return showKeys(ctx, cfg, out, log) })
	case "export":
		return withConfig(args[1:], 2, func(cfg Config, rest []string) error {
			shard, err := strconv.ParseUint(rest[0], 10, 32)
			if err != nil {
				return usageError{}
			}
			return exportShard(ctx, cfg, uint32(shard), rest[1], out, log)
		})
	case "records":
		return withConfig(args[1:], -1, func(cfg Config, rest []string) error { return showRecords(ctx, cfg, rest, out, log) })
	case "config":
		cfg := DefaultConfig()
		_, err := io.WriteString(out, config.Reference(&cfg, envPrefix))
		return err
	default:
		return usageError{}
	}
}

// withConfig loads the configuration from the flags and hands on the other arguments, of which there must be so many; -1 for any number.
func withConfig(args []string, others int, run func(Config, []string) error) error {
	flags, rest := split(args)
	if others >= 0 && len(rest) != others {
		return usageError{}
	}
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
	return chassis.Options{Name: name, Version: version, Migrations: sqlstore.Migrations(), Keysets: Keysets(), Log: log, Clock: clock.System()}
}

func serve(ctx context.Context, cfg Config, log io.Writer) (err error) {
	cfg.Memory.Use()
	c, err := chassis.New(ctx, cfg.Config, options(log))
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
func showKeys(ctx context.Context, cfg Config, out, log io.Writer) error {
	return offline(ctx, cfg, log, func(p *Parts) error {
		for _, k := range p.Ledger.Keys() {
			if _, err := io.WriteString(out, k.String()+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportShard writes a log with all its records into a folder.
func exportShard(ctx context.Context, cfg Config, shard uint32, dir string, out, log io.Writer) error {
	return offline(ctx, cfg, log, func(p *Parts) error {
		n, err := export.Write(ctx, p.Ledger, p.Ledger.Dir(shard), p.Store, p.Core, shard, dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%d records\n", n)
		return err
	})
}

// showRecords prints records as JSON, one a line, in full. Events that are not there are left out.
func showRecords(ctx context.Context, cfg Config, events []string, out, log io.Writer) error {
	return offline(ctx, cfg, log, func(p *Parts) error {
		for _, text := range events {
			event, err := record.EventID(text)
			if err != nil {
				return err
			}
			if err := p.show(ctx, event, out); err != nil {
				return err
			}
		}
		return nil
	})
}

// offline opens what commands need beside a running service.
func offline(ctx context.Context, cfg Config, log io.Writer, run func(*Parts) error) (err error) {
	c, err := chassis.Open(ctx, cfg.Config, options(log))
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
