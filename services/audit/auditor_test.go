package audit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	"samvirke.dev/services/audit"
	"samvirke.dev/services/audit/internal/receipt"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

type auditConfig = audit.Config

func eventText(id [16]byte) string { return record.EventText(id) }

func (w *world) auditor(org string) auditv1.AuditorServiceClient {
	w.t.Helper()
	return auditv1.NewAuditorServiceClient(w.as(org))
}

// query pages through QueryAudit.
func (w *world) query(org string, req *auditv1.QueryAuditRequest) ([]*auditv1.Record, error) {
	w.t.Helper()
	var out []*auditv1.Record
	req.PageSize = 7
	for {
		got, err := w.auditor(org).QueryAudit(w.t.Context(), req)
		if err != nil {
			return nil, err
		}
		out = append(out, got.GetRecords()...)
		if req.PageToken = got.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// Auditors and supervisors read the records of the controller that their agreement names, without the person; each reading is recorded.
//
// covers: ACT-18 ACT-22 MIN-03 SEC-07
func TestQueryAudit(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		w := start(t, on(db))
		var batch []*auditv1.Record
		for i := range 30 {
			batch = append(batch, recordOf(func(r *auditv1.Record) {
				r.CaseReference = fmt.Sprintf("case-%d", i%3)
				if i%10 == 0 {
					r.ControllerId = agency
				}
				if i%5 == 1 {
					r.Decision, r.StatusCode = auditv1.Decision_DECISION_DENY, 7
				}
			}))
		}
		w.kept(batch...)
		for _, tc := range []struct {
			name string
			req  *auditv1.QueryAuditRequest
			want int
		}{
			{"all of the controller", &auditv1.QueryAuditRequest{}, 27},
			{"a case", &auditv1.QueryAuditRequest{CaseReference: "case-1"}, 9},
			{"refusals", &auditv1.QueryAuditRequest{Decision: auditv1.Decision_DECISION_DENY}, 6},
			{"a trace", &auditv1.QueryAuditRequest{TraceId: []byte("0123456789abcdef")}, 27},
			{"another trace", &auditv1.QueryAuditRequest{TraceId: []byte("0123456789abcdeX")}, 0},
			{"an organisation, service and RPC", &auditv1.QueryAuditRequest{Organisation: fund, Service: "identity", Rpc: batch[0].GetRpc()}, 27},
			{"an organisation unknown", &auditv1.QueryAuditRequest{Organisation: nobody}, 0},
		} {
			tc.req.Context = contextFor(fund, "rev-1")
			got, err := w.query(supervisor, tc.req)
			must(t, err)
			if len(got) != tc.want {
				t.Errorf("%s: %d records, want %d", tc.name, len(got), tc.want)
			}
			for _, r := range got {
				if r.GetControllerId() != fund || r.GetSubjectRef() != "" || r.GetSubjectClass() != 0 || len(r.GetDigestKey()) > 0 || r.GetActor().GetEmployee() == "" {
					t.Fatalf("%s: shown %v", tc.name, r)
				}
			}
		}
		if _, err := w.query(auditor, &auditv1.QueryAuditRequest{Context: contextFor(agency, "rev-1")}); reasonOf(err) != "CONTROLLER_MISMATCH" {
			t.Errorf("another controller's records: %v", err)
		}
		if _, err := w.query(fund, &auditv1.QueryAuditRequest{Context: contextFor(fund, "emp")}); reasonOf(err) != "ROLE_NOT_ALLOWED" {
			t.Errorf("a fund as auditor: %v", err)
		}
		if _, err := w.query(auditor, &auditv1.QueryAuditRequest{Context: contextFor(fund, "rev-1"), SubjectRef: batch[0].GetSubjectRef()}); reasonOf(err) != "ACCESS_NOT_APPROVED" {
			t.Errorf("a person without access: %v", err)
		}
		own := w.AllRecords()
		if len(own) == 0 || own[0].GetRpc() != queryAudit || own[0].GetActor().GetOrganisation() != supervisor {
			t.Errorf("reading left %d records", len(own))
		}
	})
}

// Whom records are about is shown with an access alone: a reason, a second person, for four hours, and those who watch are told.
//
// covers: SEC-08
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := recordOf()
	w.kept(r)
	ask := func(employee string, reason auditv1.AccessReason) (string, error) {
		out, err := w.auditor(auditor).RequestAccess(t.Context(), &auditv1.RequestAccessRequest{Context: contextFor(fund, employee), Reason: reason})
		return out.GetAccessId(), err
	}
	approve := func(org, employee, id string) error {
		_, err := w.auditor(org).ApproveAccess(t.Context(), &auditv1.ApproveAccessRequest{Context: contextFor(fund, employee), AccessId: id})
		return err
	}
	use := func(org, employee, id string) ([]*auditv1.Record, error) {
		return w.query(org, &auditv1.QueryAuditRequest{Context: contextFor(fund, employee), AccessId: id, SubjectRef: r.GetSubjectRef()})
	}
	if _, err := ask("rev-1", auditv1.AccessReason_ACCESS_REASON_UNSPECIFIED); reasonOf(err) != "INVALID_REQUEST" {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := ask("", auditv1.AccessReason_ACCESS_REASON_COMPLAINT); reasonOf(err) != "INVALID_REQUEST" {
		t.Errorf("without an employee: %v", err)
	}
	id, err := ask("rev-1", auditv1.AccessReason_ACCESS_REASON_COMPLAINT)
	must(t, err)
	for name, err := range map[string]error{
		"used before approval":     second(use(auditor, "rev-1", id)),
		"used with another's id":   second(use(auditor, "rev-1", strings.Repeat("0", 8)+id[8:])),
		"approved by the same":     approve(auditor, "rev-1", id),
		"approved by no employee":  approve(auditor, "", id),
		"approved by others":       approve(supervisor, "rev-2", id),
		"approved without a trace": approve(auditor, "rev-2", strings.Repeat("0", 8)+id[8:]),
	} {
		if err == nil {
			t.Errorf("%s: allowed", name)
		}
	}
	must(t, approve(auditor, "rev-2", id))
	got, err := use(auditor, "rev-1", id)
	must(t, err)
	if len(got) != 1 || got[0].GetSubjectRef() != r.GetSubjectRef() || got[0].GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
		t.Errorf("shown %v", got)
	}
	for name, err := range map[string]error{
		"approved twice": approve(auditor, "rev-3", id), "used by a colleague": second(use(auditor, "rev-2", id)), "used by others": second(use(supervisor, "rev-1", id)),
	} {
		if err == nil {
			t.Errorf("%s: allowed", name)
		}
	}
	records := w.AllRecords()
	var approvals, uses int
	for _, own := range records {
		switch {
		case own.GetApproverId() == "rev-2" && own.GetRpc() == approveAccess:
			approvals++
		case own.GetApproverId() == "rev-2" && own.GetRpc() == queryAudit:
			uses++
		}
	}
	if approvals != 1 || uses != 1 || strings.Count(w.Logs.String(), `"alert":"break-glass"`) != 2 {
		t.Errorf("%d approvals and %d uses recorded; log %s", approvals, uses, w.Logs)
	}
	_, err = w.DB.Exec(t.Context(), "UPDATE ledger_access SET expires_at = $1", sqlkit.Micros(clock.System().Now().Add(-time.Second)))
	must(t, err)
	if _, err := use(auditor, "rev-1", id); reasonOf(err) != "ACCESS_NOT_APPROVED" {
		t.Errorf("used after its time: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// The controller's year is exported with proofs that hold without any server.
//
// covers: MIN-03
func TestExportYear(t *testing.T) {
	t.Parallel()
	w := start(t)
	want := map[string]bool{}
	for i := range 25 {
		r := recordOf(func(r *auditv1.Record) {
			if i%5 == 0 {
				r.ControllerId = agency
			}
		})
		w.kept(r)
		if i%5 != 0 {
			want[r.GetEventId()] = true
		}
	}
	req := &auditv1.ExportYearRequest{Context: contextFor(fund, ""), Year: int32(clock.System().Now().UTC().Year()), PageSize: 6}
	for {
		out, err := w.auditor(auditor).ExportYear(t.Context(), req)
		must(t, err)
		for _, r := range out.GetReceipts() {
			proof := receipt.Of(r)
			if _, err := proof.Verify(w.parts.Ledger.Keys()); err != nil || !want[r.GetEventId()] {
				t.Errorf("receipt of %s: %v", r.GetEventId(), err)
			}
			delete(want, r.GetEventId())
		}
		if req.PageToken = out.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("%d records are not in the export", len(want))
	}
	req.Year = 2021
	if out, err := w.auditor(auditor).ExportYear(t.Context(), req); err != nil || len(out.GetReceipts()) > 0 {
		t.Errorf("a year without records: %d, %v", len(out.GetReceipts()), err)
	}
}

// VerifyLedger names the first record that was changed in the database, and a log whose end was cut off by a checkpoint kept elsewhere.
func TestVerifyLedger(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tamper string
		want   auditv1.Fault
		index  uint64
	}{
		"nothing":                         {"", 0, 0},
		"changed":                         {"UPDATE ledger_record SET sealed = (SELECT sealed FROM ledger_record ORDER BY id LIMIT 1) WHERE id % 4294967296 = 5", auditv1.Fault_FAULT_RECORD_CHANGED, 5},
		"missing":                         {"DELETE FROM ledger_record WHERE id % 4294967296 = 6", auditv1.Fault_FAULT_RECORD_MISSING, 6},
		"erased unlawfully, leaf changed": {"UPDATE ledger_record SET sealed = NULL, leaf = zeroblob(32) WHERE id % 4294967296 = 7", auditv1.Fault_FAULT_RECORD_CHANGED, 7},
		"reordered":                       {"UPDATE ledger_record SET sealed = NULL, leaf = (SELECT leaf FROM ledger_record WHERE id % 4294967296 = 9) WHERE id % 4294967296 = 8", auditv1.Fault_FAULT_ORDER_CHANGED, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			for range 12 {
				w.kept(recordOf())
			}
			cp := w.covered(12)
			if tc.tamper != "" {
				_, err := w.DB.Exec(t.Context(), tc.tamper)
				must(t, err)
			}
			req := &auditv1.VerifyLedgerRequest{Context: contextFor(fund, ""), OutsideCheckpoint: string(cp.Raw)}
			got, err := w.auditor(auditor).VerifyLedger(t.Context(), req)
			must(t, err)
			if got.GetFault() != tc.want || got.GetBadIndex() != tc.index || tc.want == 0 && got.GetChecked() != 12 {
				t.Errorf("found %v", got)
			}
			req.OutsideCheckpoint = string(w.signed(make([]byte, 32), 500))
			got, err = w.auditor(auditor).VerifyLedger(t.Context(), req)
			must(t, err)
			if got.GetFault() != auditv1.Fault_FAULT_TRUNCATED || got.GetBadIndex() != 12 {
				t.Errorf("against a longer log: %v", got)
			}
		})
	}
}

// Both sides list their own exchanges, and a page token is of no use to others or for another question.
func TestListExchanges(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i := range 20 {
		w.kept(recordOf(func(r *auditv1.Record) {
			if i%4 == 0 {
				r.ControllerId = agency
			}
			r.CaseReference = fmt.Sprintf("case-%d", i%2)
		}))
	}
	list := func(org string, edit func(*auditv1.ListExchangesRequest)) (n int, tokens []string) {
		t.Helper()
		req := &auditv1.ListExchangesRequest{Context: contextFor(org, ""), PageSize: 3}
		if edit != nil {
			edit(req)
		}
		for {
			out, err := auditv1.NewLedgerServiceClient(w.as(org)).ListExchanges(t.Context(), req)
			must(t, err)
			for _, r := range out.GetExchanges() {
				if r.GetSubjectRef() != "" || (r.GetActor().GetEmployee() != "") != (org == fund) {
					t.Errorf("%s is shown %v", org, r)
				}
			}
			n += len(out.GetExchanges())
			if req.PageToken = out.GetNextPageToken(); req.PageToken == "" {
				return n, tokens
			}
			tokens = append(tokens, req.GetPageToken())
		}
	}
	n, tokens := list(fund, nil)
	if m, _ := list(agency, nil); n != 20 || m != 5 {
		t.Errorf("the fund sees %d, the agency %d", n, m)
	}
	if m, _ := list(fund, func(r *auditv1.ListExchangesRequest) { r.CaseReference = "case-1" }); m != 10 {
		t.Errorf("%d of the case", m)
	}
	if m, _ := list(otherFund, nil); m != 0 {
		t.Errorf("a stranger sees %d", m)
	}
	bad := &auditv1.ListExchangesRequest{Context: contextFor(agency, ""), PageSize: 3, PageToken: tokens[0]}
	if _, err := auditv1.NewLedgerServiceClient(w.as(agency)).ListExchanges(t.Context(), bad); reasonOf(err) != "PAGE_TOKEN_INVALID" {
		t.Errorf("another's token: %v", err)
	}
}

// While the key holder is away checkpoints wait, and records do not.
func TestSignerAway(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.kept(recordOf())
	w.covered(1)
	w.signer.SetFail(errors.New("away"))
	r := recordOf()
	w.kept(r)
	if _, err := w.receipt(fund, fund, r.GetEventId()); reasonOf(err) != "RECEIPT_PENDING" {
		t.Errorf("receipt without a checkpoint: %v", err)
	}
	w.signer.SetFail(nil)
	w.covered(2)
	if _, err := w.receipt(fund, fund, r.GetEventId()); err != nil {
		t.Error(err)
	}
}

// Every RPC as every kind of caller.
//
// covers: SEC-01 SEC-02 SEC-05
func TestPermissions(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := recordOf()
	w.kept(r)
	id, err := w.auditor(auditor).RequestAccess(t.Context(), &auditv1.RequestAccessRequest{Context: contextFor(fund, "rev-9"), Reason: auditv1.AccessReason_ACCESS_REASON_ORDER})
	must(t, err)
	controllers := map[string]string{"fund": fund, "agency": agency, "auditor of the fund": fund, "IT department of the fund": fund, "organisation without agreement": nobody}
	callers := []suitetest.Caller{}
	for _, c := range []struct{ name, org string }{
		{"fund", fund}, {"agency", agency}, {"auditor of the fund", auditor}, {"IT department of the fund", department}, {"organisation without agreement", nobody},
	} {
		country, number, _ := strings.Cut(c.org, ":")
		callers = append(callers, suitetest.Caller{Name: c.name, TLS: w.ClientTLS(w.CA.Organisation(country, number, "caseworker"))})
	}
	callers = append(callers, suitetest.Caller{Name: "one of our own services", TLS: w.ClientTLS(w.CA.Service("identity"))}, suitetest.Caller{Name: "nobody: no certificate", TLS: w.Stranger(nil)})
	raw, err := proto.Marshal(recordOf())
	must(t, err)
	suitetest.Matrix{
		Addr: w.Addr, Methods: w.Methods, Callers: callers, Golden: "testdata/permissions.golden", Update: *update,
		Request: func(method *authz.Method, caller string) proto.Message {
			controller := controllers[caller]
			if controller == "" {
				controller = fund
			}
			why := contextFor(controller, "emp-1")
			return map[string]proto.Message{
				getReceipt: &auditv1.GetReceiptRequest{Context: why, EventId: r.GetEventId()}, listExchanges: &auditv1.ListExchangesRequest{Context: why},
				queryAudit: &auditv1.QueryAuditRequest{Context: why}, verifyLedger: &auditv1.VerifyLedgerRequest{Context: why},
				exportYear:                             &auditv1.ExportYearRequest{Context: why, Year: int32(clock.System().Now().UTC().Year())},
				requestAccess:                          &auditv1.RequestAccessRequest{Context: why, Reason: auditv1.AccessReason_ACCESS_REASON_ORDER},
				approveAccess:                          &auditv1.ApproveAccessRequest{Context: why, AccessId: id.GetAccessId()},
				recordRestore:                          restoreOf(why),
				"samvirke.audit.v1.IngestService/Ship": &auditv1.ShipRequest{Records: [][]byte{raw}},
			}[method.Name]
		},
	}.Check(t)
}
