package api

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/wire"
)

// Exchange takes messages of the other fund.
func (s *Server) Exchange(stream grpc.BidiStreamingServer[transferv1.ExchangeRequest, transferv1.ExchangeResponse]) error {
	return rpc.Each(stream, s.exchange)
}

// exchange applies one message. A part that does not keep what was agreed is refused and stays with its sender; that we can't check it now
// ends the stream, so that it comes again.
func (s *Server) exchange(ctx context.Context, in *transferv1.ExchangeRequest) (*transferv1.ExchangeResponse, error) {
	out := &transferv1.ExchangeResponse{EventId: s.deps.EventID(ctx)}
	switch f := take(ctx); {
	case errors.Is(f.err, core.ErrPart):
		out.Outcome = transferv1.ExchangeOutcome_EXCHANGE_OUTCOME_REFUSED
		return out, nil
	case f.err != nil:
		return nil, failure(f.err, "message")
	}
	e, err := wire.FromExchange(in, s.deps.Organisation(ctx))
	if err != nil {
		return nil, failure(err, "message")
	}
	outcome, err := s.deps.Core.Receive(ctx, s.deps.Organisation(ctx), e)
	if err != nil {
		return nil, failure(err, "message")
	}
	out.Outcome = transferv1.ExchangeOutcome(outcome) //nolint:gosec // four values
	return out, nil
}

// GetFundKeys returns the public keys of the fund that is called.
func (s *Server) GetFundKeys(ctx context.Context, in *transferv1.GetFundKeysRequest) (*transferv1.GetFundKeysResponse, error) {
	keys, ok := s.deps.Public(in.GetContext().GetControllerId())
	if !ok {
		return nil, errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Field("context.controller_id", "FUND_NOT_SERVED_HERE"))
	}
	out := &transferv1.GetFundKeysResponse{EncryptionKeys: keys.Encryption}
	for version, key := range keys.Signing {
		out.SigningKeys = append(out.SigningKeys, &transferv1.SigningKey{Version: int32(version), PublicKey: key}) //nolint:gosec // small
	}
	return out, nil
}
