package gateway

import (
	"context"
	"maps"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
)

// register puts the routes of one gRPC service into the mux.
type register = func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error

// routes are the gRPC services with REST routes, by the service of the suite that serves them.
func routes() map[string][]register {
	return map[string][]register{
		"audit":     {auditv1.RegisterLedgerServiceHandler, auditv1.RegisterAuditorServiceHandler, auditv1.RegisterUsageServiceHandler},
		"identity":  {identityv1.RegisterIdentityServiceHandler},
		"income":    {incomev1.RegisterIncomeServiceHandler},
		"insurance": {insurancev1.RegisterShareServiceHandler, insurancev1.RegisterInsuranceServiceHandler},
		"transfer":  {transferv1.RegisterTransferServiceHandler, transferv1.RegisterMembershipServiceHandler},
	}
}

// Services are the names of the services of the suite that have REST routes, sorted.
func Services() []string { return slices.Sorted(maps.Keys(routes())) }
