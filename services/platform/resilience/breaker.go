package resilience

import (
	"sync"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// The states of a breaker.
const (
	closed   = circuitbreaker.ClosedState
	open     = circuitbreaker.OpenState
	halfOpen = circuitbreaker.HalfOpenState
)

// jitter spreads the probes of replicas that lost the register at the same moment.
const jitter = 0.1

// breaker is failsafe-go's, which keeps the window and the states, with a door of our own: the library counts each call that ends as
// answered or failed, also those whose caller went away, and attributes calls that began before a change to the state after it. Either
// would let through, or count, attempts that are no probes.
type breaker struct {
	probes int

	mu      sync.Mutex
	states  circuitbreaker.CircuitBreaker[any]
	era     uint64 // how often the state has changed
	probing int    // probes under way
}

func newBreaker(cfg Config) *breaker {
	return &breaker{
		probes: cfg.Probes,
		states: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(cfg.FailureRatio, uint(cfg.MinCalls), cfg.Window).
			WithDelay(cfg.OpenFor).WithJitterFactor(jitter).
			WithSuccessThreshold(uint(cfg.Probes)).Build(),
	}
}

// pass is what an attempt that was let through gives back at its end.
type pass struct {
	era   uint64
	probe bool
}

// change is what an attempt did to the breaker; from and to are equal for nothing.
type change struct {
	from, to circuitbreaker.State
}

// changedSince reports whether the state is another than when the pass was given.
func (b *breaker) changedSince(p pass) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.era != b.era
}

// free reports whether a probe is still wanted.
func (b *breaker) free() bool { return b.probing+int(b.states.Metrics().Successes()) < b.probes }

// enter lets an attempt through, or not.
func (b *breaker) enter() (pass, change, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.states.State()
	if was == open && b.states.RemainingDelay() == 0 {
		b.states.HalfOpen()
	}
	c := b.since(was)
	switch {
	case c.to == closed:
		return pass{era: b.era}, c, true
	case c.to == halfOpen && b.free():
		b.probing++
		return pass{era: b.era, probe: true}, c, true
	}
	return pass{}, c, false
}

// leave counts an attempt that ended.
func (b *breaker) leave(p pass, out outcome) change {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.states.State()
	if p.era != b.era {
		return change{was, was}
	}
	if p.probe {
		b.probing--
	}
	switch out {
	case answered:
		b.states.RecordSuccess()
	case failed, timedOut:
		b.states.RecordFailure()
	default:
	}
	return b.since(was)
}

// since begins a new era if the state is another now.
func (b *breaker) since(was circuitbreaker.State) change {
	c := change{was, b.states.State()}
	if c.from != c.to {
		b.era++
		b.probing = 0
	}
	return c
}
