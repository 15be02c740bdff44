package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"
)

// observeSelf registers the metrics about telemetry itself: what the guard dropped and what waits on disk.
func (t *Telemetry) observeSelf() error {
	m := t.mp.Meter("samvirke.dev/services/platform/telemetry")
	dropped, err1 := m.Int64ObservableCounter("samvirke.telemetry.dropped_attributes",
		metric.WithDescription("Attributes, names and texts that were not on the allow-list."))
	waiting, err2 := m.Int64ObservableGauge("samvirke.telemetry.queue.size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of spans and metrics that wait on disk for the endpoint."))
	lost, err3 := m.Int64ObservableCounter("samvirke.telemetry.queue.lost",
		metric.WithDescription("Export requests given up because the queue was full or the endpoint refused them."))
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		d := t.guard.drops()
		// The dropped keys themselves are not told: a key may be the very thing that must not get out.
		o.ObserveInt64(dropped, d.Spans, metric.WithAttributes(KeySignal.String("span")))
		o.ObserveInt64(dropped, d.Metrics, metric.WithAttributes(KeySignal.String("metric")))
		o.ObserveInt64(dropped, d.Logs, metric.WithAttributes(KeySignal.String("log")))
		q := t.Queue()
		o.ObserveInt64(waiting, q.Bytes)
		o.ObserveInt64(lost, q.Lost)
		return nil
	}, dropped, waiting, lost)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}
