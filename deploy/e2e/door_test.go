package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// restDoor is a suite whose RPCs are called over REST, through the gateway, as far as they have a route: streams have none, and go over gRPC.
// The scenario is the same at both doors.
type restDoor struct {
	*stack.Stack

	t      *testing.T
	routes map[string]string // path by full name of the RPC
	mu     sync.Mutex
	taken  int // calls that went over REST
}

func newRESTDoor(t *testing.T, s *stack.Stack) *restDoor {
	t.Helper()
	d := &restDoor{Stack: s, t: t, routes: map[string]string{}}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				md := methods.Get(j)
				if rule, ok := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule); ok && rule.GetPost() != "" {
					d.routes[fmt.Sprintf("/%s/%s", f.Services().Get(i).FullName(), md.Name())] = rule.GetPost()
				}
			}
		}
		return true
	})
	return d
}

// Dial implements story.Suite.
func (d *restDoor) Dial(service string, c stack.Caller, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	url, client, err := d.REST(c)
	if err != nil {
		return nil, err
	}
	d.t.Cleanup(client.CloseIdleConnections)
	over := func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		route, in, out := d.routes[method], message(req), message(reply)
		if route == "" || in == nil || out == nil {
			return invoke(ctx, method, req, reply, conn, opts...)
		}
		d.mu.Lock()
		d.taken++
		d.mu.Unlock()
		return exchange(ctx, client, url+route, in, out, opts)
	}
	return d.Stack.Dial(service, c, append(opts, grpc.WithChainUnaryInterceptor(over))...)
}

func message(v any) proto.Message {
	m, _ := v.(proto.Message)
	return m
}

// exchange makes a call over REST and gives back what the same call over gRPC would: the answer, the event id in the trailer, or the error.
func exchange(ctx context.Context, client *http.Client, url string, in, out proto.Message, opts []grpc.CallOption) error {
	body, err := protojson.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	for _, o := range opts {
		if trailer, ok := o.(grpc.TrailerCallOption); ok {
			*trailer.TrailerAddr = metadata.Pairs(story.EventTrailer, resp.Header.Get("Samvirke-Event-Id"))
		}
	}
	if resp.StatusCode == http.StatusOK {
		return protojson.Unmarshal(answer, out)
	}
	var p struct {
		Reason  string `json:"reason"`
		Detail  string `json:"detail"`
		TraceID string `json:"traceId"`
		EventID string `json:"eventId"`
	}
	if err := json.Unmarshal(answer, &p); err != nil {
		return err
	}
	reason := commonv1.Reason(commonv1.Reason_value["REASON_"+p.Reason])
	return errs.New(reason, errs.Detail(p.Detail)).WithTrace(p.TraceID, p.EventID).GRPCStatus().Err()
}
