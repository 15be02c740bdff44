package rpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
)

// registrar takes services and makes the requests that gRPC itself refuses reach the chain, so that they leave a record: a message
// beyond gRPC's own limit, a broken compression. The caller has gRPC's answer to those already.
type registrar struct{ server *grpc.Server }

// RegisterService implements grpc.ServiceRegistrar.
func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	readable := *desc
	readable.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		readable.Methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: tolerant(m.Handler)}
	}
	r.server.RegisterService(&readable, impl)
}

func tolerant(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, next grpc.UnaryServerInterceptor) (any, error) {
		return handle(srv, ctx, func(v any) error { return marked(decode(v), v) }, next)
	}
}

// mark is a field number at the very end of the range, which no schema of ours uses.
const mark = protowire.MaxValidNumber

// marked replaces the error of a message that could not be received by a mark in it. Other errors stay: a caller who went away
// asked for nothing.
func marked(err error, v any) error {
	switch status.Code(err) {
	case codes.OK, codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return err
	case codes.ResourceExhausted:
		return setMark(v, commonv1.Reason_REASON_MESSAGE_TOO_LARGE)
	default:
		return setMark(v, commonv1.Reason_REASON_MESSAGE_UNREADABLE)
	}
}

// setMark empties a message and leaves the reason in it.
func setMark(v any, reason commonv1.Reason) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("rpc: %T is no message", v)
	}
	proto.Reset(m)
	raw := protowire.AppendTag(nil, mark, protowire.VarintType)
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(raw, uint64(reason))) //nolint:gosec // reasons are not negative
	return nil
}

// unreadable returns the reason why a request could not be decoded, or holds what this version does not know.
func unreadable(m proto.Message) commonv1.Reason {
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

// known takes only the two marks that are set here: a caller could send the mark as well.
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
