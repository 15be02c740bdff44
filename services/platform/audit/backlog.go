package audit

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
)

// countLimit bounds how many rows of waiting records are counted: beyond it the number says enough.
const countLimit = 100_000

// Watch has the records that wait in the outbox counted whenever metrics are collected: how many, and how long the oldest has waited.
// Call stop before the database closes.
func Watch(meter metric.Meter, db *sqlkit.DB, clk clock.Clock) (stop func() error, err error) {
	records, err1 := meter.Int64ObservableGauge("samvirke.audit.outbox.records",
		metric.WithDescription("Audit records that wait to be shipped, in all replicas together; counted up to 100 000 groups of them."))
	oldest, err2 := meter.Float64ObservableGauge("samvirke.audit.outbox.oldest_wait", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest audit record that waits to be shipped has waited."))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("audit: meters: %w", err)
	}
	watch, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		var count, since int64
		err := db.QueryRow(ctx, `SELECT coalesce(sum(records), 0), coalesce((SELECT recorded_at FROM audit_outbox ORDER BY seq LIMIT 1), 0)
 FROM (SELECT records FROM audit_outbox LIMIT $1) AS waiting`, countLimit).Scan(&count, &since)
		if err != nil {
			return fmt.Errorf("audit: count: %w", err)
		}
		wait := 0.0
		if since > 0 {
			wait = max(clk.Now().Sub(sqlkit.Time(since)).Seconds(), 0)
		}
		o.ObserveInt64(records, count)
		o.ObserveFloat64(oldest, wait)
		return nil
	}, records, oldest)
	if err != nil {
		return nil, fmt.Errorf("audit: meters: %w", err)
	}
	return watch.Unregister, nil
}
