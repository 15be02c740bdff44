package rpc_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"samvirke.dev/certs/workload"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

// Only a service of ours that the configuration names may call in the name of an organisation, and only an edge as any system of it.
// Whoever claims it without being one is refused with a record that names the connection's own workload.
//
// covers: SEC-01 SEC-02
func TestActingFor(t *testing.T) {
	t.Parallel()
	const own, foreign = "spiffe://samvirke.example/org/DK/10000009/transfer", "spiffe://other.example/org/DK/10000009/transfer"
	const caseworker = "spiffe://samvirke.example/org/DK/10000009/caseworker"
	svc := func(name string) func(*suitetest.Server) workload.ID {
		return func(s *suitetest.Server) workload.ID { return s.CA.Service(name) }
	}
	for name, tc := range map[string]struct {
		who   func(*suitetest.Server) workload.ID
		named []string
		want  codes.Code
		via   string
	}{
		"edge as any system":           {svc("gateway"), []string{caseworker}, codes.OK, "gateway"},
		"service as its own system":    {svc("transfer"), []string{own}, codes.OK, "transfer"},
		"service as another system":    {svc("transfer"), []string{caseworker}, codes.PermissionDenied, ""},
		"service that may not":         {svc("income"), []string{own}, codes.PermissionDenied, ""},
		"service in its own name":      {svc("transfer"), nil, codes.PermissionDenied, ""},
		"two names":                    {svc("gateway"), []string{caseworker, own}, codes.PermissionDenied, ""},
		"no name":                      {svc("gateway"), []string{""}, codes.PermissionDenied, ""},
		"another service's name":       {svc("gateway"), []string{"spiffe://samvirke.example/svc/audit"}, codes.PermissionDenied, ""},
		"foreign trust domain":         {svc("gateway"), []string{foreign}, codes.PermissionDenied, ""},
		"organisation for another":     {func(s *suitetest.Server) workload.ID { return s.CA.Organisation("SE", "5560000001", "transfer") }, []string{own}, codes.PermissionDenied, ""},
		"organisation that needs none": {func(s *suitetest.Server) workload.ID { return s.CA.Organisation("DK", "10000009", "caseworker") }, []string{caseworker}, codes.PermissionDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := suitetest.Start(t, suitetest.Options{
				Agreements: map[string]string{"fund.yaml": fundAgreement},
				Limits: func(c *rpc.Config) {
					c.ActFor = rpc.ActFor{Edges: []string{"gateway"}, Services: []string{"transfer"}}
				},
				Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) {
					identityv1.RegisterIdentityServiceServer(r, &service{})
				},
			})
			who := tc.who(s)
			ctx := t.Context()
			for _, n := range tc.named {
				ctx = metadata.AppendToOutgoingContext(ctx, rpc.ActingForKey, n)
			}
			_, err := identityv1.NewIdentityServiceClient(s.Dial(who)).VerifyIdentity(ctx, verifyRequest())
			if code, reason, _ := reasonOf(t, err); code != tc.want {
				t.Fatalf("code is %v (%s), want %v", code, reason, tc.want)
			}
			actor := only(t, s).GetActor()
			if tc.want == codes.OK {
				as, err := workload.Parse(tc.named[0])
				if err != nil {
					t.Fatal(err)
				}
				if actor.GetWorkload() != as.String() || actor.GetOrganisation() != as.Org() || actor.GetVia() != s.CA.Service(tc.via).String() {
					t.Errorf("actor is %v", actor)
				}
				return
			}
			if actor.GetWorkload() != who.String() {
				t.Errorf("a refused claim is recorded as %v", actor)
			}
		})
	}
}

// WithActingFor replaces a name that is there already, so that a passed-on context can't name two.
func TestWithActingFor(t *testing.T) {
	t.Parallel()
	ctx := metadata.AppendToOutgoingContext(t.Context(), rpc.ActingForKey, "spiffe://samvirke.example/org/SE/5560000001/x")
	as, err := workload.Organisation("samvirke.example", "DK", "10000009", "transfer")
	if err != nil {
		t.Fatal(err)
	}
	md, _ := metadata.FromOutgoingContext(rpc.WithActingFor(ctx, as))
	if got := md.Get(rpc.ActingForKey); len(got) != 1 || got[0] != as.String() {
		t.Errorf("metadata holds %v", got)
	}
	if before, _ := metadata.FromOutgoingContext(ctx); before.Get(rpc.ActingForKey)[0] == as.String() {
		t.Error("the context that was passed in changed")
	}
}
