package e2e_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"samvirke.dev/deploy/internal/stack"
)

// TestLedgerDiskFull lets the audit service write no file any more: on SQLite that is database and log, on PostgreSQL, which writes elsewhere,
// the log alone. The suite goes on meanwhile; when there is room again every exchange comes into the ledger, once, by itself.
//
// covers: SEC-07
func TestLedgerDiskFull(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		database  option
		meanwhile string // what the fund hears who asks for a receipt
		says      string // and who complains
		who       string
	}{
		"sqlite":   {sqlite, "AUDIT_UNAVAILABLE", "records wait in the outbox", stack.IdentityName},
		"postgres": {postgres, "RECEIPT_PENDING", "records wait in the database", stack.AuditName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, tc.database, audited)
			l, evidence := newLoad(f), f.evidence(t)
			f.calls(t, l, 60)
			eventually(t, "a receipt", func() bool { return evidence.receipt(t, l.events[0]) == proved })

			pid := f.Service(stack.AuditName).Proc.PID()
			var room unix.Rlimit
			must(t, unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &room))
			must(t, unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 0, Max: room.Max}, nil))
			f.calls(t, l, 60)
			last := l.events[len(l.events)-1]
			eventually(t, "a complaint", func() bool { return f.complains(tc.who, tc.says) })
			if tc.who == stack.AuditName {
				eventually(t, "the record is kept", func() bool { return evidence.lists(t, last) })
			}
			if got := evidence.receipt(t, last); got != tc.meanwhile {
				t.Errorf("receipt while the disk is full: %s, want %s", got, tc.meanwhile)
			}
			f.calls(t, l, 60)

			must(t, unix.Prlimit(pid, unix.RLIMIT_FSIZE, &room, nil))
			f.stands(t, l.events)
			if f.Service(stack.AuditName).Proc.PID() != pid {
				t.Error("the audit service was started anew")
			}
		})
	}
}
