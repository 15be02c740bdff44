package eindkomst

import (
	"context"
	"errors"
	"sync"
	"time"

	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/income/internal/core/facts"
)

// Gathered asks about several members at once although each is asked for alone: questions of one controller and month that come within
// a moment of each other share a request. A signature takes a millisecond and an exchange far longer, so that a month of many members
// would otherwise take hours. It implements core.Register and is safe for concurrent use.
type Gathered struct {
	register *Register
	linger   time.Duration

	mu      sync.Mutex
	waiting map[lot]*batch
}

// lot is what a request can be shared within.
type lot struct {
	controller string
	month      civil.Month
}

// batch is a request that is being put together or under way.
type batch struct {
	questions []core.Question
	results   []Result
	asking    int // callers that still want an answer
	cancel    context.CancelFunc
	timer     *time.Timer
	sent      bool
	done      chan struct{}
}

// DefaultLinger is how long a question waits for others.
const DefaultLinger = 5 * time.Millisecond

// Gather returns the register with its questions gathered; linger is how long one waits for others, at least a microsecond.
func Gather(r *Register, linger time.Duration) (*Gathered, error) {
	if r == nil || linger < time.Microsecond {
		return nil, errors.New("eindkomst: gather: want a register and time to wait")
	}
	return &Gathered{register: r, linger: linger, waiting: map[lot]*batch{}}, nil
}

// Month implements core.Register. When ctx ends the question is given up, and the whole request with the last of its questions.
func (g *Gathered) Month(ctx context.Context, q core.Question) (facts.Answer, error) {
	if err := ctx.Err(); err != nil {
		return facts.Answer{}, err
	}
	b, i := g.join(ctx, q)
	select {
	case <-b.done:
		return b.results[i].Answer, b.results[i].Err
	case <-ctx.Done():
		g.leave(b)
		return facts.Answer{}, ctx.Err()
	}
}

// join adds a question to the batch of its lot, and returns it with the place of the question.
func (g *Gathered) join(ctx context.Context, q core.Question) (*batch, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := lot{q.Controller, q.Month}
	b := g.waiting[k]
	if b == nil {
		// The request outlives a caller that goes away, because others wait for it too; it bounds its own time.
		shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
		b = &batch{cancel: cancel, done: make(chan struct{})}
		g.waiting[k] = b
		b.timer = time.AfterFunc(g.linger, func() { g.send(shared, k, b) })
	}
	b.questions = append(b.questions, q)
	b.asking++
	if len(b.questions) == g.register.d.Batch {
		delete(g.waiting, k) // full: the next one begins another
		b.timer.Reset(0)
	}
	return b, len(b.questions) - 1
}

// send asks, once: the timer of a batch that became full may have run off before it was set anew. Nobody joins any more.
func (g *Gathered) send(ctx context.Context, k lot, b *batch) {
	g.mu.Lock()
	again := b.sent
	b.sent = true
	if g.waiting[k] == b {
		delete(g.waiting, k)
	}
	g.mu.Unlock()
	if again {
		return
	}
	b.results = g.register.Months(ctx, b.questions)
	b.cancel()
	close(b.done)
}

// leave gives up a question.
func (g *Gathered) leave(b *batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.asking--; b.asking == 0 {
		b.cancel()
	}
}

var _ core.Register = (*Gathered)(nil)
