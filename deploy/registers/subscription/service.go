// Package subscription simulates SF6002 CprSubscriptionService, version 1, of Serviceplatformen: SOAP 1.1 over mutual TLS, by which a
// customer says whom the deliveries of CPR tell about. All ten operations of its WSDL are there. The WSDL gives results as texts
// without naming them; those here are the ones that public clients of the service expect.
package subscription

import (
	"context"
	"errors"
	"net/http"

	"samvirke.dev/deploy/registers/cpr"
	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/serviceplatform"
	"samvirke.dev/deploy/registers/soap"
)

// The results.
const (
	ResultAdded       = "ADDED"
	ResultExisted     = "ALREADY_EXISTED"
	ResultRemoved     = "REMOVED"
	ResultNonExisting = "NON_EXISTING_PNR" // to add a number that CPR doesn't know, or to remove what is not there
)

// The outcomes that are counted, besides subscription_ with the result in lower case.
const (
	OutcomeFilters = "subscription_filters"
	OutcomeAccess  = "subscription_no_access"
)

// Deps are what a service needs.
type Deps struct {
	Register   *cpr.Register
	Deliveries *direkte.Deliveries
	// Invocations are the contexts that have access.
	Invocations []serviceplatform.Invocation
	// Count gets the outcome of every request.
	Count func(outcome string)
}

// Service changes subscriptions. It is safe for concurrent use.
type Service struct {
	register   *cpr.Register
	deliveries *direkte.Deliveries
	access     serviceplatform.Access
	schema     schema
	count      func(string)
}

// New returns a service.
func New(d Deps) (*Service, error) {
	if d.Register == nil || d.Deliveries == nil || d.Count == nil {
		return nil, errors.New("subscription: a dependency is missing")
	}
	access, err := serviceplatform.NewAccess(d.Invocations)
	if err != nil {
		return nil, err
	}
	return &Service{register: d.Register, deliveries: d.Deliveries, access: access, schema: newSchema(), count: d.Count}, nil
}

// Handler serves the operations. The WSDL gives all of them the empty SOAPAction; the element in the body tells which one is meant.
func (s *Service) Handler() http.Handler {
	return &soap.Endpoint{Operation: s.operate, Count: s.count}
}

// General answers every request as when the platform itself is broken: a Server fault without detail.
func (s *Service) General() http.Handler {
	return &soap.Endpoint{Count: s.count, Operation: func(context.Context, soap.Call) (soap.Answer, error) {
		return soap.Answer{}, serviceplatform.General()
	}}
}

func (s *Service) operate(_ context.Context, call soap.Call) (soap.Answer, error) {
	q, err := s.schema.read(call.Body)
	if err != nil {
		return soap.Answer{}, err
	}
	if !s.access[q.invocation] {
		s.count(OutcomeAccess)
		return soap.Answer{}, serviceplatform.Fault(serviceplatform.CodeAccess, "No access under this invocation context")
	}
	switch q.operation {
	case opAddPNR:
		return result(q.operation, s.add(q.number)), nil
	case opRemovePNR:
		return result(q.operation, removed(s.deliveries.Remove(q.number))), nil
	case opAddAges, opAddMunicipality, opAddChange:
		return result(q.operation, added(s.deliveries.AddFilter(q.filter))), nil
	case opRemoveAges, opRemoveMunicipality, opRemoveChange:
		return result(q.operation, removed(s.deliveries.RemoveFilter(q.filter))), nil
	case opRemoveAll:
		s.removeAll(q.group)
		return result(q.operation, ResultRemoved), nil
	default:
		return soap.Answer{Body: filters(s.deliveries), Outcome: OutcomeFilters}, nil
	}
}

func (s *Service) add(number string) string {
	if s.register.Lookup(number) == nil {
		return ResultNonExisting
	}
	isNew, err := s.deliveries.Add(number)
	if err != nil {
		return ResultNonExisting
	}
	return added(isNew)
}

func added(isNew bool) string {
	if isNew {
		return ResultAdded
	}
	return ResultExisted
}

func removed(was bool) string {
	if was {
		return ResultRemoved
	}
	return ResultNonExisting
}

func (s *Service) removeAll(group string) {
	switch group {
	case groupPNR:
		s.deliveries.Unsubscribe(s.deliveries.Subscribed()...)
	case groupAges:
		s.deliveries.RemoveFilters(direkte.Ages)
	case groupMunicipality:
		s.deliveries.RemoveFilters(direkte.Municipality)
	case groupChange:
		s.deliveries.RemoveFilters(direkte.Change)
	}
}
