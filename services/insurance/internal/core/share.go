package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sharing is what a controller asks to be shared with a partner; purpose and basis are those of the call.
type Sharing struct {
	Handle   string
	Partner  string
	Fields   Fields // none: all that are agreed
	Until    time.Time
	MaxReads int
	Document string
}

// FetchForShare does what Share needs from outside before its transaction: the partner's key, and whether the member is protected.
// Errors are those of Share, which tells them.
func (s *Service) FetchForShare(ctx context.Context, c Caller, in Sharing) context.Context {
	if _, err := s.store.Agreement(ctx, c.Controller, in.Partner); err == nil {
		_ = s.subjects.Prepare(ctx, in.Partner) // Share finds out that there is no key
	}
	return s.ask(ctx, c.Controller, false, in.Handle)
}

// Share puts a member into a partner's mailbox and returns the partner's pseudonym. Sharing again renews the share. Errors: ErrNotFound for
// a handle that is not the controller's, RefusedError with every reason, ErrInvalid, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Share(ctx context.Context, c Caller, in Sharing) (subject string, at time.Time, err error) {
	now := s.clock.Now()
	if !in.Until.IsZero() && !in.Until.After(now) {
		return "", now, &InvalidError{Field: "valid_until", Want: "must be later than now"}
	}
	m, err := s.member(ctx, c, in.Handle)
	if err != nil {
		return "", now, err
	}
	box := Box{Controller: c.Controller, Partner: in.Partner, Purpose: c.Purpose, Basis: c.Basis}
	d, err := s.dealing(ctx, box)
	if err != nil {
		return "", now, err
	}
	if in.Fields == 0 {
		in.Fields = d.agreed()
	}
	f := s.facts(d, c.Purpose, c.Basis, c.Special, in.Fields)
	if f.Person, err = s.person(ctx, m, s.standing(ctx, m.Handle).Protected, false); err != nil {
		return "", now, err
	}
	if reasons := Decide(f); len(reasons) > 0 {
		s.notes.Deny(ctx, reasons)
		return "", now, &RefusedError{Reasons: reasons}
	}
	if (d.agreement.Class == PrintMail) != (in.Document != "") {
		return "", now, &InvalidError{Field: "document_reference", Want: "must be given to a print and post processor, and to nobody else"}
	}
	if subject, err = s.subjects.Subject(in.Partner, c.Controller, m.Handle); err != nil {
		return "", now, fmt.Errorf("insurance: pseudonym: %w", err)
	}
	return subject, now, s.keepShare(ctx, box, m, Share{
		Controller: c.Controller, Partner: in.Partner, Member: m.ID, Subject: subject, Purpose: c.Purpose, Basis: c.Basis, Special: c.Special,
		Fields: in.Fields, Until: in.Until, MaxReads: in.MaxReads, Document: in.Document, CreatedAt: now,
	})
}

// keepShare adds the share or renews it, and tells the partner.
func (s *Service) keepShare(ctx context.Context, box Box, m *Member, share Share) error {
	kind := ItemNew
	before, err := s.store.ShareFor(ctx, box, m.ID, share.Document)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return fmt.Errorf("insurance: share: %w", err)
	default:
		if before.Basis != share.Basis { // another mailbox: what rests on the old basis ends there
			if err := s.stop(ctx, before); err != nil {
				return err
			}
		}
		share.ID, share.Subject, share.Delivered = before.ID, before.Subject, before.Delivered && !before.Stopped
		if share.Delivered {
			kind = ItemChanged
		}
	}
	if err := s.store.PutShare(ctx, &share); err != nil {
		return fmt.Errorf("insurance: share: %w", err)
	}
	return s.append(ctx, &share, kind)
}

// append puts an item about a share into its mailbox.
func (s *Service) append(ctx context.Context, share *Share, kind ItemKind) error {
	if err := s.store.Append(ctx, share.box(), share.ID, kind, s.clock.Now()); err != nil {
		return fmt.Errorf("insurance: mailbox: %w", err)
	}
	return nil
}

// End ends a member's shares with a partner for a purpose. Ending again changes nothing. Errors: ErrNotFound, ErrStoreUnavailable.
func (s *Service) End(ctx context.Context, c Caller, handle, partner string, purpose Purpose) (time.Time, error) {
	m, err := s.member(ctx, c, handle)
	if err != nil {
		return time.Time{}, err
	}
	shares, err := s.store.SharesOf(ctx, m.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("insurance: shares: %w", err)
	}
	for i := range shares {
		if shares[i].Partner != partner || shares[i].Purpose != purpose {
			continue
		}
		if err := s.stop(ctx, &shares[i]); err != nil {
			return time.Time{}, err
		}
	}
	return s.clock.Now(), nil
}

// stop ends a share. A partner that has had data gets a STOP_USE notice, in the same transaction: nothing is stopped without it.
func (s *Service) stop(ctx context.Context, share *Share) error {
	if share.Stopped {
		return nil
	}
	share.Stopped = true
	return s.keepStopped(ctx, share)
}

func (s *Service) keepStopped(ctx context.Context, share *Share) error {
	if err := s.store.PutShare(ctx, share); err != nil {
		return fmt.Errorf("insurance: stop share: %w", err)
	}
	if !share.Delivered {
		return nil
	}
	return s.append(ctx, share, ItemStopUse)
}

// recheck stops those of a member's shares that the rules no longer allow. It does not ask the identity service: a protection stops
// shares by Sweep, and withholds data in every call.
func (s *Service) recheck(ctx context.Context, m *Member) error {
	shares, err := s.store.SharesOf(ctx, m.ID)
	if err != nil {
		return fmt.Errorf("insurance: shares: %w", err)
	}
	for i := range shares {
		if err := s.check(ctx, m, &shares[i], false); err != nil {
			return err
		}
	}
	return nil
}

// check stops the share if the rules no longer allow it.
func (s *Service) check(ctx context.Context, m *Member, share *Share, protected bool) error {
	d, err := s.dealing(ctx, share.box())
	if err != nil {
		return err
	}
	f := s.facts(d, share.Purpose, share.Basis, share.Special, share.Fields)
	if f.Person, err = s.person(ctx, m, protected, share.over(s.clock.Now())); err != nil {
		return err
	}
	if len(Decide(f)) == 0 {
		return nil
	}
	return s.stop(ctx, share)
}
