package core

import (
	"context"
	"fmt"
	"time"
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
	ref, err := s.refOf(ctx, found)
	if err != nil {
		return "", fmt.Errorf("identity: keep person: %w", err)
	}
	kept, err := s.persons.KeepHandle(ctx, c.Controller, handle, ref)
	if err != nil {
		return "", fmt.Errorf("identity: keep handle: %w", err)
	}
	return kept, nil
}

// refOf returns the store's reference to a person, and first keeps the number, and no more than that, of one whom only the register
// knew until now: what nobody follows is asked for again when it is needed.
func (s *Service) refOf(ctx context.Context, f Found) (int64, error) {
	if f.Ref != 0 {
		return f.Ref, nil
	}
	// The register may have given a number that the store knows already.
	known, err := s.persons.ByNumber(ctx, f.Person.Number)
	if err != nil || known.Known {
		return known.Ref, err
	}
	bare := &Person{Number: f.Person.Number, Earlier: f.Person.Earlier, RegisterTime: time.Unix(0, 0).UTC(), Source: f.Person.Source}
	if err := s.persons.Write(ctx, bare); err != nil {
		return 0, err
	}
	known, err = s.persons.ByNumber(ctx, f.Person.Number)
	return known.Ref, err
}
