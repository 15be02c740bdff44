package core

import (
	"context"
	"time"
)

// SecrecyTest is what an employee decided about giving out data of a person whom the register marks (domain rule B.10, 8).
type SecrecyTest struct {
	Handle  string
	Fields  []string // names of what was tested
	Outcome string   // RELEASE, RELEASE_PART or REFUSE
}

// RecordSecrecyTest puts a test into the audit record, where it stays with the tester's pseudonym and the provision, and nowhere else, and says
// when. Errors: ErrNotFound, ErrStoreUnavailable, ErrKeysUnavailable.
func (s *Service) RecordSecrecyTest(ctx context.Context, c Caller, test SecrecyTest) (time.Time, error) {
	if _, err := s.member(ctx, c, test.Handle); err != nil {
		return time.Time{}, err
	}
	s.notes.Tested(ctx, test)
	return s.clock.Now(), nil
}
