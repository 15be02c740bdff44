package api

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	identityv1 "samvirke.dev/proto/gen/go/samvirke/identity/v1"
	"samvirke.dev/services/platform/errs"
)

// checkMask refuses a mask with a path that the answer does not have.
func checkMask(mask *fieldmaskpb.FieldMask) error {
	if mask.IsValid(&identityv1.GetPostalAddressResponse{}) || mask == nil {
		return nil
	}
	return errs.New(commonv1.Reason_REASON_INVALID_REQUEST, errs.Field(maskField, "holds a path that the response does not have"))
}

// narrow clears what the mask does not name. No mask, or an empty one, names everything; a path that names a message names all of it.
func narrow(m *identityv1.GetPostalAddressResponse, mask *fieldmaskpb.FieldMask) {
	if len(mask.GetPaths()) > 0 {
		prune(m.ProtoReflect(), mask.GetPaths())
	}
}

func prune(m protoreflect.Message, paths []string) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		whole, below := false, []string(nil)
		for _, p := range paths {
			name, rest, deeper := strings.Cut(p, ".")
			switch {
			case name != string(fd.Name()):
			case deeper:
				below = append(below, rest)
			default:
				whole = true
			}
		}
		switch {
		case whole:
		case len(below) > 0:
			prune(v.Message(), below)
		default:
			m.Clear(fd)
		}
		return true
	})
}
