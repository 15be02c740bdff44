package agreement

import "go.opentelemetry.io/otel/attribute"

// outcome labels a reload.
func outcome(value string) attribute.KeyValue { return attribute.String("outcome", value) }
