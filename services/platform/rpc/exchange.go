// Package rpc is the gRPC server that all services share: mutual TLS, and one list of named steps that every unary call and
// every message of a stream passes, in the order of DESIGN section 5.
package rpc

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/certs/workload"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/authz"
)

// Exchange is one request and its answer on the way through the steps. It belongs to one call.
type Exchange struct {
	RPC      string        // full name as called
	Method   *authz.Method // nil for an RPC that does not exist here
	EventID  string
	Caller   workload.ID // zero when the certificate names no workload that we can read
	Via      workload.ID // our own service that calls in the caller's name; zero when the caller calls itself
	Request  proto.Message
	Response proto.Message
	Entry    *audit.Entry
	Decision *authz.Decision

	parent   trace.SpanContext // the caller's span, invalid when it has none
	misnamed bool              // the connection's own workload may not call in the name that it gave
	handle   func(ctx context.Context) (proto.Message, error)
}

// open says whether the RPC needs neither agreement nor record: health and reflection.
func (x *Exchange) open() bool { return x.Method != nil && x.Method.Open }

// unrecorded says whether one of our own services hands over audit records, of which a record would beget another. Whoever else tries
// leaves a record like everybody (SEC-07).
func (x *Exchange) unrecorded() bool {
	return x.Method != nil && x.Method.Rule.GetUnrecorded() && x.Caller.Kind() == workload.KindService && x.Via.IsZero()
}

// handler is the rest of the steps.
type handler func(ctx context.Context, x *Exchange) error

// step is one named part of the chain.
type step struct {
	name string
	// scope says where a stream runs it: once around the whole stream, or around each message.
	scope scope
	wrap  func(next handler) handler
}

type scope int

const (
	perCall    scope = iota // once a unary call, once a stream
	perMessage              // once a unary call, once each message of a stream
)

// compose builds the chain from the steps of the wanted scopes; the first is the outermost.
func compose(steps []step, last handler, wanted ...scope) handler {
	out := last
	for i := len(steps) - 1; i >= 0; i-- {
		for _, s := range wanted {
			if steps[i].scope == s {
				out = steps[i].wrap(out)
			}
		}
	}
	return out
}

// invoke is the innermost part: the handler itself.
func invoke(ctx context.Context, x *Exchange) error {
	response, err := x.handle(ctx)
	if err != nil {
		return err
	}
	x.Response = response
	return nil
}

type exchangeKey struct{}

// from returns the exchange around a stream, for its messages.
func from(ctx context.Context) *around {
	a, _ := ctx.Value(exchangeKey{}).(*around)
	return a
}
