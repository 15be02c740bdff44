package resilience

import (
	"context"
	"errors"
	"fmt"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/platform/telemetry"
)

// meters are the instruments of one register, with their attributes made beforehand.
type meters struct {
	calls   metric.Int64Counter
	flying  metric.Int64UpDownCounter
	hedges  metric.Int64Counter
	retries metric.Int64Counter

	register []metric.AddOption
	outcome  [outcomes][]metric.AddOption
}

func newMeters(meter metric.Meter, name string, b *breaker) (*meters, error) {
	m := &meters{}
	register := telemetry.KeyRegister.String(name)
	with := metric.WithAttributeSet(attribute.NewSet(register))
	var errs [5]error
	m.calls, errs[0] = meter.Int64Counter("samvirke.register.calls", metric.WithUnit("{call}"), metric.WithDescription(
		"Calls of a register that ended, by outcome: answered (not found and refused included), failed, timeout, abandoned by the caller, open and full (not sent)."))
	m.flying, errs[1] = meter.Int64UpDownCounter("samvirke.register.in_flight", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that are with a register, hedges included."))
	m.hedges, errs[2] = meter.Int64Counter("samvirke.register.hedges", metric.WithUnit("{request}"),
		metric.WithDescription("Second requests that were sent because the first took long."))
	m.retries, errs[3] = meter.Int64Counter("samvirke.register.retries", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts that followed a failure of the same call."))
	_, errs[4] = meter.Int64ObservableGauge("samvirke.register.breaker",
		metric.WithDescription("State of a register's circuit breaker: 0 closed, 1 half open, 2 open. An open one changes with the next call."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(rank(b.states.State()), with)
			return nil
		}))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("resilience: meters: %w", err)
	}
	m.register = []metric.AddOption{with}
	for o := range outcomes {
		m.outcome[o] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(register, telemetry.KeyOutcome.String(o.String())))}
	}
	return m, nil
}

func (m *meters) call(ctx context.Context, o outcome)      { m.calls.Add(ctx, 1, m.outcome[o]...) }
func (m *meters) inFlight(ctx context.Context, more int64) { m.flying.Add(ctx, more, m.register...) }
func (m *meters) hedge(ctx context.Context)                { m.hedges.Add(ctx, 1, m.register...) }
func (m *meters) retry(ctx context.Context)                { m.retries.Add(ctx, 1, m.register...) }

// rank orders the states so that more is worse.
func rank(s circuitbreaker.State) int64 {
	return [...]int64{closed: 0, halfOpen: 1, open: 2}[s]
}
