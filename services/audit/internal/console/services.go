package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// traffic is what one RPC did in a window.
type traffic struct {
	Service, RPC, Method  string
	Calls                 int64
	Refused, Failed       int64
	PerSecond             string
	RefusedPart, FailPart string
	P50, P90, P99         string
}

// tally counts one RPC's calls.
type tally struct {
	service, rpc          string
	done, refused, failed int64
	classes               map[int]int64
}

func (t *tally) calls() int64 { return t.done + t.refused + t.failed }

// tallies adds the buckets up by RPC, the busiest first.
func tallies(buckets []store.Bucket) []*tally {
	by := map[[2]string]*tally{}
	var out []*tally
	for _, b := range buckets {
		key := [2]string{b.Service, b.RPC}
		t := by[key]
		if t == nil {
			t = &tally{service: b.Service, rpc: b.RPC, classes: map[int]int64{}}
			by[key], out = t, append(out, t)
		}
		switch b.Outcome {
		case store.Refused:
			t.refused += b.Calls
		case store.Failed:
			t.failed += b.Calls
		default:
			t.done += b.Calls
		}
		t.classes[b.Class] += b.Calls
	}
	slices.SortFunc(out, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.calls(), a.calls()), cmp.Compare(a.service, b.service), cmp.Compare(a.rpc, b.rpc))
	})
	return out
}

// percentile returns the duration that the given share of calls did not exceed, to within a fifth.
func (t *tally) percentile(share float64) time.Duration {
	classes := make([]int, 0, len(t.classes))
	for c := range t.classes {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	want, sum := share*float64(t.calls()), int64(0)
	for _, c := range classes {
		if sum += t.classes[c]; float64(sum) >= want {
			return store.UpperOf(c)
		}
	}
	return 0
}

func (t *tally) traffic(window time.Duration) traffic {
	part := func(n int64) string {
		if n == 0 {
			return "0"
		}
		return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(max(t.calls(), 1)))
	}
	return traffic{
		Service: visible(t.service), RPC: visible(t.rpc), Method: method(t.rpc), Calls: t.calls(), Refused: t.refused, Failed: t.failed,
		PerSecond: fmt.Sprintf("%.1f", float64(t.calls())/window.Seconds()), RefusedPart: part(t.refused), FailPart: part(t.failed),
		P50: short(t.percentile(0.5)), P90: short(t.percentile(0.9)), P99: short(t.percentile(0.99)),
	}
}

// servicesPage is the state of everything.
type servicesPage struct {
	Minutes int
	Windows []option
	Traffic []traffic
	Members []member
	Log     Log
	Lag     uint64
	LagTime string
	LogBad  bool
	NoLog   bool
	Keys    string
}

// member is an instance with what is left of its certificate and keys.
type member struct {
	Member
	Certificate, Keys, Shipped string
	Worry                      bool
}

// windows are the choices of how far to look back, in minutes.
func windows() []int { return []int{5, 15, 60, 24 * 60} }

// worryBelow is how much life of a certificate or key is too little: they are renewed long before.
const worryBelow = 30 * time.Minute

func (c *Console) services(w http.ResponseWriter, r *http.Request, v Viewer) error {
	minutes := 15
	data := servicesPage{Keys: strings.Join(c.deps.Keys(), "\n")}
	for _, m := range windows() {
		value := strconv.Itoa(m)
		if r.URL.Query().Get("minutes") == value {
			minutes = m
		}
		data.Windows = append(data.Windows, option{Value: value, Label: short(time.Duration(m) * time.Minute)})
	}
	data.Minutes = minutes
	for i, m := range windows() {
		data.Windows[i].Chosen = m == minutes
	}
	now := c.deps.Clock.Now()
	window := time.Duration(minutes) * time.Minute
	until := now.Truncate(time.Minute).Add(time.Minute)
	buckets, err := c.deps.Records.Counts(r.Context(), until.Add(-window), until)
	if err != nil {
		return err
	}
	for _, t := range tallies(buckets) {
		data.Traffic = append(data.Traffic, t.traffic(window))
	}
	data.Members = c.members(now)
	if err := c.log(r.Context(), now, &data); err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, "services.html", page{Title: "Services", Here: "/services", Viewer: v.Name(), Local: v.Local, Data: data})
	return nil
}

func (c *Console) members(now time.Time) []member {
	if c.deps.Fleet == nil {
		return nil
	}
	left := func(t time.Time) string {
		switch {
		case t.IsZero():
			return "not known"
		case !t.After(now):
			return "expired"
		default:
			return short(t.Sub(now)) + " left"
		}
	}
	var out []member
	for _, m := range c.deps.Fleet() {
		worry := func(t time.Time) bool { return !t.IsZero() && t.Sub(now) < worryBelow }
		m.Service, m.Instance = visible(m.Service), visible(m.Instance)
		out = append(out, member{
			Member: m, Certificate: left(m.CertificateExpires), Keys: left(m.KeysExpire), Shipped: short(now.Sub(m.LastShipped)) + " ago",
			Worry: worry(m.CertificateExpires) || worry(m.KeysExpire),
		})
	}
	slices.SortFunc(out, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

// lagWorry is how old a checkpoint may be while records wait for one.
const lagWorry = time.Minute

func (c *Console) log(ctx context.Context, now time.Time, data *servicesPage) error {
	if c.deps.Log == nil {
		data.NoLog = true
		return nil
	}
	state, err := c.deps.Log(ctx)
	if err != nil {
		return err
	}
	data.Log = state
	if state.Size > state.Signed {
		data.Lag = state.Size - state.Signed
	}
	if !state.SignedAt.IsZero() {
		data.LagTime = short(now.Sub(state.SignedAt)) + " ago"
	}
	data.LogBad = state.Problem != "" || data.Lag > 0 && now.Sub(state.SignedAt) > lagWorry
	return nil
}
