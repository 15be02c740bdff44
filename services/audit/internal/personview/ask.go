package personview

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"samvirke.dev/certs/workload"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/rpc"
)

// Services asks every service for its pseudonyms of a person. It implements Subjects.
type Services struct {
	// Conns are connections to the services by name, each over mutual TLS to that service and no other.
	Conns map[string]grpc.ClientConnInterface
	// Identity is the name of the one among them that knows national numbers.
	Identity string
	// TrustDomain is our own.
	TrustDomain string
	// Own returns the pseudonyms in the audit service's own records.
	Own func(handle string) ([]string, error)
}

var _ Subjects = (*Services)(nil)

// errUnknown says that identity knows nobody under the number, so that there can be no record.
var errUnknown = errors.New("personview: nobody is known under the number")

// Refs implements Subjects. All services are asked at once; each must answer.
func (s *Services) Refs(ctx context.Context, why *commonv1.RequestContext, person *auditv1.Person) ([]string, error) {
	handle := person.GetHandle()
	if n := person.GetNationalId(); n != nil {
		var err error
		switch handle, err = s.handle(ctx, why, n); {
		case errors.Is(err, errUnknown):
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
	found := make([][]string, len(s.Conns)+1)
	own, err := s.Own(handle)
	if err != nil {
		return nil, err
	}
	found[len(s.Conns)] = own
	group, ctx := errgroup.WithContext(ctx)
	i := 0
	for name, conn := range s.Conns {
		at := i
		i++
		group.Go(func() error {
			r, err := auditv1.NewSubjectServiceClient(conn).FindSubject(ctx, &auditv1.FindSubjectRequest{Context: why, Handle: handle})
			if err != nil {
				return fmt.Errorf("%w: %s: %w", ErrIncomplete, name, err)
			}
			found[at] = r.GetSubjectRefs()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// handle asks identity for the controller's handle, in the controller's name: our own system must stand in its agreement for that.
func (s *Services) handle(ctx context.Context, why *commonv1.RequestContext, n *commonv1.NationalId) (string, error) {
	conn, ok := s.Conns[s.Identity]
	if !ok {
		return "", fmt.Errorf("%w: no address of %s", ErrIncomplete, s.Identity)
	}
	country, number := why.GetControllerId()[:2], why.GetControllerId()[3:] // the schema says so
	as, err := workload.Organisation(s.TrustDomain, country, number, System)
	if err != nil {
		return "", fmt.Errorf("personview: %w", err)
	}
	asked := &commonv1.RequestContext{
		ControllerId: why.GetControllerId(), Purpose: vocabularyv1.Purpose_PURPOSE_IDENTIFICATION, LegalBasis: why.GetLegalBasis(),
		LegalReference: law, CaseReference: why.GetCaseReference(), ActorId: why.GetActorId(),
	}
	r, err := identityv1.NewIdentityServiceClient(conn).ResolveSubject(rpc.WithActingFor(ctx, as),
		&identityv1.ResolveSubjectRequest{Context: asked, NationalId: n})
	switch {
	case isNotFound(err):
		return "", errUnknown
	case err != nil:
		return "", fmt.Errorf("%w: %s: %w", ErrIncomplete, s.Identity, err)
	}
	return r.GetHandle(), nil
}

func isNotFound(err error) bool { return status.Code(err) == codes.NotFound }

// System is the audit service's name as a controller's system: agreements that let it turn numbers into handles admit it.
const System = "audit"

// law on which a number is turned into a handle when the person asks for access.
const law = "EU:GDPR:15"
