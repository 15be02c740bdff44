package load

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"samvirke.dev/deploy/bench/internal/echo"
)

// eventTrailer is where the suite puts the id of a call's audit record.
const eventTrailer = "samvirke-event-id"

// sizes of the messages of one call.
type sizes struct{ request, answer int }

// caller makes the calls of one lane, one at a time.
type caller interface {
	call(ctx context.Context) (sizes, error)
	// finish ends what call left open, such as a stream.
	finish() error
}

// unary is a caller of one RPC with one request and one answer.
type unary struct {
	conn   *grpc.ClientConn
	method string
	// next makes a request and the check of its answer.
	next func() (req proto.Message, resp proto.Message, check func() error)
	// audited demands the trailer with the event id.
	audited bool
}

func (u *unary) call(ctx context.Context) (sizes, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, resp, check := u.next()
	// The echo is asked for its trailer too: both sides of a ratio run the same code.
	var trailer metadata.MD
	if err := u.conn.Invoke(ctx, u.method, req, resp, grpc.Trailer(&trailer)); err != nil {
		return sizes{}, err
	}
	if err := check(); err != nil {
		return sizes{}, err
	}
	if u.audited && len(trailer.Get(eventTrailer)) == 0 {
		return sizes{}, errors.New("answer without an event id in its trailer")
	}
	return sizes{request: proto.Size(req), answer: proto.Size(resp)}, nil
}

func (u *unary) finish() error { return nil }

// CallEcho is the name of the echo's call.
const CallEcho = "echo"

func (w *Worker) caller(t *target, r Run, i int) (caller, error) {
	if r.Call == CallEchoREST && len(t.rest) > 0 {
		return &restCaller{client: t.rest[i%len(t.rest)], url: t.url, size: r.RequestBytes, answer: r.ResponseBytes}, nil
	}
	if len(t.conns) == 0 {
		return nil, fmt.Errorf("target %q has no gRPC connection", r.Target)
	}
	conn := t.conns[i%len(t.conns)]
	if r.Call == CallEcho {
		return &unary{conn: conn, method: echo.Method, next: echoCalls(r)}, nil
	}
	return w.identityCaller(conn, r.Call, i)
}

func echoCalls(r Run) func() (proto.Message, proto.Message, func() error) {
	return func() (proto.Message, proto.Message, func() error) {
		resp := new(wrapperspb.BytesValue)
		return echo.Request(r.RequestBytes, r.ResponseBytes), resp, func() error {
			if !echo.Answered(resp, r.ResponseBytes) {
				return fmt.Errorf("echo answered %d bytes", len(resp.GetValue()))
			}
			return nil
		}
	}
}
