package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"samvirke.dev/deploy/bench/internal/echo"
)

// eventTrailer is where the suite puts the id of a call's audit record.
const eventTrailer = "samvirke-event-id"

// Sizes are those of the messages of one call, in bytes.
type Sizes struct {
	Request, Answer int
	// Count is how many things the call did, where it counts as more than one.
	Count int
	// Took is what to count as its latency, where that is not how long the call took.
	Took time.Duration
}

// Caller makes the calls of one lane, one at a time.
type Caller interface {
	// Call makes one call and checks its answer.
	Call(ctx context.Context) (Sizes, error)
	// Finish ends what calls left open, such as a stream.
	Finish() error
}

// Lane makes the caller of lane i of a run; lanes are spread over the target's connections.
type Lane func(t *Target, i int) (Caller, error)

// Prepare readies the calls of a service and returns the lanes by the names of the calls. data is what the benchmark knows and the
// load process needs, such as whom to ask for.
type Prepare func(ctx context.Context, t *Target, data json.RawMessage) (map[string]Lane, error)

// Target is a set of connections to one server.
type Target struct {
	conns []*grpc.ClientConn
	// rest are clients with one connection each, for a target that is asked over REST.
	rest []*http.Client
	base string
}

// Conn returns the gRPC connection of lane i.
func (t *Target) Conn(i int) (*grpc.ClientConn, error) {
	if len(t.conns) == 0 {
		return nil, errors.New("the target has no gRPC connection")
	}
	return t.conns[i%len(t.conns)], nil
}

// HTTP returns the HTTP/2 client of lane i, and what comes before the path in its URLs.
func (t *Target) HTTP(i int) (client *http.Client, base string, err error) {
	if len(t.rest) == 0 {
		return nil, "", errors.New("the target is not asked over REST")
	}
	return t.rest[i%len(t.rest)], t.base, nil
}

// Unary calls one RPC with one request and one answer.
type Unary struct {
	Conn   *grpc.ClientConn
	Method string // full name, as the generated code has it
	// Next makes a request, an empty answer and the check of the answer.
	Next func() (req, resp proto.Message, check func() error)
	// Audited demands the trailer with the id of the audit record.
	Audited bool
}

// Call implements Caller.
func (u *Unary) Call(ctx context.Context) (Sizes, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, resp, check := u.Next()
	// The echo is asked for its trailer too: both sides of a ratio run the same code.
	var trailer metadata.MD
	if err := u.Conn.Invoke(ctx, u.Method, req, resp, grpc.Trailer(&trailer)); err != nil {
		return Sizes{}, err
	}
	if err := check(); err != nil {
		return Sizes{}, err
	}
	if u.Audited && len(trailer.Get(eventTrailer)) == 0 {
		return Sizes{}, errors.New("answer without an event id in its trailer")
	}
	return Sizes{Request: proto.Size(req), Answer: proto.Size(resp)}, nil
}

// Finish implements Caller.
func (u *Unary) Finish() error { return nil }

// CallEcho is the name of the echo's call.
const CallEcho = "echo"

func (w *Worker) caller(t *Target, r Run, i int) (Caller, error) {
	switch lane := w.lanes[r.Call]; {
	case lane != nil:
		return lane(t, i)
	case r.Call == CallEcho:
		conn, err := t.Conn(i)
		return &Unary{Conn: conn, Method: echo.Method, Next: echoCalls(r)}, err
	case r.Call == CallEchoREST:
		return echoREST(t, r, i)
	default:
		return nil, fmt.Errorf("no call %q", r.Call)
	}
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
