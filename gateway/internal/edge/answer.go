package edge

import (
	"context"
	"net/http"
	"strconv"
	"strings"
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
	answered(ctx, w)
	return nil
}

func answered(ctx context.Context, w http.ResponseWriter) {
	md, ok := runtime.ServerMetadataFromContext(ctx)
	if !ok {
		return
	}
	for _, m := range []metadata.MD{md.HeaderMD, md.TrailerMD} {
		if v := m[rpc.EventIDTrailer]; len(v) > 0 {
			w.Header().Set(EventIDHeader, v[0])
		}
		if v := m[rpc.QuotaHeader]; len(v) > 0 {
			limits(w.Header(), v[0])
		}
	}
}

// limits writes requests;seconds;left;seconds-to-go of rpc.QuotaHeader as the two fields.
func limits(h http.Header, text string) {
	fields := strings.Split(text, ";")
	if len(fields) != 4 {
		return
	}
	for _, f := range fields {
		if _, err := strconv.ParseInt(f, 10, 64); err != nil {
			return
		}
	}
	h.Set(PolicyHeader, quotaName+";q="+fields[0]+";w="+fields[1])
	h.Set(RateLimitHeader, quotaName+";r="+fields[2]+";t="+fields[3])
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
