package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/identity/internal/core"
)

// RecordSecrecyTest keeps what an employee decided about giving out data of a marked person.
func (s *Server) RecordSecrecyTest(ctx context.Context, in *identityv1.RecordSecrecyTestRequest) (*identityv1.RecordSecrecyTestResponse, error) {
	at, err := s.deps.UseCases.RecordSecrecyTest(ctx, s.deps.Caller(ctx), core.SecrecyTest{
		Handle: in.GetHandle(), Fields: in.GetFields(), Outcome: strings.TrimPrefix(in.GetOutcome().String(), "SECRECY_OUTCOME_"),
	})
	if err != nil {
		return nil, failure(err, handleField)
	}
	return &identityv1.RecordSecrecyTestResponse{RecordedAt: timestamppb.New(at)}, nil
}
