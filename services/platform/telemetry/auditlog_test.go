package telemetry_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/telemetry"
)

const subjectRef = "k0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAA"

func record() *auditv1.Record {
	return &auditv1.Record{
		EventId: "0199aaaa-0000-7000-8000-000000000001", EndedAt: timestamppb.New(time.Unix(1_700_000_000, 5)),
		Actor:        &auditv1.Actor{Workload: "spiffe://x/org/DK/10000009/portal", Organisation: "DK:10000009", Employee: "SECRET employee"},
		ControllerId: "DK:10000009", SubjectRef: subjectRef, SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_NORMAL, Rpc: verify,
		Fields: []string{"SECRET field"}, Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		CaseReference: "SECRET case", Agreement: &auditv1.AgreementRef{Id: "a-1", Version: 3},
		Recipient: &auditv1.Recipient{Id: "DK:10000009", Role: vocabularyv1.Role_ROLE_FUND}, Decision: auditv1.Decision_DECISION_ALLOW,
		TraceId: bytes.Repeat([]byte{0xab}, 16), SpanId: bytes.Repeat([]byte{0xcd}, 8), ParentSpanId: bytes.Repeat([]byte{0xef}, 8),
		RequestDigest: []byte("SECRET digest"),
	}
}

// seal stands in for the audit's AEAD: what it returns differs each time.
func seal() telemetry.Protect {
	n := byte(0)
	return func(ref string) ([]byte, error) {
		n++
		out := []byte{n, 0xff}
		for i := range len(ref) {
			out = append(out, ref[i]^0x5a)
		}
		return out, nil
	}
}

// The names of the Dutch data-processing log standard; one log record a data subject; nothing that C.4 bans.
// covers: SEC-06
func TestAuditRecordsAsLogRecords(t *testing.T) {
	t.Parallel()
	tel, col, _ := start(t, func(c *telemetry.Config) { c.SampleRatio = 0 }) // audit is never sampled
	denied := record()
	denied.EventId, denied.Decision, denied.StatusCode = "0199aaaa-0000-7000-8000-000000000002", auditv1.Decision_DECISION_DENY, 7
	denied.Reasons = []commonv1.Reason{commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED}
	protected := record()
	protected.SubjectClass, protected.StatusCode = auditv1.SubjectClass_SUBJECT_CLASS_HIGH, 13
	protected.Reasons = denied.GetReasons()
	now := time.Unix(1_700_000_001, 0)
	if err := tel.ExportAudit(t.Context(), []*auditv1.Record{record(), denied, protected}, seal(), now); err != nil {
		t.Fatal(err)
	}
	logs := col.Logs()
	if len(logs) != 3 {
		t.Fatalf("%d records", len(logs))
	}
	got := map[string]string{}
	for _, kv := range logs[0].GetAttributes() {
		got[kv.GetKey()] = kv.GetValue().GetStringValue()
	}
	subject := got["dpl.core.data_subject_id"]
	delete(got, "dpl.core.data_subject_id")
	want := map[string]string{
		"dpl.core.processing_activity_id": "urn:samvirke:agreement:a-1:PURPOSE_IDENTIFICATION",
		"foreign_operation.trace_id":      strings.Repeat("ab", 16), "foreign_operation.operation_id": strings.Repeat("ef", 8),
		"foreign_operation.entity": "DK:10000009", "samvirke.event_id": record().GetEventId(), "samvirke.agreement.id": "a-1",
		"samvirke.agreement.version": "3", "samvirke.controller": "DK:10000009", "samvirke.recipient": "DK:10000009",
		"samvirke.role": "ROLE_FUND", "samvirke.purpose": "PURPOSE_IDENTIFICATION", "samvirke.legal_basis": "LEGAL_BASIS_A6_1_C",
		"samvirke.decision": "DECISION_ALLOW", "rpc.method": verify, "rpc.system.name": "grpc", "rpc.response.status_code": "OK",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if subject == "" || strings.ContainsAny(subject, "0123456789") || strings.Contains(subject, subjectRef) {
		t.Errorf("subject %q", subject)
	}
	for i, severity := range []string{"INFO", "WARN", "ERROR"} {
		if l := logs[i]; l.GetSeverityText() != severity || l.GetEventName() != telemetry.AuditEvent || len(l.GetTraceId()) != 16 ||
			l.GetObservedTimeUnixNano() != uint64(now.UnixNano()) {
			t.Errorf("record %d: %v", i, l)
		}
	}
	if s := logs[1].String(); !strings.Contains(s, "PURPOSE_NOT_ALLOWED") {
		t.Errorf("no reason: %s", s)
	}
	if s := logs[2].String(); strings.Contains(s, "samvirke.reason") {
		t.Errorf("a reason about a protected person: %s", s)
	}
	raw, err := col.Raw()
	if err != nil || bytes.Contains(raw, []byte("SECRET")) || bytes.Contains(raw, []byte(subjectRef)) {
		t.Errorf("what must not leave left: %v", err)
	}
	if subject == "" || strings.Count(string(raw), subject) != 2 { // once binary, once JSON: no other record has the same
		t.Error("two records of one person can be linked")
	}
}

func TestAuditRecordsAreNotLostQuietly(t *testing.T) {
	t.Parallel()
	none, _ := startWith(t)
	if err := none.ExportAudit(t.Context(), []*auditv1.Record{record()}, seal(), time.Time{}); !errors.Is(err, telemetry.ErrNoEndpoint) {
		t.Errorf("without endpoint: %v", err)
	}
	gone, _ := startWith(t, queued(t.TempDir(), away(t)))
	if err := gone.ExportAudit(t.Context(), []*auditv1.Record{record()}, seal(), time.Time{}); err == nil {
		t.Error("the endpoint is away and nobody was told")
	}
	if q := gone.Queue(); q.Requests != 0 {
		t.Errorf("audit records in the bounded queue: %+v", q)
	}
	tel, col, _ := start(t)
	broken := errors.New("no key")
	err := tel.ExportAudit(t.Context(), []*auditv1.Record{record()}, func(string) ([]byte, error) { return nil, broken }, time.Time{})
	if !errors.Is(err, broken) || len(col.Logs()) != 0 {
		t.Errorf("without key: %v", err)
	}
	col.RejectLogs(1)
	if err := tel.ExportAudit(t.Context(), []*auditv1.Record{record()}, seal(), time.Time{}); !errors.Is(err, telemetry.ErrRejected) {
		t.Errorf("rejected: %v", err)
	}
}
