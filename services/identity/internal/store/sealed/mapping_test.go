package sealed

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	storev1 "samvirke.dev/proto/gen/go/samvirke/identity/store/v1"
	"samvirke.dev/services/identity/internal/core"
)

// populate sets every field of a message, so that one that a mapping forgets is missed.
func populate(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case fd.IsList():
			list := m.Mutable(fd).List()
			if fd.Kind() == protoreflect.MessageKind {
				populate(list.AppendMutable().Message())
			} else {
				list.Append(value(fd, i))
			}
		case fd.Kind() == protoreflect.MessageKind:
			populate(m.Mutable(fd).Message())
		default:
			m.Set(fd, value(fd, i))
		}
	}
}

// value returns a value that is valid for the field and differs from its neighbours'.
func value(fd protoreflect.FieldDescriptor, i int) protoreflect.Value {
	switch fd.Kind() { //nolint:exhaustive // these are the kinds that the schema uses; others are set as text and fail
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(i + 1))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(i + 1))
	}
	switch fd.Name() {
	case "number":
		return protoreflect.ValueOfString("SE:198503149802")
	case "earlier_numbers":
		return protoreflect.ValueOfString("DK:7403851013")
	default:
		return protoreflect.ValueOfString(string(fd.Name()))
	}
}

func TestNoStoredFieldIsForgotten(t *testing.T) {
	t.Parallel()
	want := &storev1.Person{}
	populate(want.ProtoReflect())
	p, err := fromStored(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := toStored(p); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWhatALaterReleaseWrote(t *testing.T) {
	t.Parallel()
	p, err := fromStored(&storev1.Person{
		Number: "SE:198503149802", Source: 99, Protections: []*storev1.Protection{{Kind: 99}, {Kind: -1}},
	})
	if err != nil || p.Source != core.SourceUnknown || p.Protections[0].Kind != core.ProtectionUnknown || p.Protections[1].Kind != core.ProtectionUnknown {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []*storev1.Person{{}, {Number: "SE:1"}, {Number: "SE:198503149802", EarlierNumbers: []string{"x"}}} {
		if _, err := fromStored(bad); err == nil {
			t.Error("a number that is none was read")
		}
	}
}
