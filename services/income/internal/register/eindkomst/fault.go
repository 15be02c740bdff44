package eindkomst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/platform/soap"
)

// errDivide means that fewer persons should be asked for at once. It is a refusal as well, for a batch of one.
var errDivide = fmt.Errorf("%w: too much at once", core.ErrRegisterRefused)

// meaning turns the error of a call into one of core.Register, or that of ctx, as it is, if it ended. Its text is that of package
// soap, which holds nothing personal; the chain is cut, so that the end of the client's own time looks like an unreachable register and
// not like an ended context.
func meaning(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	status, isStatus := errors.AsType[*soap.HTTPError](err)
	fault, isFault := errors.AsType[*soap.Fault](err)
	switch {
	case errors.Is(err, soap.ErrTooLarge):
		return errDivide
	case isFault && !fault.ByCaller():
		return fmt.Errorf("%w: %s", core.ErrRegisterUnavailable, fault.Error())
	case isFault, errors.Is(err, soap.ErrRefused), errors.Is(err, soap.ErrUntrusted), isStatus && !status.Temporary():
		// An answer that SKAT did not sign is nothing that passes: a certificate changed, or somebody is in the way.
		return fmt.Errorf("%w: %s", core.ErrRegisterRefused, err.Error())
	}
	return fmt.Errorf("%w: %s", core.ErrRegisterUnavailable, err.Error())
}

// refusals turns SKAT's own errors into one of core.Register. The texts are not read: they may repeat a number.
func (r *Register) refusals(faults []fejl) error {
	told := make([]string, len(faults))
	divide := true
	for i, f := range faults {
		told[i] = codeOf(f.Code)
		divide = divide && slices.Contains(r.d.Divide, told[i])
	}
	kind := core.ErrRegisterRefused
	if divide {
		kind = errDivide
	}
	return fmt.Errorf("%w: error codes %s", kind, strings.Join(told, " "))
}

// maxCode is how many characters a code may have to be shown: ten digits would be a person.
const maxCode = 6

// codeOf returns an error code as it may be shown.
func codeOf(raw string) string {
	code := strings.TrimSpace(raw)
	if code == "" || len(code) > maxCode || strings.Trim(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return "other"
	}
	return code
}
