// Package subscription keeps the list of persons about whom CPR sends us its deliveries (package direkte reads them): Serviceplatformen's
// service SF6002 CprSubscriptionService, version 1, in the flavour that names agreement and system in the body and authenticates by
// TLS client certificate.
//
// The list belongs to the service agreement. Whoever asks under the contexts of single controllers keeps a list for each of them, and
// must take a person off the list onto which they were put.
//
// The service answers with a word that its schema leaves open. The words are those that public clients of the service know (CPR
// Broker): ADDED, ALREADY_EXISTED, REMOVED, NON_EXISTING_PNR. Any other counts as no answer, and is not repeated in the error.
package subscription

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/register"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
	"samvirke.dev/services/platform/soap"
)

// Caller sends one SOAP request and reads its answer.
type Caller = register.Caller

// Deps are what the list needs. All are required but Controllers.
type Deps struct {
	Caller  Caller                  // with mutual TLS
	Context serviceplatform.Context // its MunicipalityCVR is not sent: the service does not ask for it
	// Controllers are the contexts of single controllers, by id such as `DK:12345678`; what is empty there is taken from Context.
	Controllers map[string]serviceplatform.Context
}

// List is CPR's list of persons. It is safe for concurrent use if its Caller is.
type List struct {
	caller   Caller
	contexts *serviceplatform.Contexts
}

// New returns the list, or an error that names everything that is missing or would break the service's schema.
func New(d Deps) (*List, error) {
	contexts, err := serviceplatform.NewContexts(d.Context, d.Controllers)
	if d.Caller == nil {
		err = errors.Join(errors.New("no caller"), err)
	}
	if err != nil {
		return nil, fmt.Errorf("cpr subscription: %w", err)
	}
	return &List{caller: d.Caller, contexts: contexts}, nil
}

// The words of the service.
const (
	added       = "ADDED"
	existed     = "ALREADY_EXISTED"
	removed     = "REMOVED"
	nonExisting = "NON_EXISTING_PNR" // CPR has nobody under the number; or, when it is removed, the number is not on the list
)

// Enrol puts the person on the list; see core.Enroller. One who is on it is no error. A number of another country is refused.
func (l *List) Enrol(ctx context.Context, ask core.Inquiry) error {
	result, err := l.call(ctx, "AddPNRSubscription", ask)
	if err != nil {
		return err
	}
	switch result {
	case added, existed:
		return nil
	case nonExisting:
		return fmt.Errorf("cpr subscription: %w", core.ErrNotFound)
	}
	return unknown()
}

// Withdraw takes the person off the list; see core.Enroller. One whom CPR does not know is not on it.
func (l *List) Withdraw(ctx context.Context, ask core.Inquiry) error {
	result, err := l.call(ctx, "RemovePNRSubscription", ask)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return nil
	case err != nil:
		return err
	case result == removed || result == nonExisting:
		return nil
	}
	return unknown()
}

func unknown() error {
	return fmt.Errorf("cpr subscription: %w: an answer that we don't know", core.ErrRegisterUnavailable)
}

const namespace = "http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/"

// request is an AddPNRSubscription or a RemovePNRSubscription.
type request struct {
	XMLName    xml.Name
	Invocation serviceplatform.Invocation `xml:"http://serviceplatformen.dk/xml/schemas/InvocationContext/1/ InvocationContext"`
	PNR        string                     `xml:"http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/ PNR"`
}

// answer is the response to an operation.
type answer struct {
	operation string
	Result    string `xml:"http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/ Result"`
}

// Root names the element: no other is read.
func (a *answer) Root() xml.Name { return xml.Name{Space: namespace, Local: a.operation + "Response"} }

// call returns the word that the service answers with.
func (l *List) call(ctx context.Context, operation string, ask core.Inquiry) (string, error) {
	q, err := l.contexts.Ask(ask)
	if err != nil {
		return "", fmt.Errorf("cpr subscription: %w", err)
	}
	body := &request{XMLName: xml.Name{Space: namespace, Local: operation}, Invocation: q.Invocation, PNR: q.PNR}
	got := answer{operation: operation}
	// The WSDL gives all operations the empty action.
	if err := l.caller.Call(ctx, "", body, &got); err != nil {
		return "", fmt.Errorf("cpr subscription: %w", serviceplatform.Meaning(ctx, err))
	}
	return strings.TrimSpace(got.Result), nil
}

// Listed is a register with a list of its own.
type Listed struct {
	core.Register
	core.Enroller
}

// With returns the register with the list, as one value that implements both: how CPR is asked and how it is followed are two services.
func With(register core.Register, list core.Enroller) Listed {
	return Listed{Register: register, Enroller: list}
}

var (
	_ core.Enroller = (*List)(nil)
	_ core.Enroller = Listed{}
	_ core.Register = Listed{}
	_ soap.Rooted   = (*answer)(nil)
)
