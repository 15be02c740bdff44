package rpc

import (
	"context"
	"slices"

	"google.golang.org/grpc/metadata"

	"samvirke.dev/certs/workload"
)

// ActingForKey is the metadata key in which one of our own services names the organisation's system for which it calls, as a SPIFFE id.
// It says nothing unless the verified certificate is that of a service that the configuration lets act for others; no other header
// is ever consulted for identity.
const ActingForKey = "samvirke-acting-for"

// ActFor says which of our own services may call in the name of organisations. Empty means none.
type ActFor struct {
	// Edges verified the organisation themselves, as the REST gateway does: they pass on any system of any organisation.
	Edges []string
	// Services may call in the name of a controller as the system that bears their own name, and as no other. The
	// agreements say for whom: those that admit that system.
	Services []string
}

// admits says whether the service may call as the organisation's system.
func (a ActFor) admits(service, as workload.ID) bool {
	if service.Kind() != workload.KindService || as.Kind() != workload.KindOrganisation || as.TrustDomain() != service.TrustDomain() {
		return false
	}
	return slices.Contains(a.Edges, service.Name()) || slices.Contains(a.Services, service.Name()) && as.System() == service.Name()
}

// WithActingFor returns a context whose outgoing calls are made in the name of an organisation's system; for our own services' clients.
func WithActingFor(ctx context.Context, as workload.ID) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = md.Copy()
	md.Set(ActingForKey, as.String())
	return metadata.NewOutgoingContext(ctx, md)
}

// identify reads the caller from the verified chain, and for whom it acts where it may. It does not refuse: authorise does, so that the
// refusal leaves a record.
func (s *Server) identify(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		x.Caller = callerOf(ctx)
		if named := metadata.ValueFromIncomingContext(ctx, ActingForKey); len(named) > 0 {
			x.actFor(named, s.cfg.ActFor)
		}
		return next(ctx, x)
	}
}

// actFor puts the organisation in the caller's place, or marks the call as one to refuse: who claims what it may not gets nothing,
// not even what it might have had in its own name.
func (x *Exchange) actFor(named []string, rule ActFor) {
	x.Via = x.Caller
	as, err := workload.Parse(named[0])
	if len(named) != 1 || err != nil || !rule.admits(x.Via, as) {
		x.misnamed = true
		return
	}
	x.Caller = as
}
