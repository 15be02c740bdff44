package gateway

import (
	"context"
	"maps"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
)

// register puts the routes of one gRPC service into the mux.
type register = func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error

// routes are the gRPC services with REST routes, by the service of the suite that serves them.
func routes() map[string][]register {
	return map[string][]register{
		"identity": {identityv1.RegisterIdentityServiceHandler},
	}
}

// Services are the names of the services of the suite that have REST routes, sorted.
func Services() []string { return slices.Sorted(maps.Keys(routes())) }
