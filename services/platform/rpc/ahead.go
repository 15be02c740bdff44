package rpc

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// EachAhead is Each for a stream whose caller does not wait for one answer before the next message: so many messages at most are handled at
// once, and answered in their order. handle is told the number of the message, from 0 on, by which it can keep that order too. The first that
// fails ends the stream, and the contexts of those behind it.
func EachAhead[Req, Resp any, PReq interface {
	*Req
	proto.Message
}, PResp interface {
	*Resp
	proto.Message
}](stream grpc.BidiStreamingServer[Req, Resp], ahead int, handle func(context.Context, uint64, *Req) (*Resp, error)) error {
	a := from(stream.Context())
	if a == nil {
		return errs.New(commonv1.Reason_REASON_INTERNAL, errs.Cause(errors.New("rpc.EachAhead outside of the chain")))
	}
	ctx, cancel := context.WithCancel(stream.Context())
	left := make(chan struct{})
	defer close(left)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	messages := a.read(left, func() proto.Message { return PReq(new(Req)) })
	var awaited []chan answer // in the order of the messages
	for number := uint64(0); messages != nil || len(awaited) > 0; {
		next, first := turn(messages, awaited, ahead)
		select {
		case m := <-next:
			if errors.Is(m.err, io.EOF) {
				messages = nil
				continue
			}
			if m.err != nil {
				return gone(m.err)
			}
			done, n := make(chan answer, 1), number
			awaited = append(awaited, done)
			number++
			working.Go(func() {
				response, err := a.exchange(ctx, m.request, func(ctx context.Context) (proto.Message, error) {
					out, err := handle(ctx, n, (*Req)(m.request.(PReq))) //nolint:forcetypeassert // made so above
					return PResp(out), err
				})
				done <- answer{response, err}
			})
		case got := <-first:
			awaited = awaited[1:]
			if got.err != nil {
				return got.err
			}
			if err := a.raw.SendMsg(got.response); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn tells what may happen next: a message may come while there is room, and the first that is awaited may be answered.
func turn(messages <-chan received, awaited []chan answer, ahead int) (next <-chan received, first <-chan answer) {
	if len(awaited) < ahead {
		next = messages
	}
	if len(awaited) > 0 {
		first = awaited[0]
	}
	return next, first
}

// received is a message of a stream, or why there is none.
type received struct {
	request proto.Message
	err     error
}

type answer struct {
	response proto.Message
	err      error
}

// read receives messages until there are no more, or nobody takes them since left is closed. The goroutine that does so ends with the stream:
// only then does a message that it waits for come no more.
func (a *around) read(left <-chan struct{}, empty func() proto.Message) <-chan received {
	out := make(chan received)
	go func() {
		for {
			m := empty()
			err := a.raw.RecvMsg(m)
			if !errors.Is(err, io.EOF) {
				err = marked(err, m)
			}
			select {
			case out <- received{m, err}:
			case <-left:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}
