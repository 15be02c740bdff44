package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// FetchForAgreement readies the key under which the partner will know members. Errors are those of RegisterAgreement, which tells them.
func (s *Service) FetchForAgreement(ctx context.Context, a *Agreement) context.Context {
	return context.WithValue(ctx, preparedKey{}, s.subjects.Prepare(ctx, a.Partner))
}

type preparedKey struct{}

// RegisterAgreement puts an agreement in force. It is refused whole if the controller's policy or the partner's class does not allow what
// it lists. Errors: RefusedError, ErrConflict for a version that is not newer, ErrKeysUnavailable if the partner's key can't be had,
// ErrInvalid, ErrStoreUnavailable.
func (s *Service) RegisterAgreement(ctx context.Context, c Caller, a *Agreement) (time.Time, error) {
	now := s.clock.Now()
	if a.From.After(a.Until) {
		return now, &InvalidError{Field: "agreement.valid_until", Want: "must not be before valid_from"}
	}
	if reasons := s.unlawful(c.Controller, a); len(reasons) > 0 {
		return now, &RefusedError{Reasons: reasons}
	}
	if err, _ := ctx.Value(preparedKey{}).(error); err != nil {
		return now, fmt.Errorf("insurance: key of the partner: %w", err)
	}
	if err := s.store.PutAgreement(ctx, c.Controller, a, now); err != nil {
		return now, fmt.Errorf("insurance: agreement: %w", err)
	}
	return now, nil
}

// unlawful says why an agreement can't be made.
func (s *Service) unlawful(controller string, a *Agreement) Reasons {
	policy, rule := s.policies[controller], RuleOf(a.Class)
	var out Reasons
	deny := func(not bool, r Reason) {
		if not && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	deny(policy == nil || !slices.Contains(policy.Classes, a.Class), PurposeNotAgreed)
	for _, p := range a.Purposes {
		deny(policy == nil || !slices.Contains(policy.Purposes, p.Purpose) || !rule.allows(p.Purpose), PurposeNotAgreed)
		deny(policy != nil && policy.NoCommerce && p.Purpose.commercial(), CommercialForbidden)
		for _, b := range p.Bases {
			deny(rule.allows(p.Purpose) && !rule.fits(p.Purpose, b), BasisInvalid)
			deny(b == Interest && a.BalancingID == "", BalancingMissing)
		}
	}
	deny(!insideEEA(a.Country) && a.Transfer == "", ThirdCountry)
	deny(!a.Fields.Within(rule.Fields), FieldsExceed)
	return out
}

// RecordBalancing keeps a balancing assessment. Errors: ErrConflict for another one under the same id, ErrInvalid, ErrStoreUnavailable.
func (s *Service) RecordBalancing(ctx context.Context, c Caller, b *Balancing) (time.Time, error) {
	now := s.clock.Now()
	if b.Assessed.After(s.today()) {
		return now, &InvalidError{Field: "assessed_on", Want: "must be today or earlier"}
	}
	if !slices.Contains(b.Purpose.bases(), Interest) {
		return now, &InvalidError{Field: "assessed_purpose", Want: "must be a purpose that can rest on legitimate interests"}
	}
	if err := s.store.PutBalancing(ctx, c.Controller, b, now); err != nil {
		return now, fmt.Errorf("insurance: balancing: %w", err)
	}
	return now, nil
}

// Disclosures tells who got data of a member, newest first; before is the id of the last one of the page before, 0 for the first page.
// Errors: ErrNotFound, ErrStoreUnavailable.
func (s *Service) Disclosures(ctx context.Context, c Caller, handle string, before int64, limit int) ([]Disclosure, error) {
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return nil, err
	}
	out, err := s.store.Disclosures(ctx, m.ID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("insurance: disclosures: %w", err)
	}
	return out, nil
}
