package edge

import (
	"net/http"
	"sync"
	"time"

	"samvirke.dev/gateway/internal/caller"
	commonv1 "samvirke.dev/proto/gen/go/samvirke/common/v1"
	"samvirke.dev/services/platform/errs"
)

// comeAgain is how long an organisation with too many calls under way is told to wait.
const comeAgain = time.Second

// flights count the calls under way of each organisation, so that one that floods the gateway waits for itself and for nobody else.
type flights struct {
	mu    sync.Mutex
	count map[string]int
	limit int
}

func newFlights(limit int) *flights { return &flights{count: map[string]int{}, limit: limit} }

func (f *flights) begin(org string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[org] >= f.limit {
		return false
	}
	f.count[org]++
	return true
}

func (f *flights) end(org string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count[org]--; f.count[org] == 0 {
		delete(f.count, org)
	}
}

// fair lets an organisation have so many calls under way and no more.
func (e *Edge) fair(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := caller.From(r.Context())
		if !e.flights.begin(who.Org) {
			e.turnAway(w, r, errs.New(commonv1.Reason_REASON_QUOTA_EXCEEDED, errs.RetryAfter(comeAgain),
				errs.Detail("Too many calls of this organisation are under way at once.")))
			return
		}
		defer e.flights.end(who.Org)
		next.ServeHTTP(w, r)
	})
}
