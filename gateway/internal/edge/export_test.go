package edge

import (
	"time"

	"samvirke.dev/services/platform/clock"
)

// ControllerOf is for tests.
func ControllerOf(body []byte) string { return controllerOf(body) }

// Spents are for tests: what the edge remembers of one quota.
type Spents struct {
	*spents

	key spentKey
}

// NewSpents returns them empty.
func NewSpents(c clock.Clock) *Spents {
	return &Spents{newSpents(c), spentKey{org: "DK:1", path: "/", controller: "DK:2"}}
}

// Look asks how the quota stands.
func (s *Spents) Look() (reset int64, gone, probe bool) {
	q, gone, probe := s.look(s.key)
	return q.reset, gone, probe
}

// Answer is what a service answered to a call.
func (s *Spents) Answer(probe, refused bool, left int64, reset time.Duration) {
	s.learn(&seen{quota: s.key, probe: probe}, quota{requests: 10, window: 60, left: left, reset: int64(reset / time.Second)}, refused)
}
