package api

import (
	"errors"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/transfer/internal/core"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/civil"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/wire"
)

// failure gives an error of a use case its reason. field is where the caller should look if the request is at fault.
func failure(err error, field string) error {
	var guard cases.GuardError
	var state cases.StateError
	switch {
	case errors.As(err, &guard):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Field(field, guard.Guard))
	case errors.As(err, &state):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Detail("The case is in state "+state.State.String()+"."),
			errs.Field("transfer_id", "STATE_"+state.State.String()))
	}
	if code := preconditionOf(err); code != "" {
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Field(field, code))
	}
	reason := reasonOf(err)
	switch reason {
	case commonv1.Reason_REASON_UNSPECIFIED:
		return err // an ended context, the database's, or a fault that nobody classified: the chain finds out
	case commonv1.Reason_REASON_INVALID_REQUEST, commonv1.Reason_REASON_NATIONAL_ID_INVALID:
		return errs.New(reason, errs.Cause(err), errs.Field(field, "is not valid"))
	default:
		return errs.New(reason, errs.Cause(err))
	}
}

// preconditionOf is the code of a rule that does not hold, or "".
func preconditionOf(err error) string {
	for _, known := range []error{rules.ErrReminderProof, rules.ErrReminderText, rules.ErrDuesState, rules.ErrHearingOpen, rules.ErrHumanNeeded} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	switch {
	case errors.Is(err, rules.ErrDateConflict):
		return cases.GuardDate
	case errors.Is(err, rules.ErrFacts):
		return cases.GuardApplication
	case errors.Is(err, core.ErrAssertion):
		return cases.GuardPoA
	case errors.Is(err, core.ErrPoAReused):
		return "POA_REUSED"
	case errors.Is(err, core.ErrHosted):
		return "FUND_NOT_SERVED_HERE"
	default:
		return ""
	}
}

func reasonOf(err error) commonv1.Reason {
	switch {
	case errors.Is(err, cases.ErrWrongActor):
		return commonv1.Reason_REASON_WRONG_PARTY
	case errors.Is(err, core.ErrNotFound):
		return commonv1.Reason_REASON_CASE_NOT_FOUND
	case errors.Is(err, core.ErrPerson):
		return commonv1.Reason_REASON_SUBJECT_NOT_FOUND
	case errors.Is(err, core.ErrRegister):
		return commonv1.Reason_REASON_REGISTER_UNAVAILABLE
	case errors.Is(err, core.ErrKeys):
		return commonv1.Reason_REASON_KEYS_UNAVAILABLE
	case errors.Is(err, core.ErrPart), errors.Is(err, civil.ErrDate):
		return commonv1.Reason_REASON_INVALID_REQUEST
	case errors.Is(err, wire.ErrNumber):
		return commonv1.Reason_REASON_NATIONAL_ID_INVALID
	case errors.Is(err, store.ErrConflict):
		return commonv1.Reason_REASON_CONFLICT
	case errors.Is(err, store.ErrDuplicate):
		return commonv1.Reason_REASON_ALREADY_EXISTS
	default:
		return commonv1.Reason_REASON_UNSPECIFIED
	}
}
