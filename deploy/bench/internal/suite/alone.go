package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"samvirke.dev/deploy/bench/internal/load"
	"samvirke.dev/deploy/internal/scene"
	"samvirke.dev/deploy/internal/stack"
)

// fill puts data into the store of a service that is prepared and does not run yet; what it returns goes to the load process.
type fill func(ctx context.Context, suite *stack.Stack, s *scene.Scene) (data any, err error)

// alone starts one service of the suite, without the others, with a fresh development Vault and a fresh database. The Danish fund of the
// sandbox calls it.
func alone(ctx context.Context, in Stage, name string, f fill) (*Running, error) {
	return together(ctx, in, []string{name}, f)
}

// together starts some services of the suite as alone does; the last of them is the one that is called and measured.
func together(ctx context.Context, in Stage, names []string, f fill) (_ *Running, err error) {
	s, err := scene.Load()
	if err != nil {
		return nil, err
	}
	name := names[len(names)-1]
	var up started
	defer func() {
		if err != nil {
			err = errors.Join(err, up.close(context.WithoutCancel(ctx)))
		}
	}()
	if in.registers {
		if up.registers, err = startRegisters(ctx, in); err != nil {
			return nil, err
		}
	}
	conf := s.Config(up.registers, names...)
	conf.Dir, conf.Database = in.Dir, in.Database
	if conf.Binaries, err = stack.BuildAll(ctx, conf.Programs, filepath.Join(in.Dir, "bin"), in.Progress); err != nil {
		return nil, err
	}
	if up.vault, err = stack.DevVault(); err != nil {
		return nil, err
	}
	conf.Vault = up.vault
	suite, err := stack.Prepare(ctx, conf)
	if err != nil {
		return nil, err
	}
	up.suite = suite
	data, err := f(ctx, suite, s)
	if err != nil {
		return nil, err
	}
	for _, p := range suite.Programs() {
		if slices.Contains(in.idle, p.Name) {
			continue
		}
		file := in.Profile
		if file != "" && p.Name != name {
			file += "." + p.Name
		}
		if err := suite.Start(ctx, p.Name, profile(p.Name, file)...); err != nil {
			return nil, err
		}
	}
	id, err := stack.ServiceID(name)
	if err != nil {
		return nil, err
	}
	running := suite.Service(name)
	return &Running{
		PID: running.Proc.PID(), Ready: running.Ready, Data: data, Close: up.close,
		Connect: load.Connect{Addr: running.Addr, ServerID: id.String(), Files: suite.Files(s.Cast.DanishFund)},
	}, nil
}

// started is what must be ended.
type started struct {
	registers *stack.Registers
	vault     *stack.Vault
	suite     *stack.Stack
}

func (s *started) close(ctx context.Context) error {
	var errs []error
	if s.suite != nil {
		errs = append(errs, s.suite.Close(ctx))
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	if s.registers != nil {
		s.registers.Close()
	}
	return errors.Join(errs...)
}

// startRegisters starts simulated registers in this process.
func startRegisters(ctx context.Context, in Stage) (*stack.Registers, error) {
	dir := filepath.Join(in.Dir, "registers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	r, err := stack.StartRegisters(ctx, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	r.CopyAge = copyAge
	return r, nil
}

// profile is the variable that names a file for the service's CPU profile.
func profile(name, file string) []string {
	if file == "" {
		return nil
	}
	return []string{"SAMVIRKE_" + strings.ToUpper(name) + "_DEBUG_PPROF_FILE=" + file}
}
