package api

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/wire"
)

// toTransfer writes a record. The enumerations have the core's numbers.
func toTransfer(c cases.Case) *transferv1.Transfer {
	out := &transferv1.Transfer{
		TransferId: c.ID, Side: transferv1.TransferSide(c.Side), FundId: c.Fund, OtherFundId: c.Other, //nolint:gosec // small
		State: transferv1.TransferState(c.State), Version: c.Version, Handle: c.Handle, //nolint:gosec // small
		ReceivedOn: wire.ToDate(c.Received), WantedOn: wire.ToDate(c.Wanted), RequestedOn: wire.ToDate(c.Requested),
		EffectiveOn: wire.ToDate(c.Effective), EndsOn: wire.ToDate(c.ReleasedOn()), PoaHash: c.PoAHash, PoaValidTo: wire.ToDate(c.PoATo),
		Rejection: transferv1.RejectionCode(c.Rejection), Correctable: c.Rejection.Correctable(), //nolint:gosec // small
		Overdue: c.Overdue, Reminders: int32(c.Reminders), DueOn: wire.ToDate(c.Due), //nolint:gosec // at most 3
		WithdrawalPending: c.Withdrawing, Parts: int32(c.Parts), //nolint:gosec // at most 1000
		WithdrawalChannel: transferv1.WithdrawalChannel(c.Channel), UndoPending: c.Undoing, //nolint:gosec // small
	}
	for bit, reason := range []transferv1.ManualReason{
		transferv1.ManualReason_MANUAL_REASON_PROTECTED, transferv1.ManualReason_MANUAL_REASON_DEADLINE, transferv1.ManualReason_MANUAL_REASON_WITHDRAWAL,
		transferv1.ManualReason_MANUAL_REASON_REFUSED,
	} {
		if c.Manual&(1<<bit) != 0 {
			out.Manual = append(out.Manual, reason)
		}
	}
	return out
}

// toView writes a record with its receipts and certificate.
func toView(v core.View) *transferv1.GetTransferResponse {
	out := &transferv1.GetTransferResponse{Transfer: toTransfer(v.Case)}
	for _, p := range v.Receipts {
		out.Receipts = append(out.Receipts, wire.ToReceipt(p))
	}
	if v.Erasure != nil {
		out.Erasure = &transferv1.ErasureCertificate{
			ErasedAt: timestamppb.New(v.Erasure.At), Parts: int32(v.Erasure.Parts), Rule: v.Erasure.Rule, Digest: v.Erasure.Digest, //nolint:gosec // at most 1000
		}
	}
	return out
}

func toEvent(e store.Event) *transferv1.TransferEvent {
	return &transferv1.TransferEvent{
		Version: e.Seq, Kind: transferv1.TransferEventKind(e.Event), Actor: transferv1.TransferActor(e.Actor), //nolint:gosec // small
		State: transferv1.TransferState(e.State), Overdue: e.Overdue, DueOn: wire.ToDate(e.Due), Manual: e.Manual != 0, //nolint:gosec // small
		HappenedAt: timestamppb.New(e.At),
	}
}

// fromApplication reads an application; which fields name the violation is for the caller of this function.
func fromApplication(in *transferv1.SubmitTransferRequest) (core.Application, error) {
	a := in.GetApplication()
	number, err1 := wire.FromNumber(a.GetNationalId())
	education, err2 := wire.FromDate(in.GetEducationEndedOn())
	agreed, err3 := wire.FromDate(in.GetAgreedOn())
	return core.Application{
		Number: number, Name: a.GetName(), Phone: a.GetPhoneNumber(), Email: a.GetEmail(), Category: a.GetOccupationalCategory(),
		EEAWork: a.GetEeaWork(), Source: in.GetSource().String(), Work: rules.WorkSituation(in.GetWorkSituation()),
		EducationEnds: education, Agreed: agreed,
	}, errors.Join(err1, err2, err3)
}

func toStanding(m store.Membership, t rules.DeletionTerms) *transferv1.MemberStanding {
	d := m.Dues
	out := &transferv1.MemberStanding{
		MembershipReference: m.Reference, State: transferv1.DuesState(d.State), PaidThrough: wire.ToDate(d.PaidThrough), //nolint:gosec // small
		RemindedOn: wire.ToDate(d.Reminded), NoticeOn: wire.ToDate(d.Notice), EndedOn: wire.ToDate(d.Effective), Version: m.Version,
	}
	if d.Reminded > 0 {
		out.LastPayDay = wire.ToDate(t.LastPayDay(d.Reminded))
	}
	if d.Notice > 0 {
		out.LastReinstatementDay = wire.ToDate(t.LastReinstateDay(d.Notice))
	}
	return out
}

// complaintDays is how long a member may complain (domain rule B.6).
const complaintDays = 28

func toDecision(d store.Decision, mode rules.Automation) *transferv1.MemberDecision {
	out := &transferv1.MemberDecision{
		DecisionId: d.ID, RuleId: d.RuleID, RuleVersion: d.RuleVersion, Outcome: d.Outcome, ReasonCodes: d.Codes,
		Automation: transferv1.Automation(mode), InputsDigest: d.Inputs, DecidedBy: d.DecidedBy, DecidedAt: timestamppb.New(d.DecidedAt), //nolint:gosec // small
		ComplaintGuidance: fmt.Sprintf("Complain to the fund within %d days of receipt; an employee decides anew at any time.", complaintDays),
	}
	for bit := range 4 {
		out.Checks = append(out.Checks, d.Checks&(1<<bit) != 0)
	}
	return out
}

// modeOf is how a kept decision came about.
func modeOf(d store.Decision) rules.Automation {
	if d.Automation == 1 {
		return rules.Auto
	}
	return rules.Manual
}
