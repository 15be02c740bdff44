// Package register holds what all registers that are asked over SOAP have in common. The adapters lie below it: spar and cpr; guarded
// puts a guard around any of them.
package register

import (
	"context"
	"errors"
	"fmt"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/platform/soap"
)

// Caller sends one SOAP request and reads its answer, as soap.Client does.
type Caller interface {
	// Call sends the body under the SOAP action and decodes the body of the answer.
	Call(ctx context.Context, action string, body, answer any) error
}

// Meaning turns the error of a call into one of core.Register: what fault says of a SOAP fault, core.ErrRegisterUnavailable,
// core.ErrRegisterRefused, or that of ctx, as it is, if it ended. Its text is that of the soap package, which holds nothing personal; the
// chain is cut, so that the end of the client's own time looks like an unreachable register and not like an ended context.
func Meaning(ctx context.Context, err error, fault func(*soap.Fault) error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if f, ok := errors.AsType[*soap.Fault](err); ok {
		return fault(f)
	}
	kind := core.ErrRegisterUnavailable
	status, isStatus := errors.AsType[*soap.HTTPError](err)
	if errors.Is(err, soap.ErrRefused) || isStatus && !status.Temporary() {
		kind = core.ErrRegisterRefused
	}
	return fmt.Errorf("%w: %s", kind, err.Error())
}
