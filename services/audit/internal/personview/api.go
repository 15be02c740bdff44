package personview

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// Server implements the RPCs.
type Server struct {
	auditv1.UnimplementedUsageServiceServer

	view *View
}

// NewServer returns the RPCs of a view.
func NewServer(v *View) *Server { return &Server{view: v} }

// maxUsages is the most that one answer lists, and what it lists when the caller does not say.
const maxUsages = 1000

// FindUsage implements auditv1.UsageServiceServer.
func (s *Server) FindUsage(ctx context.Context, r *auditv1.FindUsageRequest) (*auditv1.FindUsageResponse, error) {
	answer, err := s.view.Find(ctx, Question{
		Why: r.GetContext(), Person: r.GetPerson(), From: moment(r.GetPeriodStart()), Until: moment(r.GetPeriodEnd()),
		Language: languageOf(r.GetLanguage(), r.GetContext()),
	})
	if err != nil {
		return nil, failure(err)
	}
	out := &auditv1.FindUsageResponse{TotalUsages: int32(len(answer.Uses)), OlderBefore: stamp(answer.OlderBefore)} //nolint:gosec // bounded
	first := min(int(r.GetOffset()), len(answer.Uses))
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = maxUsages
	}
	for _, u := range answer.Uses[first:min(first+limit, len(answer.Uses))] {
		out.Usages = append(out.Usages, usage(u))
	}
	return out, nil
}

// UsagePeriod implements auditv1.UsageServiceServer.
func (s *Server) UsagePeriod(ctx context.Context, _ *auditv1.UsagePeriodRequest) (*auditv1.UsagePeriodResponse, error) {
	since, err := s.view.Since(ctx)
	if err != nil {
		return nil, failure(err)
	}
	return &auditv1.UsagePeriodResponse{PeriodStart: timestamppb.New(since)}, nil
}

// Heartbeat implements auditv1.UsageServiceServer. It answers also when it is not well: that is its purpose.
func (s *Server) Heartbeat(ctx context.Context, _ *auditv1.HeartbeatRequest) (*auditv1.HeartbeatResponse, error) {
	if _, err := s.view.Since(ctx); err != nil {
		return &auditv1.HeartbeatResponse{Status: "FAIL", Message: "The store does not answer."}, nil //nolint:nilerr // told in the answer
	}
	return &auditv1.HeartbeatResponse{Status: "OK", Message: "Uses can be listed."}, nil
}

func usage(u Use) *auditv1.Usage {
	return &auditv1.Usage{
		Logtime: timestamppb.New(u.At), Action: u.Action, ReceiverCode: u.Receiver, ReceiverName: u.Name, ReceiverSystem: u.System, Data: u.Data,
		Purpose: u.Purpose, LegalBasis: u.Basis, LegalReference: u.Reference, ControllerCode: u.Controller, Count: int32(u.Count), //nolint:gosec // bounded
		FirstTime: stamp(u.First), WithheldUntil: stamp(u.HeldUntil), Allowed: u.Allowed,
	}
}

func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// languageOf is the one asked for, or that of the controller's country.
func languageOf(l auditv1.Language, why *commonv1.RequestContext) Language {
	switch l {
	case auditv1.Language_LANGUAGE_DA:
		return Danish
	case auditv1.Language_LANGUAGE_SV:
		return Swedish
	case auditv1.Language_LANGUAGE_EN:
		return English
	default:
		if strings.HasPrefix(why.GetControllerId(), "SE:") {
			return Swedish
		}
		return Danish
	}
}

// failure gives an error its reason; the chain knows those of stores and keys.
func failure(err error) error {
	if errors.Is(err, ErrIncomplete) {
		return errs.New(commonv1.Reason_REASON_NOT_SERVING, errs.Cause(err))
	}
	return err
}
