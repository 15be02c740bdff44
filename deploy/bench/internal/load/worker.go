package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc"

	"samvirke.dev/services/platform/clock"
)

// callTimeout bounds one call; a call that takes longer counts as failed.
const callTimeout = 10 * time.Second

// maxLatency is the histogram's upper end, in microseconds.
const maxLatency = int64(callTimeout / time.Microsecond)

// maxLine bounds a line of the protocol.
const maxLine = 1 << 20

// target is a set of connections.
type target struct {
	conns []*grpc.ClientConn
	// rest are clients with one connection each, for a target that is asked over REST at url.
	rest []*http.Client
	url  string
}

// Worker executes commands.
type Worker struct {
	clk     clock.Clock
	targets map[string]*target
	people  *people
}

// Serve executes the commands that come in until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	w := &Worker{clk: clock.System(), targets: map[string]*target{}}
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
	case cmd.Prepare != nil:
		return nil, w.prepare(ctx, *cmd.Prepare)
	case cmd.Run != nil:
		return w.run(ctx, *cmd.Run)
	default:
		return nil, errors.New("empty command")
	}
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
	callers := make([]caller, r.InFlight)
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
func (l *lane) drive(ctx context.Context, clk clock.Clock, c caller, end time.Time) {
	before := clk.Now()
	for before.Before(end) && ctx.Err() == nil {
		sizes, err := c.call(ctx)
		after := clk.Now()
		if err != nil {
			l.failed++
			if l.first == nil {
				l.first = err
			}
		} else {
			// A latency beyond the end of the scale would be an error; the call's deadline lies there.
			_ = l.hist.RecordValue(min(after.Sub(before).Microseconds(), maxLatency))
			l.request += int64(sizes.request)
			l.answer += int64(sizes.answer)
		}
		before = after
	}
	if err := c.finish(); err != nil {
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
		res.Failed += l.failed
		request += l.request
		answer += l.answer
		if l.first != nil && res.FirstError == "" {
			res.FirstError = l.first.Error()
		}
	}
	res.Calls = all.TotalCount()
	res.P50Micros = float64(all.ValueAtQuantile(50))
	res.P99Micros = float64(all.ValueAtQuantile(99))
	if res.Calls > 0 {
		res.RequestBytes = int(request / res.Calls)
		res.ResponseBytes = int(answer / res.Calls)
	}
	return res
}
