package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	transferv1 "samvirke.dev/proto/gen/go/samvirke/transfer/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
	"samvirke.dev/services/platform/rpc"
	"samvirke.dev/services/transfer/internal/core/cases"
	"samvirke.dev/services/transfer/internal/store"
	"samvirke.dev/services/transfer/internal/wire"
)

// Limits of lists.
const (
	listDefault = 50
	listMax     = 200
	readMax     = 20
	watchMax    = 100
)

// GetTransfer returns the fund's record.
func (s *Server) GetTransfer(ctx context.Context, in *transferv1.GetTransferRequest) (*transferv1.GetTransferResponse, error) {
	view, err := s.deps.Core.Get(ctx, s.deps.Caller(ctx), in.GetTransferId())
	if err != nil {
		return nil, failure(err, idField)
	}
	return toView(view), nil
}

// ListTransfers returns the fund's records, page by page.
func (s *Server) ListTransfers(ctx context.Context, in *transferv1.ListTransfersRequest) (*transferv1.ListTransfersResponse, error) {
	limit, err := page.Limits{Default: listDefault, Max: listMax}.Size(in.GetPageSize())
	if err != nil {
		return nil, err
	}
	by := s.deps.Caller(ctx)
	f := store.Filter{Overdue: in.GetOverdueOnly(), Manual: in.GetManualOnly(), OpenOnly: in.GetOpenOnly()}
	names := []string{by.Fund, strconv.FormatBool(f.Overdue), strconv.FormatBool(f.Manual), strconv.FormatBool(f.OpenOnly)}
	for _, state := range in.GetStates() {
		f.States = append(f.States, cases.State(state))
		names = append(names, state.String())
	}
	bound := page.Binding{
		Organisation: s.deps.Organisation(ctx), Method: transferv1.TransferService_ListTransfers_FullMethodName,
		Filter: page.Filter([]byte(strings.Join(names, " "))),
	}
	after, _, err := s.deps.Tokens.Key(bound, in.GetPageToken())
	if err != nil {
		return nil, err
	}
	found, last, err := s.deps.Core.List(ctx, by, f, after, limit)
	if err != nil {
		return nil, failure(err, idField)
	}
	out := &transferv1.ListTransfersResponse{}
	for _, c := range found {
		out.Transfers = append(out.Transfers, toTransfer(c))
	}
	if len(found) == limit {
		out.NextPageToken, err = s.deps.Tokens.Token(bound, last)
	}
	return out, err
}

// ReadPackages returns the delivered data to the receiving fund.
func (s *Server) ReadPackages(ctx context.Context, in *transferv1.ReadPackagesRequest) (*transferv1.ReadPackagesResponse, error) {
	parts, err := s.deps.Core.ReadParts(ctx, s.deps.Caller(ctx), in.GetTransferId(), int(in.GetAfterPart()), readMax+1)
	if err != nil {
		return nil, failure(err, idField)
	}
	out := &transferv1.ReadPackagesResponse{More: len(parts) > readMax}
	for _, p := range parts[:min(len(parts), readMax)] {
		read := &transferv1.ReadPackage{Receipt: wire.ToReceipt(p.Part)}
		if p.Plain != nil {
			read.Package = &transferv1.DataPackage{}
			if err := proto.Unmarshal(p.Plain, read.GetPackage()); err != nil {
				return nil, failure(err, idField)
			}
		}
		out.Packages = append(out.Packages, read)
	}
	return out, nil
}

// WatchTransfer tells what happens in the fund's record.
func (s *Server) WatchTransfer(in *transferv1.WatchTransferRequest, stream grpc.ServerStreamingServer[transferv1.WatchTransferResponse]) error {
	w := &watch{server: s, after: in.GetAfter()}
	return rpc.Feed(in, stream, w.next, w.wait)
}

// watch is one stream under way.
type watch struct {
	server *Server
	after  int64
	fund   string
	id     string
}

func (w *watch) next(ctx context.Context, in *transferv1.WatchTransferRequest) (*transferv1.WatchTransferResponse, error) {
	by := w.server.deps.Caller(ctx)
	events, err := w.server.deps.Core.Events(ctx, by, in.GetTransferId(), w.after, watchMax)
	if err != nil {
		return nil, failure(err, idField)
	}
	out := &transferv1.WatchTransferResponse{EventId: w.server.deps.EventID(ctx)}
	for _, e := range events {
		out.Events = append(out.Events, toEvent(e))
		w.after = e.Seq
	}
	w.fund, w.id = by.Fund, in.GetTransferId()
	return out, nil
}

// wait returns when something has happened.
func (w *watch) wait(ctx context.Context) error {
	tick := time.NewTicker(w.server.deps.Poll)
	defer tick.Stop()
	for {
		more, err := w.server.deps.Core.Store.Events(ctx, w.id, w.fund, w.after, 1)
		if err != nil {
			return failure(err, idField)
		}
		if len(more) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errs.New(commonv1.Reason_REASON_CANCELLED, errs.Cause(ctx.Err()))
		case <-tick.C:
		}
	}
}
