package core

import (
	"context"
	"errors"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// accessLife is how long an approved access is open.
const accessLife = 4 * time.Hour

// RequestAccess asks for a break-glass access (SEC-08): it opens nothing, but alerts. id is a new UUID. Errors: ErrEmployee.
func (s *Service) RequestAccess(ctx context.Context, reader Reader, id string, reason int32) error {
	if reader.Employee == "" {
		return ErrEmployee
	}
	a := store.Access{
		ID: id, Organisation: reader.Organisation, Owner: reader.Controller, Reason: reason, Requester: reader.Employee, Requested: s.Clock.Now(),
	}
	if err := s.Store.PutAccess(ctx, a); err != nil {
		return err
	}
	s.Alerts.Access(ctx, a)
	return nil
}

// ApproveAccess opens an access that another employee of the same organisation asked for, and tells until when (SEC-08). Errors:
// ErrEmployee, ErrNotFound, ErrSamePerson, store.ErrState when it was approved before.
func (s *Service) ApproveAccess(ctx context.Context, reader Reader, id string) (time.Time, error) {
	if reader.Employee == "" {
		return time.Time{}, ErrEmployee
	}
	a, err := s.access(ctx, reader, id)
	switch {
	case err != nil:
		return time.Time{}, err
	case a.Requester == reader.Employee:
		return time.Time{}, ErrSamePerson
	}
	expires := s.Clock.Now().Add(accessLife)
	if err := s.Store.Approve(ctx, id, reader.Employee, expires); err != nil {
		return time.Time{}, err
	}
	a.Approver, a.Expires = reader.Employee, expires
	s.Alerts.Access(ctx, a)
	return expires, nil
}

// Opened returns the access if it is open to the reader now: approved, not expired, and asked for by the same employee. Errors: ErrAccess.
func (s *Service) Opened(ctx context.Context, reader Reader, id string) (store.Access, error) {
	a, err := s.access(ctx, reader, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return a, ErrAccess
	case err != nil:
		return a, err
	case a.Approver == "" || !s.Clock.Now().Before(a.Expires) || a.Requester != reader.Employee:
		return a, ErrAccess
	}
	return a, nil
}

// access returns an access of the reader's own organisation and controller.
func (s *Service) access(ctx context.Context, reader Reader, id string) (store.Access, error) {
	a, err := s.Store.Access(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return a, ErrNotFound
	case err == nil && (a.Organisation != reader.Organisation || a.Owner != reader.Controller):
		return store.Access{}, ErrNotFound
	}
	return a, err
}
