package personview_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/audit/internal/personview"
	"samvirke.dev/services/audit/internal/record"
	"samvirke.dev/services/audit/internal/store"
	"samvirke.dev/services/audit/internal/store/sqlstore"
	"samvirke.dev/services/platform/sqlkit/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	fund    = "DK:10000009"
	other   = "DK:20000018"
	shard   = 202611
	verify  = "samvirke.identity.v1.IdentityService/VerifyIdentity"
	address = "samvirke.identity.v1.IdentityService/GetPostalAddress"
	ane     = "k00000001.ane" // pseudonyms in records
	bo      = "k00000001.bo"
)

func epoch() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// at is a clock that stands.
type at time.Time

// Now implements clock.Clock.
func (a at) Now() time.Time { return time.Time(a) }

// known are pseudonyms by handle.
type known map[string][]string

// Refs implements personview.Subjects.
func (k known) Refs(_ context.Context, _ *commonv1.RequestContext, p *auditv1.Person) ([]string, error) {
	return k[p.GetHandle()], nil
}

type book struct {
	t     testing.TB
	store *sqlstore.Store
	n     int
}

func newBook(t testing.TB) *book {
	t.Helper()
	db := sqltest.Open(t, sqltest.MemoryConfig(t))
	if err := db.Migrate(t.Context(), sqlstore.Migrations(), sqlstore.Service); err != nil {
		t.Fatal(err)
	}
	return &book{t: t, store: sqlstore.New(db)}
}

// add keeps a record of a use at a time after the epoch.
func (b *book) add(after time.Duration, subject string, edits ...func(*auditv1.Record)) {
	b.t.Helper()
	b.n++
	r := &auditv1.Record{
		EventId: fmt.Sprintf("0199aaaa-0000-7000-8000-%012x", b.n), StartedAt: timestamppb.New(epoch().Add(after)), EndedAt: timestamppb.New(epoch().Add(after + time.Millisecond)),
		Writer: &auditv1.Writer{Service: "identity"}, Actor: &auditv1.Actor{Workload: "spiffe://x/org/DK/10000009/caseworker", Organisation: fund, Employee: "SECRET"},
		ControllerId: fund, SubjectRef: subject, Rpc: verify, Operation: vocabularyv1.Operation_OPERATION_CONSULT, Fields: []string{"verdict"},
		Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C, LegalReference: "DK:ALF§41",
		Recipient: &auditv1.Recipient{Id: fund, Role: vocabularyv1.Role_ROLE_FUND}, Decision: auditv1.Decision_DECISION_ALLOW,
	}
	for _, e := range edits {
		e(r)
	}
	b.keep(r)
}

// keep puts a record into the store as ingest would; what is sealed is left open here.
func (b *book) keep(records ...*auditv1.Record) {
	b.t.Helper()
	var rows []store.Row
	for _, r := range records {
		raw, err := proto.Marshal(r)
		if err != nil {
			b.t.Fatal(err)
		}
		event, err := record.EventID(r.GetEventId())
		if err != nil {
			b.t.Fatal(err)
		}
		rows = append(rows, store.Row{
			Event: event, Item: r.GetItem(), Service: r.GetWriter().GetService(), RPC: r.GetRpc(), Caller: r.GetActor().GetOrganisation(), Owner: r.GetControllerId(),
			Purpose: int32(r.GetPurpose()), Decision: int32(r.GetDecision()), Status: int32(r.GetStatusCode()), Started: r.GetStartedAt().AsTime(),
			Received: r.GetEndedAt().AsTime(), Subject: r.GetSubjectRef(), Sealed: raw,
		})
	}
	if _, err := b.store.Append(b.t.Context(), shard, rows); err != nil {
		b.t.Fatal(err)
	}
}

func exchange(_ context.Context, row store.Row) (*auditv1.Record, error) {
	if len(row.Sealed) == 0 {
		return nil, personview.ErrErased
	}
	out := &auditv1.Record{}
	return out, proto.Unmarshal(row.Sealed, out)
}

func (b *book) view(now time.Time, subjects personview.Subjects, holds ...personview.Hold) *personview.View {
	b.t.Helper()
	v, err := personview.New(personview.Deps{
		Records: b.store, Subjects: subjects, Exchange: exchange, Holds: holds, Period: 60 * 30 * 24 * time.Hour, Clock: at(now),
		Names: func(id string) string { return map[string]string{fund: "Min A-kasse", other: "Den Anden"}[id] },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func why(controller string) *commonv1.RequestContext {
	return &commonv1.RequestContext{
		ControllerId: controller, Purpose: vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT, LegalBasis: vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C,
		LegalReference: "EU:GDPR:15", CaseReference: "rights-1",
	}
}

func handle(h string) *auditv1.Person { return &auditv1.Person{By: &auditv1.Person_Handle{Handle: h}} }

func (b *book) find(v *personview.View, q personview.Question) []personview.Use {
	b.t.Helper()
	if q.Why == nil {
		q.Why = why(fund)
	}
	if q.Person == nil {
		q.Person = handle("ane")
	}
	answer, err := v.Find(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.Uses
}
