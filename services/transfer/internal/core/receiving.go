package core

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/core/rules"
	"samvirke.dev/services/transfer/internal/store"
)

// Creation is what begins a transfer. Protected is what the identity service said just now.
type Creation struct {
	Other, Handle, Membership string
	Protected                 bool
}

// Create begins a transfer into the calling fund.
func (s *Service) Create(ctx context.Context, by Caller, in Creation) (cases.Case, error) {
	own, ok := s.Directory.Find(by.Fund)
	if !ok || !own.Hosted {
		return cases.Case{}, ErrHosted
	}
	if !own.IsFund {
		return cases.Case{}, cases.GuardError{Guard: cases.GuardFund}
	}
	other, _ := s.Directory.Find(in.Other)
	c, err := s.Machine.Create(cases.Receiving, cases.Start{
		ID: s.NewID(), Fund: by.Fund, Other: in.Other, Country: own.Country, OtherCountry: other.Country, OtherIsFund: other.IsFund,
		Handle: in.Handle, Membership: in.Membership, Protected: in.Protected,
	})
	if err != nil {
		return c, err
	}
	s.note(ctx, c)
	return c, s.Store.Insert(ctx, c, store.Event{Event: cases.Create, Actor: cases.Receiving, At: s.Clock.Now()})
}

// Submit fixes the day of receipt of the application and the day of the move that is asked for.
func (s *Service) Submit(ctx context.Context, by Caller, id string, a Application) (cases.Case, error) {
	subject, err := s.subject(a.Number)
	if err != nil {
		return cases.Case{}, err
	}
	today := s.Today()
	return s.apply(ctx, by.Fund, id, step{
		event: cases.Submit, actor: cases.Receiving,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			facts := rules.EffectiveFacts{Country: c.Country, Received: today, Work: a.Work, EducationEnds: a.EducationEnds, Agreed: a.Agreed}
			if c.Country == rules.Sweden {
				facts = rules.EffectiveFacts{Country: c.Country, ExitRequested: today, Work: a.Work, Agreed: a.Agreed}
			}
			if c.State != cases.Draft { // wrong state comes before wrong facts
				return s.Machine.Submit(c, cases.Receiving, by.Human(), a.complete(), subject, 0, false, today)
			}
			wanted, err := rules.EffectiveDate(facts)
			if err != nil {
				return c, err
			}
			return s.Machine.Submit(c, cases.Receiving, by.Human(), a.complete(), subject, wanted, !a.Agreed.IsZero() || a.Work == rules.Graduated, today)
		},
		then: func(ctx context.Context, c *cases.Case) error { return s.putDetails(ctx, *c, details{Application: a}) },
	})
}

func (s *Service) subject(number string) ([]byte, error) {
	if number == "" {
		return nil, nil
	}
	return s.Index.Subject(number)
}

// Verify accepts the member's power of attorney.
func (s *Service) Verify(ctx context.Context, by Caller, id, text string) (cases.Case, error) {
	poa, failed := s.Assertions.Verify(text)
	today := s.Today()
	var d details
	return s.apply(ctx, by.Fund, id, step{
		event: cases.VerifyPoA, actor: cases.Receiving,
		move: func(ctx context.Context, c cases.Case) (cases.Case, error) {
			if c.State != cases.Submitted {
				return s.Machine.Verify(c, cases.Receiving, by.Human(), poa, "", today)
			}
			if failed != nil {
				return c, failed
			}
			var err error
			if d, err = s.details(ctx, c); err != nil {
				return c, err
			}
			return s.Machine.Verify(c, cases.Receiving, by.Human(), poa, d.Application.Number, today)
		},
		then: func(ctx context.Context, c *cases.Case) error {
			used, err := s.Store.PoAUsed(ctx, c.Fund, c.PoAIssuer, c.PoAID)
			if err != nil {
				return err
			}
			if used {
				return ErrPoAReused
			}
			d.PoA = text
			return s.putDetails(ctx, *c, d)
		},
	})
}

// SendRequest hands the case over to the releasing fund.
func (s *Service) SendRequest(ctx context.Context, by Caller, id string) (cases.Case, error) {
	return s.apply(ctx, by.Fund, id, step{
		event: cases.SendRequest, actor: cases.Receiving,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			return s.Machine.Request(c, cases.Receiving, by.Human(), s.Today())
		},
		then: func(ctx context.Context, c *cases.Case) error {
			d, err := s.details(ctx, *c)
			if err != nil {
				return err
			}
			return s.send(ctx, c, Envelope{Offer: &OfferBody{
				Number: d.Application.Number, PoA: d.PoA, Wanted: c.Wanted, Agreed: c.Agreed, Country: c.Country,
			}})
		},
	})
}

// Cancel ends a case that was not handed over.
func (s *Service) Cancel(ctx context.Context, by Caller, id string) (cases.Case, error) {
	return s.apply(ctx, by.Fund, id, step{
		event: cases.Cancel, actor: cases.Receiving,
		move: func(_ context.Context, c cases.Case) (cases.Case, error) {
			actor := cases.Receiving
			if c.Side == cases.Releasing {
				actor = cases.Releasing
			}
			return s.Machine.Cancel(c, actor)
		},
	})
}

// certificate digests what an erasure certificate says.
func certificate(c cases.Case, parts int, at time.Time) []byte {
	h := sha256.New()
	for _, text := range []string{"samvirke-erasure-v1", c.ID, c.Fund, c.State.String(), at.UTC().Format(time.RFC3339Nano)} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(text)))
		_, _ = h.Write(n[:]) // a hash never fails
		_, _ = h.Write([]byte(text))
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(parts)) //nolint:gosec // not negative
	_, _ = h.Write(n[:])
	return h.Sum(nil)
}
