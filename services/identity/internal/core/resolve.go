package core

import (
	"context"
	"fmt"
)

// Resolve returns the controller's handle for the person under a number: the one that it has already, or a new one. An earlier
// number gives the handle of the person in force. Errors: ErrNotFound, those of the number, ErrStoreUnavailable,
// ErrKeysUnavailable.
func (s *Service) Resolve(ctx context.Context, c Caller, raw RawNumber) (string, error) {
	today := s.today()
	n, err := s.number(raw, today)
	if err != nil {
		return "", err
	}
	found, _, ok, err := s.byNumber(ctx, c, n, today)
	if err != nil {
		return "", err
	}
	// The handle is computed in every case, so that a person whom the caller must not know takes as long as nobody.
	handle, err := s.handles.Handle(c.Controller, found.Person.Number.Canonical())
	switch {
	case err != nil:
		return "", fmt.Errorf("identity: make handle: %w", err)
	case !ok:
		return "", ErrNotFound
	}
	s.notes.Source(ctx, found.Person.Source, found.Person.RegisterTime)
	kept, err := s.persons.KeepHandle(ctx, c.Controller, handle, found.Ref)
	if err != nil {
		return "", fmt.Errorf("identity: keep handle: %w", err)
	}
	return kept, nil
}
