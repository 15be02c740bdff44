package api

import (
	"context"

	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
)

// Limits of FetchShares.
const (
	fetchDefault = 50
	fetchMax     = 100
)

// FetchShares reads the partner's mailbox.
func (s *Server) FetchShares(ctx context.Context, in *insurancev1.FetchSharesRequest) (*insurancev1.FetchSharesResponse, error) {
	ask, ok := ctx.Value(askedKey{}).(*asked)
	if !ok { // FetchMailbox could not read it: this tells why
		var err error
		if ask, err = s.read(s.deps.Caller(ctx), in); err != nil {
			return nil, err
		}
	}
	answer, err := s.deps.UseCases.Mailbox(ctx, ask.caller, ask.Fetching, s.deps.Item)
	if err != nil {
		return nil, failure(err)
	}
	cursor := in.GetCursor()
	if answer.Last != ask.After || !ask.young {
		if cursor, err = s.deps.Cursors.Token(ask.mailbox, Position{Seq: answer.Last}); err != nil {
			return nil, failure(err)
		}
	}
	return &insurancev1.FetchSharesResponse{Shares: toShares(answer.Items), NextCursor: cursor, More: answer.More}, nil
}

// FetchMailbox asks what FetchShares needs from outside.
func (s *Server) FetchMailbox(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*insurancev1.FetchSharesRequest)
	if !ok {
		return ctx
	}
	ask, err := s.read(s.deps.Caller(ctx), in)
	if err != nil {
		return ctx // FetchShares tells
	}
	return s.deps.UseCases.FetchForMailbox(context.WithValue(ctx, askedKey{}, ask), ask.caller, ask.Fetching)
}

// asked is a request as FetchMailbox has read it: opening a cursor costs something.
type asked struct {
	core.Fetching

	caller  core.Caller
	mailbox page.Binding // a cursor is for one mailbox of one partner
	young   bool         // the cursor, so that it can be given out again
}

type askedKey struct{}

func (s *Server) read(c core.Caller, in *insurancev1.FetchSharesRequest) (*asked, error) {
	limit, err := page.Limits{Default: fetchDefault, Max: fetchMax}.Size(in.GetPageSize())
	if err != nil {
		return nil, err
	}
	out := &asked{caller: c, mailbox: page.Binding{
		Organisation: c.Organisation, Method: insurancev1.ShareService_FetchShares_FullMethodName,
		Filter: page.Filter([]byte(c.Controller), []byte(c.Purpose), []byte(c.Basis)),
	}}
	position, young, err := s.deps.Cursors.Open(out.mailbox, in.GetCursor())
	if err != nil {
		return nil, errs.New(commonv1.Reason_REASON_PAGE_TOKEN_INVALID, errs.Cause(err),
			errs.Field("cursor", "must be the next_cursor of an answer for the same controller, purpose and basis, unchanged and not too old"))
	}
	out.Fetching, out.young = core.Fetching{After: position.Seq, Fields: fromFields(in.GetFields()), Limit: limit}, young
	return out, nil
}

// GetSharedSubject gives what the partner may have of one member.
func (s *Server) GetSharedSubject(ctx context.Context, in *insurancev1.GetSharedSubjectRequest) (*insurancev1.GetSharedSubjectResponse, error) {
	data, share, err := s.deps.UseCases.SharedSubject(ctx, s.deps.Caller(ctx), subject(in))
	if err != nil {
		return nil, failure(err)
	}
	out := &insurancev1.GetSharedSubjectResponse{Subject: toSubject(data), ValidUntil: toTime(share.Until)}
	if left, limited := share.ReadsLeft(); limited {
		out.ReadsLeft = new(int32(left)) //nolint:gosec // bounded by the schema
	}
	return out, nil
}

// FetchSubject asks what GetSharedSubject needs from outside.
func (s *Server) FetchSubject(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*insurancev1.GetSharedSubjectRequest)
	if !ok {
		return ctx
	}
	return s.deps.UseCases.FetchForSubject(ctx, s.deps.Caller(ctx), subject(in))
}

func subject(in *insurancev1.GetSharedSubjectRequest) core.Subject {
	return core.Subject{Subject: in.GetPartnerSubjectId(), Fields: fromFields(in.GetFields())}
}
