package core

import (
	"context"
	"time"
)

// Restore is what the IT department announces before it restores data from a backup (MIN-25).
type Restore struct {
	Organisation, Controller, Employee string
	Service                            string    // whose database
	Backup                             time.Time // up to which moment it holds data
	Reason                             string    // of the closed list
}

// RecordRestore puts a restore on record and alerts; it tells since when. The record is the call's own, and names the case, without which
// no call of this class is let in. Errors: ErrEmployee.
func (s *Service) RecordRestore(ctx context.Context, reader Reader, r Restore) (time.Time, error) {
	if reader.Employee == "" {
		return time.Time{}, ErrEmployee
	}
	r.Organisation, r.Controller, r.Employee = reader.Organisation, reader.Controller, reader.Employee
	s.Alerts.Restore(ctx, r)
	return s.Clock.Now(), nil
}
