package authz

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"

	"samvirke.dev/certs/workload"
)

// Request is what a decision is made of.
type Request struct {
	Method  *Method
	Caller  workload.ID
	Context *commonv1.RequestContext // nil when the request names none
	Wanted  []string                 // paths of a read mask; none means all
	At      time.Time
}

// Decision is the outcome for one call.
type Decision struct {
	Organisation string // the caller's, as DK:12345678; "" for one of our own services
	Controller   string
	Role         vocabularyv1.Role
	Context      *commonv1.RequestContext
	Agreement    *auditv1.AgreementRef
	Transfer     string // ground for a third country, or ""
	Grant        *Grant
	Reasons      []commonv1.Reason // why not, in the order of domain rule B.11; none when allowed
}

// Allowed says whether the call may go on.
func (d *Decision) Allowed() bool { return len(d.Reasons) == 0 }

func (d *Decision) deny(r commonv1.Reason) { d.Reasons = append(d.Reasons, r) }

// Decide checks a call in the order of domain rule B.11: organisation, controller, role, RPC, purpose, basis, special basis,
// legal reference, case reference, fields. The certificate was checked at the handshake, the subject's flags are the use
// case's. All failing checks are listed; the caller is told the first.
func Decide(agreements Agreements, in Request) *Decision {
	d := &Decision{Organisation: in.Caller.Org(), Context: in.Context, Controller: in.Context.GetControllerId()}
	if in.Caller.Kind() != workload.KindOrganisation {
		d.service(in.Method)
		return d
	}
	d.find(agreements, in)
	d.purpose(in)
	d.basis(in)
	d.references(in)
	if d.Grant != nil && !in.Method.chooses && len(d.Grant.Release.Exceeds(in.Wanted)) > 0 {
		d.deny(commonv1.Reason_REASON_FIELDS_EXCEED)
	}
	return d
}

// service decides about one of our own services that calls in its own name: its certificate and the schema's rule are enough, since what is
// open to services concerns no controller and needs no agreement.
func (d *Decision) service(m *Method) {
	d.Role = vocabularyv1.Role_ROLE_SERVICE
	if !slices.Contains(m.Rule.GetCallers(), d.Role) {
		d.deny(commonv1.Reason_REASON_ROLE_NOT_ALLOWED)
		return
	}
	d.Grant = &Grant{RPC: m.Name, Release: m.internal}
}

// find looks the agreement up: organisation, controller, in force, role, RPC.
func (d *Decision) find(agreements Agreements, in Request) {
	if !agreements.Knows(d.Organisation) {
		d.deny(commonv1.Reason_REASON_ORGANISATION_UNKNOWN)
		return
	}
	if d.Controller == "" {
		if onlyServices(in.Method.Rule.GetCallers()) { // no agreement could open it, so that which controller is meant does not matter
			d.deny(commonv1.Reason_REASON_ROLE_NOT_ALLOWED)
		} else {
			d.deny(commonv1.Reason_REASON_INVALID_REQUEST)
		}
		return
	}
	candidates := agreements.Between(d.Organisation, d.Controller)
	if len(candidates) == 0 {
		d.deny(commonv1.Reason_REASON_CONTROLLER_MISMATCH)
		return
	}
	at := slices.IndexFunc(candidates, func(a Agreement) bool { return a.Active(in.At) })
	if at < 0 {
		d.deny(commonv1.Reason_REASON_AGREEMENT_INACTIVE)
		return
	}
	agreement := candidates[at]
	d.Agreement, d.Role, d.Transfer = agreement.Reference(), agreement.Role(), agreement.ThirdCountryBasis()
	if !slices.Contains(in.Method.Rule.GetCallers(), d.Role) {
		d.deny(commonv1.Reason_REASON_ROLE_NOT_ALLOWED)
	}
	grant := agreement.Grant(in.Method.Name)
	if grant == nil || !agreement.Admits(in.Caller.System()) {
		d.deny(commonv1.Reason_REASON_RPC_NOT_GRANTED)
		return
	}
	d.Grant = grant
}

func onlyServices(callers []vocabularyv1.Role) bool {
	return !slices.ContainsFunc(callers, func(r vocabularyv1.Role) bool { return r != vocabularyv1.Role_ROLE_SERVICE })
}

func (d *Decision) purpose(in Request) {
	purpose := in.Context.GetPurpose()
	switch {
	case purpose == vocabularyv1.Purpose_PURPOSE_UNSPECIFIED:
		d.deny(commonv1.Reason_REASON_PURPOSE_MISSING)
	case !slices.Contains(in.Method.Rule.GetPurposes(), purpose), d.Grant != nil && d.Grant.purposes[purpose] == nil:
		d.deny(commonv1.Reason_REASON_PURPOSE_NOT_ALLOWED)
	}
}

func (d *Decision) basis(in Request) {
	purpose, basis := in.Context.GetPurpose(), in.Context.GetLegalBasis()
	granted := d.granted(purpose)
	switch {
	case basis == vocabularyv1.LegalBasis_LEGAL_BASIS_UNSPECIFIED:
		d.deny(commonv1.Reason_REASON_BASIS_MISSING)
	case !BasisFits(purpose, basis), granted != nil && granted.bases&(1<<basis) == 0:
		d.deny(commonv1.Reason_REASON_BASIS_INVALID)
	}
	special := in.Context.GetSpecialBasis()
	named := special != vocabularyv1.SpecialBasis_SPECIAL_BASIS_UNSPECIFIED
	notGranted := named && granted != nil && !slices.Contains(granted.specials, special)
	if (in.Method.Rule.GetSpecialBasis() && !named) || notGranted {
		d.deny(commonv1.Reason_REASON_SPECIAL_BASIS_MISSING)
	}
}

func (d *Decision) references(in Request) {
	purpose, reference := in.Context.GetPurpose(), in.Context.GetLegalReference()
	granted := d.granted(purpose)
	switch {
	case reference == "" && NeedsLegalReference(purpose):
		d.deny(commonv1.Reason_REASON_LEGAL_REFERENCE_MISSING)
	case reference != "" && granted != nil && len(granted.references) > 0 && !slices.Contains(granted.references, reference):
		d.deny(commonv1.Reason_REASON_LEGAL_REFERENCE_INVALID)
	}
	if in.Context.GetCaseReference() == "" {
		d.deny(commonv1.Reason_REASON_CASE_REFERENCE_MISSING)
	}
}

func (d *Decision) granted(p vocabularyv1.Purpose) *purposeGrant {
	if d.Grant == nil {
		return nil
	}
	return d.Grant.purposes[p]
}

// contextual is a request that says why it is made; masked is one that narrows its answer.
type (
	contextual interface {
		GetContext() *commonv1.RequestContext
	}
	masked interface {
		GetReadMask() *fieldmaskpb.FieldMask
	}
)

// ContextOf returns the context that a request carries, or nil.
func ContextOf(request any) *commonv1.RequestContext {
	if c, ok := request.(contextual); ok {
		return c.GetContext()
	}
	return nil
}

// WantedOf returns the paths of a request's read mask; none when it has no mask.
func WantedOf(request any) []string {
	if m, ok := request.(masked); ok {
		return m.GetReadMask().GetPaths()
	}
	return nil
}

type key struct{}

// With puts the decision into the context for the handler.
func With(ctx context.Context, d *Decision) context.Context { return context.WithValue(ctx, key{}, d) }

// From returns the decision of the running call, or nil outside of one.
func From(ctx context.Context) *Decision {
	d, _ := ctx.Value(key{}).(*Decision)
	return d
}
