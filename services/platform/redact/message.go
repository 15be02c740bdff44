package redact

import (
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Message returns a copy of m with only the fields whose data class is PUBLIC or INTERNAL (option
// samvirke.options.v1.field). A field without the option, an extension and an unknown field are left out, and so is
// everything below a field that is left out. Strings that stay pass through Text. A nil message gives nil.
//
// It reads the options of every field at each call; where that counts, keep a Redactor.
func Message(m proto.Message) proto.Message {
	return NewRedactor().Message(m)
}

// Redactor is Message with a memory: it works out each message type once. Safe for concurrent use.
type Redactor struct {
	plans sync.Map // protoreflect.MessageDescriptor to plan
}

// NewRedactor returns a Redactor that knows nothing yet.
func NewRedactor() *Redactor { return &Redactor{} }

// plan holds the field numbers of one message type that may stay.
type plan map[protoreflect.FieldNumber]bool

// Message does what the function Message does.
func (r *Redactor) Message(m proto.Message) proto.Message {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	return r.copyOf(m.ProtoReflect()).Interface()
}

// String returns the redacted message as one line of JSON, for logs. Its spacing is not stable.
func (r *Redactor) String(m proto.Message) string {
	safe := r.Message(m)
	if safe == nil {
		return "null"
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(safe)
	if err != nil {
		// Only a message that can't be printed at all comes here; its text is of no use and its error may quote it.
		return "[unprintable]"
	}
	return string(b)
}

func (r *Redactor) copyOf(src protoreflect.Message) protoreflect.Message {
	dst := src.New()
	if wellKnown(src.Descriptor().FullName()) {
		src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			r.set(dst, fd, v)
			return true
		})
		return dst
	}
	p := r.planOf(src.Descriptor())
	src.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !fd.IsExtension() && p[fd.Number()] {
			r.set(dst, fd, v)
		}
		return true
	})
	return dst
}

func (r *Redactor) set(dst protoreflect.Message, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case fd.IsList():
		l := dst.Mutable(fd).List()
		for i := range v.List().Len() {
			l.Append(r.value(fd, v.List().Get(i)))
		}
	case fd.IsMap():
		to := dst.Mutable(fd).Map()
		v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
			if fd.MapKey().Kind() == protoreflect.StringKind {
				k = protoreflect.ValueOfString(Text(k.String())).MapKey()
			}
			to.Set(k, r.value(fd.MapValue(), e))
			return true
		})
	default:
		dst.Set(fd, r.value(fd, v))
	}
}

func (r *Redactor) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return protoreflect.ValueOfMessage(r.copyOf(v.Message()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(Text(v.String()))
	default:
		return v
	}
}

func (r *Redactor) planOf(md protoreflect.MessageDescriptor) plan {
	if p, ok := r.plans.Load(md); ok {
		return p.(plan)
	}
	p := plan{}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if harmless(classOf(fd)) {
			p[fd.Number()] = true
		}
	}
	r.plans.Store(md, p)
	return p
}

func classOf(fd protoreflect.FieldDescriptor) vocabularyv1.DataClass {
	rule, ok := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldRule)
	if !ok {
		return vocabularyv1.DataClass_DATA_CLASS_UNSPECIFIED
	}
	return rule.GetClass()
}

func harmless(c vocabularyv1.DataClass) bool {
	return c == vocabularyv1.DataClass_DATA_CLASS_PUBLIC || c == vocabularyv1.DataClass_DATA_CLASS_INTERNAL
}

// wellKnown lists the types that carry no options of ours and are values like any scalar: the field that holds them
// decides. Any and Struct are not among them; they can hold everything.
func wellKnown(name protoreflect.FullName) bool {
	switch name {
	case "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask",
		"google.protobuf.BoolValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value",
		"google.protobuf.UInt32Value", "google.protobuf.UInt64Value", "google.protobuf.StringValue",
		"google.type.Date":
		return true
	default:
		return false
	}
}
