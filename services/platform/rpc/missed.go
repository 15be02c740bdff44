package rpc

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/audit"
	"samvirke.dev/services/platform/ids"
)

// missed records calls that gRPC itself ends before the chain begins: a message beyond gRPC's own limit, an unknown
// compression, a broken frame. Nothing is disclosed to them, but that they were made is recorded.
type missed struct{ server *Server }

type reachedKey struct{}

// reached marks in the call's context that the chain has begun and so takes care of the record.
func reached(ctx context.Context) {
	if flag, ok := ctx.Value(reachedKey{}).(*atomic.Bool); ok {
		flag.Store(true)
	}
}

type nameKey struct{}

// TagRPC implements stats.Handler.
func (m *missed) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	ctx = context.WithValue(ctx, nameKey{}, info.FullMethodName)
	return context.WithValue(ctx, reachedKey{}, new(atomic.Bool))
}

// HandleRPC implements stats.Handler.
func (m *missed) HandleRPC(ctx context.Context, s stats.RPCStats) {
	end, ok := s.(*stats.End)
	if !ok || end.Error == nil {
		return
	}
	if flag, ok := ctx.Value(reachedKey{}).(*atomic.Bool); ok && !flag.Load() {
		m.record(ctx, end)
	}
}

func (m *missed) record(ctx context.Context, end *stats.End) {
	name, _ := ctx.Value(nameKey{}).(string)
	method := m.server.methods[name]
	x := &Exchange{RPC: name, Method: method, Caller: callerOf(ctx), EventID: ids.NewEventID()}
	if x.open() {
		return
	}
	entry := &audit.Entry{
		EventID: x.EventID, Method: method, RPC: x.recordedName(), Started: end.BeginTime, Caller: x.Caller, Trace: traceOf(ctx, trace.SpanContext{}),
		Status: uint32(status.Code(end.Error)), Reasons: []commonv1.Reason{commonv1.Reason_REASON_MESSAGE_UNREADABLE},
	}
	if err := m.server.recorder.CloseRead(ctx, entry); err != nil {
		m.server.log.ErrorContext(ctx, "a refused message left no record", "error", err.Error())
	}
}

// TagConn implements stats.Handler.
func (m *missed) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (m *missed) HandleConn(context.Context, stats.ConnStats) {}
