package rpc_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/sqlkit"
	"samvirke.dev/services/platform/sqlkit/sqltest"
	"samvirke.dev/services/platform/suitetest"
)

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

// A change and its record stand or fall together, on every database; a repetition with the same request id changes nothing and
// gets the same answer.
func TestChange(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, db *sqlkit.DB) {
		var fail atomic.Bool
		var runs atomic.Int64
		svc := &service{}
		s := suitetest.Start(t, suitetest.Options{
			DB: db, Agreements: map[string]string{"fund.yaml": fundAgreement},
			Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) { identityv1.RegisterIdentityServiceServer(r, svc) },
		})
		svc.resolve = func(ctx context.Context, _ *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
			audit.Subject(ctx, "DK:7403851013", true)
			n := runs.Add(1)
			if _, err := s.DB.Exec(ctx, "INSERT INTO thing (n) VALUES ($1)", n); err != nil {
				return nil, err
			}
			if fail.Load() {
				return nil, context.DeadlineExceeded
			}
			return &identityv1.ResolveSubjectResponse{Handle: "k1.handle-of-the-first-run"}, nil
		}
		if _, err := s.DB.Exec(t.Context(), "CREATE TABLE thing (n BIGINT)"); err != nil {
			t.Fatal(err)
		}
		_, client := dial(t, s)
		request := &identityv1.ResolveSubjectRequest{Context: why(), NationalId: number(), RequestId: "request-0000000001"}

		fail.Store(true)
		if _, err := client.ResolveSubject(t.Context(), request); err == nil {
			t.Fatal("no error")
		}
		if n := count(t, s.DB, "thing"); n != 0 {
			t.Errorf("%d rows after a failed change", n)
		}
		fail.Store(false)
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				response, err := client.ResolveSubject(t.Context(), request)
				if err != nil || response.GetHandle() != "k1.handle-of-the-first-run" {
					t.Errorf("%v %v", response, err)
				}
			})
		}
		calls.Wait()
		if n := count(t, s.DB, "thing"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		checkRecords(t, s.AllRecords())

		other := &identityv1.ResolveSubjectRequest{Context: why(), NationalId: number(), RequestId: request.GetRequestId()}
		other.NationalId.Value = "7403851021"
		_, err := client.ResolveSubject(t.Context(), other)
		if code, reason, _ := reasonOf(t, err); code != codes.AlreadyExists && code != codes.InvalidArgument && code != codes.FailedPrecondition || reason != "REQUEST_ID_REUSED" {
			t.Errorf("%v %s", code, reason)
		}
	})
}

func checkRecords(t *testing.T, records []*auditv1.Record) {
	t.Helper()
	if len(records) != 9 {
		t.Fatalf("%d records, want 9", len(records))
	}
	for i, r := range records {
		allowed := r.GetStatusCode() == 0
		if allowed == (i == 0) {
			t.Errorf("record %d has status %d", i, r.GetStatusCode())
		}
		// A repetition's record names the person as well, although the use case did not run.
		if r.GetSubjectRef() == "" || r.GetSubjectClass() != auditv1.SubjectClass_SUBJECT_CLASS_HIGH {
			t.Errorf("record %d: subject %q %v", i, r.GetSubjectRef(), r.GetSubjectClass())
		}
	}
}

func count(t *testing.T, db *sqlkit.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
