package rpc

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// Feed answers the one request of a stream with messages as long as the caller listens. Each message passes the same steps as a unary
// call: its own decision, so that an agreement that ends also ends the feed, its own guard and its own record, durable before the message
// leaves. The first message goes out at once, so that a refusal does too. Before each further one, wait returns when there is something to
// tell; its context ends with the call, and when the server stops, which the caller is told as NOT_SERVING so that it comes again.
func Feed[Req, Resp any, PReq interface {
	*Req
	proto.Message
}, PResp interface {
	*Resp
	proto.Message
}](
	request *Req, stream grpc.ServerStreamingServer[Resp],
	next func(context.Context, *Req) (*Resp, error), wait func(context.Context) error,
) error {
	a := from(stream.Context())
	if a == nil {
		return errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(errors.New("rpc.Feed outside of the chain")))
	}
	for {
		response, err := a.exchange(stream.Context(), PReq(request), func(ctx context.Context) (proto.Message, error) {
			out, err := next(ctx, request)
			return PResp(out), err
		})
		if err != nil {
			return err
		}
		if err := a.raw.SendMsg(response); err != nil {
			return err
		}
		if err := a.await(stream.Context(), wait); err != nil {
			return err
		}
	}
}

// await waits until there is something to tell, the caller has gone, or the server stops.
func (a *around) await(ctx context.Context, wait func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = wait(ctx)
	}()
	select {
	case <-done:
		return err
	case <-a.server.stopping:
		cancel()
		<-done // how a wait ends that was called off says nothing
		return errs.New(commonv1.Reason_REASON_NOT_SERVING)
	}
}
