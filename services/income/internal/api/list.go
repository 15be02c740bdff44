package api

import (
	"context"
	"strconv"
	"time"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	incomev1 "samvirke.dev/proto/gen/go/samvirke/income/v1"
	"samvirke.dev/services/income/internal/core"
	"samvirke.dev/services/income/internal/core/civil"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/page"
)

// Limits of ListDecisions.
const (
	listDefault = 100
	listMax     = 500
)

// ListDecisions lists decisions that somebody waits for, or that were decided by machine.
func (s *Server) ListDecisions(ctx context.Context, in *incomev1.ListDecisionsRequest) (*incomev1.ListDecisionsResponse, error) {
	limit, err := page.Limits{Default: listDefault, Max: listMax}.Size(in.GetPageSize())
	if err != nil {
		return nil, err
	}
	q, err := listing(in, limit+1)
	if err != nil {
		return nil, err
	}
	bound, err := s.turn(ctx, in, &q)
	if err != nil {
		return nil, errs.New(commonv1.Reason_REASON_PAGE_TOKEN_INVALID, errs.Cause(err), errs.Field("page_token", "must be the next_page_token of the same query"))
	}
	found, err := s.d.Service.List(ctx, s.d.Caller(ctx), q, s.d.Item)
	if err != nil {
		return nil, failure(err)
	}
	out := &incomev1.ListDecisionsResponse{}
	if len(found) > limit {
		found = found[:limit]
		if out.NextPageToken, err = s.d.Tokens.Token(bound, positionOf(found[limit-1])); err != nil {
			return nil, failure(err)
		}
	}
	out.Decisions = listed(found)
	return out, nil
}

// listing reads what is asked for.
func listing(in *incomev1.ListDecisionsRequest, limit int) (q core.Listing, err error) {
	q = core.Listing{State: core.State(in.GetState()), Unposted: in.GetUnposted(), Limit: limit} //nolint:gosec // a defined value of the schema
	if q.State > core.DecidedAuto {
		return q, invalid("state", "must be OPEN, NOTICED, MANUAL, FORWARDED or DECIDED_AUTO: the others are not listed")
	}
	if since := in.GetDecidedSince(); since != nil {
		if q.State != core.DecidedAuto || !since.IsValid() {
			return q, invalid("decided_since", "must be a moment, and only stand with the state DECIDED_AUTO")
		}
		q.Since = since.AsTime().Truncate(time.Microsecond)
	}
	if in.GetMonth() != "" {
		if q.Month, err = civil.ParseMonth(in.GetMonth()); err != nil {
			return q, invalid("month", "must be a month as YYYY-MM")
		}
	}
	if in.GetRunId() != "" {
		q.Run, err = parseID("run_id", in.GetRunId())
	}
	return q, err
}

// turn goes on where the page before ended, and returns what page tokens of the query are bound to.
func (s *Server) turn(ctx context.Context, in *incomev1.ListDecisionsRequest, q *core.Listing) (page.Binding, error) {
	bound := page.Binding{
		Organisation: s.d.Organisation(ctx), Method: incomev1.IncomeService_ListDecisions_FullMethodName,
		Filter: page.Filter([]byte(s.d.Caller(ctx).Controller), []byte(in.GetState().String()), flag(in.GetUnposted()), []byte(in.GetMonth()),
			[]byte(in.GetRunId()), strconv.AppendInt(nil, q.Since.UnixMicro(), 10)),
	}
	position, begun, err := s.d.Tokens.Key(bound, in.GetPageToken())
	if err != nil || !begun {
		return bound, err
	}
	if position.At != 0 {
		q.Since = time.UnixMicro(position.At)
	}
	q.After, err = core.ParseID(position.After)
	return bound, err
}

func positionOf(d *core.Decision) Position {
	p := Position{After: d.ID.String()}
	if d.State == core.DecidedAuto {
		p.At = d.DecidedAt.UnixMicro()
	}
	return p
}

func listed(found []*core.Decision) (out []*incomev1.ListedDecision) {
	for _, d := range found {
		out = append(out, &incomev1.ListedDecision{
			Handle: string(d.Handle), DecisionId: d.ID.String(), Kind: incomev1.RuleKind(d.Kind), Month: d.Month.String(), Outcome: toOutcome(d.Outcome),
			DecidedAt: toTime(d.DecidedAt),
		})
	}
	return out
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}
