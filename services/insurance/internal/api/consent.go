package api

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	"samvirke.dev/services/insurance/internal/core"
)

// RegisterAgreement puts an agreement with a partner in force.
func (s *Server) RegisterAgreement(ctx context.Context, in *insurancev1.RegisterAgreementRequest) (*insurancev1.RegisterAgreementResponse, error) {
	agreement, err := fromAgreement(in.GetAgreement())
	if err != nil {
		return nil, failure(err)
	}
	at, err := s.deps.UseCases.RegisterAgreement(ctx, s.deps.Caller(ctx), agreement)
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.RegisterAgreementResponse{RegisteredAt: toTime(at)}, nil
}

// FetchAgreement readies what RegisterAgreement needs from outside.
func (s *Server) FetchAgreement(ctx context.Context, request proto.Message) context.Context {
	in, ok := request.(*insurancev1.RegisterAgreementRequest)
	if !ok {
		return ctx
	}
	agreement, err := fromAgreement(in.GetAgreement())
	if err != nil {
		return ctx // RegisterAgreement tells
	}
	return s.deps.UseCases.FetchForAgreement(ctx, agreement)
}

// RecordBalancing stores a balancing assessment.
func (s *Server) RecordBalancing(ctx context.Context, in *insurancev1.RecordBalancingRequest) (*insurancev1.RecordBalancingResponse, error) {
	assessed, err := fromDate("assessed_on", in.GetAssessedOn())
	if err = errors.Join(err, free("balancing_id", in.GetBalancingId())); err != nil {
		return nil, failure(err)
	}
	at, err := s.deps.UseCases.RecordBalancing(ctx, s.deps.Caller(ctx), &core.Balancing{
		ID: in.GetBalancingId(), Purpose: PurposeOf(in.GetAssessedPurpose()), Assessed: assessed,
	})
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.RecordBalancingResponse{RecordedAt: toTime(at)}, nil
}

// RecordConsent stores a member's consent.
func (s *Server) RecordConsent(ctx context.Context, in *insurancev1.RecordConsentRequest) (*insurancev1.RecordConsentResponse, error) {
	registered, err := fromDate("registered_on", in.GetRegisteredOn())
	if err = errors.Join(err, free("consent_id", in.GetConsentId()), free("partner_id", in.GetPartnerId())); err != nil {
		return nil, failure(err)
	}
	at, last, err := s.deps.UseCases.RecordConsent(ctx, s.deps.Caller(ctx), in.GetHandle(), core.Consent{
		ID: in.GetConsentId(), Purpose: PurposeOf(in.GetConsentedPurpose()), Partner: in.GetPartnerId(), Special: in.GetExplicitSpecial(),
		ThirdParty: in.GetThirdPartyChannels(), Channels: fromChannels(in.GetChannels()), Registered: registered,
	})
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.RecordConsentResponse{RecordedAt: toTime(at), LastDay: toDate(last)}, nil
}

// WithdrawConsent ends a consent.
func (s *Server) WithdrawConsent(ctx context.Context, in *insurancev1.WithdrawConsentRequest) (*insurancev1.WithdrawConsentResponse, error) {
	at, err := s.deps.UseCases.WithdrawConsent(ctx, s.deps.Caller(ctx), in.GetHandle(), in.GetConsentId(), int(in.GetChannel()))
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.WithdrawConsentResponse{WithdrawnAt: toTime(at)}, nil
}

// RecordOptOut stores that a member says no.
func (s *Server) RecordOptOut(ctx context.Context, in *insurancev1.RecordOptOutRequest) (*insurancev1.RecordOptOutResponse, error) {
	if err := free("partner_id", in.GetPartnerId()); err != nil {
		return nil, failure(err)
	}
	at, err := s.deps.UseCases.OptOut(ctx, s.deps.Caller(ctx), in.GetHandle(), in.GetPartnerId(), PurposeOf(in.GetRefusedPurpose()), int(in.GetChannel()))
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.RecordOptOutResponse{EffectiveAt: toTime(at)}, nil
}

// RecordMarketingObjection stores an objection to direct marketing.
func (s *Server) RecordMarketingObjection(
	ctx context.Context, in *insurancev1.RecordMarketingObjectionRequest,
) (*insurancev1.RecordMarketingObjectionResponse, error) {
	at, err := s.deps.UseCases.Object(ctx, s.deps.Caller(ctx), in.GetHandle(), int(in.GetChannel()))
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.RecordMarketingObjectionResponse{EffectiveAt: toTime(at)}, nil
}

// SetRestriction begins or ends a restriction of processing.
func (s *Server) SetRestriction(ctx context.Context, in *insurancev1.SetRestrictionRequest) (*insurancev1.SetRestrictionResponse, error) {
	at, err := s.deps.UseCases.Restrict(ctx, s.deps.Caller(ctx), in.GetHandle(), in.GetRestricted())
	if err != nil {
		return nil, failure(err)
	}
	return &insurancev1.SetRestrictionResponse{EffectiveAt: toTime(at)}, nil
}
