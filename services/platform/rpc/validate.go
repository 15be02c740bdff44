package rpc

import (
	"context"
	"errors"

	"buf.build/go/protovalidate"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/redact"
)

// validate checks the request against the rules of its schema, and keeps national numbers out of the reference fields, which
// go into records and traces (SEC-06).
func (s *Server) validate(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if err := s.validator.Validate(x.Request); err != nil {
			return invalid(err)
		}
		if x.Decision != nil {
			if fields := misused(x.Decision.Context); len(fields) > 0 {
				return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, fields...)
			}
		}
		if x.Entry != nil {
			x.Entry.Validated = true
		}
		return next(ctx, x)
	}
}

func invalid(err error) error {
	violations, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(err))
	}
	var options []errs.Option
	for _, v := range violations.Violations {
		message := v.Proto.GetMessage()
		if message == "" {
			message = "breaks the rule " + v.Proto.GetRuleId()
		}
		options = append(options, errs.Field(protovalidate.FieldPathString(v.Proto.GetField()), message))
	}
	return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, options...)
}

func misused(c *commonv1.RequestContext) []errs.Option {
	var out []errs.Option
	for _, field := range []struct{ path, value string }{
		{"context.case_reference", c.GetCaseReference()},
		{"context.actor_id", c.GetActorId()},
		{"context.legal_reference", c.GetLegalReference()},
	} {
		if field.value != "" && redact.Text(field.value) != field.value {
			out = append(out, errs.Field(field.path, "looks like personal data; use an opaque reference"))
		}
	}
	return out
}
