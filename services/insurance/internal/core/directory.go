package core

import (
	"context"
	"fmt"
)

// Imported says what became of a batch of members.
type Imported struct{ Created, Changed, Unchanged int }

// Import keeps members of the calling controller, and tells partners about data that they have and that have changed. Errors:
// ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) Import(ctx context.Context, c Caller, members []Member, note NoteItem) (Imported, error) {
	var done Imported
	for i := range members {
		m := &members[i]
		s.notes.Subject(note(ctx, i), m.Handle, false)
		before, err := s.store.MemberByHandle(ctx, c.Controller, m.Handle)
		if err != nil {
			return done, fmt.Errorf("insurance: member: %w", err)
		}
		if before.Known() && !before.Erased && before.Contact == m.Contact {
			done.Unchanged++
			continue
		}
		m.Controller = c.Controller
		if err := s.store.PutMember(ctx, m, s.clock.Now()); err != nil {
			return done, fmt.Errorf("insurance: keep member: %w", err)
		}
		if !before.Known() {
			done.Created++
			continue
		}
		done.Changed++
		if err := s.tell(ctx, m, changed(before.Contact, m.Contact)); err != nil {
			return done, err
		}
	}
	return done, nil
}

// changed returns the fields in which two contacts differ.
func changed(a, b Contact) Fields {
	var out Fields
	for f, same := range map[Fields]bool{
		FullName: a.FullName == b.FullName, PhoneNumber: a.PhoneNumber == b.PhoneNumber, Email: a.Email == b.Email,
		MembershipFrom: a.From == b.From, MembershipTo: a.To == b.To, CoverCode: a.CoverCode == b.CoverCode,
	} {
		if !same {
			out |= f
		}
	}
	return out
}

// tell stops the shares that are no longer allowed, and puts the change into the mailboxes of partners that have the old data.
func (s *Service) tell(ctx context.Context, m *Member, fields Fields) error {
	if err := s.recheck(ctx, m); err != nil {
		return err
	}
	if fields == 0 {
		return nil
	}
	shares, err := s.store.SharesOf(ctx, m.ID)
	if err != nil {
		return fmt.Errorf("insurance: shares: %w", err)
	}
	for i := range shares {
		if shares[i].Delivered && shares[i].Fields.Has(fields) {
			if err := s.append(ctx, &shares[i], ItemChanged); err != nil {
				return err
			}
		}
	}
	return nil
}
