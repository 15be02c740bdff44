package identity

import (
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"samvirke.dev/certs/mtls"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register/cpr/sf1520"
	"samvirke.dev/services/identity/internal/register/cpr/subscription"
	"samvirke.dev/services/identity/internal/register/guarded"
	"samvirke.dev/services/identity/internal/register/spar"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/soap"
)

// telemetryDeps is where registers and jobs report.
type telemetryDeps struct {
	log    *slog.Logger
	meter  metric.Meter
	traces trace.TracerProvider
	clock  clock.Clock
}

// connected are the registers that are asked live, each behind a guard of its own.
type connected struct {
	byCountry map[nationalid.Country]core.Register
	closers   []func() error
}

// connect opens the registers of the configuration. Nothing is asked yet.
func connect(cfg Registers, d telemetryDeps) (_ *connected, err error) {
	c := &connected{byCountry: map[nationalid.Country]core.Register{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if cfg.SPAR.URL != "" {
		if err := c.spar(cfg.SPAR, d); err != nil {
			return nil, fmt.Errorf("registers.spar: %w", err)
		}
	}
	if cfg.CPR.URL != "" {
		if err := c.cpr(cfg.CPR, d); err != nil {
			return nil, fmt.Errorf("registers.cpr: %w", err)
		}
	}
	return c, nil
}

// close closes connections and certificate files.
func (c *connected) close() error {
	var problems []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		problems = append(problems, c.closers[i]())
	}
	c.closers = nil
	return errors.Join(problems...)
}

func (c *connected) spar(cfg SPAR, d telemetryDeps) error {
	stockholm, err := zone("Europe/Stockholm")
	if err != nil {
		return err
	}
	client, err := c.client("SPAR", cfg.Connection, cfg.URL, d, true)
	if err != nil {
		return err
	}
	register, err := spar.New(spar.Deps{
		Caller: client, Version: cfg.Version, Assignment: cfg.Assignment.spar(), Controllers: assignments(cfg.Controllers),
		Clock: d.clock, Zone: stockholm,
	})
	if err != nil {
		return err
	}
	return c.add(nationalid.Sweden, "SPAR", register, cfg.Connection, d)
}

func (c *connected) cpr(cfg CPR, d telemetryDeps) error {
	copenhagen, err := zone("Europe/Copenhagen")
	if err != nil {
		return err
	}
	client, err := c.client("CPR", cfg.Connection, cfg.URL, d, true)
	if err != nil {
		return err
	}
	lookups, err := sf1520.New(sf1520.Deps{
		Caller: client, Version: cfg.Version, Context: cfg.Context.platform(""), Controllers: contexts(cfg.Controllers, ""),
		Clock: d.clock, Zone: copenhagen,
	})
	if err != nil {
		return err
	}
	if cfg.Subscriptions.URL == "" {
		return c.add(nationalid.Denmark, "CPR", lookups, cfg.Connection, d)
	}
	client, err = c.client("CPR", cfg.Connection, cfg.Subscriptions.URL, d, false)
	if err != nil {
		return err
	}
	service := cfg.Subscriptions.ServiceUUID
	list, err := subscription.New(subscription.Deps{
		Caller: client, Context: cfg.Context.platform(service), Controllers: contexts(cfg.Controllers, service),
	})
	if err != nil {
		return err
	}
	return c.add(nationalid.Denmark, "CPR", subscription.With(lookups, list), cfg.Connection, d)
}

// client returns a SOAP client with the connection's certificate; repeatable says that calls only read.
func (c *connected) client(name string, cfg Connection, url string, d telemetryDeps, repeatable bool) (*soap.Client, error) {
	files, err := mtls.Files(cfg.CertFile, cfg.KeyFile, cfg.CAFile)
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, files.Close)
	conf, err := mtls.OutsideConfig(files)
	if err != nil {
		return nil, err
	}
	client, err := soap.New(soap.Deps{URL: url, TLS: conf, Register: name, Repeatable: repeatable, TracerProvider: d.traces})
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, func() error { client.Close(); return nil })
	return client, nil
}

func (c *connected) add(country nationalid.Country, name string, r core.Register, cfg Connection, d telemetryDeps) error {
	safe, err := guarded.New(guarded.Deps{Register: r, Name: name, Config: cfg.Guard, Logger: d.log, Meter: d.meter})
	if err != nil {
		return err
	}
	c.byCountry[country] = safe
	return nil
}
