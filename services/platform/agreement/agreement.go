// Package agreement holds the agreements between controllers and the organisations that call: read from a folder of YAML
// files, validated as a whole, and replaced as a whole when the files change. A broken set is never put in force.
package agreement

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	agreementv1 "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/authz"
)

// Agreement is one agreement, compiled for the decision.
type Agreement struct {
	Proto  *agreementv1.Agreement
	Ref    *auditv1.AgreementRef // shared by all records; never changed
	grants map[string]*authz.Grant
	from   time.Time
	until  time.Time
}

// compile checks the agreement against the schemas of the RPCs that it names.
func compile(a *agreementv1.Agreement, methods authz.Methods) (*Agreement, []error) {
	digest, err := digestOf(a)
	if err != nil {
		return nil, []error{err}
	}
	out := &Agreement{
		Proto: a, grants: map[string]*authz.Grant{},
		from: a.GetValidFrom().AsTime(), until: a.GetValidUntil().AsTime(),
		Ref: &auditv1.AgreementRef{Id: a.GetId(), Version: a.GetVersion(), Digest: digest},
	}
	var problems []error
	for _, g := range a.GetGrants() {
		grant, errs := authz.NewGrant(g, a.GetRole(), methods)
		problems = append(problems, errs...)
		if grant != nil {
			out.grants[g.GetRpc()] = grant
		}
	}
	return out, problems
}

func digestOf(a *agreementv1.Agreement) ([]byte, error) {
	canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return sum[:], nil
}

// Active says whether the agreement is in force at the instant.
func (a *Agreement) Active(at time.Time) bool { return !at.Before(a.from) && at.Before(a.until) }

// Grant returns what the agreement grants for an RPC, or nil.
func (a *Agreement) Grant(rpc string) *authz.Grant { return a.grants[rpc] }

// Reference returns what audit records name.
func (a *Agreement) Reference() *auditv1.AgreementRef { return a.Ref }

// Role returns the recipient's role.
func (a *Agreement) Role() vocabularyv1.Role { return a.Proto.GetRole() }

// ThirdCountryBasis returns the ground for a recipient outside the EU and EEA, or "".
func (a *Agreement) ThirdCountryBasis() string { return a.Proto.GetThirdCountryBasis() }

// Admits says whether the agreement names the system, or names none and so admits all.
func (a *Agreement) Admits(system string) bool {
	return len(a.Proto.GetSystems()) == 0 || slices.Contains(a.Proto.GetSystems(), system)
}

type pair struct{ recipient, controller string }

// Set is all agreements at one time. It never changes.
type Set struct {
	pairs      map[pair][]authz.Agreement
	recipients map[string]bool
	names      map[string]string // of organisations, as the latest agreement writes them
	digest     [sha256.Size]byte // over the files, to see changes
	count      int
}

// Len returns how many agreements there are.
func (s *Set) Len() int { return s.count }

// Controllers returns every controller that an agreement names, sorted.
func (s *Set) Controllers() []string {
	seen := map[string]bool{}
	for p := range s.pairs {
		seen[p.controller] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Knows says whether any agreement, in force or not, names the organisation as recipient.
func (s *Set) Knows(recipient string) bool { return s.recipients[recipient] }

// Name returns the organisation's name, as an agreement writes it, or "".
func (s *Set) Name(organisation string) string { return s.names[organisation] }

// Between returns the agreements by which the recipient may act for the controller, in force or not.
func (s *Set) Between(recipient, controller string) []authz.Agreement {
	return s.pairs[pair{recipient, controller}]
}

// newSet puts agreements together. Two of the same pair may not be in force at the same time.
func newSet(list []*Agreement) (*Set, []error) {
	s := &Set{pairs: map[pair][]authz.Agreement{}, recipients: map[string]bool{}, names: map[string]string{}, count: len(list)}
	byPair := map[pair][]*Agreement{}
	versions := map[string]bool{}
	var problems []error
	for _, a := range list {
		key := pair{a.Proto.GetRecipient().GetId(), a.Proto.GetController().GetId()}
		version := fmt.Sprintf("%s version %d", a.Proto.GetId(), a.Proto.GetVersion())
		if versions[version] {
			problems = append(problems, fmt.Errorf("%s stands in two files", version))
		}
		versions[version] = true
		for _, other := range byPair[key] {
			if a.from.Before(other.until) && other.from.Before(a.until) {
				problems = append(problems, fmt.Errorf("%s overlaps %s: same controller, recipient and time", a.Proto.GetId(), other.Proto.GetId()))
			}
		}
		byPair[key] = append(byPair[key], a)
		s.pairs[key] = append(s.pairs[key], a)
		s.recipients[key.recipient] = true
		for _, party := range []*agreementv1.Party{a.Proto.GetController(), a.Proto.GetRecipient()} {
			s.names[party.GetId()] = party.GetName()
		}
	}
	return s, problems
}
