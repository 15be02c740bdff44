package api

import (
	"context"
	"errors"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/platform/errs"
)

// failure gives an error of a use case its reason. Somebody whom the caller may not know and nobody at all give equal errors.
func failure(err error) error {
	if refused, ok := errors.AsType[*core.RefusedError](err); ok {
		reasons := ReasonsOf(refused.Reasons)
		return errs.New(reasons[0], errs.Also(reasons[1:]...))
	}
	if invalid, ok := errors.AsType[*core.InvalidError](err); ok {
		return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(invalid.Field, invalid.Want))
	}
	switch {
	case errors.Is(err, core.ErrNotFound):
		return errs.New(commonv1.Reason_REASON_SUBJECT_NOT_FOUND, errs.Cause(err))
	case errors.Is(err, core.ErrConflict):
		return errs.New(commonv1.Reason_REASON_ALREADY_EXISTS, errs.Cause(err))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err // errs finds out
	case errors.Is(err, core.ErrStoreUnavailable):
		return errs.New(commonv1.Reason_REASON_STORE_UNAVAILABLE, errs.Cause(err))
	case errors.Is(err, core.ErrKeysUnavailable):
		return errs.New(commonv1.Reason_REASON_KEYS_UNAVAILABLE, errs.Cause(err))
	default:
		return err
	}
}

// ReasonsOf returns reasons in the words of the exchange.
func ReasonsOf(in core.Reasons) []commonv1.Reason {
	out := make([]commonv1.Reason, len(in))
	for i, r := range in {
		name := "REASON_" + string(r)
		if r == core.Art9Missing { // the exchange's word is older than this service
			name = commonv1.Reason_REASON_SPECIAL_BASIS_MISSING.String()
		}
		out[i] = commonv1.Reason(commonv1.Reason_value[name])
	}
	return out
}
