package api

import (
	"context"

	"google.golang.org/grpc"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/wire"
)

// Request fields named in violations.
const (
	idField     = "transfer_id"
	handleField = "handle"
	numberField = "application.national_id.value"
	poaField    = "assertion"
	partField   = "part"
	codeField   = "code"
)

// CreateTransfer begins a transfer into the calling fund.
func (s *Server) CreateTransfer(ctx context.Context, in *transferv1.CreateTransferRequest) (*transferv1.CreateTransferResponse, error) {
	f := take(ctx)
	if f.err != nil {
		return nil, failure(f.err, handleField)
	}
	c, err := s.deps.Core.Create(ctx, s.deps.Caller(ctx), core.Creation{
		Other: in.GetReleasingFundId(), Handle: in.GetHandle(), Membership: in.GetMembershipReference(), Protected: f.protected,
	})
	if err != nil {
		return nil, failure(err, "releasing_fund_id")
	}
	return &transferv1.CreateTransferResponse{Transfer: toTransfer(c)}, nil
}

// SubmitTransfer hands in the complete application.
func (s *Server) SubmitTransfer(ctx context.Context, in *transferv1.SubmitTransferRequest) (*transferv1.SubmitTransferResponse, error) {
	if f := take(ctx); f.err != nil {
		return nil, failure(f.err, numberField)
	}
	a, err := fromApplication(in)
	if err != nil {
		return nil, failure(err, "application")
	}
	c, err := s.deps.Core.Submit(ctx, s.deps.Caller(ctx), in.GetTransferId(), a)
	if err != nil {
		return nil, failure(err, "application")
	}
	return &transferv1.SubmitTransferResponse{Transfer: toTransfer(c)}, nil
}

// VerifyPowerOfAttorney checks the member's power of attorney.
func (s *Server) VerifyPowerOfAttorney(
	ctx context.Context, in *transferv1.VerifyPowerOfAttorneyRequest,
) (*transferv1.VerifyPowerOfAttorneyResponse, error) {
	c, err := s.deps.Core.Verify(ctx, s.deps.Caller(ctx), in.GetTransferId(), in.GetAssertion())
	if err != nil {
		return nil, failure(err, poaField)
	}
	return &transferv1.VerifyPowerOfAttorneyResponse{Transfer: toTransfer(c)}, nil
}

// SendRequest hands the case over to the releasing fund.
func (s *Server) SendRequest(ctx context.Context, in *transferv1.SendRequestRequest) (*transferv1.SendRequestResponse, error) {
	c, err := s.deps.Core.SendRequest(ctx, s.deps.Caller(ctx), in.GetTransferId())
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.SendRequestResponse{Transfer: toTransfer(c)}, nil
}

// CancelTransfer gives a case up that was not handed over.
func (s *Server) CancelTransfer(ctx context.Context, in *transferv1.CancelTransferRequest) (*transferv1.CancelTransferResponse, error) {
	c, err := s.deps.Core.Cancel(ctx, s.deps.Caller(ctx), in.GetTransferId())
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.CancelTransferResponse{Transfer: toTransfer(c)}, nil
}

// AcknowledgeTransfer says that the member is or was one of the calling fund.
func (s *Server) AcknowledgeTransfer(
	ctx context.Context, in *transferv1.AcknowledgeTransferRequest,
) (*transferv1.AcknowledgeTransferResponse, error) {
	since, err := wire.FromDate(in.GetMemberSince())
	if err != nil {
		return nil, failure(err, "member_since")
	}
	f := take(ctx)
	if f.err != nil {
		return nil, failure(f.err, idField)
	}
	c, err := s.deps.Core.Acknowledge(ctx, s.deps.Caller(ctx), in.GetTransferId(), core.Acknowledgement{
		Membership: in.GetMembershipReference(), Since: since, Handle: f.handle, Protected: f.protected,
	})
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.AcknowledgeTransferResponse{Transfer: toTransfer(c)}, nil
}

// RejectTransfer rejects the request.
func (s *Server) RejectTransfer(ctx context.Context, in *transferv1.RejectTransferRequest) (*transferv1.RejectTransferResponse, error) {
	c, err := s.deps.Core.Reject(ctx, s.deps.Caller(ctx), in.GetTransferId(), cases.RejectionCode(in.GetCode()))
	if err != nil {
		return nil, failure(err, codeField)
	}
	return &transferv1.RejectTransferResponse{Transfer: toTransfer(c)}, nil
}

// DeliverPackage delivers the data part by part.
func (s *Server) DeliverPackage(stream grpc.BidiStreamingServer[transferv1.DeliverPackageRequest, transferv1.DeliverPackageResponse]) error {
	return rpc.Each(stream, s.deliver)
}

func (s *Server) deliver(ctx context.Context, in *transferv1.DeliverPackageRequest) (*transferv1.DeliverPackageResponse, error) {
	f := take(ctx)
	if f.err != nil {
		return nil, failure(f.err, partField)
	}
	c, err := s.deps.Core.Deliver(ctx, s.deps.Caller(ctx), in.GetTransferId(), f.part, f.protected)
	if err != nil {
		return nil, failure(err, partField)
	}
	return &transferv1.DeliverPackageResponse{Transfer: toTransfer(c), Receipt: wire.ToReceipt(f.part), EventId: s.deps.EventID(ctx)}, nil
}

// ConfirmExit fixes the day of the move.
func (s *Server) ConfirmExit(ctx context.Context, in *transferv1.ConfirmExitRequest) (*transferv1.ConfirmExitResponse, error) {
	c, err := s.deps.Core.ConfirmExit(ctx, s.deps.Caller(ctx), in.GetTransferId())
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.ConfirmExitResponse{Transfer: toTransfer(c)}, nil
}

// WithdrawPowerOfAttorney records that the member takes the power of attorney back.
func (s *Server) WithdrawPowerOfAttorney(
	ctx context.Context, in *transferv1.WithdrawPowerOfAttorneyRequest,
) (*transferv1.WithdrawPowerOfAttorneyResponse, error) {
	c, err := s.deps.Core.Withdraw(ctx, s.deps.Caller(ctx), in.GetTransferId(), cases.Channel(in.GetChannel()))
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.WithdrawPowerOfAttorneyResponse{Transfer: toTransfer(c)}, nil
}

// DecideWithdrawal keeps or undoes an exit that was confirmed before the member withdrew.
func (s *Server) DecideWithdrawal(ctx context.Context, in *transferv1.DecideWithdrawalRequest) (*transferv1.DecideWithdrawalResponse, error) {
	undo := in.GetDecision() == transferv1.ExitDecision_EXIT_DECISION_UNDO
	c, err := s.deps.Core.Decide(ctx, s.deps.Caller(ctx), in.GetTransferId(), undo)
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.DecideWithdrawalResponse{Transfer: toTransfer(c)}, nil
}

// ResumeExchange sends again what the other fund refused.
func (s *Server) ResumeExchange(ctx context.Context, in *transferv1.ResumeExchangeRequest) (*transferv1.ResumeExchangeResponse, error) {
	c, err := s.deps.Core.Resume(ctx, s.deps.Caller(ctx), in.GetTransferId())
	if err != nil {
		return nil, failure(err, idField)
	}
	return &transferv1.ResumeExchangeResponse{Transfer: toTransfer(c)}, nil
}
