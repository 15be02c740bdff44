package core

import (
	"context"
	"fmt"
	"time"
)

// RecordConsent keeps a member's consent and returns the last day on which it holds, zero for no end. Errors: ErrNotFound, ErrConflict for
// another consent under the same id, ErrInvalid, ErrStoreUnavailable.
func (s *Service) RecordConsent(ctx context.Context, c Caller, handle string, consent Consent) (time.Time, Day, error) {
	now := s.clock.Now()
	if consent.Registered.After(s.today()) {
		return now, Day{}, &InvalidError{Field: "registered_on", Want: "must be today or earlier"}
	}
	if len(consent.Purpose.bases()) == 0 {
		return now, Day{}, &InvalidError{Field: "consented_purpose", Want: "must be a purpose for which data can be shared"}
	}
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return now, Day{}, err
	}
	if err := s.store.PutConsent(ctx, m.ID, &consent, now); err != nil {
		return now, Day{}, fmt.Errorf("insurance: consent: %w", err)
	}
	last := Day{}
	if p := s.policies[c.Controller]; p != nil {
		last = p.LastDay(consent)
	}
	return now, last, nil
}

// WithdrawConsent ends a consent and stops what rested on it. It returns since when the consent has ended: the first time counts. Errors:
// ErrNotFound, ErrStoreUnavailable.
func (s *Service) WithdrawConsent(ctx context.Context, c Caller, handle, id string, channel int) (time.Time, error) {
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return time.Time{}, err
	}
	at, err := s.store.Withdraw(ctx, m.ID, id, channel, s.clock.Now())
	if err != nil {
		return time.Time{}, fmt.Errorf("insurance: withdraw: %w", err)
	}
	return at, s.recheck(ctx, m)
}

// OptOut keeps a member's no and stops what it concerns. It returns since when it holds: the first time counts. Errors: ErrNotFound,
// ErrStoreUnavailable.
func (s *Service) OptOut(ctx context.Context, c Caller, handle, partner string, purpose Purpose, channel int) (time.Time, error) {
	if purpose != "" && !purpose.marketing() {
		return time.Time{}, &InvalidError{Field: "refused_purpose", Want: "must be one of offers and marketing: what rests on a contract ends with the contract"}
	}
	return s.refuse(ctx, c, handle, StoredRefusal{Kind: KindOptOut, Partner: partner, Purpose: purpose, Channel: channel})
}

// Object keeps an objection to direct marketing and stops what it concerns; see OptOut.
func (s *Service) Object(ctx context.Context, c Caller, handle string, channel int) (time.Time, error) {
	return s.refuse(ctx, c, handle, StoredRefusal{Kind: KindObjection, Channel: channel})
}

// Restrict begins or ends a restriction of processing and returns since when it is so. Errors: ErrNotFound, ErrStoreUnavailable.
func (s *Service) Restrict(ctx context.Context, c Caller, handle string, on bool) (time.Time, error) {
	if on {
		return s.refuse(ctx, c, handle, StoredRefusal{Kind: KindRestriction})
	}
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.store.LiftRestriction(ctx, m.ID); err != nil {
		return time.Time{}, fmt.Errorf("insurance: restriction: %w", err)
	}
	return s.clock.Now(), nil
}

func (s *Service) refuse(ctx context.Context, c Caller, handle string, r StoredRefusal) (time.Time, error) {
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return time.Time{}, err
	}
	r.At = s.clock.Now()
	at, err := s.store.PutRefusal(ctx, m.ID, r)
	if err != nil {
		return time.Time{}, fmt.Errorf("insurance: refusal: %w", err)
	}
	return at, s.recheck(ctx, m)
}
