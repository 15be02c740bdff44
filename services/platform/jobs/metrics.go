package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/telemetry"
)

// meters are the instruments; the kind of the job is their only attribute.
type meters struct {
	deps     Deps
	runs     metric.Int64Counter
	failures metric.Int64Counter
	duration metric.Float64Histogram
	waiting  metric.Int64ObservableGauge
	oldest   metric.Float64ObservableGauge
	watch    metric.Registration
}

func newMeters(deps Deps) (*meters, error) {
	m := &meters{deps: deps}
	var errs [6]error
	m.runs, errs[0] = deps.Meter.Int64Counter("samvirke.jobs.runs", metric.WithDescription("Runs of jobs that ended, failed ones included."))
	m.failures, errs[1] = deps.Meter.Int64Counter("samvirke.jobs.failures", metric.WithDescription("Runs of jobs that failed."))
	m.duration, errs[2] = deps.Meter.Float64Histogram("samvirke.jobs.duration", metric.WithUnit("s"), metric.WithDescription("Time that a run took."))
	m.waiting, errs[3] = deps.Meter.Int64ObservableGauge("samvirke.jobs.waiting",
		metric.WithDescription("Jobs whose time has come and that do not run yet, in all replicas together."))
	m.oldest, errs[4] = deps.Meter.Float64ObservableGauge("samvirke.jobs.oldest_wait", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest of the waiting jobs has waited."))
	m.watch, errs[5] = deps.Meter.RegisterCallback(m.observe, m.waiting, m.oldest)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("jobs: meters: %w", err)
	}
	return m, nil
}

func (m *meters) close() error { return m.watch.Unregister() }

func (m *meters) ran(ctx context.Context, kind string, took time.Duration, failed bool) {
	attrs := metric.WithAttributes(telemetry.KeyJob.String(kind))
	m.runs.Add(ctx, 1, attrs)
	m.duration.Record(ctx, took.Seconds(), attrs)
	if failed {
		m.failures.Add(ctx, 1, attrs)
	}
}

// The texts differ because the databases write moments differently. River keeps its times to the millisecond.
const (
	waitingSQLite = `SELECT kind, count(*), min(unixepoch(scheduled_at, 'subsec')) FROM river_job
		WHERE state IN ('available', 'retryable', 'scheduled') AND unixepoch(scheduled_at, 'subsec') <= $1 GROUP BY kind`
	waitingPostgres = `SELECT kind, count(*), extract(epoch FROM min(scheduled_at))::float8 FROM river_job
		WHERE state IN ('available', 'retryable', 'scheduled') AND scheduled_at <= to_timestamp($1::float8) GROUP BY kind`
)

// observe counts the queue when metrics are collected.
func (m *meters) observe(ctx context.Context, o metric.Observer) (err error) {
	text := waitingSQLite
	if m.deps.DB.Dialect() == sqlkit.Postgres {
		text = waitingPostgres
	}
	now := float64(m.deps.Clock.Now().UnixMicro()) / 1e6
	rows, err := m.deps.DB.Query(ctx, text, now)
	if err != nil {
		return fmt.Errorf("jobs: count: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind string
		var count int64
		var since float64
		if err := rows.Scan(&kind, &count, &since); err != nil {
			return fmt.Errorf("jobs: count: %w", err)
		}
		attrs := metric.WithAttributes(telemetry.KeyJob.String(kind))
		o.ObserveInt64(m.waiting, count, attrs)
		o.ObserveFloat64(m.oldest, now-since, attrs)
	}
	return rows.Err()
}
