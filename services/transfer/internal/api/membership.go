package api

import (
	"context"
	"errors"
	"slices"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/redact"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/wire"
)

const memberField = "membership_reference"

// free checks an id that a fund chooses by itself and that is kept as it is: nothing that looks like a national number may stand in it
// (SEC-03).
func free(field, id string) error {
	if !slices.ContainsFunc(redact.Find(id), func(f redact.Finding) bool { return f.Mark == "[national-id]" }) {
		return nil
	}
	return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(field, "must not hold what looks like a national number: use a reference of your own"))
}

func (s *Server) standing(m store.Membership) *transferv1.MemberStanding {
	return toStanding(m, s.deps.Core.Membership.Deletion)
}

// AssessAdmission applies § 41.
func (s *Server) AssessAdmission(ctx context.Context, in *transferv1.AssessAdmissionRequest) (*transferv1.AssessAdmissionResponse, error) {
	f := take(ctx)
	if f.err != nil {
		return nil, failure(f.err, handleField)
	}
	facts, err := fromFacts(in)
	if err != nil {
		return nil, failure(err, "birth_date")
	}
	got, err := s.deps.Core.AssessAdmission(ctx, s.deps.Caller(ctx), core.Admitting{
		Handle: in.GetHandle(), Membership: in.GetMembershipReference(), Facts: facts, Remarks: in.GetRemarks(), Protected: f.protected,
	})
	if err != nil {
		return nil, failure(err, memberField)
	}
	out := &transferv1.AssessAdmissionResponse{
		Outcome: transferv1.AdmissionOutcome(got.Outcome), Decision: toDecision(got.Decision, got.Mode), //nolint:gosec // five values
	}
	if got.Standing != nil {
		out.Standing = s.standing(*got.Standing)
	}
	return out, nil
}

func fromFacts(in *transferv1.AssessAdmissionRequest) (rules.AdmissionFacts, error) {
	birth, err1 := wire.FromDate(in.GetBirthDate())
	received, err2 := wire.FromDate(in.GetReceivedOn())
	f := rules.AdmissionFacts{
		Birth: birth, Received: received, Residence: rules.Answer(in.GetResident()), Stay: rules.Answer(in.GetStaying()),
		GreenlandFaroe: rules.Answer(in.GetGreenlandOrFaroe()), OtherFund: rules.Answer(in.GetOtherFund()),
		Education: rules.Answer(in.GetEducation()), TradeArea: rules.Answer(in.GetTradeArea()), SpecialAnswered: in.GetSpecialsAnswered(),
	}
	codes := []rules.Code{"", rules.EEAWork, rules.LivingAbroad, rules.SelfEmployed, rules.ShortTime, rules.ForeignPermit}
	for _, special := range in.GetSpecials() {
		f.Specials = append(f.Specials, codes[special])
	}
	return f, errors.Join(err1, err2)
}

// RecordDues tells what a member owes.
func (s *Server) RecordDues(ctx context.Context, in *transferv1.RecordDuesRequest) (*transferv1.RecordDuesResponse, error) {
	if err := free(memberField, in.GetMembershipReference()); err != nil {
		return nil, err
	}
	through, err1 := wire.FromDate(in.GetPaidThrough())
	since, err2 := wire.FromDate(in.GetMemberSince())
	if err := errors.Join(err1, err2); err != nil {
		return nil, failure(err, "paid_through")
	}
	m, err := s.deps.Core.RecordDues(ctx, s.deps.Caller(ctx), core.DuesReport{
		Membership: in.GetMembershipReference(), Handle: in.GetHandle(), Since: since, PaidThrough: through, MonthEnded: in.GetMonthEnded(),
		Disputed: in.GetDisputed(),
		Debt:     rules.Debt{Statutory: in.GetStatutory(), Union: in.GetUnionDues(), EarlyRetirement: in.GetEarlyRetirement()},
	})
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.RecordDuesResponse{Standing: s.standing(m)}, nil
}

// RecordReminder keeps that a reminder was sent.
func (s *Server) RecordReminder(ctx context.Context, in *transferv1.RecordReminderRequest) (*transferv1.RecordReminderResponse, error) {
	sent, err := wire.FromDate(in.GetSentOn())
	if err != nil {
		return nil, failure(err, "sent_on")
	}
	if err := free("proof_id", in.GetProofId()); err != nil {
		return nil, err
	}
	m, err := s.deps.Core.Remind(ctx, s.deps.Caller(ctx), in.GetMembershipReference(), sent, in.GetProofId(), in.GetStatesConsequence())
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.RecordReminderResponse{Standing: s.standing(m)}, nil
}

// RecordPayment keeps a payment.
func (s *Server) RecordPayment(ctx context.Context, in *transferv1.RecordPaymentRequest) (*transferv1.RecordPaymentResponse, error) {
	on, err1 := wire.FromDate(in.GetPaidOn())
	through, err2 := wire.FromDate(in.GetPaidThrough())
	if err := errors.Join(err1, err2); err != nil {
		return nil, failure(err, "paid_on")
	}
	m, lifted, err := s.deps.Core.Pay(ctx, s.deps.Caller(ctx), in.GetMembershipReference(), on, in.GetStatutoryLeft(), through)
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.RecordPaymentResponse{Standing: s.standing(m), Reinstated: lifted}, nil
}

// OpenHearing keeps until when the member may remark.
func (s *Server) OpenHearing(ctx context.Context, in *transferv1.OpenHearingRequest) (*transferv1.OpenHearingResponse, error) {
	ends, err := wire.FromDate(in.GetEndsOn())
	if err != nil {
		return nil, failure(err, "ends_on")
	}
	m, err := s.deps.Core.Hear(ctx, s.deps.Caller(ctx), in.GetMembershipReference(), ends)
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.OpenHearingResponse{Standing: s.standing(m)}, nil
}

// RecordRemarks keeps that the member has remarks.
func (s *Server) RecordRemarks(ctx context.Context, in *transferv1.RecordRemarksRequest) (*transferv1.RecordRemarksResponse, error) {
	m, err := s.deps.Core.Remark(ctx, s.deps.Caller(ctx), in.GetMembershipReference())
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.RecordRemarksResponse{Standing: s.standing(m)}, nil
}

// AssessDeletion decides on deletion.
func (s *Server) AssessDeletion(ctx context.Context, in *transferv1.AssessDeletionRequest) (*transferv1.AssessDeletionResponse, error) {
	f := take(ctx)
	if f.err != nil {
		return nil, failure(f.err, memberField)
	}
	m, d, mode, err := s.deps.Core.AssessDeletion(ctx, s.deps.Caller(ctx), in.GetMembershipReference(), core.Deleting{
		Complete: in.GetDataComplete(), NoEnquiry: in.GetNoEnquiry(), NoDiscretion: in.GetNoDiscretion(), Restricted: in.GetRestricted(),
		Decide: in.GetDecide(), Protected: f.protected,
	})
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.AssessDeletionResponse{Decision: toDecision(d, mode), Standing: s.standing(m)}, nil
}

// UpholdComplaint lifts a deletion.
func (s *Server) UpholdComplaint(ctx context.Context, in *transferv1.UpholdComplaintRequest) (*transferv1.UpholdComplaintResponse, error) {
	m, d, err := s.deps.Core.Uphold(ctx, s.deps.Caller(ctx), in.GetMembershipReference())
	if err != nil {
		return nil, failure(err, memberField)
	}
	return &transferv1.UpholdComplaintResponse{Decision: toDecision(d, rules.HumanOnly), Standing: s.standing(m)}, nil
}

// GetMembership returns a membership and the decisions about it.
func (s *Server) GetMembership(ctx context.Context, in *transferv1.GetMembershipRequest) (*transferv1.GetMembershipResponse, error) {
	m, decisions, err := s.deps.Core.Member(ctx, s.deps.Caller(ctx), in.GetMembershipReference())
	if err != nil {
		return nil, failure(err, memberField)
	}
	out := &transferv1.GetMembershipResponse{Standing: s.standing(m)}
	for _, d := range decisions {
		out.Decisions = append(out.Decisions, toDecision(d, modeOf(d)))
	}
	return out, nil
}
