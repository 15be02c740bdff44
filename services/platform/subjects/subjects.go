// Package subjects lets the audit service find one person's records among those of all services, without any key of theirs: each service says
// under which pseudonyms its own records know the person behind a handle. See the schema, samvirke/audit/v1/subject.proto, for why.
package subjects

import (
	"context"
	"fmt"
	"sync/atomic"

	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/keys"
)

// Noted returns the ids under which a service's use cases note the person in records (audit.Subject), for a controller's handle. None
// means that the service doesn't know the person.
type Noted func(ctx context.Context, controller, handle string) ([]string, error)

// Server answers for one service.
type Server struct {
	auditv1.UnimplementedSubjectServiceServer

	refs  *keys.PRF
	asker string
	noted atomic.Pointer[Noted]
}

// New returns the server over the key of the service's audit pseudonyms. asker is the name of the service that alone may ask.
func New(refs *keys.PRF, asker string) *Server {
	s := &Server{refs: refs, asker: asker}
	s.Note(func(_ context.Context, _, handle string) ([]string, error) { return []string{handle}, nil })
	return s
}

// Note replaces how persons are noted; without it the handle itself is what is noted.
func (s *Server) Note(how Noted) { s.noted.Store(&how) }

// FindSubject implements auditv1.SubjectServiceServer.
func (s *Server) FindSubject(ctx context.Context, r *auditv1.FindSubjectRequest) (*auditv1.FindSubjectResponse, error) {
	if e := audit.From(ctx); e.Caller.Kind() != workload.KindService || e.Caller.Name() != s.asker || !e.Via.IsZero() {
		return nil, errs.New(commonv1.Reason_REASON_ROLE_NOT_ALLOWED)
	}
	ids, err := (*s.noted.Load())(ctx, r.GetContext().GetControllerId(), r.GetHandle())
	if err != nil {
		return nil, fmt.Errorf("subjects: %w", err)
	}
	out := &auditv1.FindSubjectResponse{}
	for i, id := range ids {
		if i == 0 {
			audit.Subject(ctx, id, false) // the asking is itself a use that the person is shown
		}
		refs, err := s.refs.All(id)
		if err != nil {
			return nil, fmt.Errorf("subjects: %w", err)
		}
		out.SubjectRefs = append(out.SubjectRefs, refs...)
	}
	return out, nil
}
