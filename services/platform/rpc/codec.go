package rpc

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// codec decodes requests without failing: gRPC would answer a message that can't be decoded by itself, as INTERNAL. Instead the
// message is emptied and marked, and the chain refuses it as INVALID_ARGUMENT with its record.
type codec struct {
	encoding.CodecV2
	limit int // bytes of one message
}

func newCodec(limit int) codec { return codec{encoding.GetCodecV2(proto.Name), limit} }

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if data.Len() > c.limit {
		return setMark(v, commonv1.Reason_REASON_MESSAGE_TOO_LARGE)
	}
	if err := c.CodecV2.Unmarshal(data, v); err != nil {
		return setMark(v, commonv1.Reason_REASON_MESSAGE_UNREADABLE)
	}
	return nil
}
