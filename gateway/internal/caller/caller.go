// Package caller holds who calls the REST edge, from the verified client certificate and, where one is shown, a token bound to it.
package caller

import (
	"context"
	"strings"

	"samvirke.dev/certs/workload"
)

// Caller is a partner's system that was verified here.
type Caller struct {
	ID workload.ID
	// Name is ID as text, Org the organisation's, both written once a connection.
	Name, Org string
	// Scope limits the RPCs of this call to those of a token, as package.Service or package.Service/Method; nil without a token.
	Scope []string
	// RequestID is the idempotency key of the call, from the header Idempotency-Key; empty without one.
	RequestID string
}

// New is a caller without token and idempotency key.
func New(id workload.ID) Caller { return Caller{ID: id, Name: id.String(), Org: id.Org()} }

// Within says whether the caller's token, if there is one, covers an RPC, named as /package.Service/Method.
func (c *Caller) Within(rpc string) bool {
	if c.Scope == nil {
		return true
	}
	for _, s := range c.Scope {
		if rest, ok := strings.CutPrefix(rpc, "/"+s); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

type key struct{}

// With puts a caller into the context, who is nobody until the certificate has been looked at.
func With(ctx context.Context, c *Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the caller of the running request; ok is false outside of one and while the caller is nobody, and nothing may be done then.
func From(ctx context.Context) (c *Caller, ok bool) {
	c, _ = ctx.Value(key{}).(*Caller)
	return c, c != nil && !c.ID.IsZero()
}
