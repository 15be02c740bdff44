package core

import (
	"context"
	"time"
)

// StatusAnswer is how the person behind a handle is protected.
type StatusAnswer struct {
	Protection   Level
	Source       Source
	RegisterTime time.Time
}

// ProtectionStatus returns how the person behind a handle is protected. Errors: ErrNotFound, ErrStoreUnavailable,
// ErrKeysUnavailable.
func (s *Service) ProtectionStatus(ctx context.Context, c Caller, handle string) (StatusAnswer, error) {
	found, a, err := s.byHandle(ctx, c, handle)
	if err != nil {
		return StatusAnswer{}, err
	}
	return statusOf(found, a), nil
}

func statusOf(f Found, a access) StatusAnswer {
	return StatusAnswer{Protection: a.level, Source: f.Person.Source, RegisterTime: f.Person.RegisterTime}
}
