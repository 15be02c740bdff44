package redact_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/anypb" // makes the type known to the registry
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
	"samvirke.dev/services/platform/redact"
)

const (
	public   = vocabularyv1.DataClass_DATA_CLASS_PUBLIC
	internal = vocabularyv1.DataClass_DATA_CLASS_INTERNAL
	ordinary = vocabularyv1.DataClass_DATA_CLASS_ORDINARY
	unstated = vocabularyv1.DataClass_DATA_CLASS_UNSPECIFIED
)

type field struct {
	name     string
	class    vocabularyv1.DataClass
	kind     descriptorpb.FieldDescriptorProto_Type
	typeName string
	repeated bool
}

// person is a schema of the test's own: the project's schemas have no reason to hold every combination.
func person(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	const str, msg = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	const num = descriptorpb.FieldDescriptorProto_TYPE_INT64
	inner := message(t, "Inner", []field{{name: "case_ref", class: internal, kind: str}, {name: "name", class: ordinary, kind: str}})
	outer := message(t, "Outer", []field{
		{name: "controller", class: public, kind: str}, {name: "purpose", class: internal, kind: str},
		{name: "given_name", class: ordinary, kind: str}, {name: "forgotten", class: unstated, kind: str},
		{name: "amount", class: ordinary, kind: num}, {name: "size", class: internal, kind: num},
		{name: "at", class: internal, kind: msg, typeName: ".google.protobuf.Timestamp"},
		{name: "open", class: internal, kind: msg, typeName: ".test.Inner"},
		{name: "closed", class: ordinary, kind: msg, typeName: ".test.Inner"},
		{name: "many", class: internal, kind: msg, typeName: ".test.Inner", repeated: true},
		{name: "texts", class: public, kind: str, repeated: true},
		{name: "anything", class: internal, kind: msg, typeName: ".google.protobuf.Any"},
		{name: "labels", class: internal, kind: msg, typeName: ".test.Outer.LabelsEntry", repeated: true},
	})
	outer.NestedType = []*descriptorpb.DescriptorProto{mapEntry()}
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		Dependency:  []string{"google/protobuf/timestamp.proto", "google/protobuf/any.proto"},
		MessageType: []*descriptorpb.DescriptorProto{inner, outer},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Messages().ByName("Outer")
}

func mapEntry() *descriptorpb.DescriptorProto {
	str := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	opt := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
	return &descriptorpb.DescriptorProto{
		Name: proto.String("LabelsEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		Field: []*descriptorpb.FieldDescriptorProto{
			{Name: proto.String("key"), Number: proto.Int32(1), Type: str, Label: opt},
			{Name: proto.String("value"), Number: proto.Int32(2), Type: str, Label: opt},
		},
	}
}

func message(t *testing.T, name string, fields []field) *descriptorpb.DescriptorProto {
	t.Helper()
	md := &descriptorpb.DescriptorProto{Name: proto.String(name)}
	for i, f := range fields {
		opts := &descriptorpb.FieldOptions{}
		if f.class != unstated {
			proto.SetExtension(opts, optionsv1.E_Field, &optionsv1.FieldRule{Class: f.class})
		}
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if f.repeated {
			label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		}
		fd := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(f.name), Number: proto.Int32(int32(i + 1)), Type: f.kind.Enum(), Label: label.Enum(), Options: opts,
		}
		if f.typeName != "" {
			fd.TypeName = proto.String(f.typeName)
		}
		md.Field = append(md.Field, fd)
	}
	return md
}

func filled(md protoreflect.MessageDescriptor) *dynamicpb.Message {
	m := dynamicpb.NewMessage(md)
	set := func(name string, v any) {
		m.Set(md.Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOf(v))
	}
	inner := func(ref string) protoreflect.Message {
		imd := md.Fields().ByName("open").Message()
		in := dynamicpb.NewMessage(imd)
		in.Set(imd.Fields().ByName("case_ref"), protoreflect.ValueOfString(ref))
		in.Set(imd.Fields().ByName("name"), protoreflect.ValueOfString("SECRETNAME"))
		return in
	}
	set("controller", "DK:12345678")
	set("purpose", "for 850314-9802")
	set("given_name", "SECRETNAME")
	set("forgotten", "SECRETNAME")
	set("amount", int64(700))
	set("size", int64(42))
	at := m.Mutable(md.Fields().ByName("at")).Message()
	at.Set(at.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(1767225600))
	set("open", inner("CASE1"))
	set("closed", inner("SECRETCASE"))
	many := m.Mutable(md.Fields().ByName("many")).List()
	many.Append(protoreflect.ValueOfMessage(inner("CASE2")))
	texts := m.Mutable(md.Fields().ByName("texts")).List()
	texts.Append(protoreflect.ValueOfString("mail a@b.se"))
	a := m.Mutable(md.Fields().ByName("anything")).Message()
	a.Set(a.Descriptor().Fields().ByName("value"), protoreflect.ValueOfBytes([]byte("SECRETNAME")))
	labels := m.Mutable(md.Fields().ByName("labels")).Map()
	labels.Set(protoreflect.ValueOfString("850314-9802").MapKey(), protoreflect.ValueOfString("10.1.2.3"))
	m.SetUnknown(protoreflect.RawFields("\xfa\x3f\x0aSECRETNAME"))
	return m
}

func TestMessageKeepsOnlyHarmlessFields(t *testing.T) {
	t.Parallel()
	m := filled(person(t))
	before := proto.Clone(m)
	r := redact.NewRedactor()
	for range 2 { // the second time from memory
		got := r.String(m)
		for _, want := range []string{"DK:12345678", "for [national-id]", "CASE1", "CASE2", "42", "2026-01-01T00:00:00Z", "mail [email]", "[ip]"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q", got, want)
			}
		}
		for _, bad := range []string{"SECRET", "700", "850314", "given_name", "forgotten", "10.1.2.3"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s holds %q", got, bad)
			}
		}
	}
	if !proto.Equal(m, before) {
		t.Error("the original was changed")
	}
	wire, err := proto.Marshal(redact.Message(m))
	if err != nil || strings.Contains(string(wire), "SECRET") {
		t.Errorf("wire form %q, error %v", wire, err)
	}
}

func TestMessageOfNothing(t *testing.T) {
	t.Parallel()
	var typed *timestamppb.Timestamp
	if redact.Message(nil) != nil || redact.Message(typed) != nil || redact.NewRedactor().String(nil) != "null" {
		t.Error("nil must stay nil")
	}
}

func BenchmarkRedactorMessage(b *testing.B) {
	r := redact.NewRedactor()
	m := &optionsv1.FieldRule{Dpv: "pd:Name"}
	b.ReportAllocs()
	for b.Loop() {
		r.Message(m)
	}
}
