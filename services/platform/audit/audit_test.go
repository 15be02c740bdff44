package audit_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/chassis"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/keys"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a recorder over a database.
type bench struct {
	*audit.Recorder

	db     *sqlkit.DB
	ring   *keys.Ring
	reader *audit.Reader
	clock  *clock.Fake
}

func started() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T, db *sqlkit.DB) *bench {
	t.Helper()
	fake := clock.NewFake(started())
	must(t, chassis.MigratePlatform(t.Context(), db))
	ring, err := keys.Open(t.Context(), keys.Config{
		Store: keys.NewSQLStore(db, fake.Now), Wrap: suitetest.NewLocalWrap().Wrap, MaxAge: time.Hour, RefreshEvery: time.Minute, Now: fake.Now,
	}, chassis.PlatformKeysets("test")...)
	must(t, err)
	recorder, reader, err := chassis.NewRecorder(t.Context(), db, ring, fake, &auditv1.Writer{Service: "test", Version: "1", Instance: "a"})
	must(t, err)
	t.Cleanup(func() {
		if err := errors.Join(recorder.Close(context.WithoutCancel(t.Context())), ring.Close()); err != nil {
			t.Error(err)
		}
	})
	return &bench{recorder, db, ring, reader, fake}
}

func memory(t *testing.T) *bench {
	t.Helper()
	return open(t, sqltest.Open(t, sqltest.MemoryConfig(t)))
}

func caller(t *testing.T, uri string) workload.ID {
	t.Helper()
	id, err := workload.Parse(uri)
	must(t, err)
	return id
}

// full is an entry in which everything is set that a call can set.
func full(t *testing.T) *audit.Entry {
	t.Helper()
	return &audit.Entry{
		EventID: "event-1", RPC: "samvirke.identity.v1.IdentityService/GetPostalAddress", Started: started(),
		Method: &authz.Method{Rule: &optionsv1.MethodRule{Operation: vocabularyv1.Operation_OPERATION_RETRIEVE}},
		Caller: caller(t, "spiffe://samvirke.example/org/DK/10000009/caseworker"),
		Trace:  audit.Trace{ID: [16]byte{1}, Span: [8]byte{2}, Parent: [8]byte{3}},
		Decision: &authz.Decision{
			Organisation: "DK:10000009", Controller: "DK:20000018", Role: vocabularyv1.Role_ROLE_FUND, Transfer: "A46-2-c",
			Agreement: &auditv1.AgreementRef{Id: "fund", Version: 3, Digest: []byte{9}},
			Context: &commonv1.RequestContext{
				ControllerId: "DK:20000018", Purpose: vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
				SpecialBasis: vocabularyv1.SpecialBasis_SPECIAL_BASIS_A9_2_A, LegalReference: "DK:ALF§90b", CaseReference: "case-1", ActorId: "emp-7",
			},
		},
		Request: &identityv1.GetPostalAddressRequest{Handle: "h"}, Response: &identityv1.GetPostalAddressResponse{},
		Fields: []string{"address.city"}, Count: 1,
	}
}

// Each field of domain C.3 that the record has stands in it as the call said; those that this entry can't have are named.
//
// covers: SEC-04 SEC-07
func TestRecordHoldsEverything(t *testing.T) {
	t.Parallel()
	b := memory(t)
	e := full(t)
	ctx := audit.With(t.Context(), e)
	retrieved := started().Add(-24 * time.Hour)
	audit.Subject(ctx, "DK:7403851013", true)
	audit.Source(ctx, vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, retrieved)
	b.clock.Advance(time.Second)
	must(t, b.CloseRead(ctx, e))
	if !e.Written() {
		t.Error("the entry does not know that it was written")
	}
	records, err := b.reader.Get(t.Context(), "event-1")
	must(t, err)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	got := records[0]
	want := &auditv1.Record{
		EventId: "event-1", StartedAt: timestamppb.New(started()), EndedAt: timestamppb.New(started().Add(time.Second)),
		Writer: &auditv1.Writer{Service: "test", Version: "1", Instance: "a"},
		Actor: &auditv1.Actor{
			Kind: auditv1.ActorKind_ACTOR_KIND_HUMAN, Workload: "spiffe://samvirke.example/org/DK/10000009/caseworker", Organisation: "DK:10000009", Employee: "emp-7",
		},
		ControllerId: "DK:20000018", SubjectRef: got.GetSubjectRef(), SubjectClass: auditv1.SubjectClass_SUBJECT_CLASS_HIGH,
		Rpc: "samvirke.identity.v1.IdentityService/GetPostalAddress", Operation: vocabularyv1.Operation_OPERATION_RETRIEVE, Fields: []string{"address.city"},
		Purpose: vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		SpecialBasis: vocabularyv1.SpecialBasis_SPECIAL_BASIS_A9_2_A, LegalReference: "DK:ALF§90b", CaseReference: "case-1",
		Agreement: &auditv1.AgreementRef{Id: "fund", Version: 3, Digest: []byte{9}},
		Recipient: &auditv1.Recipient{Id: "DK:10000009", Role: vocabularyv1.Role_ROLE_FUND, TransferBasis: "A46-2-c"},
		Decision:  auditv1.Decision_DECISION_ALLOW, Source: vocabularyv1.Source_SOURCE_PUBLIC_REGISTER, RetrievedAt: timestamppb.New(retrieved),
		TraceId: e.Trace.ID[:], SpanId: e.Trace.Span[:], ParentSpanId: e.Trace.Parent[:], ResultCount: 1,
		RequestDigest: got.GetRequestDigest(), ResponseDigest: got.GetResponseDigest(), DigestKey: got.GetDigestKey(), RetentionClass: "RET-13",
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if !bytes.Equal(got.GetRequestDigest(), digestOf(t, got, e.Request)) || !bytes.Equal(got.GetResponseDigest(), digestOf(t, got, e.Response)) {
		t.Errorf("digests %x and %x", got.GetRequestDigest(), got.GetResponseDigest())
	}
	if got.GetSubjectRef() == "" || strings.Contains(got.GetSubjectRef(), "7403851013") {
		t.Errorf("subject %q", got.GetSubjectRef())
	}
	checkUnset(t, got, "approver_id", "reasons", "status_code", "item", "rule_decision")
}

// digestOf makes the digest of a body as whoever kept it does.
func digestOf(t *testing.T, r *auditv1.Record, body proto.Message) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(body)
	must(t, err)
	if len(r.GetDigestKey()) != 16 {
		t.Fatalf("digest key of %d bytes", len(r.GetDigestKey()))
	}
	mac := hmac.New(sha256.New, r.GetDigestKey())
	mac.Write(raw)
	return mac.Sum(nil)
}

// checkUnset fails when a field of the schema is neither set in the record nor known to be unset: a new field is then forgotten.
func checkUnset(t *testing.T, r *auditv1.Record, known ...string) {
	t.Helper()
	fields := r.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if r.ProtoReflect().Has(fd) == slices.Contains(known, string(fd.Name())) {
			t.Errorf("field %s: set is %v", fd.Name(), r.ProtoReflect().Has(fd))
		}
	}
}

// One person has one pseudonym in the audit, and nobody else has it; two records of the same body can't be told by their digests.
//
// covers: SEC-04
func TestPseudonymsAreStableAndDigestsAreNot(t *testing.T) {
	t.Parallel()
	b := memory(t)
	refs, digests := map[string]string{}, map[string]int{}
	for i, person := range []string{"DK:1", "DK:2", "DK:1"} {
		e := full(t)
		e.EventID = fmt.Sprintf("event-%d", i)
		e.Request = &identityv1.GetPostalAddressRequest{Handle: person}
		audit.Subject(audit.With(t.Context(), e), person, false)
		must(t, b.CloseRead(t.Context(), e))
		records, err := b.reader.Get(t.Context(), e.EventID)
		must(t, err)
		if first, ok := refs[person]; ok && first != records[0].GetSubjectRef() {
			t.Error("one person, two pseudonyms")
		}
		refs[person] = records[0].GetSubjectRef()
		digests[string(records[0].GetRequestDigest())]++
	}
	if refs["DK:1"] == refs["DK:2"] || len(digests) != 3 {
		t.Errorf("pseudonyms %v, %d digests", refs, len(digests))
	}
}

func TestActors(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for name, tc := range map[string]struct {
		edit     func(*audit.Entry)
		kind     auditv1.ActorKind
		employee string
		decision auditv1.Decision
	}{
		"employee": {func(*audit.Entry) {}, auditv1.ActorKind_ACTOR_KIND_HUMAN, "emp-7", auditv1.Decision_DECISION_ALLOW},
		"system":   {func(e *audit.Entry) { e.Decision.Context.ActorId = "" }, auditv1.ActorKind_ACTOR_KIND_SYSTEM, "", auditv1.Decision_DECISION_ALLOW},
		"own service": {func(e *audit.Entry) {
			e.Caller = caller(t, "spiffe://samvirke.example/svc/transfer")
			e.Decision.Context = nil
		}, auditv1.ActorKind_ACTOR_KIND_SERVICE, "", auditv1.Decision_DECISION_ALLOW},
		"nobody": {func(e *audit.Entry) { e.Caller, e.Decision = workload.ID{}, nil }, auditv1.ActorKind_ACTOR_KIND_UNSPECIFIED, "", auditv1.Decision_DECISION_UNSPECIFIED},
		"refused": {func(e *audit.Entry) { e.Decision.Reasons = []commonv1.Reason{commonv1.Reason_REASON_PURPOSE_MISSING} },
			auditv1.ActorKind_ACTOR_KIND_HUMAN, "emp-7", auditv1.Decision_DECISION_DENY},
	} {
		e := full(t)
		e.EventID = name
		tc.edit(e)
		must(t, b.CloseRead(t.Context(), e))
		records, err := b.reader.Get(t.Context(), name)
		must(t, err)
		r := records[0]
		if r.GetActor().GetKind() != tc.kind || r.GetActor().GetEmployee() != tc.employee || r.GetDecision() != tc.decision {
			t.Errorf("%s: %v, %v", name, r.GetActor(), r.GetDecision())
		}
		if r.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_UNSPECIFIED || r.GetSubjectRef() != "" {
			t.Errorf("%s: nothing was said about a person, but the record says %v", name, r.GetSubjectClass())
		}
	}
}

// What a refused call put into a reference by mistake does not reach the record; what may stand there does, up to the schema's limit
// in characters.
//
// covers: SEC-06
func TestFreeText(t *testing.T) {
	t.Parallel()
	b := memory(t)
	for i, tc := range []struct {
		text string
		kept bool
	}{
		{"case-1", true}, {"DK:ALF§46", true}, {"DK:" + strings.Repeat("Å", 61), true}, {"DK:" + strings.Repeat("Å", 62), false},
		{"198503149802", false}, {"case 850314-9802", false}, {"7403851013", false}, {"someone@example.org", false}, {"\xff\xfe", false},
		{strings.Repeat("x", 65), false},
	} {
		e := full(t)
		e.EventID = fmt.Sprintf("event-%d", i)
		c := e.Decision.Context
		c.LegalReference, c.CaseReference, c.ActorId, c.ControllerId = tc.text, tc.text, tc.text, tc.text
		e.Request = nil
		must(t, b.CloseRead(t.Context(), e))
		records, err := b.reader.Get(t.Context(), e.EventID)
		must(t, err)
		want := ""
		if tc.kept {
			want = tc.text
		}
		r := records[0]
		for _, got := range []string{r.GetLegalReference(), r.GetCaseReference(), r.GetActor().GetEmployee(), r.GetControllerId()} {
			if got != want {
				t.Errorf("%q became %q", tc.text, got)
			}
		}
	}
}

// Each person of a batch has a record of its own, numbered from 1, with what was noted about that person alone.
func TestBatch(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		const persons = 150 // more than one statement of the database takes at once
		e := full(t)
		ctx := audit.With(t.Context(), e)
		for i := range persons {
			item := audit.WithItem(ctx, i)
			if i == 5 {
				continue // a number that could not be looked at: nothing is known of the person
			}
			audit.Subject(item, fmt.Sprintf("DK:%d", i), i%3 == 0)
			audit.Source(item, vocabularyv1.Source_SOURCE_MEMBER, started())
			if audit.From(item) != e {
				t.Fatal("an item lost its entry")
			}
		}
		must(t, b.CloseRead(ctx, e))
		records, err := b.reader.Get(t.Context(), e.EventID)
		must(t, err)
		if len(records) != persons {
			t.Fatalf("%d records", len(records))
		}
		seen := map[string]bool{}
		for i, r := range records {
			want := auditv1.SubjectClass_SUBJECT_CLASS_NORMAL
			switch {
			case i == 5:
				want = auditv1.SubjectClass_SUBJECT_CLASS_UNSPECIFIED
			case i%3 == 0:
				want = auditv1.SubjectClass_SUBJECT_CLASS_HIGH
			}
			if int(r.GetItem()) != i+1 || r.GetSubjectClass() != want || seen[r.GetSubjectRef()] || (r.GetSource() == 0) != (i == 5) {
				t.Errorf("record %d: item %d, %v, %q", i, r.GetItem(), r.GetSubjectClass(), r.GetSubjectRef())
			}
			seen[r.GetSubjectRef()] = true
		}
	})
}

// Outside of a call, notes go nowhere and harm nothing.
func TestNotesOutsideOfACall(t *testing.T) {
	t.Parallel()
	audit.Subject(t.Context(), "DK:1", true)
	audit.Source(t.Context(), vocabularyv1.Source_SOURCE_MEMBER, started())
	audit.Subject(audit.WithItem(t.Context(), 3), "DK:1", true)
	if id, protected := audit.From(t.Context()).About(); id != "" || protected {
		t.Error("a note outside of a call was kept")
	}
}

// Many calls at once: every acknowledged entry is there once, on every database, also when the callers have gone away.
//
// covers: SEC-07
func TestConcurrentReads(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		const calls, each = 16, 25
		var running sync.WaitGroup
		for i := range calls {
			running.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // the caller has gone; the record is written all the same
				for j := range each {
					e := &audit.Entry{EventID: fmt.Sprintf("event-%d-%d", i, j), RPC: "x", Started: started()}
					if err := b.CloseRead(ctx, e); err != nil || !e.Written() {
						t.Errorf("%s: %v", e.EventID, err)
					}
				}
			})
		}
		running.Wait()
		seen := map[string]int{}
		for _, r := range all(t, b.reader, 37) {
			seen[r.GetEventId()]++
		}
		if len(seen) != calls*each {
			t.Errorf("%d events, want %d", len(seen), calls*each)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s stands there %d times", id, n)
			}
		}
	})
}

// all pages through the records.
func all(t *testing.T, reader *audit.Reader, limit int) (out []*auditv1.Record) {
	t.Helper()
	var position int64
	for {
		records, next, err := reader.After(t.Context(), position, limit)
		must(t, err)
		if len(records) == 0 {
			if next != position {
				t.Errorf("the position moved from %d to %d without a record", position, next)
			}
			return out
		}
		if next <= position {
			t.Fatalf("position %d after %d", next, position)
		}
		out, position = append(out, records...), next
	}
}

// Paging neither loses nor repeats a person.
func TestPaging(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		var want []string
		for i := range 4 {
			e := &audit.Entry{EventID: fmt.Sprintf("event-%d", i), RPC: "x", Started: started()}
			for j := range 3 {
				audit.WithItem(audit.With(t.Context(), e), j)
				want = append(want, fmt.Sprintf("event-%d %d", i, j+1))
			}
			must(t, b.CloseRead(t.Context(), e))
		}
		for _, limit := range []int{1, 2, 5, 12, 100} {
			var got []string
			for _, r := range all(t, b.reader, limit) {
				got = append(got, fmt.Sprintf("%s %d", r.GetEventId(), r.GetItem()))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d at a time: %v", limit, got)
			}
		}
		if _, err := b.reader.Get(t.Context(), "nothing"); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("no such event: %v", err)
		}
	})
}

// A change and its record stand or fall together.
//
// covers: SEC-07
func TestChange(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		b := open(t, db)
		_, err := db.Exec(t.Context(), "CREATE TABLE thing (n BIGINT)")
		must(t, err)
		refused := errors.New("refused at the last moment")
		change := func(id string, outcome error) (*audit.Entry, error) {
			e := full(t)
			e.EventID = id
			return e, db.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := db.Exec(ctx, "INSERT INTO thing (n) VALUES (1)"); err != nil {
					return err
				}
				if err := b.CloseChange(ctx, e); err != nil {
					return err
				}
				return outcome
			})
		}
		things := func() (n int) {
			must(t, db.QueryRow(t.Context(), "SELECT count(*) FROM thing").Scan(&n))
			return n
		}
		e, err := change("undone", refused)
		if !errors.Is(err, refused) || things() != 0 || e.Written() {
			t.Errorf("%v, %d things, written %v", err, things(), e.Written())
		}
		if _, err := b.reader.Get(t.Context(), "undone"); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("the record of an undone change: %v", err)
		}
		e, err = change("done", nil)
		if err != nil || things() != 1 || e.Written() {
			t.Errorf("%v, %d things; only its owner can say that the entry is written", err, things())
		}
		if e.MarkWritten(); !e.Written() {
			t.Error("not marked")
		}
		if records, err := b.reader.Get(t.Context(), "done"); err != nil || len(records) != 1 {
			t.Errorf("%v, %v", records, err)
		}
	})
}

// An entry that can't be written is not acknowledged.
//
// covers: SEC-07
func TestFailures(t *testing.T) {
	t.Parallel()
	b := memory(t)
	must(t, b.CloseRead(t.Context(), full(t)))
	b.clock.Advance(2 * time.Hour) // the keys are too old
	late := full(t)
	late.EventID = "late"
	if err := b.CloseRead(t.Context(), late); !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, keys.ErrExpired) || late.Written() {
		t.Errorf("without keys: %v", err)
	}
	must(t, b.ring.Refresh(t.Context()))
	must(t, b.CloseRead(t.Context(), late))
	must(t, b.Close(t.Context()))
	closed := full(t)
	closed.EventID = "closed"
	if err := b.CloseRead(t.Context(), closed); !errors.Is(err, audit.ErrUnavailable) || closed.Written() {
		t.Errorf("closed: %v", err)
	}
}

// Whoever changes a byte of records at rest is found out when they are read, and what was sealed for another place can't be put there.
//
// covers: SEC-03
func TestTamperedRecords(t *testing.T) {
	t.Parallel()
	b := memory(t)
	must(t, b.CloseRead(t.Context(), full(t)))
	var sealed []byte
	must(t, b.db.QueryRow(t.Context(), "SELECT sealed FROM audit_outbox").Scan(&sealed))
	put := func(bytes []byte) {
		t.Helper()
		_, err := b.db.Exec(t.Context(), "UPDATE audit_outbox SET sealed = $1", bytes)
		must(t, err)
	}
	for _, at := range []int{0, 1, 5, len(sealed) / 2, len(sealed) - 1} {
		bent := slices.Clone(sealed)
		bent[at] ^= 1
		put(bent)
		if records, err := b.reader.Get(t.Context(), "event-1"); err == nil || len(records) > 0 || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("byte %d changed: %v, %v", at, records, err)
		}
		if _, _, err := b.reader.After(t.Context(), 0, 10); err == nil {
			t.Errorf("byte %d changed: paging did not notice", at)
		}
	}
	put(sealed[:len(sealed)-1])
	if _, err := b.reader.Get(t.Context(), "event-1"); err == nil {
		t.Error("a cut record was read")
	}
	seal, err := b.ring.AEAD("audit.seal")
	must(t, err)
	elsewhere, err := seal.Encrypt([]byte("x"), []byte("another table"))
	must(t, err)
	put(elsewhere)
	if _, err := b.reader.Get(t.Context(), "event-1"); !errors.Is(err, keys.ErrDecrypt) {
		t.Errorf("what was sealed for another place: %v", err)
	}
	put(sealed)
	if _, err := b.reader.Get(t.Context(), "event-1"); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// At rest nothing of a record can be read.
//
// covers: SEC-03
func TestRecordsRestSealed(t *testing.T) {
	t.Parallel()
	b := memory(t)
	e := full(t)
	audit.Subject(audit.With(t.Context(), e), "DK:7403851013", false)
	must(t, b.CloseRead(t.Context(), e))
	var sealed []byte
	must(t, b.db.QueryRow(t.Context(), "SELECT sealed FROM audit_outbox").Scan(&sealed))
	for _, text := range []string{"DK:10000009", "case-1", "emp-7", "7403851013", "address.city", "GetPostalAddress"} {
		if strings.Contains(string(sealed), text) {
			t.Errorf("%q can be read", text)
		}
	}
}

// The record's schema holds no field for a value of a person: names of fields, digests and pseudonyms only.
func TestSchemaHoldsNoValues(t *testing.T) {
	t.Parallel()
	fields := (&auditv1.Record{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		class := authz.ClassOf(fields.Get(i))
		if class == vocabularyv1.DataClass_DATA_CLASS_NATIONAL_ID || class == vocabularyv1.DataClass_DATA_CLASS_SECRET || class == vocabularyv1.DataClass_DATA_CLASS_ORDINARY {
			t.Errorf("field %s is of class %v", fields.Get(i).Name(), class)
		}
	}
}
