package registers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"samvirke.dev/deploy/registers/spar"
	"samvirke.dev/deploy/registers/trouble"
)

func (b *bench) ask(t *testing.T) (reply, error) {
	t.Helper()
	return b.try(t, b.sim.SPARURL(), spar.Action, envelope(question{number: "198111309285"}.xml()))
}

func (b *bench) misbehave(t *testing.T, tr trouble.Trouble) {
	t.Helper()
	if err := b.sim.SetSPARTrouble(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
}

// Each kind of trouble looks to a client as it does in life, the other register does not have it, and it ends when it is told to.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for kind, check := range map[trouble.Kind]func(t *testing.T, r reply, err error){
		trouble.Refuse: func(t *testing.T, _ reply, err error) {
			t.Helper()
			if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) { // some kernels say it so
				t.Errorf("error %v", err)
			}
		},
		trouble.Reset: func(t *testing.T, _ reply, err error) {
			t.Helper()
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("error %v", err)
			}
		},
		trouble.Cut: func(t *testing.T, r reply, err error) {
			t.Helper()
			if !errors.Is(err, io.ErrUnexpectedEOF) || r.status != http.StatusOK {
				t.Errorf("status %d, error %v", r.status, err)
			}
		},
		trouble.Unavailable: func(t *testing.T, r reply, err error) {
			t.Helper()
			if err != nil || r.status != http.StatusServiceUnavailable || !strings.HasPrefix(r.kind, "text/html") {
				t.Errorf("%d %s %v", r.status, r.kind, err)
			}
		},
		trouble.HTML: func(t *testing.T, r reply, err error) {
			t.Helper()
			if err != nil || r.status != http.StatusOK || !strings.HasPrefix(r.kind, "text/html") || !bytes.Contains(r.raw, []byte("<html>")) {
				t.Errorf("%d %s %v", r.status, r.kind, err)
			}
		},
		trouble.Garbage: func(t *testing.T, r reply, err error) {
			t.Helper()
			if err != nil || r.status != http.StatusOK || !strings.HasPrefix(r.kind, "text/xml") || bytes.Contains(r.raw, []byte("Svarspost")) {
				t.Errorf("%d %s %v", r.status, r.kind, err)
			}
		},
		trouble.GeneralError: func(t *testing.T, r reply, err error) {
			t.Helper()
			if err != nil || text(answered(t, r), "Undantag/Kod") != "GENERELLT_FEL" {
				t.Errorf("%v", err)
			}
			validate(t, sparAnswer(t), inside(t, r.raw))
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := start(t)
			address := b.sim.SPARAddr()
			b.misbehave(t, trouble.Trouble{Kind: kind})
			r, err := b.ask(t)
			check(t, r, err)
			if got := answered(t, b.cpr(t, "0709614126")); text(got, "koen") != "K" {
				t.Error("the other register is in trouble too")
			}
			b.misbehave(t, trouble.Trouble{})
			if r, err := b.ask(t); err != nil || r.status != http.StatusOK || b.sim.SPARAddr() != address {
				t.Errorf("afterwards: %d, %v", r.status, err)
			}
			if c := b.sim.SPARCounts(); kind != trouble.Refuse && c.Outcomes["trouble_"+string(kind)] != 1 {
				t.Errorf("counted %v", c)
			}
		})
	}
}

// General trouble of SF1520 and of the subscription service is a Server fault without a detail.
func TestGeneralErrorOfThePlatform(t *testing.T) {
	t.Parallel()
	b := start(t)
	if err := b.sim.SetSF1520Trouble(t.Context(), trouble.Trouble{Kind: trouble.GeneralError}); err != nil {
		t.Fatal(err)
	}
	subscribing := b.post(t, b.sim.SubscriptionURL(), "", envelope(subscriptionCall("GetAllFilters", "")))
	for _, r := range []reply{b.cpr(t, "0709614126"), subscribing} {
		if code, errs := fault(t, r); code != "Server" || len(errs) > 0 {
			t.Errorf("%s %v", code, errs)
		}
	}
}

// A stalled register takes the request and never answers; the client's patience ends it, or the simulator's end.
func TestHang(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.misbehave(t, trouble.Trouble{Kind: trouble.Hang})
	b.client.Timeout = 100 * time.Millisecond
	_, err := b.ask(t)
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v", err)
	}
	b.client.Timeout = 0
	done := make(chan error, 1)
	go func() {
		_, err := b.ask(t)
		done <- err
	}()
	for b.sim.SPARCounts().Requests < 2 {
		time.Sleep(time.Millisecond)
	}
	b.sim.Close()
	if err := <-done; err == nil {
		t.Error("a request under way was answered at the end")
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	b := start(t)
	const wait = 150 * time.Millisecond
	b.misbehave(t, trouble.Trouble{Latency: wait, Requests: 1})
	for _, slow := range []bool{true, false} {
		begin := time.Now()
		if r, err := b.ask(t); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d, %v", r.status, err)
		}
		if took := time.Since(begin); took < wait == slow {
			t.Errorf("took %v, slow is %v", took, slow)
		}
	}
}

// A trouble for so many requests is over after them.
func TestTroubleForSomeRequests(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.misbehave(t, trouble.Trouble{Kind: trouble.Unavailable, Requests: 2})
	var got []int
	for range 4 {
		r, err := b.ask(t)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.status)
	}
	if got[0] != 503 || got[1] != 503 || got[2] != 200 || got[3] != 200 {
		t.Errorf("statuses %v", got)
	}
}

func TestTroubleThatDoesNotExist(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, tr := range []trouble.Trouble{{Kind: "flood"}, {Latency: -1}, {Latency: 2 * time.Hour}, {Requests: -1}} {
		if err := b.sim.SetSPARTrouble(t.Context(), tr); !errors.Is(err, trouble.ErrInvalid) {
			t.Errorf("%v: %v", tr, err)
		}
	}
	b.sim.Close()
	if err := b.sim.SetSF1520Trouble(context.WithoutCancel(t.Context()), trouble.Trouble{}); err == nil {
		t.Error("a closed simulator came back")
	}
}
