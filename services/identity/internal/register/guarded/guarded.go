// Package guarded puts a guard (platform/resilience) around a population register: time limit, hedging, retries, circuit breaker and
// bulkhead of its own, so that a register in trouble costs little and never slows another one.
//
// What counts against a register is core.ErrRegisterUnavailable, and no answer in time. Nobody found, too many found and a refusal are
// answers: the register works. A refusal in particular is not helped by leaving the register alone, since an operator must mend
// certificate, customer number or permission, and what is mended must be seen at once.
//
// A register's list of followed persons (core.Enroller) may be another service than its look-ups, as with CPR. It has a guard of its
// own, with the same configuration but without hedging and retries: nobody waits for it, and the jobs that call it come again.
package guarded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/resilience"
)

// Deps are what a guarded register needs. All are required.
type Deps struct {
	Register core.Register // also a core.Enroller, if it keeps a list
	Name     string        // in errors, logs and metrics, `CPR`; its list is `CPR list`
	Config   resilience.Config
	Logger   *slog.Logger
	Meter    metric.Meter
}

// New returns the register with a guard around it; it implements core.Enroller if the register does. Where it has no answer, because the
// register gave none in time or was not asked, the error is core.ErrRegisterUnavailable, with resilience's own in the chain. All
// other results are those of the register.
func New(d Deps) (core.Register, error) {
	if d.Register == nil {
		return nil, errors.New("guarded: no register")
	}
	guard := func(name string, cfg resilience.Config) (*resilience.Guard, error) {
		g, err := resilience.New(cfg, resilience.Deps{Name: name, Logger: d.Logger, Meter: d.Meter, Failure: failure})
		if err != nil {
			return nil, fmt.Errorf("guarded: %w", err)
		}
		return g, nil
	}
	g, err := guard(d.Name, d.Config)
	if err != nil {
		return nil, err
	}
	r := &register{of: d.Register, guard: g}
	enroller, ok := d.Register.(core.Enroller)
	if !ok {
		return r, nil
	}
	cfg := d.Config
	cfg.HedgeAfter, cfg.Retries = 0, 0
	if g, err = guard(d.Name+" list", cfg); err != nil {
		return nil, err
	}
	return &listing{register: r, list: enroller, guard: g}, nil
}

// failure reports what counts against a register.
func failure(err error) bool { return errors.Is(err, core.ErrRegisterUnavailable) }

type register struct {
	of    core.Register
	guard *resilience.Guard
}

// Lookup implements core.Register.
func (r *register) Lookup(ctx context.Context, ask core.Inquiry) (*core.Person, error) {
	person, err := resilience.Do(ctx, r.guard, func(ctx context.Context) (*core.Person, error) { return r.of.Lookup(ctx, ask) })
	return person, meaning(err)
}

// listing is a register with a list.
type listing struct {
	*register
	list  core.Enroller
	guard *resilience.Guard // of the list
}

// Enrol implements core.Enroller.
func (l *listing) Enrol(ctx context.Context, ask core.Inquiry) error {
	return l.do(ctx, ask, l.list.Enrol)
}

// Withdraw implements core.Enroller.
func (l *listing) Withdraw(ctx context.Context, ask core.Inquiry) error {
	return l.do(ctx, ask, l.list.Withdraw)
}

func (l *listing) do(ctx context.Context, ask core.Inquiry, call func(context.Context, core.Inquiry) error) error {
	_, err := resilience.Do(ctx, l.guard, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx, ask) })
	return meaning(err)
}

// meaning says in the core's words that there is no answer.
func meaning(err error) error {
	if errors.Is(err, resilience.ErrOpen) || errors.Is(err, resilience.ErrFull) || errors.Is(err, resilience.ErrTimeout) {
		return fmt.Errorf("%w: %w", core.ErrRegisterUnavailable, err)
	}
	return err
}
