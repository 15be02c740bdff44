package rpc

import (
	"fmt"
	"strings"
)

// steps is the chain, outermost first, with the reason of each place.
func (s *Server) steps() []step {
	return []step{
		{"trace", perCall, s.trace},                // the span sees everything
		{"recover-outer", perCall, s.recoverOuter}, // our own steps may panic too
		{"request-id", perCall, s.requestID},       // all below name the event
		{"metrics", perCall, s.metrics},            // sees the final code
		{"access-log", perCall, s.accessLog},       // sees the final code and the private cause
		{"error-mapping", perCall, s.mapErrors},    // nothing unclassified gets past
		{"identify", perCall, s.identify},          // reads the verified certificate; never refuses, so that refusals are recorded
		{"audit", perMessage, s.audit},             // opened before the decision, durable before the answer
		{"readable", perMessage, s.readable},       // what could not be decoded is refused with its record
		{"authorise", perMessage, s.authorise},     // agreements; default deny
		{"maintenance", perMessage, s.maintenance}, // planned windows
		{"budget", perMessage, s.budget},           // deadline
		{"quota", perMessage, s.quota},             // counted only for the authorised
		{"validate", perMessage, s.validate},       // schema rules
		{"fetch", perMessage, s.fetch},             // what a change needs from outside; its transaction must not wait
		{"transact", perMessage, s.transact},       // a change and its record stand or fall together
		{"egress-guard", perMessage, s.guard},      // nothing leaves that was not granted
		{"idempotency", perMessage, s.idempotency}, // a repeated change gets its first answer, through the same guard
		{"recover-inner", perMessage, recoverInner},
	}
}

// Chain prints the steps for the golden test: any change of it is a visible difference.
func (s *Server) Chain() string {
	var b strings.Builder
	for _, step := range s.steps() {
		where := "call"
		if step.scope == perMessage {
			where = "message"
		}
		fmt.Fprintf(&b, "%-14s once a %s\n", step.name, where)
	}
	return b.String()
}
