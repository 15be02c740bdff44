package console_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/console"
	"samvirke.dev/services/audit/internal/ledger"
	"samvirke.dev/services/audit/internal/proofs"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/audit/internal/store/storetest"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "one-time-token-of-the-tests-0123456789"

// now is the time of these tests.
func now() time.Time { return storetest.Epoch.Add(2 * time.Hour) }

type still struct{}

// Now implements clock.Clock.
func (still) Now() time.Time { return now() }

// world is a console over a real store, with a ledger of its own.
type world struct {
	t       testing.TB
	store   *sqlstore.Store
	console *console.Console
	server  *httptest.Server
	client  *http.Client

	mu       sync.Mutex
	leaves   []store.Row
	tamper   func(*auditv1.Receipt)
	readings []console.Reading
	noteErr  error
	signer   note.Signer
	verifier string
	log      bytes.Buffer
}

func newWorld(t testing.TB, edits ...func(*console.Deps)) *world {
	t.Helper()
	db := sqltest.Open(t, sqltest.FileConfig(t))
	if err := db.Migrate(t.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: sqlstore.New(db)}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	local := ledger.NewLocalSigner("audit.test/ledger", key)
	w.signer, w.verifier = local.For("audit.test/ledger/202611"), local.Keys()[0].String()
	gate, err := console.NewGate(nil, token)
	if err != nil {
		t.Fatal(err)
	}
	deps := console.Deps{
		Records: w.store, Exchange: w.exchange, Receipt: w.receipt, Keys: func() []string { return []string{w.verifier} }, Note: w.note, Names: names, Clock: still{},
		Fleet: fleet, Log: w.state, Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Gate: gate,
	}
	for _, e := range edits {
		e(&deps)
	}
	if w.console, err = console.New(deps); err != nil {
		t.Fatal(err)
	}
	w.console.LookEvery(20 * time.Millisecond)
	w.server = httptest.NewServer(w.console)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.client = &http.Client{Jar: jar, Transport: &http.Transport{}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

func names(id string) string { return map[string]string{"DK:10000001": "Fund <One> & Sons"}[id] }

func fleet() []console.Member {
	return []console.Member{
		{Service: "identity", Instance: "i-1", CertificateExpires: now().Add(8 * time.Hour), KeysExpire: now().Add(50 * time.Minute), LastShipped: now().Add(-time.Second)},
		{Service: "income", Instance: "i-2", CertificateExpires: now().Add(5 * time.Minute), LastShipped: now().Add(-time.Minute)},
	}
}

func (w *world) state(context.Context) (console.Log, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return console.Log{Origin: "audit.test/ledger/202611", Size: uint64(len(w.leaves)), Signed: uint64(len(w.leaves)), SignedAt: now().Add(-3 * time.Second), Checkpoint: "checkpoint"}, nil
}

func (w *world) note(_ context.Context, r console.Reading) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readings = append(w.readings, r)
	return w.noteErr
}

func (w *world) seen(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.readings {
		if r.What == what {
			n++
		}
	}
	return n
}

// parts of the tests' records are kept as they are: the first of them is all that the console is shown.
func parts(row store.Row) ([proofs.Parts]proofs.Part, error) {
	var out [proofs.Parts]proofs.Part
	contents, err := record.Split(row.Sealed)
	for i, c := range contents {
		out[i] = proofs.Part{Salt: bytes.Repeat([]byte{byte(i + 1)}, proofs.SaltSize), Content: c}
	}
	return out, err
}

func (w *world) exchange(_ context.Context, row store.Row) (*auditv1.Record, error) {
	if len(row.Sealed) == 0 {
		return nil, console.ErrErased
	}
	all, err := parts(row)
	if err != nil {
		return nil, err
	}
	return record.Join(&[proofs.Parts]proofs.Part{all[proofs.Exchange]})
}

// add records messages as the ledger would.
func (w *world) add(records ...*auditv1.Record) {
	w.t.Helper()
	var rows []store.Row
	for _, r := range records {
		raw, err := proto.Marshal(r)
		if err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, w.rowOf(r, raw))
	}
	if _, err := w.store.Append(w.t.Context(), storetest.Shard, rows); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaves = append(w.leaves, rows...)
}

func (w *world) rowOf(r *auditv1.Record, raw []byte) store.Row {
	event, err := record.EventID(r.GetEventId())
	if err != nil {
		w.t.Fatal(err)
	}
	out := store.Row{
		Event: event, Item: r.GetItem(), Service: r.GetWriter().GetService(), RPC: r.GetRpc(), Caller: r.GetActor().GetOrganisation(), Owner: r.GetControllerId(),
		Purpose: int32(r.GetPurpose()), Decision: int32(r.GetDecision()), Status: int32(r.GetStatusCode()), Started: r.GetStartedAt().AsTime(),
		Lasted: r.GetEndedAt().AsTime().Sub(r.GetStartedAt().AsTime()), Received: now(), Trace: r.GetTraceId(), Subject: r.GetSubjectRef(), Sealed: raw,
	}
	switch {
	case r.GetDecision() == auditv1.Decision_DECISION_DENY:
		out.Outcome = store.Refused
	case r.GetStatusCode() != 0:
		out.Outcome = store.Failed
	}
	all, err := parts(out)
	if err != nil {
		w.t.Fatal(err)
	}
	out.Leaf = proofs.Leaf(&all)
	return out
}

// receipt makes the proof with the Go project's own transparency-log library.
func (w *world) receipt(_ context.Context, event string, item uint32) (*auditv1.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	index := int64(-1)
	for i, row := range w.leaves {
		hashes, err := tlog.StoredHashes(int64(i), row.Leaf[:], read)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
		if record.EventText(row.Event) == event && row.Item == item {
			index = int64(i)
		}
	}
	if index < 0 {
		return nil, store.ErrNotFound
	}
	n := int64(len(w.leaves))
	proof, err1 := tlog.ProveRecord(n, index, read)
	root, err2 := tlog.TreeHash(n, read)
	all, err3 := parts(w.leaves[index])
	const origin = "audit.test/ledger/202611"
	signed, err4 := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, n, root)}, w.signer)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	out := &auditv1.Receipt{EventId: event, Item: item, Origin: origin, Index: uint64(index), Checkpoint: string(signed)}
	for i, to := range []**auditv1.Part{&out.Exchange, &out.Staff, &out.Subject, &out.Bodies} {
		*to = &auditv1.Part{Salt: all[i].Salt, Content: all[i].Content}
		if i != proofs.Exchange {
			digest := all[i].Commitment(i)
			*to = &auditv1.Part{Digest: digest[:]}
		}
	}
	for _, h := range proof {
		out.Proof = append(out.Proof, h[:])
	}
	if w.tamper != nil {
		w.tamper(out)
	}
	return out, nil
}

// signIn exchanges the token for the cookie.
func (w *world) signIn() {
	w.t.Helper()
	resp, err := w.client.PostForm(w.server.URL+"/sign-in", url.Values{"token": {token}})
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if err := resp.Body.Close(); err != nil || resp.Request.URL.Path != "/" || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("sign-in ended at %s with %d: %v", resp.Request.URL, resp.StatusCode, err)
	}
}

func (w *world) get(path string) (int, string, http.Header) {
	w.t.Helper()
	resp, err := w.client.Get(w.server.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// eventID is the n-th event of these tests.
func eventID(n int) string { return fmt.Sprintf("0199aaaa-0000-7000-8000-%012x", n) }

// call is a record of an ordinary exchange.
func call(n int, edit ...func(*auditv1.Record)) *auditv1.Record {
	began := now().Add(-30*time.Minute + time.Duration(n)*time.Second)
	r := &auditv1.Record{
		EventId: eventID(n), StartedAt: timestamppb.New(began), EndedAt: timestamppb.New(began.Add(8 * time.Millisecond)),
		Writer: &auditv1.Writer{Service: "identity", Version: "1.2.3", Instance: "i-1"},
		Actor: &auditv1.Actor{Kind: auditv1.ActorKind_ACTOR_KIND_HUMAN, Workload: "spiffe://x/org/DK/10000001/caseworker", Organisation: "DK:10000001",
			Employee: "SECRET-employee"},
		ControllerId: "DK:10000001", SubjectRef: "SECRET-subject", SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_HIGH,
		Rpc: "samvirke.identity.v1.IdentityService/VerifyIdentity", Operation: vocabularyv1.Operation_OPERATION_CONSULT, Fields: []string{"verdict"},
		Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§41",
		CaseReference: "case-1", Agreement: &auditv1.AgreementRef{Id: "fund-one", Version: 2, Digest: bytes.Repeat([]byte{7}, 32)},
		Recipient: &auditv1.Recipient{Id: "DK:10000001", Role: vocabularyv1.Role_ROLE_FUND}, Decision: auditv1.Decision_DECISION_ALLOW,
		TraceId: bytes.Repeat([]byte{byte(n)}, 16), SpanId: bytes.Repeat([]byte{1}, 8), ResultCount: 1, RetentionClass: "RET-13",
		RequestDigest: []byte("SECRET-digest"),
	}
	for _, e := range edit {
		e(r)
	}
	return r
}

func refused(r *auditv1.Record) {
	r.Decision, r.StatusCode, r.Fields = auditv1.Decision_DECISION_DENY, 7, nil
	r.Reasons = []commonv1.Reason{commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED, commonv1.Reason_REASON_FIELDS_EXCEED}
}

// chain is one exchange through three services, in one trace.
func chain(n int) []*auditv1.Record {
	part := func(i int, service, rpc string, span, parent byte, from, lasted time.Duration) *auditv1.Record {
		return call(n+i, func(r *auditv1.Record) {
			began := now().Add(-10 * time.Minute).Add(from)
			r.Writer.Service, r.Rpc = service, rpc
			r.StartedAt, r.EndedAt = timestamppb.New(began), timestamppb.New(began.Add(lasted))
			r.TraceId, r.SpanId = bytes.Repeat([]byte{0xaa}, 16), bytes.Repeat([]byte{span}, 8)
			if parent != 0 {
				r.ParentSpanId = bytes.Repeat([]byte{parent}, 8)
			}
		})
	}
	return []*auditv1.Record{
		part(0, "transfer", "samvirke.transfer.v1.TransferService/SendRequest", 1, 0, 0, 40*time.Millisecond),
		part(1, "identity", "samvirke.identity.v1.IdentityService/ResolveSubject", 2, 1, 3*time.Millisecond, 6*time.Millisecond),
		part(2, "income", "samvirke.income.v1.IncomeService/MatchMonth", 3, 1, 12*time.Millisecond, 20*time.Millisecond),
		part(3, "identity", "samvirke.identity.v1.IdentityService/GetPostalAddress", 4, 3, 15*time.Millisecond, 9*time.Millisecond),
	}
}

func lines(s string) string { return strings.Join(strings.Fields(s), " ") }
