package rpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/ids"
	"samvirke.dev/services/platform/telemetry"
)

// around is what the steps once a stream leave for its messages.
type around struct {
	server *Server
	call   *Exchange
	raw    grpc.ServerStream
}

// sealedStream is the stream as a handler sees it: messages pass only through Each and Feed, so that none gets around the steps.
type sealedStream struct {
	grpc.ServerStream
	ctx context.Context
	// request is set where the caller sends one message only: that one is read before the handler runs, and passes the steps in Feed.
	request bool
}

// Context implements grpc.ServerStream.
func (s *sealedStream) Context() context.Context { return s.ctx }

// SendMsg implements grpc.ServerStream: refused, because nothing may leave unguarded.
func (s *sealedStream) SendMsg(any) error {
	return errs.New(commonv1.Reason_REASON_EGRESS_BLOCKED, errs.Cause(errors.New("a stream handler must answer through rpc.Each or rpc.Feed")))
}

// RecvMsg implements grpc.ServerStream: refused but for the one request of a stream that only answers, because every message needs its
// record.
func (s *sealedStream) RecvMsg(m any) error {
	if request, ok := m.(proto.Message); ok && s.request {
		s.request = false
		if err := marked(s.ServerStream.RecvMsg(m), request); err != nil {
			return gone(err)
		}
		return nil
	}
	return errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(errors.New("a stream handler must read through rpc.Each")))
}

// Each answers every message of a stream with one message, each through the same steps as a unary call: its own record, its
// own decision, its own guard. An error ends the stream.
func Each[Req, Resp any, PReq interface {
	*Req
	proto.Message
}, PResp interface {
	*Resp
	proto.Message
}](stream grpc.BidiStreamingServer[Req, Resp], handle func(context.Context, *Req) (*Resp, error)) error {
	a := from(stream.Context())
	if a == nil {
		return errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(errors.New("rpc.Each outside of the chain")))
	}
	for {
		request := PReq(new(Req))
		err := a.raw.RecvMsg(request)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err := marked(err, request); err != nil {
			return gone(err)
		}
		response, err := a.exchange(stream.Context(), request, func(ctx context.Context) (proto.Message, error) {
			out, err := handle(ctx, (*Req)(request))
			return PResp(out), err
		})
		if err != nil {
			return err
		}
		if err := a.raw.SendMsg(response); err != nil {
			return err
		}
	}
}

// gone is the error of a stream whose caller is no longer there.
func gone(err error) error {
	if status.Code(err) == codes.DeadlineExceeded {
		return errs.New(commonv1.Reason_REASON_DEADLINE_EXCEEDED, errs.Cause(err))
	}
	return errs.New(commonv1.Reason_REASON_CANCELLED, errs.Cause(err))
}

// exchange runs the steps once a message.
func (a *around) exchange(ctx context.Context, request proto.Message, handle func(context.Context) (proto.Message, error)) (proto.Message, error) {
	x := &Exchange{RPC: a.call.RPC, Method: a.call.Method, Caller: a.call.Caller, Via: a.call.Via, misnamed: a.call.misnamed, EventID: ids.NewEventID(), Request: request, parent: a.call.parent, handle: handle}
	ctx = telemetry.WithEventID(ctx, x.EventID)
	if err := a.server.message(ctx, x); err != nil {
		return nil, a.server.finish(ctx, x, err)
	}
	return x.Response, nil
}
