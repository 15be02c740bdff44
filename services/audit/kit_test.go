package audit_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit"
	"samvirke.dev/services/audit/internal/core"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/suitetest"
)

// -update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite golden files")

// Tessera's reader of checkpoints ends with its context, but its timer of a batch only when it has fired.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The organisations of these tests. None of the numbers is anybody's.
const (
	fund       = "DK:10000009"
	otherFund  = "DK:20000018"
	agency     = "DK:30000027"
	auditor    = "DK:40000036"
	supervisor = "DK:50000045"
	nobody     = "DK:60000054"
	department = "DK:70000063" // the IT department
)

const origin = "samvirke.example/ledger"

// RPCs as agreements name them.
const (
	getReceipt    = "samvirke.audit.v1.LedgerService/GetReceipt"
	listExchanges = "samvirke.audit.v1.LedgerService/ListExchanges"
	queryAudit    = "samvirke.audit.v1.AuditorService/QueryAudit"
	verifyLedger  = "samvirke.audit.v1.AuditorService/VerifyLedger"
	exportYear    = "samvirke.audit.v1.AuditorService/ExportYear"
	requestAccess = "samvirke.audit.v1.AuditorService/RequestAccess"
	approveAccess = "samvirke.audit.v1.AuditorService/ApproveAccess"
	recordRestore = "samvirke.audit.v1.RestoreService/RecordRestore"
)

func partyRPCs() []string { return []string{getReceipt, listExchanges} }
func auditorRPCs() []string {
	return []string{getReceipt, queryAudit, verifyLedger, exportYear, requestAccess, approveAccess}
}

// deal writes an agreement. JSON is YAML.
func deal(org, controller, role string, rpcs ...string) (file, text string) {
	type m = map[string]any
	fields := map[string][]string{
		getReceipt: {"receipt"}, listExchanges: {"exchanges"}, queryAudit: {"records"}, verifyLedger: {"fault"}, exportYear: {"receipts"},
		requestAccess: {"access_id"}, approveAccess: {"expires_at"}, recordRestore: {"recorded_at"},
	}
	var grants []m
	for _, rpc := range rpcs {
		grants = append(grants, m{"rpc": rpc, "fields": fields[rpc], "purposes": []m{
			{"purpose": "PURPOSE_AUDIT", "legal_bases": []string{"LEGAL_BASIS_A6_1_C"}},
		}})
	}
	id := strings.ToLower(strings.ReplaceAll(org+"-for-"+controller, ":", "-"))
	raw, err := json.Marshal(m{
		"id": id, "version": 1, "controller": m{"id": controller, "name": "Controller"}, "recipient": m{"id": org, "name": "Recipient"}, "role": role,
		"valid_from": "2020-01-01T00:00:00Z", "valid_until": "2100-01-01T00:00:00Z", "grants": grants,
	})
	if err != nil {
		return "", err.Error()
	}
	return id + ".yaml", string(raw)
}

func deals() map[string]string {
	out := map[string]string{}
	add := func(org, controller, role string, rpcs ...string) {
		file, text := deal(org, controller, role, rpcs...)
		out[file] = text
	}
	add(fund, fund, "ROLE_FUND", partyRPCs()...)
	add(otherFund, otherFund, "ROLE_FUND", partyRPCs()...)
	add(agency, agency, "ROLE_AGENCY", partyRPCs()...)
	add(auditor, fund, "ROLE_AUDITOR", auditorRPCs()...)
	add(supervisor, fund, "ROLE_SUPERVISOR", auditorRPCs()...)
	add(department, fund, "ROLE_IT_RESTORE", recordRestore)
	return out
}

// world is a running audit service.
type world struct {
	*suitetest.Server

	parts  *audit.Parts
	signer *ledger.LocalSigner
	cfg    audit.Config
	t      testing.TB
}

type edit func(*suitetest.Options, *audit.Config)

func start(t testing.TB, edits ...edit) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	w := &world{t: t, signer: ledger.NewLocalSigner(origin, key)}
	w.cfg = audit.DefaultConfig()
	w.cfg.Ledger.Dir, w.cfg.Ledger.Origin = filepath.Join(t.TempDir(), "ledger"), origin
	w.cfg.Checkpoints.Dir = filepath.Join(t.TempDir(), "checkpoints")
	o := suitetest.Options{Migrations: sqlstore.Migrations(), Keysets: audit.Keysets(), Agreements: deals(), Clock: clock.System()}
	for _, e := range edits {
		e(&o, &w.cfg)
	}
	o.Register = func(s *suitetest.Server, _ grpc.ServiceRegistrar) {
		parts, err := audit.NewParts(t.Context(), w.cfg, audit.Deps{
			DB: s.DB, Keys: s.Keys, Clock: o.Clock, Log: slog.New(slog.NewJSONHandler(s.Logs, nil)), Signer: w.signer,
		})
		must(t, err)
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		for _, c := range parts.Components() {
			running.Go(func() { check(t, c.Run(ctx)) })
		}
		t.Cleanup(func() {
			stop()
			running.Wait()
			check(t, parts.Close(context.Background()))
		})
		parts.Register(s.RPC)
		w.parts = parts
	}
	w.Server = suitetest.Start(t, o)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// recordOf is a record that the identity service might write: the fund looks somebody up.
func recordOf(edits ...func(*auditv1.Record)) *auditv1.Record {
	now := clock.System().Now()
	r := &auditv1.Record{
		EventId: ids.NewEventID(), StartedAt: timestamppb.New(now.Add(-3 * time.Millisecond)), EndedAt: timestamppb.New(now),
		Writer:       &auditv1.Writer{Service: "identity", Version: "test", Instance: "identity-1"},
		Actor:        &auditv1.Actor{Kind: auditv1.ActorKind_ACTOR_KIND_HUMAN, Workload: "spiffe://samvirke.example/org/DK/10000009/caseworker", Organisation: fund, Employee: "emp-7"},
		ControllerId: fund, SubjectRef: "k00000001.AAAAAAAAAAAAAAAAAAAAAAAAAAA", SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_HIGH,
		Rpc: "samvirke.identity.v1.IdentityService/GetPostalAddress", Operation: vocabularyv1.Operation_OPERATION_RETRIEVE, Fields: []string{"address.city"},
		Purpose: vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§90b",
		CaseReference: "case-1", Agreement: &auditv1.AgreementRef{Id: "dk-10000009", Version: 1, Digest: make([]byte, 32)},
		Recipient: &auditv1.Recipient{Id: fund, Role: vocabularyv1.Role_ROLE_FUND}, Decision: auditv1.Decision_DECISION_ALLOW,
		Source: vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, TraceId: []byte("0123456789abcdef"), SpanId: []byte("12345678"), ResultCount: 1,
		RequestDigest: make([]byte, 32), ResponseDigest: make([]byte, 32), DigestKey: make([]byte, 16), RetentionClass: "RET-13",
	}
	for _, e := range edits {
		e(r)
	}
	return r
}

// ship sends records as the named service and returns the answer.
func (w *world) ship(service string, records ...*auditv1.Record) (*auditv1.ShipResponse, error) {
	w.t.Helper()
	req := &auditv1.ShipRequest{}
	for _, r := range records {
		raw, err := proto.Marshal(r)
		must(w.t, err)
		req.Records = append(req.Records, raw)
	}
	return w.shipRaw(service, req)
}

func (w *world) shipRaw(service string, req *auditv1.ShipRequest) (*auditv1.ShipResponse, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	stream, err := auditv1.NewIngestServiceClient(w.Dial(w.CA.Service(service))).Ship(ctx)
	must(w.t, err)
	if err := stream.Send(req); err != nil {
		w.t.Log(err) // Recv tells why
	}
	return stream.Recv()
}

// kept ships records as the identity service.
func (w *world) kept(records ...*auditv1.Record) {
	w.t.Helper()
	_, err := w.ship("identity", records...)
	must(w.t, err)
}

// as connects an organisation.
func (w *world) as(org string) *grpc.ClientConn {
	w.t.Helper()
	country, number, _ := strings.Cut(org, ":")
	return w.Dial(w.CA.Organisation(country, number, "caseworker"))
}

// contextFor is why an organisation asks.
func contextFor(controller, employee string) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: controller, Purpose: vocabularyv1.Purpose_PURPOSE_AUDIT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "DK:GDPR-5-2", CaseReference: "audit-2026", ActorId: employee,
	}
}

func reasonOf(err error) string { return errs.Name(errs.ReasonOf(err)) }

// receipt fetches a receipt as an organisation.
func (w *world) receipt(org, controller, event string) (*auditv1.Receipt, error) {
	w.t.Helper()
	out, err := auditv1.NewLedgerServiceClient(w.as(org)).GetReceipt(w.t.Context(), &auditv1.GetReceiptRequest{Context: contextFor(controller, ""), EventId: event})
	return out.GetReceipt(), err
}

// signedBy signs a statement about the present shard's log.
func signedBy(t testing.TB, signer *ledger.LocalSigner, root []byte, size uint64) []byte {
	t.Helper()
	name := proofs.Origin(origin, core.ShardOf(clock.System().Now()))
	out, err := note.Sign(&note.Note{Text: string(log.Checkpoint{Origin: name, Size: size, Hash: root}.Marshal())}, signer.For(name))
	must(t, err)
	return out
}
