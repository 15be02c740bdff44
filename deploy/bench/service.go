package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/bench/internal/report"
	"samvirke.dev/deploy/bench/internal/suite"
	"samvirke.dev/deploy/internal/proc"
)

const megabyte = 1 << 20

// service measures the calls of a service that are wanted, with every size of store.
func (b *bench) service(ctx context.Context, s suite.Service) error {
	calls := s.Wanted(b.opts.only)
	if len(calls) == 0 {
		return nil
	}
	for _, n := range b.opts.sizes(s) {
		if err := b.sized(ctx, s, calls, n); err != nil {
			return fmt.Errorf("with %d persons: %w", n, err)
		}
	}
	return nil
}

// sized measures them in a fresh process with a store of n persons.
func (b *bench) sized(ctx context.Context, s suite.Service, calls []string, n int) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d", s.Name, n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	running, err := s.Start(ctx, suite.Stage{
		Dir: dir, Persons: n, Database: b.opts.db, Profile: b.opts.profile, Calls: calls, Progress: b.progress,
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, running.Close(ctx))
	}()
	idle, _, _ := proc.Memory(running.PID)
	if err := b.ready(s, running); err != nil {
		return err
	}
	for _, call := range calls {
		how := s.Special[call]
		one := subject{target: s.Name, call: call, pid: running.PID, inFlight: how.InFlight, before: running.Before, beside: running.Beside}
		if err := b.pair(ctx, one, baseline(s, how), n); err != nil {
			return err
		}
	}
	// Elsewhere than on Linux memory is not known, and the columns stay 0.
	now, peak, _ := proc.Memory(running.PID)
	b.report.Services = append(b.report.Services, report.Service{
		Name: s.Name, Persons: n, ReadyMillis: float64(running.Ready.Microseconds()) / 1e3,
		IdleMB: float64(idle) / megabyte, ResidentMB: float64(now) / megabyte, PeakMB: float64(peak) / megabyte,
	})
	return nil
}

// baseline is what a call is measured against; nothing when empty.
func baseline(s suite.Service, how suite.Special) string {
	if how.Alone {
		return ""
	}
	return cmp.Or(how.Baseline, s.Baseline, load.CallEcho)
}

// ready connects the load process to the service and prepares its calls there.
func (b *bench) ready(s suite.Service, running *suite.Running) error {
	connect := running.Connect
	connect.Target = s.Name
	if err := b.connect(connect); err != nil {
		return err
	}
	data, err := json.Marshal(running.Data)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	_, err = b.load.Do(load.Command{Ready: &load.Ready{Target: s.Name, Service: s.Name, Data: data}})
	return err
}
