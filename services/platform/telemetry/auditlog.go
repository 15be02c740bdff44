package telemetry

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logs1 "go.opentelemetry.io/proto/otlp/logs/v1"
	resource1 "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc/codes"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"

	"samvirke.dev/services/platform/errs"
)

// AuditEvent is the event name of exported audit records.
const AuditEvent = "samvirke.audit.record"

// ErrNoEndpoint says that no OTLP endpoint is configured, so that audit records go nowhere but to the ledger.
var ErrNoEndpoint = errors.New("telemetry: no endpoint")

// ErrRejected says that the endpoint took the request and refused some of its records for good.
var ErrRejected = errors.New("telemetry: the endpoint rejected audit records")

// Protect encrypts a person's audit pseudonym so that only the audit service can read it again, differently each time: two
// records of one person must not be linkable outside the audit (domain.md C.6).
type Protect func(subjectRef string) ([]byte, error)

// ExportAudit sends audit records as OTLP log records, one a data subject, in the names of the Dutch data-processing log standard.
// It returns when the endpoint has them: nothing is sampled and nothing queued here, since the caller's store is the queue, from which
// it tries again. now is when they were observed. Errors: ErrNoEndpoint, ErrRejected (trying again will not help), else the
// transport's, with nothing of the records in it.
func (t *Telemetry) ExportAudit(ctx context.Context, records []*auditv1.Record, protect Protect, now time.Time) error {
	if t.conn == nil {
		return ErrNoEndpoint
	}
	out := make([]*logs1.LogRecord, 0, len(records))
	for _, r := range records {
		attrs, err := auditAttributes(r, protect)
		if err != nil {
			return err
		}
		out = append(out, t.guard.logRecord(r, attrs, now))
	}
	answer, err := logspb.NewLogsServiceClient(t.conn).Export(ctx, &logspb.ExportLogsServiceRequest{ResourceLogs: []*logs1.ResourceLogs{{
		Resource: &resource1.Resource{Attributes: keyValues(t.res.Attributes())},
		ScopeLogs: []*logs1.ScopeLogs{{
			Scope:      &commonpb.InstrumentationScope{Name: "samvirke.dev/services/platform/audit"},
			LogRecords: out,
		}},
	}}})
	if err != nil {
		return fmt.Errorf("telemetry: audit log records: %w", err)
	}
	if n := answer.GetPartialSuccess().GetRejectedLogRecords(); n > 0 {
		return fmt.Errorf("%w: %d of %d", ErrRejected, n, len(records))
	}
	return nil
}

// logRecord passes the attributes through the same guard as those of spans.
func (g *guard) logRecord(r *auditv1.Record, attrs []attribute.KeyValue, now time.Time) *logs1.LogRecord {
	severity, text := logs1.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
	switch {
	case r.GetDecision() == auditv1.Decision_DECISION_DENY:
		severity, text = logs1.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	case fault(codes.Code(r.GetStatusCode())):
		severity, text = logs1.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR"
	}
	return &logs1.LogRecord{
		TimeUnixNano: nanos(r.GetEndedAt().AsTime()), ObservedTimeUnixNano: nanos(now), EventName: AuditEvent,
		SeverityNumber: severity, SeverityText: text, TraceId: r.GetTraceId(), SpanId: r.GetSpanId(),
		Attributes: keyValues(g.spanAttributes(attrs)),
	}
}

// fault says whether the code is our side's doing.
func fault(c codes.Code) bool {
	return slices.Contains([]codes.Code{codes.Internal, codes.Unknown, codes.DataLoss, codes.Unavailable}, c)
}

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

// auditAttributes says of a record what a trace may say: organisations, purpose, basis, decision. Neither the fields, nor the case, nor
// the reasons of a refusal about a protected person: their combination could tell that the person is protected (domain.md C.4).
func auditAttributes(r *auditv1.Record, protect Protect) ([]attribute.KeyValue, error) {
	var out []attribute.KeyValue
	add := func(key attribute.Key, value string) {
		if value != "" {
			out = append(out, key.String(value))
		}
	}
	add(KeyEventID, r.GetEventId())
	add("rpc.system.name", "grpc")
	add("rpc.method", r.GetRpc())
	add("rpc.response.status_code", codes.Code(r.GetStatusCode()).String())
	add(KeyDecision, r.GetDecision().String())
	add(KeyPurpose, r.GetPurpose().String())
	add(KeyLegalBasis, r.GetLegalBasis().String())
	if a := r.GetAgreement(); a.GetId() != "" {
		add(KeyAgreementID, a.GetId())
		add(KeyAgreementVersion, strconv.FormatUint(uint64(a.GetVersion()), 10))
		add(KeyProcessingActivity, ProcessingActivity(a.GetId(), r.GetPurpose().String()))
		add(KeyController, r.GetControllerId())
	}
	add(KeyRecipient, r.GetRecipient().GetId())
	if r.GetRecipient() != nil {
		add(KeyRole, r.GetRecipient().GetRole().String())
	}
	if len(r.GetReasons()) > 0 && r.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
		add(KeyReason, errs.Name(r.GetReasons()[0]))
	}
	if org := r.GetActor().GetOrganisation(); org != "" && len(r.GetParentSpanId()) > 0 {
		add(KeyForeignTraceID, hex.EncodeToString(r.GetTraceId()))
		add(KeyForeignOperationID, hex.EncodeToString(r.GetParentSpanId()))
		add(KeyForeignEntity, org)
	}
	if ref := r.GetSubjectRef(); ref != "" {
		sealed, err := protect(ref)
		if err != nil {
			return nil, fmt.Errorf("telemetry: audit pseudonym: %w", err)
		}
		add(KeyDataSubject, letters.EncodeToString(sealed))
	}
	return out, nil
}

// letters writes bytes without digits, so that no part of a ciphertext can look like somebody's number and be redacted.
var letters = base32.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef").WithPadding(base32.NoPadding)

// ProcessingActivity is the URI of an agreement's purpose, as the Dutch log standard wants it.
func ProcessingActivity(agreement, purpose string) string {
	return "urn:samvirke:agreement:" + agreement + ":" + purpose
}

// keyValues translates to the wire.
func keyValues(in []attribute.KeyValue) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, 0, len(in))
	for _, kv := range in {
		value := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: kv.Value.String()}}
		out = append(out, &commonpb.KeyValue{Key: string(kv.Key), Value: value})
	}
	return out
}
