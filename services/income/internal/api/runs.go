package api

import (
	"context"
	"time"

	"google.golang.org/grpc"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/rpc"
)

// StartMatchingRun begins to match a month of all members.
func (s *Server) StartMatchingRun(ctx context.Context, in *incomev1.StartMatchingRunRequest) (*incomev1.StartMatchingRunResponse, error) {
	month, err := s.past(in.GetMonth())
	if err != nil {
		return nil, err
	}
	run, err := s.d.Service.StartRun(ctx, s.d.Caller(ctx), month)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.StartMatchingRunResponse{Run: s.run(run)}, nil
}

// CancelMatchingRun ends a run.
func (s *Server) CancelMatchingRun(ctx context.Context, in *incomev1.CancelMatchingRunRequest) (*incomev1.CancelMatchingRunResponse, error) {
	id, err := parseID("run_id", in.GetRunId())
	if err != nil {
		return nil, err
	}
	run, err := s.d.Service.CancelRun(ctx, s.d.Caller(ctx), id)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.CancelMatchingRunResponse{Run: s.run(run)}, nil
}

// GetMatchingRun says how far a run is.
func (s *Server) GetMatchingRun(ctx context.Context, in *incomev1.GetMatchingRunRequest) (*incomev1.GetMatchingRunResponse, error) {
	id, err := parseID("run_id", in.GetRunId())
	if err != nil {
		return nil, err
	}
	run, err := s.d.Service.Run(ctx, s.d.Caller(ctx), id)
	if err != nil {
		return nil, failure(err)
	}
	return &incomev1.GetMatchingRunResponse{Run: s.run(run)}, nil
}

// WatchMatchingRun tells the progress of a run until it ends.
func (s *Server) WatchMatchingRun(in *incomev1.WatchMatchingRunRequest, stream grpc.ServerStreamingServer[incomev1.WatchMatchingRunResponse]) error {
	w := &watch{server: s, in: in}
	err := rpc.Feed(in, stream, w.next, w.wait)
	if w.ended {
		return nil
	}
	return err
}

// watch is one stream under way.
type watch struct {
	server *Server
	in     *incomev1.WatchMatchingRunRequest
	caller core.Caller
	id     core.ID
	told   core.Run
	ended  bool // the end of the run was told
}

func (w *watch) next(ctx context.Context, in *incomev1.WatchMatchingRunRequest) (*incomev1.WatchMatchingRunResponse, error) {
	id, err := parseID("run_id", in.GetRunId())
	if err != nil {
		return nil, err
	}
	w.caller, w.id = w.server.d.Caller(ctx), id
	if w.told, err = w.server.d.Service.Run(ctx, w.caller, id); err != nil {
		return nil, failure(err)
	}
	return &incomev1.WatchMatchingRunResponse{Run: w.server.run(w.told), EventId: w.server.d.EventID(ctx)}, nil
}

// wait returns when there is more to tell, and with an error that is not told when the run has ended.
func (w *watch) wait(ctx context.Context) error {
	if w.told.State != core.Running {
		w.ended = true
		return errs.New(commonv1.Reason_REASON_CANCELLED)
	}
	tick := time.NewTicker(w.server.d.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errs.New(commonv1.Reason_REASON_CANCELLED, errs.Cause(ctx.Err()))
		case <-tick.C:
		}
		run, err := w.server.d.Service.Run(ctx, w.caller, w.id)
		if err != nil {
			return failure(err)
		}
		if run.Done != w.told.Done || run.State != w.told.State || run.Total != w.told.Total {
			return nil
		}
	}
}

func (s *Server) run(r core.Run) *incomev1.MatchingRun {
	out := &incomev1.MatchingRun{
		RunId: r.ID.String(), Month: r.Month.String(), State: incomev1.RunState(r.State), Total: r.Total, Done: r.Done, StartedAt: toTime(r.Started),
		EndedAt: toTime(r.Ended),
	}
	end := r.Ended
	if end.IsZero() {
		end = s.d.Now()
	}
	if took := end.Sub(r.Started).Seconds(); took > 0 {
		out.Rate = float64(r.Done) / took
	}
	if out.Rate > 0 && r.State == core.Running {
		out.SecondsLeft = int64(float64(r.Total-r.Done) / out.Rate)
	}
	for _, t := range r.Outcomes {
		out.Outcomes = append(out.Outcomes, &incomev1.OutcomeCount{Outcome: toOutcome(t.Outcome), Members: t.Members, Notices: t.Notices})
	}
	return out
}
