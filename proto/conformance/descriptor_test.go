package conformance_test

import (
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "samvirke.dev/proto/gen/go/samvirke/agreement/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/audit/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/common/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/identity/store/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/insurance/store/v1"
	_ "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// files calls fn for every file of ours, except the one that defines the options themselves.
func files(fn func(protoreflect.FileDescriptor)) {
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(fd.Package()), "samvirke.") && fd.Package() != "samvirke.options.v1" {
			fn(fd)
		}
		return true
	})
}

func messages(fn func(protoreflect.MessageDescriptor)) {
	files(func(fd protoreflect.FileDescriptor) { walk(fd.Messages(), fn) })
}

func walk(list protoreflect.MessageDescriptors, fn func(protoreflect.MessageDescriptor)) {
	for i := range list.Len() {
		fn(list.Get(i))
		walk(list.Get(i).Messages(), fn)
	}
}

func methods(fn func(protoreflect.MethodDescriptor)) {
	files(func(fd protoreflect.FileDescriptor) {
		for i := range fd.Services().Len() {
			for j := range fd.Services().Get(i).Methods().Len() {
				fn(fd.Services().Get(i).Methods().Get(j))
			}
		}
	})
}

func fieldRule(fd protoreflect.FieldDescriptor) *optionsv1.FieldRule {
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	rule, _ := proto.GetExtension(options, optionsv1.E_Field).(*optionsv1.FieldRule)
	return rule
}

func methodRule(md protoreflect.MethodDescriptor) *optionsv1.MethodRule {
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	rule, _ := proto.GetExtension(options, optionsv1.E_Method).(*optionsv1.MethodRule)
	return rule
}

// covers: SEC-05
func TestEveryRPCCarriesItsRule(t *testing.T) {
	t.Parallel()
	count := 0
	methods(func(md protoreflect.MethodDescriptor) {
		count++
		rule := methodRule(md)
		if len(rule.GetCallers()) == 0 || len(rule.GetPurposes()) == 0 ||
			rule.GetOperation() == vocabularyv1.Operation_OPERATION_UNSPECIFIED ||
			rule.GetAuditClass() == optionsv1.AuditClass_AUDIT_CLASS_UNSPECIFIED {
			t.Errorf("%s: its rule must name callers, purposes, operation and audit class", md.FullName())
		}
		if f := rule.GetSubjectField(); f != "" && md.Input().Fields().ByName(protoreflect.Name(f)) == nil {
			t.Errorf("%s: subject field %q is not in the request", md.FullName(), f)
		}
		if rule.GetUnrecorded() {
			if callers := rule.GetCallers(); len(callers) != 1 || callers[0] != vocabularyv1.Role_ROLE_SERVICE {
				t.Errorf("%s: only an RPC between our own services may be unrecorded", md.FullName())
			}
			return
		}
		first := md.Input().Fields().ByNumber(1)
		if first == nil || first.Name() != "context" || first.Message() == nil ||
			first.Message().FullName() != "samvirke.common.v1.RequestContext" {
			t.Errorf("%s: field 1 of the request must be the context", md.FullName())
		}
	})
	if count < 5 {
		t.Fatalf("only %d RPCs seen", count)
	}
}

// covers: MIN-06
func TestEveryFieldCarriesItsClass(t *testing.T) {
	t.Parallel()
	term := regexp.MustCompile(`^(dpv|pd|x):[A-Za-z]+$`)
	messages(func(md protoreflect.MessageDescriptor) {
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			rule := fieldRule(fd)
			if rule.GetClass() == vocabularyv1.DataClass_DATA_CLASS_UNSPECIFIED {
				t.Errorf("%s has no data class", fd.FullName())
			}
			if rule.GetClass() >= vocabularyv1.DataClass_DATA_CLASS_PSEUDONYM && !term.MatchString(rule.GetDpv()) {
				t.Errorf("%s: class %s needs a DPV term, has %q", fd.FullName(), rule.GetClass(), rule.GetDpv())
			}
			if fd.IsMap() {
				t.Errorf("%s: maps have no place in these schemas", fd.FullName())
			}
		}
	})
}

// reaches returns the first field of class national id or higher in the message or below it.
func reaches(md protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) protoreflect.FieldDescriptor {
	if seen[md.FullName()] {
		return nil
	}
	seen[md.FullName()] = true
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fieldRule(fd).GetClass() >= vocabularyv1.DataClass_DATA_CLASS_NATIONAL_ID {
			return fd
		}
		if fd.Message() != nil {
			if found := reaches(fd.Message(), seen); found != nil {
				return found
			}
		}
	}
	return nil
}

// covers: SEC-06
func TestNoNationalIDInURL(t *testing.T) {
	t.Parallel()
	bound := 0
	methods(func(md protoreflect.MethodDescriptor) {
		options, _ := md.Options().(*descriptorpb.MethodOptions)
		rule, _ := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append(rule.GetAdditionalBindings(), rule) {
			if r == nil {
				continue
			}
			bound++
			path := r.GetPost() + r.GetGet() + r.GetPut() + r.GetPatch() + r.GetDelete()
			if r.GetBody() == "*" && !strings.Contains(path, "{") {
				continue // nothing of the message stands in path or query
			}
			if found := reaches(md.Input(), map[protoreflect.FullName]bool{}); found != nil {
				t.Errorf("%s: %s may stand in the URL %s", md.FullName(), found.FullName(), path)
			}
		}
	})
	if bound == 0 {
		t.Fatal("no HTTP binding seen")
	}
}

// Responses hold no criminal data and no secrets.
//
// covers: DFH-13
func TestNoResponseHoldsCriminalDataOrSecrets(t *testing.T) {
	t.Parallel()
	methods(func(md protoreflect.MethodDescriptor) {
		visit(md.Output(), map[protoreflect.FullName]bool{}, func(fd protoreflect.FieldDescriptor) {
			if fieldRule(fd).GetClass() >= vocabularyv1.DataClass_DATA_CLASS_CRIMINAL {
				t.Errorf("%s answers with %s", md.FullName(), fd.FullName())
			}
		})
	})
}

func visit(md protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool, fn func(protoreflect.FieldDescriptor)) {
	if seen[md.FullName()] || !strings.HasPrefix(string(md.FullName()), "samvirke.") {
		return
	}
	seen[md.FullName()] = true
	for i := range md.Fields().Len() {
		fn(md.Fields().Get(i))
		if sub := md.Fields().Get(i).Message(); sub != nil {
			visit(sub, seen, fn)
		}
	}
}
