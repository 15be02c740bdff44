package api

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
)

// ShareContact puts a member into a partner's mailbox.
func (s *Server) ShareContact(ctx context.Context, in *insurancev1.ShareContactRequest) (*insurancev1.ShareContactResponse, error) {
	if err := free("document_reference", in.GetDocumentReference()); err != nil {
		return nil, failure(err)
	}
	subject, at, err := s.deps.UseCases.Share(ctx, s.deps.Caller(ctx), sharing(in))
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.ShareContactResponse{PartnerSubjectId: subject, SharedAt: toTime(at)}, nil
}

// FetchShare asks what ShareContact needs from outside.
func (s *Server) FetchShare(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*insurancev1.ShareContactRequest)
	if !ok {
		return ctx
	}
	return s.deps.UseCases.FetchForShare(ctx, s.deps.Caller(ctx), sharing(in))
}

func sharing(in *insurancev1.ShareContactRequest) core.Sharing {
	return core.Sharing{
		Handle: in.GetHandle(), Partner: in.GetPartnerId(), Fields: fromFields(in.GetFields()), Until: fromTime(in.GetValidUntil()),
		MaxReads: int(in.GetMaxReads()), Document: in.GetDocumentReference(),
	}
}

// EndShare ends a share.
func (s *Server) EndShare(ctx context.Context, in *insurancev1.EndShareRequest) (*insurancev1.EndShareResponse, error) {
	at, err := s.deps.UseCases.End(ctx, s.deps.Caller(ctx), in.GetHandle(), in.GetPartnerId(), PurposeOf(in.GetSharedPurpose()))
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.EndShareResponse{EndedAt: toTime(at)}, nil
}

// ListDisclosures tells who got data of a member.
func (s *Server) ListDisclosures(ctx context.Context, in *insurancev1.ListDisclosuresRequest) (*insurancev1.ListDisclosuresResponse, error) {
	limit, err := page.Limits{Default: 50, Max: 200}.Size(in.GetPageSize())
	if err != nil {
		return nil, err
	}
	c := s.deps.Caller(ctx)
	bound := page.Binding{
		Organisation: c.Organisation, Method: insurancev1.InsuranceService_ListDisclosures_FullMethodName,
		Filter: page.Filter([]byte(c.Controller), []byte(in.GetHandle())),
	}
	position, _, err := s.deps.Pages.Key(bound, in.GetPageToken())
	if err != nil {
		return nil, err
	}
	list, err := s.deps.UseCases.Disclosures(ctx, c, in.GetHandle(), position.Seq, limit+1)
	if err != nil {
		return nil, failure(err)
	}
	out := &insurancev1.ListDisclosuresResponse{Disclosures: toDisclosures(list[:min(len(list), limit)])}
	if len(list) > limit {
		out.NextPageToken, err = s.deps.Pages.Token(bound, Position{Seq: list[limit-1].ID})
	}
	return out, err
}

// ImportMembers takes members in batches.
func (s *Server) ImportMembers(stream grpc.BidiStreamingServer[insurancev1.ImportMembersRequest, insurancev1.ImportMembersResponse]) error {
	return rpc.Each(stream, s.importBatch)
}

func (s *Server) importBatch(ctx context.Context, in *insurancev1.ImportMembersRequest) (*insurancev1.ImportMembersResponse, error) {
	members := make([]core.Member, len(in.GetMembers()))
	for i, m := range in.GetMembers() {
		var err error
		if members[i], err = fromMember(i, m); err != nil {
			return nil, failure(err)
		}
	}
	done, err := s.deps.UseCases.Import(ctx, s.deps.Caller(ctx), members, s.deps.Item)
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.ImportMembersResponse{
		Created: int32(done.Created), Changed: int32(done.Changed), Unchanged: int32(done.Unchanged), EventId: s.deps.EventID(ctx), //nolint:gosec // at most 100
	}, nil
}
