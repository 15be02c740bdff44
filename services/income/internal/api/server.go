// Package api answers the RPCs of samvirke.income.v1.IncomeService: it translates a request, calls one use case and translates back. It
// decides nothing.
package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
)

// Deps are what a Server needs. All are required.
type Deps struct {
	Service *core.Service
	// Caller returns who calls, as authorisation found out.
	Caller func(ctx context.Context) core.Caller
	// Item returns the context in which item i (from 0) of a batch is handled, so that it leaves a record of its own.
	Item func(ctx context.Context, i int) context.Context
	// EventID returns the id of the running call's audit records.
	EventID func(ctx context.Context) string
	// Organisation returns the caller's organisation, to which page tokens are bound.
	Organisation func(ctx context.Context) string
	// Number reads a national number, or refuses it.
	Number func(country, value string) (canonical string, err error)
	// Tokens makes and reads page tokens.
	Tokens *page.Codec[Position]
	Now    func() time.Time
	// Poll is how often a watched run is looked at.
	Poll time.Duration
}

// Position is where a page begins.
type Position struct {
	After string `json:"after"`
	At    int64  `json:"at,omitempty"` // when it was decided, UTC microseconds, where that orders the list
}

// Server implements the service. It is safe for concurrent use.
type Server struct {
	incomev1.UnimplementedIncomeServiceServer

	d Deps
}

// New returns the server.
func New(d Deps) (*Server, error) {
	if d.Service == nil || d.Caller == nil || d.Item == nil || d.EventID == nil || d.Organisation == nil || d.Number == nil || d.Tokens == nil ||
		d.Now == nil || d.Poll <= 0 {
		return nil, errors.New("income: api: all dependencies are required")
	}
	return &Server{d: d}, nil
}

// EnrolMembers keeps the numbers behind handles.
func (s *Server) EnrolMembers(stream grpc.BidiStreamingServer[incomev1.EnrolMembersRequest, incomev1.EnrolMembersResponse]) error {
	return rpc.Each(stream, func(ctx context.Context, in *incomev1.EnrolMembersRequest) (*incomev1.EnrolMembersResponse, error) {
		items, err := s.enrolments(in.GetItems())
		if err != nil {
			return nil, err
		}
		if err := s.d.Service.Enrol(ctx, s.d.Caller(ctx), items, s.d.Item); err != nil {
			return nil, failure(err)
		}
		return &incomev1.EnrolMembersResponse{Enrolled: int32(len(items)), EventId: s.d.EventID(ctx)}, nil //nolint:gosec // at most 100
	})
}

// UploadMonths keeps what the fund knows about months.
func (s *Server) UploadMonths(stream grpc.BidiStreamingServer[incomev1.UploadMonthsRequest, incomev1.UploadMonthsResponse]) error {
	return rpc.Each(stream, func(ctx context.Context, in *incomev1.UploadMonthsRequest) (*incomev1.UploadMonthsResponse, error) {
		month, err := s.past(in.GetMonth())
		if err != nil {
			return nil, err
		}
		items := make([]core.Upload, len(in.GetItems()))
		for i, item := range in.GetItems() {
			items[i] = core.Upload{Handle: facts.Handle(item.GetHandle()), Month: toMonth(item)}
		}
		n, err := s.d.Service.UploadMonths(ctx, s.d.Caller(ctx), month, items, s.d.Item)
		if err != nil {
			return nil, failure(err)
		}
		return &incomev1.UploadMonthsResponse{Stored: int32(len(items)), Rematched: int32(n), EventId: s.d.EventID(ctx)}, nil //nolint:gosec // at most 100
	})
}

// UploadRegisterMonths keeps what a register said about months.
func (s *Server) UploadRegisterMonths(
	stream grpc.BidiStreamingServer[incomev1.UploadRegisterMonthsRequest, incomev1.UploadRegisterMonthsResponse],
) error {
	return rpc.Each(stream, func(ctx context.Context, in *incomev1.UploadRegisterMonthsRequest) (*incomev1.UploadRegisterMonthsResponse, error) {
		month, err := s.past(in.GetMonth())
		if err != nil {
			return nil, err
		}
		items, err := toDeliveries(in.GetItems())
		if err != nil {
			return nil, err
		}
		n, err := s.d.Service.UploadAnswers(ctx, s.d.Caller(ctx), month, items, s.d.Item)
		if err != nil {
			return nil, failure(err)
		}
		return &incomev1.UploadRegisterMonthsResponse{Stored: int32(len(items)), Rematched: int32(n), EventId: s.d.EventID(ctx)}, nil //nolint:gosec // at most 100
	})
}

// FetchMonth asks the register, where one is connected, about the member of a MatchMonthRequest.
func (s *Server) FetchMonth(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*incomev1.MatchMonthRequest)
	if !ok {
		return ctx
	}
	month, err := s.past(in.GetMonth())
	if err != nil {
		return ctx // the handler says so
	}
	return s.d.Service.Fetch(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), month)
}

// MatchMonth matches one member's month now.
func (s *Server) MatchMonth(ctx context.Context, in *incomev1.MatchMonthRequest) (*incomev1.MatchMonthResponse, error) {
	month, err := s.past(in.GetMonth())
	if err != nil {
		return nil, err
	}
	var known *core.MemberMonth
	if in.GetMemberMonth() != nil {
		m := toMonth(in.GetMemberMonth())
		known = &m
	}
	d, err := s.d.Service.MatchMonth(ctx, s.d.Caller(ctx), facts.Handle(in.GetHandle()), month, known)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.MatchMonthResponse{Decision: s.decision(d)}, nil
}

// past reads a month that has begun: nothing can be known about one that has not.
func (s *Server) past(text string) (civil.Month, error) {
	m, err := civil.ParseMonth(text)
	if err != nil {
		return 0, invalid("month", "must be a month such as 2026-03")
	}
	if m.First() > s.d.Service.Today() {
		return 0, failure(core.ErrFuture)
	}
	return m, nil
}

var _ incomev1.IncomeServiceServer = (*Server)(nil)
