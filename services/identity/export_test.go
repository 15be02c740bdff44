package identity

import (
	"log/slog"
	"time"

	noopmetric "go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/clock"
)

// Service returns the use cases.
func (p *Parts) Service() *core.Service { return p.service }

// SetFresh says whether the local copies of a country are kept up to date.
func (p *Parts) SetFresh(c nationalid.Country, fresh bool) {
	age := time.Duration(0)
	if fresh {
		age = 20 * 365 * day
	}
	p.feeds.set(c, age)
}

// SetCopyAge says how old a local copy of a country's person may be.
func (p *Parts) SetCopyAge(c nationalid.Country, age time.Duration) { p.feeds.set(c, age) }

// Persons returns the store of persons.
func (p *Parts) Persons() core.Persons { return p.persons }

// Connect opens registers and closes them again.
func Connect(cfg Registers, clk clock.Clock) error {
	c, err := connect(cfg, telemetryDeps{
		log: slog.New(slog.DiscardHandler), clock: clk, traces: nooptrace.NewTracerProvider(), meter: noopmetric.NewMeterProvider().Meter("test"),
	})
	if err != nil {
		return err
	}
	return c.close()
}
