package rpc

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
	"samvirke.dev/services/platform/maintenance"
	"samvirke.dev/services/platform/quota"
)

// QuotaHeader tells a caller with a quota, on every answer, how it stands: requests a window, seconds of a window, requests left in this
// one, seconds until the next, separated by semicolons. The REST gateway makes its RateLimit fields of it.
const QuotaHeader = "samvirke-quota"

// maintenance refuses what is in a planned window (MIN-01). It stands behind authorise: strangers learn nothing about plans.
func (s *Server) maintenance(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() {
			return next(ctx, x)
		}
		if wait := maintenance.Until(s.cfg.Maintenance, x.Method.Name, s.clock.Now()); wait > 0 {
			return errs.New(commonv1.Reason_REASON_MAINTENANCE, errs.RetryAfter(wait))
		}
		return next(ctx, x)
	}
}

// quota counts the persons asked about against the agreement's quota, over all replicas.
func (s *Server) quota(next handler) handler {
	return func(ctx context.Context, x *Exchange) error {
		if x.open() || x.Decision.Grant.Quota.Requests == 0 {
			return next(ctx, x)
		}
		grant := x.Decision.Grant
		use, err := s.quotas.Take(ctx, x.Decision.Agreement.GetId()+" "+grant.RPC, grant.Quota, x.Method.Cost(x.Request))
		if err != nil {
			return errs.New(commonv1.Reason_REASON_STORE_UNAVAILABLE, errs.Cause(err))
		}
		// Fails only when the header was sent already, as for the second message of a stream.
		_ = grpc.SetHeader(ctx, metadata.Pairs(QuotaHeader, quotaHeader(grant.Quota.Requests, grant.Quota.Per, use)))
		if !use.OK {
			return errs.New(commonv1.Reason_REASON_QUOTA_EXCEEDED, errs.RetryAfter(use.Reset))
		}
		return next(ctx, x)
	}
}

func quotaHeader(requests int64, per time.Duration, use quota.Use) string {
	seconds := func(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
	fields := make([]string, 0, 4)
	for _, n := range []int64{requests, seconds(per), use.Remaining, seconds(use.Reset)} {
		fields = append(fields, strconv.FormatInt(n, 10))
	}
	return strings.Join(fields, ";")
}
