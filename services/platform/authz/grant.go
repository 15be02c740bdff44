package authz

import (
	"fmt"
	"slices"
	"time"

	agreementv1 "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Agreements is the set of agreements at one time.
type Agreements interface {
	// Knows says whether any agreement names the organisation as recipient.
	Knows(recipient string) bool
	// Between returns the agreements by which the recipient may act for the controller, in force or not.
	Between(recipient, controller string) []Agreement
}

// Agreement is one agreement, as far as the decision needs it.
type Agreement interface {
	Active(at time.Time) bool
	Admits(system string) bool
	Grant(rpc string) *Grant
	Role() vocabularyv1.Role
	Reference() *auditv1.AgreementRef
	ThirdCountryBasis() string
}

// Quota is so many calls in so long a time; zero Requests means no limit.
type Quota struct {
	Requests int64
	Per      time.Duration
}

// Grant is what one agreement grants for one RPC, compiled.
type Grant struct {
	RPC      string
	Quota    Quota
	Release  *Release
	purposes map[vocabularyv1.Purpose]*purposeGrant
}

type purposeGrant struct {
	bases      bases
	specials   []vocabularyv1.SpecialBasis
	references []string
}

// NewGrant compiles a grant and checks it against the rule and the response of its RPC, so that an agreement can narrow
// what a schema allows but never widen it. All problems are returned. An RPC of a service that is not exposed here is
// returned as nil without a problem: one folder of agreements may serve several services.
func NewGrant(g *agreementv1.Grant, role vocabularyv1.Role, methods Methods) (*Grant, []error) {
	method := methods["/"+g.GetRpc()]
	if method == nil {
		if methods.serves(g.GetRpc()) {
			return nil, []error{fmt.Errorf("no RPC %s", g.GetRpc())}
		}
		return nil, nil
	}
	if method.Open {
		return nil, []error{fmt.Errorf("%s needs no agreement", g.GetRpc())}
	}
	out := &Grant{
		RPC: g.GetRpc(), purposes: map[vocabularyv1.Purpose]*purposeGrant{},
		Quota: Quota{Requests: int64(g.GetQuota().GetRequests()), Per: g.GetQuota().GetPer().AsDuration()},
	}
	var problems []error
	if !slices.Contains(method.Rule.GetCallers(), role) {
		problems = append(problems, fmt.Errorf("%s is not open to %s", g.GetRpc(), role))
	}
	for _, p := range g.GetPurposes() {
		problems = append(problems, out.addPurpose(p, method)...)
	}
	release, err := method.Plan.NewRelease(g.GetFields())
	if err != nil {
		problems = append(problems, fmt.Errorf("%s: %w", g.GetRpc(), err))
	}
	out.Release = release
	return out, problems
}

func (g *Grant) addPurpose(p *agreementv1.PurposeGrant, method *Method) []error {
	var problems []error
	if !slices.Contains(method.Rule.GetPurposes(), p.GetPurpose()) {
		problems = append(problems, fmt.Errorf("%s does not serve %s", g.RPC, p.GetPurpose()))
	}
	granted := &purposeGrant{specials: p.GetSpecialBases(), references: p.GetLegalReferences()}
	for _, b := range p.GetLegalBases() {
		if !BasisFits(p.GetPurpose(), b) {
			problems = append(problems, fmt.Errorf("%s: %s is no basis for %s", g.RPC, b, p.GetPurpose()))
		}
		granted.bases |= 1 << b
	}
	g.purposes[p.GetPurpose()] = granted
	return problems
}

// serves says whether the name's service is exposed here.
func (m Methods) serves(rpc string) bool {
	for _, method := range m {
		if service(method.Name) == service(rpc) {
			return true
		}
	}
	return false
}

func service(rpc string) string {
	for i := range len(rpc) {
		if rpc[i] == '/' {
			return rpc[:i]
		}
	}
	return rpc
}
