package audit

import (
	"context"
	"errors"
	"io"

	"samvirke.dev/certs/signing"
	"samvirke.dev/services/audit/internal/ledger"
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
		return withConfig(args[1:], func(cfg Config) error { return serve(ctx, cfg, log) })
	case "key":
		return withConfig(args[1:], func(cfg Config) error { return showKeys(ctx, cfg, out, log) })
	case "config":
		cfg := DefaultConfig()
		_, err := io.WriteString(out, config.Reference(&cfg, envPrefix))
		return err
	default:
		return usageError{}
	}
}

// withConfig loads the configuration from the flags.
func withConfig(args []string, run func(Config) error) error {
	cfg := DefaultConfig()
	if err := config.Load(&cfg, config.Options{EnvPrefix: envPrefix, Args: args}); err != nil {
		return err
	}
	return run(cfg)
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
	return c.Run(ctx, nil, components...)
}

// showKeys prints the public keys, the present one first.
func showKeys(ctx context.Context, cfg Config, out, log io.Writer) (err error) {
	c, err := chassis.Open(ctx, cfg.Config, options(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	key, err := signing.Open(ctx, c.Vault(), cfg.Transit.Mount, cfg.Ledger.Key)
	if err != nil {
		return err
	}
	signer := ledger.NewVaultSigner(ctx, key, cfg.Ledger.Origin)
	for _, k := range signer.Keys() {
		if _, err := io.WriteString(out, k.String()+"\n"); err != nil {
			return err
		}
	}
	return nil
}
