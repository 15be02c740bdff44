// Package spar simulates SPAR Personsök 2021.1: SOAP 1.1 over mutual TLS, look-up by number and field search over the published test
// persons. Requests are checked as strictly as the schema says. Name and address of protected persons are withheld, the flags are
// told to everybody.
package spar

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // civil dates must not depend on what the machine has installed

	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/deploy/registers/soap"
	"samvirke.dev/services/platform/clock"
)

// Action is the SOAPAction of the operation.
const Action = "http://skatteverket.se/spar/personsok/2021.1/PersonsokService/Personsok"

// The paths at which clients call the operation.
const (
	Path      = "/2021.1/"
	OtherPath = "/2021.1/personsok"
)

// DefaultMaxAnswers is how many persons SPAR gives at most in one answer.
const DefaultMaxAnswers = 100

// The codes of an Undantag.
const (
	CodeInvalid = "OGILTIG_INPARAMETER"
	CodeGeneral = "GENERELLT_FEL"
)

// The outcomes that are counted.
const (
	OutcomePersons = "persons"
	OutcomeNoHit   = "no_hit"
	OutcomeTooMany = "too_many"
	OutcomeInvalid = "undantag_invalid"
	OutcomeGeneral = "undantag_general"
)

// Assignment is a permission that SPAR has given: which recipient may ask for which customer, and for what.
type Assignment struct {
	ID        int64 // UppdragId
	Recipient int64 // KundNrLeveransMottagare, whose certificate is used
	Customer  int64 // KundNrSlutkund, who holds the permission
	Rights    []string
	History   bool // whether answers carry earlier rows, and dates with the rows
	// Owner is who must own the certificate: its subject's serial number, or a URI in it. Empty admits every certificate.
	Owner string
}

// Deps are what a service needs.
type Deps struct {
	Clock       clock.Clock
	Assignments []Assignment
	// Count gets the outcome of every request.
	Count func(outcome string)
}

// Service answers questions. It is safe for concurrent use.
type Service struct {
	clk         clock.Clock
	zone        *time.Location
	assignments []Assignment
	schema      schema
	count       func(string)

	mu      sync.RWMutex
	people  map[string]*persons.Swede // the values are never changed, only replaced
	numbers []string                  // in order
	most    int
}

// New returns a service with the published persons.
func New(d Deps) (*Service, error) {
	if d.Clock == nil || d.Count == nil || len(d.Assignments) == 0 {
		return nil, errors.New("spar: a dependency is missing")
	}
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		return nil, fmt.Errorf("spar: %w", err)
	}
	people, err := persons.Swedes()
	if err != nil {
		return nil, err
	}
	return &Service{
		clk: d.Clock, zone: zone, assignments: d.Assignments, schema: newSchema(), count: d.Count, people: people,
		numbers: slices.Sorted(maps.Keys(people)), most: DefaultMaxAnswers,
	}, nil
}

// Handler serves the operation.
func (s *Service) Handler() http.Handler {
	return &soap.Endpoint{Action: Action, Operation: s.ask, Count: s.count}
}

// General answers every question with the Undantag GENERELLT_FEL.
func (s *Service) General() http.Handler {
	return &soap.Endpoint{Action: Action, Count: s.count, Operation: func(_ context.Context, call soap.Call) (soap.Answer, error) {
		if _, err := s.schema.read(call.Body); err != nil {
			return soap.Answer{}, err
		}
		return exception(call.Body, CodeGeneral, "Ett generellt fel har inträffat", OutcomeGeneral), nil
	}}
}

func (s *Service) ask(_ context.Context, call soap.Call) (soap.Answer, error) {
	q, err := s.schema.read(call.Body)
	if err != nil {
		return soap.Answer{}, err
	}
	a := s.assignment(q, call.Caller)
	if a == nil {
		return exception(call.Body, CodeInvalid, "Kundnummer, uppdrag eller behörighet stämmer inte", OutcomeInvalid), nil
	}
	v := view{history: a.History, rights: q.rights}
	if q.number != "" {
		if !checkDigit(q.number) {
			return exception(call.Body, CodeInvalid, "Kontrollsiffran stämmer inte", OutcomeInvalid), nil
		}
		return answer(call.Body, v, s.byNumber(q.number)), nil
	}
	if q.fields.empty() {
		return exception(call.Body, CodeInvalid, "Sökargument saknas", OutcomeInvalid), nil
	}
	found, most := s.search(q.fields, v.has(RightSecrecy))
	if len(found) > most {
		return tooMany(call.Body, len(found), most), nil
	}
	return answer(call.Body, v, found), nil
}

// assignment finds the permission that a question comes under; nil for none.
func (s *Service) assignment(q question, caller *x509.Certificate) *Assignment {
	for i := range s.assignments {
		a := &s.assignments[i]
		if a.ID == q.assignment && a.Recipient == q.recipient && a.Customer == q.customer && owns(caller, a.Owner) && covers(a.Rights, q.rights) {
			return a
		}
	}
	return nil
}

func covers(granted, asked []string) bool {
	for _, right := range asked {
		if !slices.Contains(granted, right) {
			return false
		}
	}
	return true
}

func owns(caller *x509.Certificate, owner string) bool {
	if owner == "" {
		return true
	}
	if caller == nil {
		return false
	}
	for _, uri := range caller.URIs {
		if uri.String() == owner {
			return true
		}
	}
	return caller.Subject.SerialNumber == owner
}

func (s *Service) byNumber(number string) []*persons.Swede {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.people[number]; p != nil {
		return []*persons.Swede{p}
	}
	return nil
}

// search returns who answers and how many may be told at once. Protected persons are found only with the permission to see them.
func (s *Service) search(f fields, secrecy bool) ([]*persons.Swede, int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []*persons.Swede
	for _, number := range s.numbers {
		if p := s.people[number]; (secrecy || !p.Protected()) && f.matches(p) {
			found = append(found, p)
		}
	}
	return found, s.most
}

// checkDigit is the Luhn check over the last ten digits.
func checkDigit(number string) bool {
	sum := 0
	for i, r := range number[len(number)-10:] {
		d := int(r - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
