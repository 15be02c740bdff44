package rpc

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// codec decodes requests without failing: gRPC would answer a message that can't be decoded by itself, as INTERNAL and without
// a record. Instead the message is emptied and marked, and the chain refuses it as INVALID_ARGUMENT with its record.
type codec struct {
	encoding.CodecV2
	limit int // bytes of one message
}

func newCodec(limit int) codec { return codec{encoding.GetCodecV2(proto.Name), limit} }

// mark is a field number at the very end of the range, which no schema of ours uses.
const mark = protowire.MaxValidNumber

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	reason := commonv1.Reason_REASON_MESSAGE_TOO_LARGE
	if data.Len() <= c.limit {
		err := c.CodecV2.Unmarshal(data, v)
		if err == nil {
			return nil
		}
		reason = commonv1.Reason_REASON_MESSAGE_UNREADABLE
	}
	m, ok := v.(pb.Message)
	if !ok {
		return nil
	}
	pb.Reset(m)
	raw := protowire.AppendTag(nil, mark, protowire.VarintType)
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(raw, uint64(reason)))
	return nil
}

// unreadable returns the reason why a request could not be decoded, or holds what this version does not know.
func unreadable(m pb.Message) commonv1.Reason {
	if m == nil {
		return commonv1.Reason_REASON_MESSAGE_UNREADABLE
	}
	unknown := m.ProtoReflect().GetUnknown()
	if len(unknown) > 0 {
		if number, kind, n := protowire.ConsumeTag(unknown); n > 0 && number == mark && kind == protowire.VarintType {
			if value, n := protowire.ConsumeVarint(unknown[n:]); n > 0 {
				return known(value)
			}
		}
	}
	if hasUnknown(m.ProtoReflect()) {
		return commonv1.Reason_REASON_UNKNOWN_FIELDS
	}
	return commonv1.Reason_REASON_UNSPECIFIED
}

// known takes only the two marks that the codec sets: a caller could send the mark as well.
func known(value uint64) commonv1.Reason {
	if value == uint64(commonv1.Reason_REASON_MESSAGE_TOO_LARGE) {
		return commonv1.Reason_REASON_MESSAGE_TOO_LARGE
	}
	return commonv1.Reason_REASON_MESSAGE_UNREADABLE
}

// hasUnknown says whether a message or one below it holds unknown fields. Such a field may be a limit that the caller wants
// respected, so a request with one is refused and not half understood.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := 0; i < v.List().Len() && !found; i++ {
				found = hasUnknown(v.List().Get(i).Message())
			}
		default:
			found = hasUnknown(v.Message())
		}
		return !found
	})
	return found
}
