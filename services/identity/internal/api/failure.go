package api

import (
	"context"
	"errors"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/platform/errs"
)

// Request fields named in violations.
const (
	numberField  = "national_id.value"
	handleField  = "handle"
	personsField = "persons"
	maskField    = "read_mask"
)

// failure gives an error of a use case its reason. field is where the caller should look if the request is at fault. Somebody whom
// the caller may not know and nobody at all give equal errors.
func failure(err error, field string) error {
	reason := reasonOf(err)
	switch reason {
	case commonv1.Reason_REASON_UNSPECIFIED:
		return err // an ended context or a fault that nobody classified: errs finds out
	case commonv1.Reason_REASON_NATIONAL_ID_INVALID:
		why, _ := errors.AsType[nationalid.RefusalError](err)
		return errs.New(reason, errs.Field(field, string(why)))
	case commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT:
		return errs.New(reason, errs.Field(field, "belongs to another environment"))
	case commonv1.Reason_REASON_FAILED_PRECONDITION:
		return errs.New(reason, errs.Cause(err), errs.Field(field, precondition(err)))
	default:
		return errs.New(reason, errs.Cause(err))
	}
}

func precondition(err error) string {
	if errors.Is(err, core.ErrClosed) {
		return "names a membership that has ended"
	}
	return "is later than today: a subscription opens when the membership takes effect"
}

func reasonOf(err error) commonv1.Reason {
	if _, ok := errors.AsType[nationalid.RefusalError](err); ok {
		return commonv1.Reason_REASON_NATIONAL_ID_INVALID
	}
	switch {
	case errors.Is(err, nationalid.ErrOutsideEnvironment):
		return commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT
	case errors.Is(err, core.ErrNotFound):
		return commonv1.Reason_REASON_SUBJECT_NOT_FOUND
	case core.NoAnswer(err):
		return commonv1.Reason_REASON_REGISTER_UNAVAILABLE
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return commonv1.Reason_REASON_UNSPECIFIED
	case errors.Is(err, core.ErrStoreUnavailable):
		return commonv1.Reason_REASON_STORE_UNAVAILABLE
	case errors.Is(err, core.ErrNotYet), errors.Is(err, core.ErrClosed):
		return commonv1.Reason_REASON_FAILED_PRECONDITION
	case errors.Is(err, core.ErrKeysUnavailable):
		return commonv1.Reason_REASON_KEYS_UNAVAILABLE
	default:
		return commonv1.Reason_REASON_UNSPECIFIED
	}
}

// itemReason sorts an error of one item: the item's own matter with its reason, or ours.
func itemReason(err error) (reason commonv1.Reason, ours bool) {
	if err == nil {
		return commonv1.Reason_REASON_UNSPECIFIED, false
	}
	switch reason = reasonOf(err); reason {
	case commonv1.Reason_REASON_NATIONAL_ID_INVALID, commonv1.Reason_REASON_NATIONAL_ID_OUTSIDE_ENVIRONMENT:
		return reason, false
	default:
		return reason, true
	}
}
