package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"samvirke.dev/services/audit/internal/store"
)

// refusal is one refused call with its reasons.
type refusal struct {
	Row     row
	Reasons []reason
}

// anomaly is something out of the ordinary, with what it may mean.
type anomaly struct{ What, Where, Figures, Meaning, Link string }

type refusalsPage struct {
	Anomalies []anomaly
	Refusals  []refusal
	Next      string
}

// refusalsShown is how many refusals a page shows; each is opened for its reasons.
const refusalsShown = 50

func (c *Console) refusals(w http.ResponseWriter, r *http.Request, v Viewer) error {
	began := c.deps.Clock.Now()
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	f.Decision, f.Query.Decision, f.Query.Outcome, f.Query.Limit = "", 0, store.Refused, refusalsShown
	found, err := c.deps.Records.Search(r.Context(), f.Query)
	if err != nil {
		return err
	}
	var data refusalsPage
	if data.Refusals, err = c.withReasons(r.Context(), found.Rows); err != nil {
		return err
	}
	if f.After == "" {
		if data.Anomalies, err = c.anomalies(r.Context(), began); err != nil {
			return err
		}
	}
	if found.Next != (store.Key{}) {
		data.Next = f.link("/refusals", found.Next)
	}
	if err := c.note(r.Context(), began, v, ReadRefused, "", len(found.Rows)); err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, "refusals.html", page{Title: "Refusals", Here: "/refusals", Viewer: v.Name(), Local: v.Local, Data: data})
	return nil
}

func (c *Console) withReasons(ctx context.Context, rows []store.Row) ([]refusal, error) {
	out := make([]refusal, 0, len(rows))
	for _, r := range rows {
		rec, err := c.deps.Exchange(ctx, r)
		if err != nil && !errors.Is(err, ErrErased) {
			return nil, err
		}
		out = append(out, refusal{Row: c.row(r), Reasons: reasonsOf(rec.GetReasons())})
	}
	return out, nil
}

// What counts as out of the ordinary. Few calls prove nothing, so each rule has a floor.
const (
	recently        = time.Hour
	before          = 24 * time.Hour
	leastRefused    = 10
	leastFailed     = 5
	failedShare     = 0.01
	refusedShare    = 0.2
	leastBurst      = 100
	burstFactor     = 5
	callersExamined = 500
)

// anomalies compares the last hour with the day before, RPC by RPC, and counts refusals by caller.
func (c *Console) anomalies(ctx context.Context, now time.Time) ([]anomaly, error) {
	split := now.Truncate(time.Minute).Add(time.Minute).Add(-recently)
	late, err := c.deps.Records.Counts(ctx, split, split.Add(recently))
	if err != nil {
		return nil, err
	}
	early, err := c.deps.Records.Counts(ctx, split.Add(-before), split)
	if err != nil {
		return nil, err
	}
	usual := map[string]*tally{}
	for _, t := range tallies(early) {
		usual[t.service+" "+t.rpc] = t
	}
	var out []anomaly
	for _, t := range tallies(late) {
		out = append(out, ofRPC(t, usual[t.service+" "+t.rpc])...)
	}
	callers, err := c.refusedCallers(ctx, split)
	return append(out, callers...), err
}

func ofRPC(t, usual *tally) (out []anomaly) {
	calls := float64(t.calls())
	where := visible(t.service) + " " + method(t.rpc)
	link := func(decision string) string {
		f := filter{RPC: t.rpc, Decision: decision}
		return f.link("/", store.Key{})
	}
	if t.failed >= leastFailed && float64(t.failed)/calls > failedShare {
		out = append(out, anomaly{"Many faults", where, fmt.Sprintf("%d of %d calls in an hour", t.failed, t.calls()),
			"A database, register or key is away, or a fault of ours.", link("failed")})
	}
	if t.refused >= leastRefused && float64(t.refused)/calls > refusedShare {
		out = append(out, anomaly{"Many refusals", where, fmt.Sprintf("%d of %d calls in an hour", t.refused, t.calls()),
			"An agreement is missing or has ended, or somebody asks for what they may not have.", link("deny")})
	}
	if usual != nil && t.calls() >= leastBurst {
		hourly := float64(usual.calls()) / before.Hours()
		if calls > burstFactor*max(hourly, 1) {
			out = append(out, anomaly{"Far more calls than usual", where, fmt.Sprintf("%d in an hour, %.0f on average the day before", t.calls(), hourly),
				"A batch run, or data are being drawn off.", link("")})
		}
	}
	return out
}

// refusedCallers names organisations that are refused again and again.
func (c *Console) refusedCallers(ctx context.Context, from time.Time) ([]anomaly, error) {
	found, err := c.deps.Records.Search(ctx, store.Query{Outcome: store.Refused, From: from, Limit: callersExamined})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, r := range found.Rows {
		counts[r.Caller]++
	}
	var out []anomaly
	for caller, n := range counts {
		if n < leastRefused {
			continue
		}
		who := c.named(caller)
		name := who.Name
		if name == "" {
			name = who.ID
		}
		if name == "" {
			name = "our own services or strangers"
		}
		f := filter{Organisation: caller, Decision: "deny"}
		out = append(out, anomaly{"One caller is refused often", name, fmt.Sprintf("%d refusals in an hour", n),
			"A faulty system, or an attempt to get at data.", f.link("/", store.Key{})})
	}
	slices.SortFunc(out, func(a, b anomaly) int { return cmp.Compare(a.Where, b.Where) })
	return out, nil
}
