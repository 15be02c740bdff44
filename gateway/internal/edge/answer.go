package edge

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/services/platform/rpc"
)

// Headers of answers.
const (
	// EventIDHeader names the audit record of the call.
	EventIDHeader = "Samvirke-Event-Id"
	// RateLimitHeader and PolicyHeader tell how a quota stands (draft-ietf-httpapi-ratelimit-headers), written as net/http writes them.
	RateLimitHeader = "Ratelimit"
	PolicyHeader    = "Ratelimit-Policy"
)

// quotaName is the name under which the quota of the agreement stands in both headers.
const quotaName = `"agreement"`

// Answered puts what a service told about the call beside its answer into headers.
func (e *Edge) Answered(ctx context.Context, w http.ResponseWriter, _ proto.Message) error {
	e.answered(ctx, w, false)
	return nil
}

// answered is told whether the service refused for a quota.
func (e *Edge) answered(ctx context.Context, w http.ResponseWriter, beyond bool) {
	md, ok := runtime.ServerMetadataFromContext(ctx)
	if !ok {
		return
	}
	for _, m := range [...]metadata.MD{md.HeaderMD, md.TrailerMD} {
		if v := m[rpc.EventIDTrailer]; len(v) > 0 {
			w.Header().Set(EventIDHeader, v[0])
		}
		if v := m[rpc.QuotaHeader]; len(v) > 0 {
			if q, ok := readQuota(v[0]); ok {
				q.write(w.Header())
				if s, ok := w.(*seen); ok {
					e.spents.learn(s, q, beyond)
				}
			}
		}
	}
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
