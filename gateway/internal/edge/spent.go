package edge

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"samvirke.dev/gateway/internal/caller"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/clock"
	"samvirke.dev/services/platform/errs"
)

const (
	// spentPause is how long the refusal of a call beyond the quota is held back: whoever calls again at once waits for itself.
	spentPause = 100 * time.Millisecond
	// spentTrust is how long a quota is taken for used up before one call may ask the service again: it may have been raised.
	spentTrust = 5 * time.Second
	// maxSpent bounds how many quotas are remembered; there is one an agreement and route.
	maxSpent = 10_000
)

// quota is how a service says that an agreement's quota stands: rpc.QuotaHeader.
type quota struct {
	requests, window, left, reset int64 // window and reset in seconds
}

func readQuota(text string) (q quota, ok bool) {
	fields := strings.Split(text, ";")
	to := [...]*int64{&q.requests, &q.window, &q.left, &q.reset}
	if len(fields) != len(to) {
		return q, false
	}
	for i, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return q, false
		}
		*to[i] = n
	}
	return q, true
}

// write tells the caller in the fields of draft-ietf-httpapi-ratelimit-headers.
func (q quota) write(h http.Header) {
	policy := append(make([]byte, 0, 48), quotaName+";q="...)
	policy = strconv.AppendInt(policy, q.requests, 10)
	policy = strconv.AppendInt(append(policy, ";w="...), q.window, 10)
	limit := append(make([]byte, 0, 48), quotaName+";r="...)
	limit = strconv.AppendInt(limit, q.left, 10)
	limit = strconv.AppendInt(append(limit, ";t="...), q.reset, 10)
	h[PolicyHeader], h[RateLimitHeader] = []string{string(policy)}, []string{string(limit)}
}

// spentKey names a quota as far as the edge can tell without reading the body as a message: there is one for each pair of organisation and
// controller, and for each route. The zero key names none.
type spentKey struct{ org, path, controller string }

// spent is a quota that was used up when a service was last asked.
type spent struct {
	quota quota
	until time.Time // the window's end
	trust time.Time // until then nobody needs to ask
}

// spents are the quotas that are known to be used up, for all replicas: services say so only when the common window is empty. They count;
// the edge only repeats what they said, so that a greedy caller costs neither them nor their database anything.
type spents struct {
	clock clock.Clock
	mu    sync.Mutex
	known map[spentKey]*spent
}

func newSpents(c clock.Clock) *spents { return &spents{clock: c, known: map[spentKey]*spent{}} }

// look says whether a quota is known to be used up, and how it stands now; probe that this call should find out whether it still is.
func (s *spents) look(k spentKey) (q quota, gone, probe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[k]
	if one == nil {
		return q, false, false
	}
	now := s.clock.Now()
	switch {
	case !now.Before(one.until):
		delete(s.known, k)
		return q, false, false
	case !now.Before(one.trust):
		one.trust = now.Add(spentTrust)
		return q, false, true
	}
	q = one.quota
	q.reset = int64((one.until.Sub(now) + time.Second - 1) / time.Second)
	return q, true, false
}

func (s *spents) add(k spentKey, q quota) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if len(s.known) >= maxSpent {
		clear(s.known)
	}
	s.known[k] = &spent{quota: q, until: now.Add(time.Duration(q.reset) * time.Second), trust: now.Add(spentTrust)}
}

func (s *spents) drop(k spentKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, k)
}

// frugal refuses calls whose quota is known to be used up, before anything is done for them.
func (e *Edge) frugal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := w.(*seen)
		body, whole := r.Body.(*wholeBody)
		if !ok || !whole {
			next.ServeHTTP(w, r)
			return
		}
		who, _ := caller.From(r.Context())
		s.quota = spentKey{org: who.Org, path: r.URL.Path, controller: controllerOf(body.raw)}
		if s.quota.controller == "" {
			s.quota = spentKey{}
			next.ServeHTTP(w, r)
			return
		}
		q, gone, probe := e.spents.look(s.quota)
		if !gone {
			s.probe = probe
			next.ServeHTTP(w, r)
			return
		}
		if wait(r.Context(), spentPause) {
			q.write(w.Header())
			e.turnAway(w, r, errs.New(commonv1.Reason_REASON_QUOTA_EXCEEDED, errs.RetryAfter(time.Duration(q.reset)*time.Second)))
		}
	})
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// learn notes what a service said about the quota of a call.
func (s *spents) learn(w *seen, q quota, refused bool) {
	switch {
	case w.quota == spentKey{}:
	case refused && q.left == 0 && q.reset > 0:
		s.add(w.quota, q)
	case w.probe:
		s.drop(w.quota)
	}
}

// controllerOf finds the controller that a body names, as it stands there. It returns nothing where that can't be seen at a glance: then the
// service finds out. A caller who deceives it deceives itself: it is about its own quotas.
func controllerOf(body []byte) string {
	const jsonName, protoName = `"controllerId"`, `"controller_id"`
	name := []byte(jsonName)
	if bytes.Count(body, name)+bytes.Count(body, []byte(protoName)) != 1 || bytes.IndexByte(body, '\\') >= 0 {
		return ""
	}
	_, rest, ok := bytes.Cut(body, name)
	if !ok {
		_, rest, _ = bytes.Cut(body, []byte(protoName))
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return ""
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return ""
	}
	value, _, ok := bytes.Cut(rest[1:], []byte{'"'})
	if !ok || len(value) > maxController {
		return ""
	}
	return string(value)
}

// maxController is how long a controller's id is at most, such as DK:12345678.
const maxController = 32
