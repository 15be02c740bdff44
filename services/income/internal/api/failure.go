package api

import (
	"errors"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/platform/errs"
)

func invalid(field, want string) error {
	return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(field, want))
}

func parseID(field, text string) (core.ID, error) {
	id, err := core.ParseID(text)
	if err != nil {
		return core.ID{}, invalid(field, "must be the id that the service gave")
	}
	return id, nil
}

func numberFailure(err error, field string) error {
	if errors.Is(err, core.ErrEnvironment) {
		return errs.New(commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT, errs.Field(field, "belongs to another environment"))
	}
	return errs.New(commonv1.Reason_REASON_NATIONAL_ID_INVALID, errs.Field(field, "is no Danish CPR number or Swedish personal number"))
}

// failure gives an error of a use case its reason. What nobody classified, errs finds out.
func failure(err error) error {
	switch {
	case errors.Is(err, core.ErrNotFound):
		return errs.New(commonv1.Reason_REASON_SUBJECT_NOT_FOUND, errs.Cause(err))
	case errors.Is(err, core.ErrFuture):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Field("month", "has not come yet"))
	case errors.Is(err, core.ErrHuman):
		return errs.New(commonv1.Reason_REASON_HUMAN_REQUIRED, errs.Cause(err), errs.Field("context.actor_id", "must name the employee who decides"))
	case errors.Is(err, core.ErrSamePerson):
		return errs.New(commonv1.Reason_REASON_OTHER_PERSON_REQUIRED, errs.Cause(err))
	case errors.Is(err, core.ErrState):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Field("decision_id", "is in a state that does not allow it"))
	case errors.Is(err, core.ErrSwitchedOff):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Detail("The rule is switched off here."))
	case errors.Is(err, core.ErrNotInForce):
		return errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION, errs.Cause(err), errs.Field("month", "lies before the rule came into force"))
	case errors.Is(err, core.ErrChanged):
		return errs.New(commonv1.Reason_REASON_CONFLICT, errs.Cause(err))
	default:
		return err
	}
}
