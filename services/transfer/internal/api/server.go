// Package api answers the RPCs of samvirke.transfer.v1: it translates a request, calls one use case and translates back. It decides
// nothing.
package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/parcel"
	"samvirke.dev/services/transfer/internal/store"
)

// Deps are what a Server needs. All are required.
type Deps struct {
	Core    *core.Service
	Persons core.Persons
	// Caller returns who calls, Organisation with whose certificate, and EventID the id of the running call's records.
	Caller       func(ctx context.Context) core.Caller
	Organisation func(ctx context.Context) string
	EventID      func(ctx context.Context) string
	// Public returns the public keys of a fund that is served here.
	Public func(fund string) (parcel.Public, bool)
	// Tokens makes and reads page tokens, Poll is how often a watch looks for events.
	Tokens *page.Codec[store.Position]
	Poll   time.Duration
}

// Server implements the three services. It is safe for concurrent use.
type Server struct {
	transferv1.UnimplementedTransferServiceServer
	transferv1.UnimplementedTransferExchangeServiceServer
	transferv1.UnimplementedMembershipServiceServer

	deps Deps
}

var (
	_ transferv1.TransferServiceServer         = (*Server)(nil)
	_ transferv1.TransferExchangeServiceServer = (*Server)(nil)
	_ transferv1.MembershipServiceServer       = (*Server)(nil)
)

// New returns the server.
func New(d Deps) (*Server, error) {
	if d.Core == nil || d.Persons == nil || d.Caller == nil || d.Organisation == nil || d.EventID == nil || d.Public == nil || d.Tokens == nil || d.Poll <= 0 {
		return nil, errors.New("transfer: api: something is missing")
	}
	return &Server{deps: d}, nil
}

// fetched is what was got from outside before the transaction of a change.
type fetched struct {
	handle    string
	protected bool
	part      store.Part
	err       error
}

type fetchedKey struct{}

func take(ctx context.Context) fetched {
	f, ok := ctx.Value(fetchedKey{}).(fetched)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	return f
}

// Fetches returns what each change needs from outside, by the full name of its RPC.
func (s *Server) Fetches() map[string]func(ctx context.Context, request proto.Message) context.Context {
	wrap := func(get func(context.Context, proto.Message) fetched) func(context.Context, proto.Message) context.Context {
		return func(ctx context.Context, request proto.Message) context.Context {
			return context.WithValue(ctx, fetchedKey{}, get(ctx, request))
		}
	}
	return map[string]func(context.Context, proto.Message) context.Context{
		transferv1.TransferService_CreateTransfer_FullMethodName:      wrap(s.fetchHandle),
		transferv1.TransferService_SubmitTransfer_FullMethodName:      wrap(s.fetchNumber),
		transferv1.TransferService_AcknowledgeTransfer_FullMethodName: wrap(s.fetchMember),
		transferv1.TransferService_DeliverPackage_FullMethodName:      wrap(s.fetchPart),
		transferv1.MembershipService_AssessAdmission_FullMethodName:   wrap(s.fetchHandle),
		transferv1.MembershipService_AssessDeletion_FullMethodName:    wrap(s.fetchMembership),
		transferv1.TransferExchangeService_Exchange_FullMethodName:    wrap(s.fetchExchange),
	}
}
