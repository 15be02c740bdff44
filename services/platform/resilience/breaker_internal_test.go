package resilience

import (
	"testing"
	"testing/synctest"
	"time"
)

// All who came while the breaker was due may be at its door together: only the probes get through. From outside, who comes first has
// changed the state before the next one looks.
func TestCrowdAtTheDoor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Probes = 2
		b := newBreaker(cfg)
		p, _, ok := b.enter()
		if !ok || p.probe {
			t.Fatal("not closed")
		}
		for range cfg.MinCalls {
			b.leave(p, failed)
		}
		if _, _, ok := b.enter(); ok {
			t.Fatal("not open")
		}
		time.Sleep(cfg.OpenFor * 12 / 10)
		var through []pass
		for range 5 {
			if p, _, ok := b.enter(); ok {
				through = append(through, p)
			}
		}
		if len(through) != 2 || !through[0].probe || !through[1].probe {
			t.Fatalf("%d let through", len(through))
		}
		b.leave(through[0], answered)
		if _, _, ok := b.enter(); ok { // one answered, one out: that is all that is wanted
			t.Error("a third probe")
		}
		b.leave(through[1], abandoned)
		p, _, ok = b.enter()
		if !ok || !p.probe {
			t.Fatal("an abandoned probe leaves no room")
		}
		if c := b.leave(p, answered); c.from != halfOpen || c.to != closed {
			t.Errorf("two answered: %v", c)
		}
	})
}
