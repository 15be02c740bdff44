// Package clock is the only place of the module that reads the wall clock. Whatever needs the present moment takes a Clock, so
// that tests can decide what time it is; timers need nothing of the kind, since testing/synctest governs them.
package clock

import (
	"sync"
	"time"
)

// Clock tells the present moment.
type Clock interface {
	// Now returns the present moment in UTC.
	Now() time.Time
}

// Skew is by how much the clocks of replicas may differ. A time that is further ahead was told by a clock that was wrong.
const Skew = time.Minute

// System returns the machine's clock. Its values are in UTC and keep the monotonic reading, so differences are safe against
// clock steps.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time { return time.Now().UTC() }

// Fake is a clock that moves only when told. It is safe for concurrent use; the zero value stands at the zero time.
type Fake struct {
	mu  sync.RWMutex
	now time.Time
}

// NewFake returns a fake clock that stands at t.
func NewFake(t time.Time) *Fake {
	return &Fake{now: t.UTC()}
}

// Now returns the moment last set, in UTC.
func (f *Fake) Now() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.now
}

// Set moves the clock to t, backwards too: real clocks step backwards as well.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = t.UTC()
}

// Advance moves the clock by d and returns the new moment.
func (f *Fake) Advance(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	return f.now
}

var (
	_ Clock = system{}
	_ Clock = (*Fake)(nil)
)
