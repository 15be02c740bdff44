package suite

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"syscall"
	"time"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	"samvirke.dev/services/platform/sqlkit"
)

// The calls of the identity service while its records are shipped to the audit service, which runs on the same machine, and while the audit
// service is stopped, so that records wait. The ratio is what both cost together; what the service itself spends on shipping is the ratio of
// its processor times for each call, because in an installation the audit service runs elsewhere.
const (
	CallShipping = "shipping.VerifyIdentity"
	callPaused   = "shipping.paused"
)

// drainLook is how often is looked whether all records have left the outbox.
const drainLook = 50 * time.Millisecond

func shippingService() Service {
	return Service{
		Name: "shipping", Calls: []string{CallShipping}, Start: startShipping, Prepare: shippingLanes,
		Special: map[string]Special{CallShipping: {Baseline: callPaused}},
	}
}

// startShipping starts auditd and identityd, which is the one that is called.
func startShipping(ctx context.Context, in Stage) (_ *Running, err error) {
	s := &shipping{progress: in.Progress}
	running, err := together(ctx, in, []string{stack.AuditName, stack.IdentityName}, func(ctx context.Context, suite *stack.Stack, sc *scene.Scene) (any, error) {
		s.suite = suite
		data := identityData{Controller: sc.Cast.DanishFund.Org(), LegalReference: story.LawDK}
		var err error
		data.People, err = importPeople(ctx, suite, in)
		return data, err
	})
	if err != nil {
		return nil, err
	}
	end := running.Close
	running.Close = func(ctx context.Context) error { return errors.Join(s.pause(false), s.db.Close(), end(ctx)) }
	if s.db, err = sqlkit.Open(ctx, sqlkit.DefaultConfig(s.suite.DatabaseURL(stack.IdentityName))); err != nil {
		return nil, errors.Join(err, end(ctx))
	}
	running.Before, running.Beside = s.before, s.auditor()
	return running, nil
}

// shippingLanes are the identity service's, by other names.
func shippingLanes(ctx context.Context, t *load.Target, data json.RawMessage) (map[string]load.Lane, error) {
	lanes, err := identityLanes(ctx, t, data)
	return map[string]load.Lane{CallShipping: lanes[CallVerify], callPaused: lanes[CallVerify]}, err
}

// shipping lets records go or wait.
type shipping struct {
	suite    *stack.Stack
	db       *sqlkit.DB // the identity service's
	progress io.Writer
}

func (s *shipping) auditor() int { return s.suite.Service(stack.AuditName).Proc.PID() }

func (s *shipping) pause(paused bool) error {
	signal := syscall.SIGCONT
	if paused {
		signal = syscall.SIGSTOP
	}
	return syscall.Kill(s.auditor(), signal)
}

// before has every round begin with an empty outbox.
func (s *shipping) before(ctx context.Context, call string) error {
	if err := s.pause(false); err != nil {
		return err
	}
	left := 0
	for first := true; ; first = false {
		var waiting int
		if err := s.db.QueryRow(ctx, `SELECT coalesce(sum(records), 0) FROM audit_outbox`).Scan(&waiting); err != nil {
			return err
		}
		if first {
			left = waiting
		}
		if waiting == 0 {
			break
		}
		time.Sleep(drainLook) //nolint:forbidigo // between two rounds nothing else is to be done
	}
	if call == callPaused {
		say.F(s.progress, "  %d records were left to ship after the round before\n", left)
		return s.pause(true)
	}
	return nil
}
