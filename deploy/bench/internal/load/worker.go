package load

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"samvirke.dev/services/platform/clock"
)

// callTimeout bounds one call; a call that takes longer counts as failed.
const callTimeout = 10 * time.Second

// maxLatency is the histogram's upper end, in microseconds.
const maxLatency = int64(callTimeout / time.Microsecond)

// maxLine bounds a line of the protocol.
const maxLine = 1 << 20

// Worker executes commands.
type Worker struct {
	clk      clock.Clock
	services map[string]Prepare
	targets  map[string]*Target
	lanes    map[string]Lane // of the services that are ready, by the names of their calls
}

// NewWorker returns a worker that can make the calls of the services, which are named by the keys.
func NewWorker(services map[string]Prepare) *Worker {
	return &Worker{clk: clock.System(), services: services, targets: map[string]*Target{}, lanes: map[string]Lane{}}
}

// Serve executes the commands that come in until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer, services map[string]Prepare) error {
	w := NewWorker(services)
	defer w.close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	enc := json.NewEncoder(out)
	for lines.Scan() {
		var cmd Command
		if err := json.Unmarshal(lines.Bytes(), &cmd); err != nil {
			return fmt.Errorf("read command: %w", err)
		}
		var reply Reply
		res, err := w.execute(ctx, cmd)
		if err != nil {
			reply.Error = err.Error()
		}
		reply.Result = res
		if err := enc.Encode(reply); err != nil {
			return fmt.Errorf("write reply: %w", err)
		}
	}
	return lines.Err()
}

func (w *Worker) execute(ctx context.Context, cmd Command) (*Result, error) {
	switch {
	case cmd.Connect != nil:
		return nil, w.connect(ctx, *cmd.Connect)
	case cmd.Ready != nil:
		return nil, w.ready(ctx, *cmd.Ready)
	case cmd.Run != nil:
		return w.run(ctx, *cmd.Run)
	default:
		return nil, errors.New("empty command")
	}
}

func (w *Worker) ready(ctx context.Context, r Ready) error {
	t, prepare := w.targets[r.Target], w.services[r.Service]
	if t == nil || prepare == nil {
		return fmt.Errorf("no target %q or no service %q", r.Target, r.Service)
	}
	lanes, err := prepare(ctx, t, r.Data)
	maps.Copy(w.lanes, lanes)
	return err
}

func (w *Worker) close() {
	for _, t := range w.targets {
		t.close()
	}
}

// lane is one of the calls in flight: it makes one call after the other and keeps its own figures, so that lanes share
// nothing while they run.
type lane struct {
	hist    *hdrhistogram.Histogram
	calls   int64
	failed  int64
	first   error
	request int64
	answer  int64
}

func (w *Worker) run(ctx context.Context, r Run) (*Result, error) {
	t, ok := w.targets[r.Target]
	if !ok {
		return nil, fmt.Errorf("no target %q", r.Target)
	}
	lanes := make([]*lane, r.InFlight)
	callers := make([]Caller, r.InFlight)
	for i := range lanes {
		c, err := w.caller(t, r, i)
		if err != nil {
			return nil, err
		}
		callers[i] = c
		lanes[i] = &lane{hist: hdrhistogram.New(1, maxLatency, 3)}
	}
	begin := w.clk.Now()
	end := begin.Add(time.Duration(r.Millis) * time.Millisecond)
	var wg sync.WaitGroup
	for i, l := range lanes {
		wg.Go(func() { l.drive(ctx, w.clk, callers[i], end) })
	}
	wg.Wait()
	return sum(lanes, w.clk.Now().Sub(begin)), nil
}

// drive makes calls until the time is up or its caller is beyond use.
func (l *lane) drive(ctx context.Context, clk clock.Clock, c Caller, end time.Time) {
	before := clk.Now()
	for before.Before(end) && ctx.Err() == nil {
		sizes, err := c.Call(ctx)
		after := clk.Now()
		if err != nil {
			l.failed++
			if l.first == nil {
				l.first = err
			}
		} else {
			// A latency beyond the end of the scale would be an error; the call's deadline lies there.
			_ = l.hist.RecordValue(min(cmp.Or(sizes.Took, after.Sub(before)).Microseconds(), maxLatency))
			l.calls += int64(max(sizes.Count, 1))
			l.request += int64(sizes.Request)
			l.answer += int64(sizes.Answer)
		}
		before = after
	}
	if err := c.Finish(); err != nil {
		l.failed++
		if l.first == nil {
			l.first = err
		}
	}
}

func sum(lanes []*lane, took time.Duration) *Result {
	all := hdrhistogram.New(1, maxLatency, 3)
	res := &Result{Seconds: took.Seconds()}
	var request, answer int64
	for _, l := range lanes {
		all.Merge(l.hist)
		res.Calls += l.calls
		res.Failed += l.failed
		request += l.request
		answer += l.answer
		if l.first != nil && res.FirstError == "" {
			res.FirstError = l.first.Error()
		}
	}
	res.P50Micros = float64(all.ValueAtQuantile(50))
	res.P99Micros = float64(all.ValueAtQuantile(99))
	if res.Calls > 0 {
		res.RequestBytes = int(request / res.Calls)
		res.ResponseBytes = int(answer / res.Calls)
	}
	return res
}
