// Package authz decides whether a call is allowed: the rule beside each RPC in its schema says who may call it at all and
// for what, the agreement between the controller and the caller's organisation says which of that this caller has. Default
// deny; an RPC without a rule stops the boot.
package authz

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Method is one RPC with the rule that stands beside it in its schema.
type Method struct {
	FullName string // as gRPC writes it: /samvirke.identity.v1.IdentityService/VerifyIdentity
	Name     string // as agreements write it: without the leading slash
	Rule     *optionsv1.MethodRule
	Desc     protoreflect.MethodDescriptor
	Plan     *Plan // the fields of the response, for the egress guard
	Open     bool  // health and reflection: no person, no agreement, any verified caller

	internal *Release                     // what a service of ours gets: all that is no personal data
	items    protoreflect.FieldDescriptor // the repeated message field of a batch, or nil
	response protoreflect.MessageType
	chooses  bool // a request lists the fields that it wants, by a list of the use case's own: that decides, and the guard holds
}

// Methods is every RPC that a server exposes, by full name.
type Methods map[string]*Method

// openServices hold nothing about persons, so they need no agreement; a verified certificate is demanded all the same.
func openServices() []string {
	return []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
}

// Cover returns the rule of every RPC that the server exposes. It fails, naming all of them, when an RPC has no rule or a
// rule is incomplete, so that nothing is ever exposed unguarded (DESIGN section 2, SEC-05).
func Cover(services map[string]grpc.ServiceInfo) (Methods, error) {
	methods := Methods{}
	var problems []error
	for service, info := range services {
		for _, m := range info.Methods {
			method, err := lookup(service, m.Name)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			methods[method.FullName] = method
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("authz: %w", errors.Join(problems...))
	}
	return methods, nil
}

func lookup(service, name string) (*Method, error) {
	full := "/" + service + "/" + name
	method := &Method{FullName: full, Name: full[1:]}
	if slices.Contains(openServices(), service) {
		method.Open = true
		return method, nil
	}
	desc, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("no schema for %s", full)
	}
	sd, ok := desc.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not a service", service)
	}
	md := sd.Methods().ByName(protoreflect.Name(name))
	if md == nil {
		return nil, fmt.Errorf("no schema for %s", full)
	}
	return complete(method, md)
}

func complete(method *Method, md protoreflect.MethodDescriptor) (*Method, error) {
	rule, err := RuleOf(md)
	if err != nil {
		return nil, err
	}
	method.Rule, method.Desc, method.Plan = rule, md, NewPlan(md.Output())
	if fields := md.Input().Fields().ByName("fields"); fields != nil {
		method.chooses = fields.IsList() && fields.Enum() != nil
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(md.Output().FullName())
	if err != nil {
		return nil, fmt.Errorf("no type for the response of %s", method.Name)
	}
	method.response = response
	if method.internal, err = method.Plan.NewRelease(nil); err != nil {
		return nil, fmt.Errorf("release of %s: %w", method.Name, err)
	}
	fields := md.Input().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.IsList() && fd.Message() != nil {
			method.items = fd
		}
	}
	return method, nil
}

// NewResponse returns an empty response message of the RPC.
func (m *Method) NewResponse() proto.Message { return m.response.New().Interface() }

// Cost returns how many persons a request asks about: the items of a batch, else 1. Quotas count persons.
func (m *Method) Cost(request proto.Message) int64 {
	if m.items == nil || request == nil {
		return 1
	}
	return int64(max(1, request.ProtoReflect().Get(m.items).List().Len()))
}

// RuleOf returns the rule beside an RPC, or an error that names what is missing in it.
func RuleOf(md protoreflect.MethodDescriptor) (*optionsv1.MethodRule, error) {
	options, ok := md.Options().(*descriptorpb.MethodOptions)
	if !ok || !proto.HasExtension(options, optionsv1.E_Method) {
		return nil, fmt.Errorf("no rule for %s", md.FullName())
	}
	rule, ok := proto.GetExtension(options, optionsv1.E_Method).(*optionsv1.MethodRule)
	switch {
	case !ok || len(rule.GetCallers()) == 0:
		return nil, fmt.Errorf("rule of %s names no callers", md.FullName())
	case len(rule.GetPurposes()) == 0:
		return nil, fmt.Errorf("rule of %s names no purposes", md.FullName())
	case rule.GetOperation() == vocabularyv1.Operation_OPERATION_UNSPECIFIED:
		return nil, fmt.Errorf("rule of %s names no operation", md.FullName())
	case rule.GetAuditClass() == optionsv1.AuditClass_AUDIT_CLASS_UNSPECIFIED:
		return nil, fmt.Errorf("rule of %s names no audit class", md.FullName())
	case rule.GetUnrecorded() && !slices.Equal(rule.GetCallers(), []vocabularyv1.Role{vocabularyv1.Role_ROLE_SERVICE}):
		return nil, fmt.Errorf("rule of %s leaves no record, but others than our own services may call", md.FullName())
	case rule.GetSubjectField() != "" && md.Input().Fields().ByName(protoreflect.Name(rule.GetSubjectField())) == nil:
		return nil, fmt.Errorf("rule of %s names subject field %q, which the request lacks", md.FullName(), rule.GetSubjectField())
	}
	return rule, nil
}
