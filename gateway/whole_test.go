package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"samvirke.dev/certs/certtest"
	"samvirke.dev/gateway"
	auditv1 "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/authz"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/platform/suitetest"
)

// route is a route of the schemas.
type route struct {
	path    string
	service string // of the suite, such as insurance
	desc    protoreflect.MethodDescriptor
}

// rpc is the name as agreements write it.
func (r route) rpc() string { return string(r.desc.Parent().FullName()) + "/" + string(r.desc.Name()) }

// everyRoute reads the routes from the schemas, sorted by path.
func everyRoute() (out []route) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				rule, ok := proto.GetExtension(methods.Get(j).Options(), annotations.E_Http).(*annotations.HttpRule)
				if ok && rule.GetPost() != "" {
					service := strings.Split(string(f.Package()), ".")[1]
					out = append(out, route{path: rule.GetPost(), service: service, desc: methods.Get(j)})
				}
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b route) int { return strings.Compare(a.path, b.path) })
	return out
}

// roles are those that an organisation can have in an agreement, with an organisation of each.
func roles() map[vocabularyv1.Role]string {
	out := map[vocabularyv1.Role]string{}
	for n := range vocabularyv1.Role_name {
		if r := vocabularyv1.Role(n); r > vocabularyv1.Role_ROLE_SERVICE {
			out[r] = fmt.Sprintf("DK:600000%02d", n)
		}
	}
	return out
}

// expired is an organisation with the same agreement, which has expired.
func expired(org string) string { return "SE:55" + org[len("DK:"):] }

// controllerOrg is on whose responsibility all of them call.
const controllerOrg = "DK:10000009"

// why is a purpose of an RPC with a basis that fits.
func why(rule interface {
	GetPurposes() []vocabularyv1.Purpose
}) (vocabularyv1.Purpose, vocabularyv1.LegalBasis) {
	for _, p := range rule.GetPurposes() {
		for n := range int32(len(vocabularyv1.LegalBasis_name)) {
			if b := vocabularyv1.LegalBasis(n); authz.BasisFits(p, b) {
				return p, b
			}
		}
	}
	return 0, 0
}

// allDeals are agreements for one service of the suite: each role is granted all that the schemas let it call, and nothing else. Another
// organisation has the same agreement, which has expired.
func allDeals(t testing.TB, service string) map[string]string {
	t.Helper()
	type m = map[string]any
	out := map[string]string{}
	for role, org := range roles() {
		var grants []m
		for _, r := range everyRoute() {
			rule, err := authz.RuleOf(r.desc)
			if err != nil {
				t.Fatal(err)
			}
			purpose, basis := why(rule)
			if r.service != service || !slices.Contains(rule.GetCallers(), role) || purpose == 0 {
				continue
			}
			var fields []string
			for i := range r.desc.Output().Fields().Len() {
				fields = append(fields, string(r.desc.Output().Fields().Get(i).Name()))
			}
			grants = append(grants, m{"rpc": r.rpc(), "fields": fields, "purposes": []m{{
				"purpose": purpose.String(), "legal_bases": []string{basis.String()}, "special_bases": []string{"SPECIAL_BASIS_A9_2_A"},
			}}})
		}
		if len(grants) == 0 {
			continue
		}
		for _, party := range []struct{ org, until string }{{org, "2100-01-01T00:00:00Z"}, {expired(org), "2021-01-01T00:00:00Z"}} {
			id := strings.ToLower(strings.ReplaceAll(party.org, ":", "-"))
			raw, err := json.Marshal(m{
				"id": id, "version": 1, "controller": m{"id": controllerOrg, "name": "C"}, "recipient": m{"id": party.org, "name": "R"}, "role": role.String(),
				"valid_from": "2020-01-01T00:00:00Z", "valid_until": party.until, "grants": grants, "balancing_id": "b", "processing_agreement_id": "p",
			})
			if err != nil {
				t.Fatal(err)
			}
			out[id+".yaml"] = string(raw)
		}
	}
	return out
}

// registrations are services of the suite without anything behind their RPCs: what matters is how far a call gets.
func registrations() map[string]func(grpc.ServiceRegistrar) {
	return map[string]func(grpc.ServiceRegistrar){
		"audit": func(r grpc.ServiceRegistrar) {
			auditv1.RegisterLedgerServiceServer(r, auditv1.UnimplementedLedgerServiceServer{})
			auditv1.RegisterAuditorServiceServer(r, auditv1.UnimplementedAuditorServiceServer{})
			auditv1.RegisterUsageServiceServer(r, auditv1.UnimplementedUsageServiceServer{})
		},
		"identity": func(r grpc.ServiceRegistrar) {
			identityv1.RegisterIdentityServiceServer(r, identityv1.UnimplementedIdentityServiceServer{})
		},
		"income": func(r grpc.ServiceRegistrar) {
			incomev1.RegisterIncomeServiceServer(r, incomev1.UnimplementedIncomeServiceServer{})
		},
		"insurance": func(r grpc.ServiceRegistrar) {
			insurancev1.RegisterShareServiceServer(r, insurancev1.UnimplementedShareServiceServer{})
			insurancev1.RegisterInsuranceServiceServer(r, insurancev1.UnimplementedInsuranceServiceServer{})
		},
		"transfer": func(r grpc.ServiceRegistrar) {
			transferv1.RegisterTransferServiceServer(r, transferv1.UnimplementedTransferServiceServer{})
			transferv1.RegisterMembershipServiceServer(r, transferv1.UnimplementedMembershipServiceServer{})
		},
	}
}

// empty registers services whose every RPC says that the case does not let it be done, after the whole chain has let the call through.
type empty struct{ grpc.ServiceRegistrar }

// RegisterService implements grpc.ServiceRegistrar.
func (e empty) RegisterService(desc *grpc.ServiceDesc, impl any) {
	out := *desc
	out.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		full := "/" + desc.ServiceName + "/" + m.MethodName
		out.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(
			srv any, ctx context.Context, decode func(any) error, next grpc.UnaryServerInterceptor,
		) (any, error) {
			in, err := requestOf(full)
			if err == nil {
				err = decode(in)
			}
			if err != nil {
				return nil, err
			}
			return next(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: full}, func(context.Context, any) (any, error) {
				return nil, errs.New(commonv1.Reason_REASON_FAILED_PRECONDITION)
			})
		}}
	}
	e.ServiceRegistrar.RegisterService(&out, impl)
}

// requestOf is an empty request of an RPC.
func requestOf(full string) (proto.Message, error) {
	desc, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(full[1:], "/", ".")))
	if err != nil {
		return nil, err
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(desc.(protoreflect.MethodDescriptor).Input().FullName()) //nolint:forcetypeassert // it is an RPC
	if err != nil {
		return nil, err
	}
	return kind.New().Interface(), nil
}

// startWhole runs a gateway in front of all services of the suite, each with its real chain and agreements of every role.
func startWhole(t testing.TB, edits ...edit) *world {
	t.Helper()
	w := &world{t: t, service: &service{}, logs: &suitetest.SafeBuffer{}, stopped: make(chan error, 1)}
	cfg := testConfig()
	cfg.Services = map[string]string{}
	ca := certtest.New(t, suitetest.TrustDomain)
	for name, register := range registrations() {
		opts := suitetest.Options{
			Name: name, CA: ca, Agreements: allDeals(t, name),
			Limits:   func(c *rpc.Config) { c.ActFor = rpc.ActFor{Edges: []string{"gateway"}} },
			Register: func(_ *suitetest.Server, r grpc.ServiceRegistrar) { register(empty{r}) },
		}
		for _, e := range edits {
			e(&cfg, &opts)
		}
		w.Server = suitetest.Start(t, opts)
		cfg.Services[name] = w.Addr
	}
	if len(cfg.Services) != len(gateway.Services()) {
		t.Fatalf("services %v, want %v", cfg.Services, gateway.Services())
	}
	w.run(cfg)
	return w
}
