package api

import (
	"context"
	"time"

	"google.golang.org/grpc"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// Limits of SearchMembers.
const (
	searchDefault = 20
	searchMax     = 50
)

// SearchMembers finds members of the caller's own base.
func (s *Server) SearchMembers(ctx context.Context, in *identityv1.SearchMembersRequest) (*identityv1.SearchMembersResponse, error) {
	limit, err := page.Limits{Default: searchDefault, Max: searchMax}.Size(in.GetPageSize())
	if err != nil {
		return nil, err
	}
	birth := fromDate(in.GetBirthDate())
	if !birth.IsZero() && !birth.Valid() {
		return nil, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field("birth_date", "is no day of the calendar"))
	}
	search := core.Search{Name: in.GetName(), Birth: birth, Phone: in.GetPhoneNumber()}
	handles, more, err := s.deps.UseCases.SearchMembers(ctx, s.deps.Caller(ctx), search, limit)
	if err != nil {
		return nil, failure(err, "")
	}
	return &identityv1.SearchMembersResponse{Handles: handles, More: more}, nil
}

// OpenAddressSubscription follows a member's address.
func (s *Server) OpenAddressSubscription(
	ctx context.Context, in *identityv1.OpenAddressSubscriptionRequest,
) (*identityv1.OpenAddressSubscriptionResponse, error) {
	from := fromDate(in.GetEffectiveFrom())
	if !from.Valid() {
		return nil, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field("effective_from", "is no day of the calendar"))
	}
	opened, err := s.deps.UseCases.OpenSubscription(ctx, s.deps.Caller(ctx), core.Opening{
		Handle: in.GetHandle(), Reference: in.GetMembershipReference(), From: from, Phones: in.GetPhoneNumbers(),
	})
	if err != nil {
		return nil, failure(err, "effective_from")
	}
	return &identityv1.OpenAddressSubscriptionResponse{OpenedOn: toDate(opened)}, nil
}

// CloseAddressSubscription follows it no longer.
func (s *Server) CloseAddressSubscription(
	ctx context.Context, in *identityv1.CloseAddressSubscriptionRequest,
) (*identityv1.CloseAddressSubscriptionResponse, error) {
	last := fromDate(in.GetLastDay())
	if !last.Valid() {
		return nil, errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field("last_day", "is no day of the calendar"))
	}
	closed, err := s.deps.UseCases.CloseSubscription(ctx, s.deps.Caller(ctx), core.Closing{
		Handle: in.GetHandle(), Reference: in.GetMembershipReference(), LastDay: last,
	})
	if err != nil {
		return nil, failure(err, handleField)
	}
	return &identityv1.CloseAddressSubscriptionResponse{LastDay: toDate(closed)}, nil
}

// StreamAddressChanges tells changes as they happen.
func (s *Server) StreamAddressChanges(
	in *identityv1.StreamAddressChangesRequest, stream grpc.ServerStreamingServer[identityv1.StreamAddressChangesResponse],
) error {
	f := &feed{server: s}
	return rpc.Feed(in, stream, f.next, f.wait)
}

// feed is one stream under way.
type feed struct {
	server *Server
	caller core.Caller
	begun  bool
	at     int64
}

// next returns the changes after the position that was told last.
func (f *feed) next(ctx context.Context, in *identityv1.StreamAddressChangesRequest) (*identityv1.StreamAddressChangesResponse, error) {
	f.caller = f.server.deps.Caller(ctx)
	// Two controllers have feeds of their own, so a token is of one of them.
	bound := page.Binding{
		Organisation: f.caller.Organisation, Method: identityv1.IdentityService_StreamAddressChanges_FullMethodName,
		Filter: page.Filter([]byte(f.caller.Controller)),
	}
	if !f.begun {
		position, _, err := f.server.deps.Tokens.Key(bound, in.GetResumeToken())
		if err != nil {
			return nil, errs.New(commonv1.Reason_REASON_PAGE_TOKEN_INVALID, errs.Cause(err),
				errs.Field("resume_token", "must be a token of this feed, unchanged and not too old; begin again without one"))
		}
		f.at, f.begun = position.Seq, true
	}
	changes, last, err := f.server.deps.UseCases.Changes(ctx, f.caller, f.at, f.server.deps.Item)
	if err != nil {
		return nil, failure(err, "")
	}
	token, err := f.server.deps.Tokens.Token(bound, Position{Seq: last})
	if err != nil {
		return nil, failure(err, "")
	}
	f.at = last
	return &identityv1.StreamAddressChangesResponse{
		Changes: toChanges(changes), ResumeToken: token, EventId: f.server.deps.EventID(ctx),
	}, nil
}

// wait returns when there is more to tell.
func (f *feed) wait(ctx context.Context) error {
	tick := time.NewTicker(f.server.deps.Poll)
	defer tick.Stop()
	for {
		more, err := f.server.deps.UseCases.Waiting(ctx, f.caller, f.at)
		if err != nil {
			return failure(err, "")
		}
		if more {
			return nil
		}
		select {
		case <-ctx.Done():
			return errs.New(commonv1.Reason_REASON_CANCELLED, errs.Cause(ctx.Err()))
		case <-tick.C:
		}
	}
}

func toChanges(in []core.ChangeAnswer) []*identityv1.AddressChange {
	out := make([]*identityv1.AddressChange, len(in))
	for i, c := range in {
		address := toAddressResponse(core.AddressAnswer{Addressee: c.Addressee, Address: c.Address})
		out[i] = &identityv1.AddressChange{
			Handle: c.Handle, Kind: identityv1.AddressChangeKind(c.Kind), Address: address.GetAddress(), ValidFrom: address.GetValidFrom(),
			Source: SourceOf(c.Source), RegisterTime: toTime(c.RegisterTime),
		}
		if !c.RegisterTime.IsZero() {
			out[i].Protection = toLevel(c.Protection)
		}
	}
	return out
}
