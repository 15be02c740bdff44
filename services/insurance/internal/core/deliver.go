package core

import (
	"context"
	"errors"
	"fmt"
)

// Subject is a partner's question about one member.
type Subject struct {
	Subject string
	Fields  Fields // none: all that were shared
}

// decoy is a handle of the right form that nobody has: somebody unknown costs the same question as somebody known.
const decoy = "k00000000.AAAAAAAAAAAAAAAAAAAAAAAAAAA"

// FetchForSubject asks the identity service about the member behind a partner's pseudonym, or about nobody.
func (s *Service) FetchForSubject(ctx context.Context, c Caller, in Subject) context.Context {
	share, err := s.store.ShareBySubject(ctx, boxOf(c), in.Subject)
	if err != nil {
		return s.ask(ctx, c.Controller, in.Fields.Has(Address), decoy)
	}
	return s.ask(ctx, c.Controller, share.Fields.Has(Address), share.Handle)
}

func boxOf(c Caller) Box {
	return Box{Controller: c.Controller, Partner: c.Organisation, Purpose: c.Purpose, Basis: c.Basis}
}

// SharedSubject gives what the calling partner may have now of one member. Errors: ErrNotFound for somebody unknown and for somebody
// protected, after the same work; RefusedError with every reason that the partner may know; ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) SharedSubject(ctx context.Context, c Caller, in Subject) (*Disclosed, *Share, error) {
	d, err := s.dealing(ctx, boxOf(c))
	if err != nil {
		return nil, nil, err
	}
	share, err := s.store.ShareBySubject(ctx, boxOf(c), in.Subject)
	known := err == nil
	switch {
	case errors.Is(err, ErrNotFound):
		share = &Share{Handle: decoy, Fields: d.agreed()}
	case err != nil:
		return nil, nil, fmt.Errorf("insurance: share: %w", err)
	}
	m, err := s.store.MemberByID(ctx, share.Member)
	if err != nil {
		return nil, nil, fmt.Errorf("insurance: member: %w", err)
	}
	f := s.facts(d, c.Purpose, c.Basis, c.Special, wanted(in.Fields, share.Fields))
	standing := s.standing(ctx, share.Handle)
	if f.Person, err = s.person(ctx, m, standing.Protected, share.ended(s.clock.Now())); err != nil {
		return nil, nil, err
	}
	if known {
		s.notes.Subject(ctx, share.Handle, standing.Protected)
	} else {
		f.Person = nil
	}
	if err := s.refusal(ctx, f, share, known); err != nil {
		return nil, nil, err
	}
	share.Reads++
	share.Delivered = true
	if err := s.store.PutShare(ctx, share); err != nil {
		return nil, nil, fmt.Errorf("insurance: share: %w", err)
	}
	out := disclose(d.agreement, m, share, f.Wanted, standing.Address)
	return out, share, s.record(ctx, s.disclosure(d.agreement, share, ItemNew, out.Fields))
}

// refusal decides and returns what the partner is told, or nil.
func (s *Service) refusal(ctx context.Context, f Facts, share *Share, known bool) error {
	reasons := Decide(f)
	if known && share.Basis != f.Basis && len(reasons) == 0 {
		reasons = Reasons{BasisInvalid} // shared on another basis than the partner claims
	}
	if known && !f.Wanted.Within(share.Fields) && len(reasons) == 0 {
		reasons = Reasons{FieldsExceed} // agreed, but not shared of this member
	}
	if len(reasons) > 0 {
		s.notes.Deny(ctx, reasons)
	}
	told, unknown := reasons.ToPartner()
	switch {
	case len(told) > 0:
		return &RefusedError{Reasons: told}
	case unknown, !known:
		return ErrNotFound
	default:
		return nil
	}
}

func wanted(asked, all Fields) Fields {
	if asked == 0 {
		return all
	}
	return asked
}

// disclose picks the wanted fields, and no others, of those that were shared. A field that the member has not stays absent (I02).
func disclose(a *Agreement, m *Member, share *Share, fields Fields, address *PostalAddress) *Disclosed {
	fields &= share.Fields & a.Fields & RuleOf(a.Class).Fields
	out := &Disclosed{Class: a.Class}
	set := func(f Fields, has bool, do func()) {
		if fields.Has(f) && has {
			do()
			out.Fields |= f
		}
	}
	c := m.Contact
	set(PartnerSubjectID, true, func() { out.Subject = share.Subject })
	set(FullName, c.FullName != "", func() { out.Contact.FullName = c.FullName })
	set(PhoneNumber, c.PhoneNumber != "", func() { out.Contact.PhoneNumber = c.PhoneNumber })
	set(Email, c.Email != "", func() { out.Contact.Email = c.Email })
	set(Address, address != nil, func() { out.Address = address })
	set(MembershipFrom, !c.From.IsZero(), func() { out.Contact.From = c.From })
	set(MembershipTo, !c.To.IsZero(), func() { out.Contact.To = c.To })
	set(CoverCode, c.CoverCode != "", func() { out.Contact.CoverCode = c.CoverCode })
	set(DocumentReference, share.Document != "", func() { out.Document = share.Document })
	return out
}

// disclosure is the record of what a partner got, for the member and the controller.
func (s *Service) disclosure(a *Agreement, share *Share, kind ItemKind, fields Fields) Disclosure {
	d := Disclosure{
		Controller: share.Controller, Member: share.Member, Kind: kind, Partner: share.Partner, Fields: fields, Purpose: share.Purpose,
		Basis: share.Basis, At: s.clock.Now(),
	}
	if a != nil {
		d.Name, d.Class = a.Name, a.Class
	}
	return d
}

// record keeps what a partner got.
func (s *Service) record(ctx context.Context, list ...Disclosure) error {
	for i := range list {
		list[i].EventID = s.notes.EventID(ctx)
	}
	if err := s.store.AddDisclosures(ctx, list); err != nil {
		return fmt.Errorf("insurance: disclosure: %w", err)
	}
	return nil
}
