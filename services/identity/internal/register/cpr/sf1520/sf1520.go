// Package sf1520 asks CPR, the Danish civil registration, through Serviceplatformen's service SF1520 PersonBaseDataExtended, version 4
// or 5, in the flavour that names agreement and system in the body (InvocationContext) and authenticates by TLS client
// certificate.
//
// # What becomes of an answer
//
// The answer is read whole (Record); what the core knows words for becomes a core.Person:
//
//   - Status: the code padded to two digits. For 50 and 60 the pointer to the number in force is followed once; the person has that number
//     then and the asked one among the earlier. Without a pointer that leads to somebody the replaced number is returned as it
//     is. A chain of pointers is not followed further, so a loop does no harm.
//   - Address: 01 and 05 (Greenland) the registered one, or the contact address if that is missing; 03 and 07 only the
//     contact address, since their road is none; 20 contact or foreign address; 80 only the foreign one; none for 30, 50, 60,
//     70, 90 and for a state that is missing or unknown. No address is no error.
//   - Death: for 90 the day since when that state holds, else the end of the number.
//   - Name and address protection: holds while the register says so. Its end date is kept in the Record and never applied
//     (domain rule B.10, 5): a protection may have been prolonged. An element without a yes or no counts as a yes; a missing
//     element means that there is none, as other users of the service read it.
//   - The strongest kind (DK_SPECIAL, B.10) has no mark in CPR. It is taken to be there where somebody with a protected name
//     and address is registered on a special road code, 9900 to 9999, or in state 03 or 07. That is the strictest reading: a
//     protected homeless person is treated so too.
//   - The local-directory protection has no counterpart in the core: it stays in the Record.
//   - Uncertain dates are passed on as they are; only the Record tells the mark.
//
// An answer that breaks the schema, or tells of another number than was asked, counts as no answer.
//
// No error of this package holds anything personal: of a fault it repeats the register's error codes and never a text.
package sf1520

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register"
	"samvirke.dev/services/identity/internal/register/cpr/serviceplatform"
)

// Versions of the service.
const (
	Version4 = "4"
	Version5 = "5"
)

// Caller sends one SOAP request and reads its answer.
type Caller = register.Caller

// Deps are what the register needs. All are required but Version and Controllers.
type Deps struct {
	Caller  Caller // with mutual TLS; for the endpoint of the same version
	Version string // Version4 (default) or Version5
	Context Context
	// Controllers are the contexts of single controllers, by id such as `DK:12345678`; what is empty there is taken from Context.
	Controllers map[string]Context
	Clock       core.Clock
	Zone        *time.Location // whose civil dates the register means: Europe/Copenhagen
}

// Register is CPR. It is safe for concurrent use if its Caller is.
type Register struct {
	caller   Caller
	space    string // namespace of the version
	contexts *serviceplatform.Contexts
	clock    core.Clock
	zone     *time.Location
}

// New returns the register, or an error that names everything that is missing or would break the service's schema.
func New(d Deps) (*Register, error) {
	var bad []error
	need := func(ok bool, what string) {
		if !ok {
			bad = append(bad, errors.New("cpr sf1520: "+what))
		}
	}
	if d.Version == "" {
		d.Version = Version4
	}
	need(d.Caller != nil, "no caller")
	need(d.Clock != nil, "no clock")
	need(d.Zone != nil, "no time zone")
	need(d.Version == Version4 || d.Version == Version5, "version: want 4 or 5")
	contexts, err := serviceplatform.NewContexts(d.Context, d.Controllers)
	if err != nil {
		bad = append(bad, fmt.Errorf("cpr sf1520: %w", err))
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	return &Register{caller: d.Caller, space: namespace(d.Version), contexts: contexts, clock: d.Clock, zone: d.Zone}, nil
}

// namespace returns the namespace of a version, which is also the front of its SOAP action.
func namespace(version string) string {
	return "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/" + version + "/"
}

// Lookup returns the person under a CPR number; see core.Register and the package comment. A number of another country is refused.
func (r *Register) Lookup(ctx context.Context, ask core.Inquiry) (*core.Person, error) {
	person, next, err := r.fetch(ctx, ask)
	if err != nil || next.IsZero() {
		return person, err
	}
	earlier := ask.Number
	ask.Number = next
	inForce, _, err := r.fetch(ctx, ask)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return person, nil
	case err != nil:
		return nil, err
	}
	inForce.Earlier = []nationalid.Number{earlier}
	return inForce, nil
}

// fetch asks for one number, and also returns the number in force if that is another one.
func (r *Register) fetch(ctx context.Context, ask core.Inquiry) (*core.Person, nationalid.Number, error) {
	body, err := r.request(ask)
	if err != nil {
		return nil, nationalid.Number{}, fmt.Errorf("cpr sf1520: %w", err)
	}
	got := answer{space: r.space}
	if err := r.caller.Call(ctx, r.space+"PersonLookup", body, &got); err != nil {
		return nil, nationalid.Number{}, fmt.Errorf("cpr sf1520: %w", serviceplatform.Meaning(ctx, err))
	}
	person, next, err := personOf(&got.record, ask.Number, r.clock.Now(), r.zone)
	if err != nil {
		return nil, nationalid.Number{}, fmt.Errorf("%w: %w", err, core.ErrRegisterUnavailable)
	}
	return person, next, nil
}

var _ core.Register = (*Register)(nil)
