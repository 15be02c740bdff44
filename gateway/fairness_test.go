package gateway_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samvirke.dev/gateway"
	"samvirke.dev/services/platform/suitetest"
)

// One organisation asks for ten times its quota, as fast as it can on several connections. It gets its quota and not one more; the other one
// gets every answer, and is not made to wait for the greedy one: what that costs is measured and told, and in counts it may not be starved.
func TestGreedyPartnerSlowsNobody(t *testing.T) {
	t.Parallel()
	const quota, greedyCalls, lanes, calm = 20, 200, 8, 100
	w := start(t, func(_ *gateway.Config, o *suitetest.Options) {
		o.Agreements = map[string]string{
			"fund.yaml": agreementOf("fund", fund, ""), "other.yaml": agreementOf("other", otherFund, "    quota: {requests: 20, per: 86400s}\n"),
		}
	})
	c := w.client(fund)
	ask := func() time.Duration {
		began := time.Now()
		if got := w.post(c, verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
			t.Errorf("the calm one: %d %s", got.StatusCode, got.body)
		}
		return time.Since(began)
	}
	var before, during []time.Duration
	for range calm {
		before = append(before, ask())
	}
	var granted, refused atomic.Int64
	body := strings.ReplaceAll(verifyJSON, fund, otherFund)
	var greedy sync.WaitGroup
	for range lanes {
		g := w.client(otherFund)
		greedy.Go(func() {
			for range greedyCalls / lanes {
				switch got := w.post(g, verifyPath, body); got.StatusCode {
				case http.StatusOK:
					granted.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("the greedy one: %d", got.StatusCode)
				}
			}
		})
	}
	storm := make(chan struct{})
	go func() { greedy.Wait(); close(storm) }()
	for running := true; running; {
		during = append(during, ask())
		select {
		case <-storm:
			running = false
		default:
		}
	}
	if granted.Load() != quota || refused.Load() != greedyCalls-quota {
		t.Errorf("the greedy one got %d and was refused %d times, want %d and %d", granted.Load(), refused.Load(), quota, greedyCalls-quota)
	}
	// Eight lanes against one: a fair share would be one call in nine.
	if n := len(during); n*20 < greedyCalls/lanes {
		t.Errorf("while the greedy one made %d calls on each of %d lanes, the calm one made only %d", greedyCalls/lanes, lanes, n)
	}
	median := func(d []time.Duration) time.Duration { slices.Sort(d); return d[len(d)/2] }
	t.Logf("median latency of the calm one: %s before, %s during %d calls of the greedy one (%d calls of its own meanwhile)",
		median(before), median(during), greedyCalls, len(during))
}

// A thousand connections that do nothing cost nobody else anything, and none of them reaches a service.
func TestThousandIdleConnections(t *testing.T) {
	t.Parallel()
	w := start(t)
	const connections, dialers = 1000, 8
	var opening sync.WaitGroup
	for range dialers {
		opening.Go(func() {
			for range connections / dialers {
				w.raw()
			}
		})
	}
	opening.Wait()
	for range 20 {
		if got := w.post(w.client(fund), verifyPath, verifyJSON); got.StatusCode != http.StatusOK {
			t.Fatalf("beside them: %d", got.StatusCode)
		}
	}
	if n := len(w.AllRecords()); n != 20 {
		t.Errorf("%d calls reached the service, want 20", n)
	}
}

// A body without end, and one that unpacks to far more than it is, are cut off where the limit says.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, head := range map[string]string{
		"chunked":       "Transfer-Encoding: chunked\r\n\r\n",
		"announced":     "Content-Length: 1099511627776\r\n\r\n",
		"packed":        "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
		"packed on way": "Transfer-Encoding: gzip, chunked\r\n\r\n",
	} {
		conn := w.raw()
		if _, err := io.WriteString(conn, "POST "+verifyPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+head); err != nil {
			t.Fatal(err)
		}
		chunk := "10000\r\n{" + strings.Repeat(" ", 1<<16-1) + "\r\n"
		if name == "announced" {
			chunk = strings.Repeat(" ", 1<<16)
		}
		sent := 0
		for ; sent < 1<<30; sent += len(chunk) {
			if _, err := io.WriteString(conn, chunk); err != nil {
				break // cut off
			}
		}
		if sent >= 1<<30 {
			t.Errorf("%s: a gigabyte was taken", name)
		}
	}
	if n := len(w.AllRecords()); n != 0 {
		t.Errorf("%d calls reached the service", n)
	}
}
