// Package api answers the RPCs of samvirke.identity.v1.IdentityService: it translates a request, calls one use case and translates
// back. It decides nothing.
package api

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
)

// UseCases are what the handlers call. *core.Service has them.
type UseCases interface {
	Resolve(ctx context.Context, c core.Caller, raw core.RawNumber) (string, error)
	Verify(ctx context.Context, c core.Caller, claim core.Claim) (core.VerifyAnswer, error)
	PostalAddress(ctx context.Context, c core.Caller, handle string) (core.AddressAnswer, error)
	ProtectionStatus(ctx context.Context, c core.Caller, handle string) (core.StatusAnswer, error)
	ProtectionStatuses(ctx context.Context, c core.Caller, b core.Batch) ([]*core.StatusAnswer, error)
	PostalAddresses(ctx context.Context, c core.Caller, b core.Batch) ([]*core.AddressAnswer, error)
	RecordSecrecyTest(ctx context.Context, c core.Caller, test core.SecrecyTest) (time.Time, error)
	SearchMembers(ctx context.Context, c core.Caller, search core.Search, limit int) (handles []string, more bool, err error)
	OpenSubscription(ctx context.Context, c core.Caller, o core.Opening) (civil.Date, error)
	CloseSubscription(ctx context.Context, c core.Caller, closing core.Closing) (civil.Date, error)
	Changes(ctx context.Context, c core.Caller, after int64, item func(context.Context, int) context.Context) ([]core.ChangeAnswer, int64, error)
	Waiting(ctx context.Context, c core.Caller, after int64) (bool, error)
	Fetch(ctx context.Context, c core.Caller, raw core.RawNumber) context.Context
}

// Deps are what a Server needs. All are required.
type Deps struct {
	UseCases UseCases
	// Caller returns who calls, as authorisation found out.
	Caller func(ctx context.Context) core.Caller
	// Item returns the context in which item i (from 0) of a batch is handled, so that it leaves a record of its own.
	Item func(ctx context.Context, i int) context.Context
	// Workers is how many items of a batch are looked up at the same time: 1 where the database answers, more where registers do.
	Workers int
	// EventID returns the id of the running call's audit records.
	EventID func(ctx context.Context) string
	// Tokens makes and reads the resume tokens of StreamAddressChanges.
	Tokens *page.Codec[Position]
	// Poll is how often a feed looks for changes.
	Poll time.Duration
}

// Position is where a feed goes on.
type Position struct {
	Seq int64 `json:"seq"`
}

// Server implements the service. It is safe for concurrent use.
type Server struct {
	identityv1.UnimplementedIdentityServiceServer

	deps Deps
}

// New returns the server.
func New(d Deps) (*Server, error) {
	if d.UseCases == nil || d.Caller == nil || d.Item == nil || d.EventID == nil || d.Tokens == nil || d.Poll <= 0 || d.Workers < 1 {
		return nil, errors.New("identity: api: use cases, caller, item, event id, tokens, poll and workers are required")
	}
	return &Server{deps: d}, nil
}

// ResolveSubject returns the controller's handle for a national number.
func (s *Server) ResolveSubject(ctx context.Context, in *identityv1.ResolveSubjectRequest) (*identityv1.ResolveSubjectResponse, error) {
	handle, err := s.deps.UseCases.Resolve(ctx, s.deps.Caller(ctx), rawNumber(in.GetNationalId()))
	if err != nil {
		return nil, failure(err, numberField)
	}
	return &identityv1.ResolveSubjectResponse{Handle: handle}, nil
}

// FetchSubject asks the register, where that is needed, for the person whom a ResolveSubjectRequest is about.
func (s *Server) FetchSubject(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*identityv1.ResolveSubjectRequest)
	if !ok {
		return ctx
	}
	return s.deps.UseCases.Fetch(ctx, s.deps.Caller(ctx), rawNumber(in.GetNationalId()))
}

// VerifyIdentity says whether a name or birth date belongs to a number.
func (s *Server) VerifyIdentity(ctx context.Context, in *identityv1.VerifyIdentityRequest) (*identityv1.VerifyIdentityResponse, error) {
	answer, err := s.deps.UseCases.Verify(ctx, s.deps.Caller(ctx), claim(in))
	if err != nil {
		return nil, failure(err, numberField)
	}
	return &identityv1.VerifyIdentityResponse{
		Verdict: toVerdict(answer.Verdict), Source: SourceOf(answer.Source), RegisterTime: toTime(answer.RegisterTime),
	}, nil
}

// GetPostalAddress returns the address behind a handle, narrowed to the fields asked for.
func (s *Server) GetPostalAddress(ctx context.Context, in *identityv1.GetPostalAddressRequest) (*identityv1.GetPostalAddressResponse, error) {
	if err := checkMask(in.GetReadMask()); err != nil {
		return nil, err
	}
	answer, err := s.deps.UseCases.PostalAddress(ctx, s.deps.Caller(ctx), in.GetHandle())
	if err != nil {
		return nil, failure(err, handleField)
	}
	out := toAddressResponse(answer)
	narrow(out, in.GetReadMask())
	return out, nil
}

// GetProtectionStatus returns how the person behind a handle is protected.
func (s *Server) GetProtectionStatus(ctx context.Context, in *identityv1.GetProtectionStatusRequest) (*identityv1.GetProtectionStatusResponse, error) {
	answer, err := s.deps.UseCases.ProtectionStatus(ctx, s.deps.Caller(ctx), in.GetHandle())
	if err != nil {
		return nil, failure(err, handleField)
	}
	return toStatusResponse(answer), nil
}

// BatchVerify answers each message of identities with one of verdicts, each through all the steps of a call.
func (s *Server) BatchVerify(stream grpc.BidiStreamingServer[identityv1.BatchVerifyRequest, identityv1.BatchVerifyResponse]) error {
	return rpc.Each(stream, s.verifyAll)
}

// verifyAll verifies the items of one message. A number that can't be looked at is its item's matter; a fault of ours ends the
// stream.
func (s *Server) verifyAll(ctx context.Context, in *identityv1.BatchVerifyRequest) (*identityv1.BatchVerifyResponse, error) {
	out := &identityv1.BatchVerifyResponse{
		EventId: s.deps.EventID(ctx), Results: make([]*identityv1.BatchResult, len(in.GetItems())),
	}
	items := make([]context.Context, len(in.GetItems()))
	for i := range items { // all of them first: the record grows with each
		items[i] = s.deps.Item(ctx, i)
	}
	if s.deps.Workers == 1 {
		for i, item := range in.GetItems() {
			var err error
			if out.Results[i], err = s.verifyOne(items[i], item); err != nil { //nolint:contextcheck // an item's context is made of ours
				return nil, err
			}
		}
		return out, nil
	}
	var all errgroup.Group
	all.SetLimit(s.deps.Workers)
	for i, item := range in.GetItems() {
		all.Go(func() (err error) { //nolint:contextcheck // an item's context is made of ours
			out.Results[i], err = s.verifyOne(items[i], item)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Server) verifyOne(ctx context.Context, item *identityv1.BatchItem) (*identityv1.BatchResult, error) {
	answer, err := s.deps.UseCases.Verify(ctx, s.deps.Caller(ctx), claim(item))
	reason, ours := itemReason(err)
	switch {
	case ours:
		return nil, failure(err, "items")
	case err != nil:
		return &identityv1.BatchResult{Reason: reason}, nil //nolint:nilerr // the item's own matter
	default:
		return &identityv1.BatchResult{Verdict: toVerdict(answer.Verdict)}, nil
	}
}

var _ identityv1.IdentityServiceServer = (*Server)(nil)
