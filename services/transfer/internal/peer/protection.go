package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/transfer/internal/core"
)

// maxAsked is how many questions go to the identity service together: as many as it asks a register for at a time.
const maxAsked = 32

// pace is the shortest time from one call to the next while there are questions. Whoever asks after a pause does not wait.
const pace = 2 * time.Millisecond

// asked is a question about one person, and the answer.
type asked struct {
	handle    string
	done      chan struct{} // closed when what is below holds
	protected bool
	unknown   bool // nobody whom the fund may know
	err       error
}

// questions collects one fund's questions: those that come while a call to the identity service is under way go together in the next one. A
// crowd shares the cost of a call, and nobody waits who is alone. Nothing is remembered: each answer is as fresh as one asked alone.
type questions struct {
	fund  string
	peers *Peers

	mu      sync.Mutex
	waiting []*asked
	running bool
}

// questionsOf returns the fund's collector.
func (p *Peers) questionsOf(fund string) *questions {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.questions[fund]
	if q == nil {
		q = &questions{fund: fund, peers: p}
		p.questions[fund] = q
	}
	return q
}

// put adds a question, and begins to ask if nobody does.
func (q *questions) put(ctx context.Context, a *asked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, a)
	if !q.running {
		q.running = true
		q.peers.asking.Go(func() { q.run(context.WithoutCancel(ctx)) })
	}
}

// run asks until no question waits.
func (q *questions) run(ctx context.Context) {
	next := time.NewTicker(pace)
	defer next.Stop()
	for {
		all := q.take()
		if len(all) == 0 {
			return
		}
		err := q.ask(ctx, all)
		for _, a := range all {
			a.err = err
			close(a.done)
		}
		<-next.C
	}
}

// take returns the questions that go together next; none ends the asking.
func (q *questions) take() []*asked {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxAsked)
	all := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; n == 0 {
		q.waiting, q.running = nil, false
	}
	return all
}

// ask makes one call for all questions.
func (q *questions) ask(ctx context.Context, all []*asked) error {
	client, why, err := Persons{q.peers}.client(q.fund)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	in := &identityv1.BatchGetProtectionStatusesRequest{Context: why, Persons: make([]*identityv1.BatchPerson, len(all))}
	for i, a := range all {
		in.Persons[i] = &identityv1.BatchPerson{Handle: a.handle}
	}
	out, err := client.BatchGetProtectionStatuses(ctx, in)
	if err == nil && len(out.GetResults()) != len(all) {
		err = fmt.Errorf("peer: %d answers to %d questions", len(out.GetResults()), len(all))
	}
	if err != nil {
		return err
	}
	for i, r := range out.GetResults() {
		all[i].unknown = r.GetReason() == commonv1.Reason_REASON_SUBJECT_NOT_FOUND
		all[i].protected = r.GetStatus().GetLevel() != identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE
	}
	return nil
}

// Protected implements core.Persons. Whoever can't be asked about counts as protected. A fault that is one person's must not be that of all
// who were asked about with that person: where a call for many fails, each is asked about alone.
func (p Persons) Protected(ctx context.Context, fund, handle string) (bool, error) {
	a := &asked{handle: handle, done: make(chan struct{})}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	p.peers.questionsOf(fund).put(ctx, a)
	select {
	case <-a.done:
	case <-ctx.Done():
		return true, nil // fail closed
	}
	switch {
	case a.err != nil:
		return p.alone(ctx, fund, handle)
	case a.unknown:
		return true, core.ErrPerson
	default:
		return a.protected, nil
	}
}

// alone asks about one person in a call of its own.
func (p Persons) alone(ctx context.Context, fund, handle string) (bool, error) {
	client, why, err := p.client(fund)
	if err != nil {
		return true, nil //nolint:nilerr // fail closed
	}
	out, err := client.GetProtectionStatus(ctx, &identityv1.GetProtectionStatusRequest{Context: why, Handle: handle})
	if err := classify(err); errors.Is(err, core.ErrPerson) {
		return true, err
	}
	return err != nil || out.GetLevel() != identityv1.ProtectionLevel_PROTECTION_LEVEL_NONE, nil //nolint:nilerr // fail closed
}
