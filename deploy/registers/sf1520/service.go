// Package sf1520 simulates SF1520 PersonBaseDataExtended, version 4 or 5, of Serviceplatformen in its context flavour: SOAP 1.1 over
// mutual TLS with the agreement's UUIDs in the body. Requests are checked as strictly as the schema says; answers are what it allows and
// what the demo persons are. CPR delivers name and address of protected persons, with the flag.
package sf1520

import (
	"context"
	"errors"
	"net/http"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/soap"
)

// The outcomes that are counted.
const (
	OutcomePerson   = "person"
	OutcomeNotFound = "not_found"
	OutcomeInvalid  = "invalid"
	OutcomeAccess   = "no_access"
)

// Deps are what a service needs.
type Deps struct {
	Register *cpr.Register
	// Version is Version4 or Version5.
	Version string
	// Invocations are the contexts that have access.
	Invocations []serviceplatform.Invocation
	// Count gets the outcome of every request.
	Count func(outcome string)
}

// Service answers look-ups. It is safe for concurrent use.
type Service struct {
	register *cpr.Register
	version  string
	space    string // namespace of the version
	access   serviceplatform.Access
	reader   *serviceplatform.Reader
	count    func(string)
}

// New returns a service.
func New(d Deps) (*Service, error) {
	if d.Register == nil || d.Count == nil {
		return nil, errors.New("sf1520: a dependency is missing")
	}
	if d.Version != Version4 && d.Version != Version5 {
		return nil, errors.New("sf1520: the version is 4 or 5")
	}
	access, err := serviceplatform.NewAccess(d.Invocations)
	if err != nil {
		return nil, err
	}
	return &Service{
		register: d.Register, version: d.Version, space: space(d.Version), access: access, reader: serviceplatform.NewReader(), count: d.Count,
	}, nil
}

// Handler serves the operation.
func (s *Service) Handler() http.Handler {
	return &soap.Endpoint{Action: Action(s.version), Operation: s.lookup, Count: s.count}
}

// General answers every request as when the platform itself is broken: a Server fault without detail.
func (s *Service) General() http.Handler {
	return &soap.Endpoint{Action: Action(s.version), Count: s.count, Operation: func(context.Context, soap.Call) (soap.Answer, error) {
		return soap.Answer{}, serviceplatform.General()
	}}
}

func (s *Service) lookup(_ context.Context, call soap.Call) (soap.Answer, error) {
	q, err := s.read(call.Body)
	if err != nil {
		return soap.Answer{}, err
	}
	if q.invocation == nil || !s.access[*q.invocation] {
		return s.refuse(OutcomeAccess, serviceplatform.CodeAccess, "No access under this invocation context")
	}
	if !plausible(q.number) {
		return s.refuse(OutcomeInvalid, serviceplatform.CodeInvalid, "The number is not valid")
	}
	p := s.register.Lookup(q.number)
	if p == nil {
		return s.refuse(OutcomeNotFound, serviceplatform.CodeNotFound, "The number is not known to CPR")
	}
	return soap.Answer{Body: s.write(p), Outcome: OutcomePerson}, nil
}

func (s *Service) refuse(outcome, code, text string) (soap.Answer, error) {
	s.count(outcome)
	return soap.Answer{}, serviceplatform.Fault(code, text)
}
