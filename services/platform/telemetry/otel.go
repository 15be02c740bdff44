package telemetry

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// This file is the whole list of what may appear in a span, a metric or a log line (domain.md C.4). A key that is
// not here is dropped and counted. A new key is a decision about personal data: state its class, and never admit
// one that could tell a person apart.

// Attribute keys of our own and of the Dutch data-processing log standard. OpenTelemetry's rpc.* keys come from semconv.
const (
	// KeyProcessingActivity is the URI of the agreement's purpose (Dutch log standard).
	KeyProcessingActivity = attribute.Key("dpl.core.processing_activity_id")
	// KeyDataSubject is the encrypted pseudonym of the data subject (Dutch log standard), never a handle in clear.
	KeyDataSubject = attribute.Key("dpl.core.data_subject_id")
	// KeyForeignTraceID is the other party's trace id, from W3C trace context.
	KeyForeignTraceID = attribute.Key("foreign_operation.trace_id")
	// KeyForeignOperationID is the other party's span id.
	KeyForeignOperationID = attribute.Key("foreign_operation.operation_id")
	// KeyForeignEntity is the other party's organisation, as a workload URI or country and number.
	KeyForeignEntity = attribute.Key("foreign_operation.entity")
	// KeySubjectToken tells subjects of one trace apart and is random per trace; see NewSubjectToken.
	KeySubjectToken = attribute.Key("app.subject.token")

	// KeyEventID is the id of the audit record.
	KeyEventID = attribute.Key("samvirke.event_id")
	// KeyAgreementID is the id of the agreement that an exchange stands on.
	KeyAgreementID = attribute.Key("samvirke.agreement.id")
	// KeyAgreementVersion is that agreement's version.
	KeyAgreementVersion = attribute.Key("samvirke.agreement.version")
	// KeyController is the organisation responsible for the data ("DK:12345678").
	KeyController = attribute.Key("samvirke.controller")
	// KeyRecipient is the organisation that receives ("SE:8024001234").
	KeyRecipient = attribute.Key("samvirke.recipient")
	// KeyCountry is a two-letter country code of an organisation or register.
	KeyCountry = attribute.Key("samvirke.country")
	// KeyRole is the kind of caller.
	KeyRole = attribute.Key("samvirke.role")
	// KeyPurpose is the purpose of processing.
	KeyPurpose = attribute.Key("samvirke.purpose")
	// KeyLegalBasis is the legal basis.
	KeyLegalBasis = attribute.Key("samvirke.legal_basis")
	// KeyDecision is ALLOW or DENY.
	KeyDecision = attribute.Key("samvirke.decision")
	// KeyReason is a refusal or error reason of package errs.
	KeyReason = attribute.Key("samvirke.reason")
	// KeyOutcome is an outcome that does not speak of a subject.
	KeyOutcome = attribute.Key("samvirke.outcome")
	// KeyRule is the id of a decision rule.
	KeyRule = attribute.Key("samvirke.rule")
	// KeyRuleVersion is that rule's version.
	KeyRuleVersion = attribute.Key("samvirke.rule.version")
	// KeyRegister is the outside register that was asked.
	KeyRegister = attribute.Key("samvirke.register")
	// KeyRegisterAnswer is the UUID under which the register's own support finds its answer.
	KeyRegisterAnswer = attribute.Key("samvirke.register.answer")
	// KeyJob is the kind of background job.
	KeyJob = attribute.Key("samvirke.job")
	// KeyRetries is how often something was tried again.
	KeyRetries = attribute.Key("samvirke.retries")
	// KeyBatchSize is how many items were handled together.
	KeyBatchSize = attribute.Key("samvirke.batch.size")
	// KeySignal tells in our own telemetry counters which signal was meant: span, metric or log.
	KeySignal = attribute.Key("samvirke.signal")
)

// class says how the values of a key are treated.
type class int

const (
	classNone   class = iota // not on the list
	classQuiet               // known and unwanted: dropped without counting, because libraries set it on every call
	classPlain               // our own vocabulary: short, no redaction needed, but still length-bound
	classOwn                 // addresses and versions of this process itself: not redacted, logs only
	classText                // free text: redacted
	classNumber              // numbers and booleans only
	classHex                 // hexadecimal id of 16 or 32 digits, or nothing
	classMethod              // a gRPC method or service that this binary knows, or nothing
)

// attributes is the allow-list of spans and metrics.
func attributes() map[string]class {
	out := map[string]class{
		"rpc.method": classMethod, "rpc.service": classMethod,
		"rpc.system": classPlain, "rpc.system.name": classPlain,
		"rpc.response.status_code": classPlain, "rpc.grpc.status_code": classNumber, "error.type": classText,
		"http.request.method": classPlain, "http.route": classPlain, "http.response.status_code": classNumber,
		"db.system.name": classPlain, "db.operation.name": classPlain, "db.collection.name": classPlain,
		string(KeyProcessingActivity): classText, string(KeyDataSubject): classText,
		string(KeyForeignTraceID): classHex, string(KeyForeignOperationID): classHex, string(KeyForeignEntity): classText,
		string(KeySubjectToken): classHex,
		string(KeyEventID):      classPlain, string(KeyAgreementID): classPlain, string(KeyAgreementVersion): classPlain,
		string(KeyController): classText, string(KeyRecipient): classText, string(KeyCountry): classPlain,
		string(KeyRole): classPlain, string(KeyPurpose): classText, string(KeyLegalBasis): classText,
		string(KeyDecision): classPlain, string(KeyReason): classPlain, string(KeyOutcome): classPlain,
		string(KeyRule): classPlain, string(KeyRuleVersion): classPlain, string(KeyRegister): classPlain,
		string(KeyRegisterAnswer): classPlain,
		string(KeyJob):            classPlain, string(KeyRetries): classNumber, string(KeyBatchSize): classNumber,
		string(KeySignal): classPlain,
	}
	// gRPC's instrumentation sets these on every span. Addresses may be a person's (a caseworker at home), and ours
	// are known from the resource.
	for _, k := range []string{
		"server.address", "server.port", "client.address", "client.port", "network.peer.address", "network.peer.port",
		"network.transport", "network.type", "network.protocol.name", "network.protocol.version", "user_agent.original",
		"url.full", "url.query", "url.path", "url.scheme",
	} {
		out[k] = classQuiet
	}
	return out
}

// logKeys is the allow-list of log lines. Keys of spans are allowed in logs too.
func logKeys() map[string]class {
	out := attributes()
	add := func(c class, keys ...string) {
		for _, k := range keys {
			out[k] = c
		}
	}
	add(classHex, "trace_id", "span_id")
	add(classText, "error", "cause", "detail", "message", "panic", "stack", "reason", "controller", "org",
		"organisation", "recipient", "caller", "workload", "purpose", "legal_basis", "agreement", "problem", "problems",
		"old", "new", "violations")
	add(classPlain, "event_id", "request_id", "case_ref", "service", "method", "rpc", "route", "version", "code", "kind",
		"component", "name", "state", "stage", "step", "signal", "job", "job_id", "queue", "path", "file", "dir", "source", "dialect", "migration", "table", "role", "country", "decision", "outcome", "rule",
		"operation", "register", "agreement_id", "agreement_version", "digest", "keyset", "kek", "mount", "key", "serial",
		"issuer", "spiffe_id", "shard", "log_id", "origin", "checkpoint", "cert", "not_after", "expires_at", "since", "until",
		"at", "started_at", "tls", "health", "status", "id", "mode", "environment", "config", "sink", "cursor", "db")
	add(classOwn, "addr", "address", "listen", "endpoint")
	add(classNumber, "duration", "duration_ms", "elapsed", "age", "max_age", "interval", "timeout", "ttl", "wait", "delay",
		"backoff", "expires_in", "attempt", "retries", "tries", "count", "total", "size", "bytes", "rows", "revision",
		"sequence", "index", "tree_size", "leaf_index", "pending", "dropped", "limit", "quota", "used", "batch", "workers",
		"port", "pid", "records", "persons", "agreements", "lag", "ok", "enabled", "changed", "drained", "fatal", "retryable",
		"http_status", "key_version", "from", "to", "line", "failed", "skipped", "in_flight",
		"retry_in", "token_expires", "token_life", "renewable", "certificate_expires", "expires")
	return out
}

// durationBuckets are the bounds, in seconds, of every duration histogram: our calls take from a tenth of a
// millisecond to the deadline, and OpenTelemetry's defaults begin where ours end.
func durationBuckets() []float64 {
	return []float64{
		0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
	}
}

// Keys returns the allow-list of spans, metrics and exported audit records, sorted: for checks that a collector's list is the same.
func Keys() []string {
	var out []string
	for k, c := range attributes() {
		if c != classQuiet {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// IsLabel says whether a metric may carry the key: nothing per person, per exchange or per case may be one.
func IsLabel(key string) bool {
	c := attributes()[key]
	return c > classQuiet && metricLabel(attribute.Key(key))
}
