// Package spar asks SPAR, the Swedish population register, through its service Personsök, version 2021.1 or 2023.1, over SOAP 1.1 with
// a TLS client certificate.
//
// # What becomes of an answer
//
// The answer is read by local names within SPAR's namespaces, whatever their versions; what is not known is passed over. What the core
// has words for becomes a core.Person:
//
//   - Protection: each of the two flags that says JA, or anything but NEJ, on the record or on the row of details that holds today. The
//     dates beside them decide nothing: they stay after the end. An answer without the flags counts as no answer.
//   - State: the reason of deregistration (AvregistreringsorsakKod). With a pointer (Hanvisning) to another number in force that number
//     is asked for, once. The person has it then and the asked one among the earlier. If nobody answers to it, the replaced number is
//     returned as it is. A chain of pointers is not followed further, so a loop does no harm. Pointers from other numbers give
//     earlier numbers.
//   - Rows: of names, details and addresses those count that hold today; DatumTill is the first day on which they no longer do. Of names
//     and details the last one counts if none holds, as with the dead. An address that no longer holds is none.
//   - Address: the special postal address, where the person wants letters to go, else the registered one, else the contact address of
//     those with a samordningsnummer, else the one abroad. For emigrants only what lies abroad counts. None for the dead, the
//     missing, and numbers that are replaced or nobody's. No address is no error.
//   - Death: Avlidendatum, else the day of a samordningsnummer's holder, else when the person was found dead; possibly partial.
//   - The true birth date (Fodelsedatum), which need not agree with the number.
//
// A protected person comes with number and flags alone. The permission Sekretess, which would give more, is never asked for, nor are
// the other extended ones: our messages have no use for them.
//
// SenasteAndringSPAR tells when SPAR changed anything. Personsök always answers with the whole record, so it is not needed to find out
// what changed: the record is compared with the copy.
//
// An answer that tells of another number than was asked counts as no answer. The UUID of an answer, by which SPAR's support finds it,
// stands in the span of the call and in errors. No error of this package holds anything personal.
//
// Sources: WSDL and XSD of Personsök 2021.1 (SPAR), published clients for 2023.1, whose XSD is not public.
package spar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/core/civil"
	"samvirke.dev/services/identity/internal/core/nationalid"
	"samvirke.dev/services/identity/internal/register"
)

// Caller sends one SOAP request and reads its answer.
type Caller = register.Caller

// Deps are what the register needs. All are required but Version and Controllers.
type Deps struct {
	Caller     Caller     // with mutual TLS; for the endpoint of the same version
	Version    string     // Version2021 (default) or Version2023
	Assignment Assignment // on which permission we ask
	// Controllers are the assignments of single controllers, by id such as `SE:8020000017`; what is zero there is taken from
	// Assignment.
	Controllers map[string]Assignment
	Clock       core.Clock
	Zone        *time.Location // whose civil dates the register means: Europe/Stockholm
}

// Register is SPAR. It is safe for concurrent use if its Caller is.
type Register struct {
	caller      Caller
	version     version
	assignment  Assignment
	controllers map[string]Assignment
	clock       core.Clock
	zone        *time.Location
}

// New returns the register, or an error that names everything that is missing or would break the service's schema.
func New(d Deps) (*Register, error) {
	bad := []error{d.Assignment.check()}
	need := func(ok bool, what string) {
		if !ok {
			bad = append(bad, errors.New(what))
		}
	}
	if d.Version == "" {
		d.Version = Version2021
	}
	v, known := versions()[d.Version]
	need(known, "version: want "+Version2021+" or "+Version2023)
	need(d.Caller != nil, "no caller")
	need(d.Clock != nil, "no clock")
	need(d.Zone != nil, "no time zone")
	controllers := make(map[string]Assignment, len(d.Controllers))
	for id, own := range d.Controllers {
		controllers[id] = own.over(d.Assignment)
		if err := controllers[id].check(); err != nil {
			bad = append(bad, fmt.Errorf("controller %s: %w", id, err))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, fmt.Errorf("spar: %w", err)
	}
	return &Register{
		caller: d.Caller, version: v, assignment: d.Assignment, controllers: controllers, clock: d.Clock, zone: d.Zone,
	}, nil
}

// Lookup returns the person under a personnummer, samordningsnummer or immunity number; see core.Register and the package comment. A
// number of another country is refused.
func (r *Register) Lookup(ctx context.Context, ask core.Inquiry) (*core.Person, error) {
	person, next, err := r.fetch(ctx, ask)
	if err != nil || next.IsZero() {
		return person, err
	}
	earlier := append([]nationalid.Number{ask.Number}, person.Earlier...)
	ask.Number = next
	inForce, _, err := r.fetch(ctx, ask)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return person, nil
	case err != nil:
		return nil, err
	}
	for _, n := range inForce.Earlier {
		if !slices.Contains(earlier, n) {
			earlier = append(earlier, n)
		}
	}
	inForce.Earlier = slices.DeleteFunc(earlier, func(n nationalid.Number) bool { return n == inForce.Number })
	return inForce, nil
}

// fetch asks for one number, and also returns the number in force if that is another one.
func (r *Register) fetch(ctx context.Context, ask core.Inquiry) (*core.Person, nationalid.Number, error) {
	none := nationalid.Number{}
	body, err := r.lookup(ask)
	if err != nil {
		return nil, none, fmt.Errorf("spar: %w", err)
	}
	got, err := r.call(ctx, body)
	if err != nil {
		return nil, none, err
	}
	if len(got.Records) == 0 {
		return nil, none, fmt.Errorf("spar: %w", core.ErrNotFound)
	}
	at := slices.IndexFunc(got.Records, func(rec record) bool { return "SE:"+rec.ID == ask.Number.Canonical() })
	if at < 0 {
		return nil, none, got.unusable("it tells of another number")
	}
	rec := &got.Records[at]
	if !rec.flagged() {
		return nil, none, got.unusable("it lacks the flags of protection")
	}
	now := r.clock.Now()
	today := civil.Of(now.In(r.zone))
	return rec.person(ask.Number, now, today), rec.successor(ask.Number, today), nil
}

// call sends a question and sorts the answers that are none.
func (r *Register) call(ctx context.Context, body *request) (*answer, error) {
	got := &answer{root: r.version.answer()}
	if err := r.caller.Call(ctx, r.version.action, body, got); err != nil {
		return nil, fmt.Errorf("spar: %w", register.Meaning(ctx, err, faultMeaning))
	}
	note(ctx, got.uuid())
	return got, got.exception()
}

var _ core.Register = (*Register)(nil)
