package resilience_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"samvirke.dev/services/platform/resilience"
)

// model is what the breaker of a guard that is called by one caller must do, in a window that never ends.
type model struct {
	cfg          resilience.Config
	open, half   bool
	calls, fails int
	openedAt     time.Time
}

// expect says what must become of an attempt; sure is false if the jitter decides.
func (m *model) expect() (asked, sure bool) {
	if !m.open {
		return true, true
	}
	waited := time.Since(m.openedAt)
	return waited >= m.cfg.OpenFor, waited < m.cfg.OpenFor*9/10 || waited > m.cfg.OpenFor*11/10
}

func (m *model) note(failed bool) {
	if m.open {
		m.open, m.half, m.calls, m.fails = false, true, 0, 0
	}
	m.calls++
	if failed {
		m.fails++
	}
	switch ratio := math.Round(float64(m.fails)/float64(m.calls)*100) / 100; {
	case m.half && failed, !m.half && m.calls >= m.cfg.MinCalls && ratio >= m.cfg.FailureRatio:
		m.open, m.half, m.openedAt = true, false, time.Now()
	case m.half && m.calls == m.cfg.Probes:
		*m = model{cfg: m.cfg}
	}
}

// Random calls one after the other: the guard does what the model does.
func TestBreakerLikeModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg := plain()
		cfg.Timeout, cfg.Window, cfg.OpenFor = time.Second, 1_000_000*time.Hour, time.Minute
		cfg.MinCalls = rapid.IntRange(1, 6).Draw(rt, "min calls")
		cfg.Probes = rapid.IntRange(1, 3).Draw(rt, "probes")
		cfg.FailureRatio = float64(rapid.IntRange(1, 10).Draw(rt, "ratio")) / 10
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"answer", "unknown", "fail", "time out", "go away", "wait"}), 1, 60).Draw(rt, "steps")
		var problem string // rapid's T is not for the bubble's goroutine
		synctest.Test(t, func(t *testing.T) {
			g := guard(t, cfg, deps())
			m := &model{cfg: cfg}
			for i, step := range steps {
				if step == "wait" {
					time.Sleep(cfg.OpenFor / 3)
					continue
				}
				if p := walk(t.Context(), g, m, step); p != "" {
					problem = fmt.Sprintf("step %d, %s: %s", i, step, p)
					return
				}
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// walk makes one call and compares; it returns what is wrong.
func walk(ctx context.Context, g *resilience.Guard, m *model, step string) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wants := map[string]error{"unknown": errUnknown, "fail": errDown, "time out": resilience.ErrTimeout, "go away": context.Canceled}
	register := &counted{fn: map[string]func(context.Context) (int, error){
		"answer": answers, "unknown": unknown, "fail": fails, "time out": dead,
		"go away": func(ctx context.Context) (int, error) { cancel(); return dead(ctx) },
	}[step]}
	expected, sure := m.expect()
	_, err := resilience.Do(ctx, g, register.call)
	asked := register.count() == 1
	switch {
	case sure && asked != expected:
		return fmt.Sprintf("asked is %v", asked)
	case !asked && !errors.Is(err, resilience.ErrOpen), asked && !errors.Is(err, wants[step]):
		return fmt.Sprintf("got %v", err)
	}
	if asked && step != "go away" {
		m.note(step == "fail" || step == "time out")
	} else if asked && m.open { // probed, without a result
		m.open, m.half, m.calls, m.fails = false, true, 0, 0
	}
	return ""
}

// visit is one call of a crowd.
type visit struct {
	At, Leave, Takes time.Duration
	Outcome          error
}

func (v visit) ask(ctx context.Context) (int, error) { return 7, cmp.Or(pass(ctx, v.Takes), v.Outcome) }

// A random crowd with everything on: nobody waits longer than promised, the register never has more requests than allowed, every answer
// is one that was given, nothing is left behind, and afterwards the guard works.
func TestCrowd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cfg := resilience.Config{
			Timeout: time.Second, FailureRatio: 0.5, Window: 10 * time.Second, OpenFor: 2 * time.Second,
			MaxInFlight: rapid.IntRange(1, 5).Draw(rt, "in flight"), MinCalls: rapid.IntRange(1, 10).Draw(rt, "min calls"),
			Probes: rapid.IntRange(1, 3).Draw(rt, "probes"), Retries: rapid.IntRange(0, 2).Draw(rt, "retries"), RetryWait: 100 * time.Millisecond,
			Wait:       time.Duration(rapid.IntRange(0, 1000).Draw(rt, "wait")) * time.Millisecond,
			HedgeAfter: time.Duration(rapid.IntRange(0, 900).Draw(rt, "hedge")) * time.Millisecond,
		}
		ms := func(top int) *rapid.Generator[time.Duration] {
			return rapid.Map(rapid.IntRange(0, top), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
		}
		visits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) visit {
			return visit{ms(10_000).Draw(rt, "at"), ms(4_000).Draw(rt, "leave"), ms(1_500).Draw(rt, "takes"), rapid.SampledFrom([]error{nil, errUnknown, errDown}).Draw(rt, "outcome")}
		}), 1, 60).Draw(rt, "visits")
		var problems []error
		synctest.Test(t, func(t *testing.T) { problems = crowd(t, cfg, visits) })
		if len(problems) > 0 {
			rt.Fatal(errors.Join(problems...))
		}
	})
}

func crowd(t *testing.T, cfg resilience.Config, visits []visit) (problems []error) {
	t.Helper()
	g := guard(t, cfg, deps())
	register := &counted{}
	var all sync.WaitGroup
	var mu sync.Mutex
	report := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		problems = append(problems, fmt.Errorf(format, args...))
	}
	// One after the other: a place, the time limit and a pause for each attempt.
	longest := time.Duration(cfg.Retries+1) * (cfg.Wait + cfg.Timeout + cfg.RetryWait)
	for _, v := range visits {
		all.Go(func() {
			time.Sleep(v.At)
			ctx, cancel := context.WithTimeout(t.Context(), v.Leave)
			defer cancel()
			begun := time.Now()
			_, err := resilience.Do(ctx, g, func(ctx context.Context) (int, error) { return register.run(ctx, v.ask) })
			if d := time.Since(begun); d > min(longest, v.Leave) {
				report("took %v", d)
			}
			if err == nil && v.Outcome != nil {
				report("an answer that nobody gave")
			}
			for _, known := range []error{nil, errDown, errUnknown, resilience.ErrOpen, resilience.ErrFull, resilience.ErrTimeout, context.DeadlineExceeded} {
				if errors.Is(err, known) {
					return
				}
			}
			report("got %v", err)
		})
	}
	all.Wait()
	time.Sleep(cfg.Window + cfg.OpenFor)
	if peak, now := register.crowded(); peak > cfg.MaxInFlight || now != 0 {
		report("%d requests at the same time, %d at the end", peak, now)
	}
	for range cfg.Probes {
		if _, err := resilience.Do(t.Context(), g, answers); err != nil {
			report("afterwards: %v", err)
		}
	}
	return problems
}
