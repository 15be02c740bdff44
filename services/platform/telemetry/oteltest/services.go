package oteltest

import (
	"context"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

type traceService struct {
	tracepb.UnimplementedTraceServiceServer
	c *Collector
}

// Export implements the OTLP trace service.
func (s traceService) Export(_ context.Context, r *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	s.c.keep(func() { s.c.traces = append(s.c.traces, r) })
	return &tracepb.ExportTraceServiceResponse{}, nil
}

type metricsService struct {
	metricspb.UnimplementedMetricsServiceServer
	c *Collector
}

// Export implements the OTLP metrics service.
func (s metricsService) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	s.c.keep(func() { s.c.metrics = append(s.c.metrics, r) })
	return &metricspb.ExportMetricsServiceResponse{}, nil
}

type logsService struct {
	logspb.UnimplementedLogsServiceServer
	c *Collector
}

// Export implements the OTLP logs service.
func (s logsService) Export(_ context.Context, r *logspb.ExportLogsServiceRequest) (*logspb.ExportLogsServiceResponse, error) {
	answer := &logspb.ExportLogsServiceResponse{}
	s.c.keep(func() {
		s.c.logs = append(s.c.logs, r)
		if s.c.reject > 0 {
			answer.PartialSuccess = &logspb.ExportLogsPartialSuccess{RejectedLogRecords: s.c.reject}
		}
	})
	return answer, nil
}
