// Package eindkomst simulates eIndkomst, the Danish income register: SKAT's IndkomstOplysningPersonHent over SOAP 1.1, with mutual TLS and,
// if it is configured so, signed messages. It is fed by employers' upload files. Requests are checked as strictly as the schemas say,
// but for CPR numbers with days raised by 60, which test persons have; answers look like those of SKAT's demo system. It shares no code with
// the adapter that calls it.
//
// SKAT publishes neither its error codes nor the largest answer, so those here are made up; see Code constants.
package eindkomst

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"samvirke.dev/deploy/registers/soap"
	"samvirke.dev/services/platform/clock"
)

// The outcomes that are counted.
const (
	OutcomeFound   = "found"
	OutcomeNothing = "nothing"
	OutcomeRefused = "refused"
)

// DefaultMost is how many reports one answer holds at most, larger how much larger than others' its requests may be.
const (
	DefaultMost = 1500
	larger      = 16
)

// Deps are what a service needs.
type Deps struct {
	Clock         clock.Clock
	Book          *Book
	Subscriptions []Subscription // that have access
	Most          int            // reports in one answer; DefaultMost when 0
	// PositiveReversals writes the figures of reversals without sign.
	PositiveReversals bool
	// Security signs and checks signatures; nil for mutual TLS alone.
	Security soap.Security
	Count    func(outcome string)
}

// Service answers questions. It is safe for concurrent use.
type Service struct {
	d    Deps
	zone *time.Location

	mu    sync.Mutex
	twice int // for how many more requests every report is told twice
}

// New returns a service.
func New(d Deps) (*Service, error) {
	if d.Clock == nil || d.Book == nil || d.Count == nil || len(d.Subscriptions) == 0 {
		return nil, errors.New("eindkomst: a dependency is missing")
	}
	if d.Most == 0 {
		d.Most = DefaultMost
	}
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		return nil, fmt.Errorf("eindkomst: %w", err)
	}
	return &Service{d: d, zone: zone}, nil
}

// Handler serves the operation.
func (s *Service) Handler() http.Handler { return s.endpoint(s.answer) }

// General answers every request with an error of SKAT's that tells nothing.
func (s *Service) General() http.Handler {
	return s.endpoint(func(_ context.Context, call soap.Call) (soap.Answer, error) {
		q, err := read(call.Body)
		if err != nil {
			return soap.Answer{}, err
		}
		return s.refuse(q, CodeGeneral, "Der er sket en fejl"), nil
	})
}

func (s *Service) endpoint(operation soap.Operation) http.Handler {
	return &soap.Endpoint{Action: Action, Operation: operation, Count: s.d.Count, Larger: larger, Security: s.d.Security}
}

// TellTwice makes the next answers hold every report twice.
func (s *Service) TellTwice(requests int) error {
	if requests < 0 {
		return ErrInvalid
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.twice = requests
	return nil
}

func (s *Service) repeats() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.twice == 0 {
		return 1
	}
	s.twice--
	return 2
}

func (s *Service) writer() *writer {
	return &writer{fields: retrieval(), zone: s.zone, positive: s.d.PositiveReversals}
}

func (s *Service) answer(_ context.Context, call soap.Call) (soap.Answer, error) {
	q, err := read(call.Body)
	if err != nil {
		return soap.Answer{}, err
	}
	if !slices.Contains(s.d.Subscriptions, q.subscription) {
		return s.refuse(q, CodeAccess, "Ingen adgang med dette abonnement"), nil
	}
	found, total := make([][]entry, len(q.searches)), 0
	for i, one := range q.searches {
		if one.to < one.from {
			return s.refuse(q, CodePeriod, "Perioden slutter, før den begynder"), nil
		}
		found[i] = s.d.Book.about(one)
		total += len(found[i])
	}
	if total > s.d.Most {
		return s.refuse(q, CodeTooMuch, "Der er fundet for mange oplysninger"), nil
	}
	w := s.writer()
	if total == 0 {
		w.begin(q.transaction, s.d.Clock.Now(), func() { w.note("k:Advis", codeNothing, "Der er ingen oplysninger") })
		w.end()
		return soap.Answer{Body: w.Bytes(), Outcome: OutcomeNothing}, nil
	}
	w.begin(q.transaction, s.d.Clock.Now(), func() {})
	w.Open("e:IndkomstPersonUddata")
	w.Open("e:IndkomstOplysningPersonSamling")
	for range s.repeats() {
		for i, one := range q.searches {
			if len(found[i]) > 0 {
				w.person(one, found[i])
			}
		}
	}
	w.Close("e:IndkomstOplysningPersonSamling")
	w.Close("e:IndkomstPersonUddata")
	w.end()
	return soap.Answer{Body: w.Bytes(), Outcome: OutcomeFound}, nil
}

func (s *Service) refuse(q request, code, text string) soap.Answer {
	w := s.writer()
	w.begin(q.transaction, s.d.Clock.Now(), func() { w.note("k:Fejl", code, text) })
	w.end()
	return soap.Answer{Body: w.Bytes(), Outcome: OutcomeRefused}
}

// note writes an AdvisStruktur or a FejlStruktur.
func (w *writer) note(kind, code, text string) {
	w.Open(kind + "Struktur")
	w.Value(kind+"Identifikator", code)
	w.Value(kind+"Tekst", text)
	w.Close(kind + "Struktur")
}
