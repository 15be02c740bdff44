package api

import (
	"context"

	"google.golang.org/protobuf/proto"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/parcel"
	"samvirke.dev/services/transfer/internal/wire"
)

// fetchHandle asks how the person behind the handle of the request is protected.
func (s *Server) fetchHandle(ctx context.Context, request proto.Message) (f fetched) {
	if in, ok := request.(interface{ GetHandle() string }); ok {
		f.protected, f.err = s.deps.Persons.Protected(ctx, s.deps.Caller(ctx).Fund, in.GetHandle())
	}
	return f
}

// fetchMembership asks how the member is protected, whatever was known before.
func (s *Server) fetchMembership(ctx context.Context, request proto.Message) (f fetched) {
	in, ok := request.(*transferv1.AssessDeletionRequest)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	by := s.deps.Caller(ctx)
	m, _, err := s.deps.Core.Member(ctx, by, in.GetMembershipReference())
	if err != nil {
		return fetched{err: err}
	}
	f.protected, f.err = s.deps.Persons.Protected(ctx, by.Fund, m.Handle)
	return f
}

// fetchNumber asks whether the number of the application is that of the person whom the case is about.
func (s *Server) fetchNumber(ctx context.Context, request proto.Message) (f fetched) {
	in, ok := request.(*transferv1.SubmitTransferRequest)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	by := s.deps.Caller(ctx)
	number, err := wire.FromNumber(in.GetApplication().GetNationalId())
	if err != nil {
		return fetched{err: core.ErrPerson}
	}
	view, err := s.deps.Core.Get(ctx, by, in.GetTransferId())
	if err != nil {
		return fetched{err: err}
	}
	f.handle, f.err = s.deps.Persons.Resolve(ctx, by.Fund, number)
	if f.err == nil && f.handle != view.Case.Handle {
		f.err = cases.GuardError{Guard: cases.GuardIdentity}
	}
	return f
}

// fetchMember finds the releasing fund's own handle of the person whom the request named, and how that person is protected.
func (s *Server) fetchMember(ctx context.Context, request proto.Message) (f fetched) {
	in, ok := request.(*transferv1.AcknowledgeTransferRequest)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	by := s.deps.Caller(ctx)
	number, err := s.deps.Core.Number(ctx, by, in.GetTransferId())
	if err != nil {
		return fetched{err: err}
	}
	if f.handle, f.err = s.deps.Persons.Resolve(ctx, by.Fund, number); f.err == nil {
		f.protected, f.err = s.deps.Persons.Protected(ctx, by.Fund, f.handle)
	}
	return f
}

// fetchPart readies a part for the receiving fund, and asks freshly how the member is protected.
func (s *Server) fetchPart(ctx context.Context, request proto.Message) (f fetched) {
	in, ok := request.(*transferv1.DeliverPackageRequest)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	by := s.deps.Caller(ctx)
	view, err := s.deps.Core.Get(ctx, by, in.GetTransferId())
	if err != nil {
		return fetched{err: err}
	}
	if view.Case.Side != cases.Releasing {
		return fetched{err: cases.ErrWrongActor}
	}
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(in.GetPackage())
	if err != nil {
		return fetched{err: err}
	}
	if f.protected, f.err = s.deps.Persons.Protected(ctx, by.Fund, view.Case.Handle); f.err != nil {
		return f
	}
	part := cases.Part{Number: int(in.GetPart()), Kind: parcel.KindOf(in.GetPackage()), Last: in.GetLast()}
	f.part, f.err = s.deps.Core.Wrap(ctx, by, in.GetTransferId(), part, plain)
	return f
}

// fetchExchange verifies a part that came from the other fund.
func (s *Server) fetchExchange(ctx context.Context, request proto.Message) (f fetched) {
	in, ok := request.(*transferv1.ExchangeRequest)
	if !ok {
		return fetched{err: core.ErrRegister}
	}
	e, err := wire.FromExchange(in, s.deps.Organisation(ctx))
	if err != nil || e.Report == nil || (e.Report.Event != cases.DeliverPart && e.Report.Event != cases.DeliverLast) {
		return fetched{err: err}
	}
	return fetched{err: s.deps.Core.CheckPart(ctx, e)}
}
