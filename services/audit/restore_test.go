package audit_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
)

func restoreOf(why *commonv1.RequestContext) *auditv1.RecordRestoreRequest {
	return &auditv1.RecordRestoreRequest{
		Context: why, Reason: auditv1.RestoreReason_RESTORE_REASON_DATA_LOSS, Service: "identity",
		BackupTime: timestamppb.New(clock.System().Now().Add(-time.Hour).Truncate(time.Second)),
	}
}

// Only the IT department may put a restore on record, with a person, a case and a reason; the record holds them, and those who watch are told.
//
// covers: MIN-25 ACT-21
func TestRestoreIsOnRecord(t *testing.T) {
	t.Parallel()
	w := start(t)
	record := func(org string, edit func(*auditv1.RecordRestoreRequest)) (*auditv1.RecordRestoreRequest, error) {
		req := restoreOf(contextFor(fund, "it-1"))
		if edit != nil {
			edit(req)
		}
		_, err := auditv1.NewRestoreServiceClient(w.as(org)).RecordRestore(t.Context(), req)
		return req, err
	}
	for _, org := range []string{fund, agency, auditor, supervisor, nobody} {
		if _, err := record(org, func(r *auditv1.RecordRestoreRequest) {
			if org == agency || org == nobody {
				r.Context.ControllerId = org
			}
		}); err == nil {
			t.Errorf("%s may restore", org)
		}
	}
	for name, edit := range map[string]func(*auditv1.RecordRestoreRequest){
		"no reason":             func(r *auditv1.RecordRestoreRequest) { r.Reason = 0 },
		"a reason of their own": func(r *auditv1.RecordRestoreRequest) { r.Reason = 99 },
		"no employee":           func(r *auditv1.RecordRestoreRequest) { r.Context.ActorId = "" },
		"no service":            func(r *auditv1.RecordRestoreRequest) { r.Service = "" },
		"no backup":             func(r *auditv1.RecordRestoreRequest) { r.BackupTime = nil },
		"a backup of tomorrow": func(r *auditv1.RecordRestoreRequest) {
			r.BackupTime = timestamppb.New(clock.System().Now().Add(24 * time.Hour))
		},
	} {
		if _, err := record(department, edit); reasonOf(err) != "INVALID_REQUEST" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := record(department, func(r *auditv1.RecordRestoreRequest) { r.Context.CaseReference = "" }); reasonOf(err) != "CASE_REFERENCE_MISSING" {
		t.Errorf("no case: %v", err)
	}
	if strings.Contains(w.Logs.String(), `"alert":"restore"`) {
		t.Error("a refused restore raised the alert")
	}
	req, err := record(department, nil)
	must(t, err)
	var found []*auditv1.Record
	for _, r := range w.AllRecords() {
		if r.GetRpc() == recordRestore && r.GetRuleDecision() != nil {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d records of a restore", len(found))
	}
	r := found[0]
	if r.GetActor().GetEmployee() != "it-1" || r.GetCaseReference() != "audit-2026" || r.GetRecipient().GetId() != department || r.GetControllerId() != fund ||
		r.GetRuleDecision().GetRuleId() != "IT-RESTORE-identity" || r.GetRuleDecision().GetOutcome() != "DATA_LOSS" ||
		r.GetRuleDecision().GetRuleVersion() != req.GetBackupTime().AsTime().Format(time.RFC3339) {
		t.Errorf("recorded %v", r)
	}
	if strings.Count(w.Logs.String(), `"alert":"restore"`) != 1 {
		t.Errorf("log %s", w.Logs)
	}
}
