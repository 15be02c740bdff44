package rpc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
)

// instruments are the metrics of the server. None has a label that could tell a person or a case.
type instruments struct {
	duration   metric.Float64Histogram
	blocked    metric.Int64Counter
	handshakes metric.Int64Counter
	options    sync.Map // of callKey to metric.RecordOption: attribute sets are dear to make
}

type callKey struct {
	rpc  string
	code codes.Code
}

func newInstruments(meter metric.Meter) (*instruments, error) {
	i := &instruments{}
	var err error
	if i.duration, err = meter.Float64Histogram("rpc.server.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from request to answer"),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)); err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	if i.blocked, err = meter.Int64Counter("samvirke.egress.blocked",
		metric.WithDescription("Responses that the egress guard stopped; any is an alert")); err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	if i.handshakes, err = meter.Int64Counter("samvirke.handshakes.refused",
		metric.WithDescription("Connections refused before any RPC")); err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	return i, nil
}

func (i *instruments) call(ctx context.Context, rpc string, code codes.Code, took time.Duration) {
	key := callKey{rpc, code}
	option, ok := i.options.Load(key)
	if !ok {
		option, _ = i.options.LoadOrStore(key, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("rpc.method", rpc), attribute.String("rpc.response.status_code", code.String()))))
	}
	if o, ok := option.(metric.MeasurementOption); ok {
		i.duration.Record(ctx, took.Seconds(), o)
	}
}

func (i *instruments) refusedHandshake() { i.handshakes.Add(context.Background(), 1) } //nolint:forbidigo // a handshake has no context
