package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/report"
	"samvirke.dev/deploy/bench/internal/suite"
	"samvirke.dev/deploy/internal/proc"
	"samvirke.dev/deploy/internal/say"
)

// The message sizes at which the echo is measured for itself: those of a VerifyIdentity.
const (
	echoRequest = 120
	echoAnswer  = 2
)

// bench is a run in progress.
type bench struct {
	opts     options
	exe      string
	dir      string
	progress io.Writer
	load     *load.Client
	echo     *proc.Process
	gateway  *proc.Process
	closers  []func(context.Context) error
	report   report.Report
}

// measure runs the whole benchmark.
func measure(ctx context.Context, exe string, opts options, progress io.Writer) (_ report.Report, err error) {
	b := &bench{opts: opts, exe: exe, dir: opts.keep, progress: progress}
	defer func() {
		if closing := b.close(context.WithoutCancel(ctx)); err == nil {
			err = closing
		}
	}()
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "samvirke-bench-"); err != nil {
			return report.Report{}, fmt.Errorf("temporary folder: %w", err)
		}
		b.closers = append(b.closers, func(context.Context) error { return os.RemoveAll(b.dir) })
	} else if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return report.Report{}, fmt.Errorf("folder: %w", err)
	}
	if b.load, err = load.Start(exe, []string{roleLoad}, progress); err != nil {
		return report.Report{}, err
	}
	b.closers = append(b.closers, b.load.Close)
	if err := b.echoTargets(ctx); err != nil {
		return report.Report{}, err
	}
	if err := b.echoRow(ctx); err != nil {
		return report.Report{}, err
	}
	if b.opts.wants(load.CallEchoREST) {
		s := b.baseline(load.CallEchoREST, echoRequest, echoAnswer)
		if err := b.pair(ctx, s, load.CallEcho, 0); err != nil {
			return report.Report{}, err
		}
	}
	for _, s := range suite.All() {
		if err := b.service(ctx, s); err != nil {
			return report.Report{}, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return b.report, nil
}

func (b *bench) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	var first error
	for _, c := range slices.Backward(b.closers) {
		if err := c(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// subject is something that is measured: a call against a target in a process.
type subject struct {
	target, call    string
	pid             int
	request, answer int
	inFlight        int // 0 for the usual
	before          func(ctx context.Context, call string) error
	beside          int // a further process whose processor time is told, or 0
}

// round makes one measurement of s.
func (b *bench) round(ctx context.Context, s subject, d time.Duration) (report.Round, *load.Result, error) {
	if err := ctx.Err(); err != nil {
		return report.Round{}, nil, err
	}
	if s.before != nil {
		if err := s.before(ctx, s.call); err != nil {
			return report.Round{}, nil, fmt.Errorf("before %s: %w", s.call, err)
		}
	}
	before, _ := proc.CPU(s.pid)
	loadBefore, _ := proc.CPU(b.load.PID())
	var besideBefore, besideAfter time.Duration
	if s.beside != 0 {
		besideBefore, _ = proc.CPU(s.beside)
	}
	res, err := b.load.Do(load.Command{Run: &load.Run{
		Target: s.target, Call: s.call, InFlight: cmp.Or(s.inFlight, b.opts.inFlight), Millis: int(d.Milliseconds()),
		RequestBytes: s.request, ResponseBytes: s.answer,
	}})
	if err != nil {
		return report.Round{}, nil, err
	}
	if res.Failed > 0 || res.Calls == 0 {
		return report.Round{}, nil, fmt.Errorf("%s: %d of %d calls failed: %s", s.call, res.Failed, res.Failed+res.Calls, res.FirstError)
	}
	// Elsewhere than on Linux there is no processor time to be had, and the column stays 0.
	after, _ := proc.CPU(s.pid)
	loadAfter, _ := proc.CPU(b.load.PID())
	if s.beside != 0 {
		besideAfter, _ = proc.CPU(s.beside)
	}
	calls := float64(res.Calls)
	return report.Round{
		RPS: calls / res.Seconds, P50: res.P50Micros / 1e3, P99: res.P99Micros / 1e3,
		CPU: float64((after - before).Microseconds()) / calls, LoadCPU: float64((loadAfter - loadBefore).Microseconds()) / calls,
		BesideCPU: float64((besideAfter - besideBefore).Microseconds()) / calls,
	}, res, nil
}

// baseline is the echo, bare or behind the bare gateway, with messages of these sizes.
func (b *bench) baseline(name string, request, answer int) subject {
	s := subject{target: name, call: name, request: request, answer: answer}
	switch name {
	case load.CallEchoREST:
		s.pid = b.gateway.PID()
	case load.CallEcho:
		s.pid = b.echo.PID()
	}
	return s
}

// echoRow measures the echo for itself.
func (b *bench) echoRow(ctx context.Context) error {
	s := b.baseline(load.CallEcho, echoRequest, echoAnswer)
	if _, _, err := b.round(ctx, s, b.opts.duration); err != nil {
		return err
	}
	if !b.opts.wants(load.CallEcho) {
		return nil
	}
	rounds := make([]report.Round, b.opts.rounds)
	for i := range rounds {
		var err error
		if rounds[i], _, err = b.round(ctx, s, b.opts.duration); err != nil {
			return err
		}
	}
	row := report.Summarise(load.CallEcho, load.CallEcho, rounds, nil)
	row.RequestBytes, row.ResponseBytes = echoRequest, echoAnswer
	b.report.Results = append(b.report.Results, row)
	return nil
}

// pair measures a call and a baseline beside it, in turn, at the same message sizes.
func (b *bench) pair(ctx context.Context, s subject, baseline string, persons int) error {
	say.F(b.progress, "measuring %s\n", s.call)
	_, warm, err := b.round(ctx, s, b.opts.duration)
	if err != nil {
		return err
	}
	base := b.baseline(baseline, warm.RequestBytes, warm.ResponseBytes)
	switch {
	case baseline != load.CallEcho && baseline != load.CallEchoREST: // a call of the service itself
		base = s
		base.call = baseline
	case s.request > 0: // it was told its sizes, which are those of the messages and not of their JSON
		base = b.baseline(baseline, s.request, s.answer)
	case baseline == load.CallEchoREST: // its JSON is base64, which is a third longer than the message
		base = b.baseline(baseline, warm.RequestBytes*3/4, warm.ResponseBytes*3/4)
	}
	ours := make([]report.Round, b.opts.rounds)
	var theirs []report.Round
	for i := range ours {
		if baseline != "" {
			their, _, err := b.round(ctx, base, b.opts.duration)
			if err != nil {
				return err
			}
			theirs = append(theirs, their)
		}
		if ours[i], _, err = b.round(ctx, s, b.opts.duration); err != nil {
			return err
		}
	}
	row := report.Summarise(s.call, baseline, ours, theirs)
	row.RequestBytes, row.ResponseBytes, row.Persons = warm.RequestBytes, warm.ResponseBytes, persons
	b.report.Results = append(b.report.Results, row)
	return nil
}
