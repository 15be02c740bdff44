package suite

import (
	"context"
	"errors"
	"path/filepath"
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
	conf := s.Config(nil, names...)
	conf.Dir, conf.Database = in.Dir, in.Database
	if conf.Binaries, err = stack.BuildAll(ctx, conf.Programs, filepath.Join(in.Dir, "bin"), in.Progress); err != nil {
		return nil, err
	}
	if conf.Vault, err = stack.DevVault(); err != nil {
		return nil, err
	}
	var suite *stack.Stack
	end := func(ctx context.Context) error {
		var first error
		if suite != nil {
			first = suite.Close(ctx)
		}
		return errors.Join(first, conf.Vault.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end(context.WithoutCancel(ctx)))
		}
	}()
	if suite, err = stack.Prepare(ctx, conf); err != nil {
		return nil, err
	}
	data, err := f(ctx, suite, s)
	if err != nil {
		return nil, err
	}
	for _, p := range suite.Programs() {
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
		PID: running.Proc.PID(), Ready: running.Ready, Data: data, Close: end,
		Connect: load.Connect{Addr: running.Addr, ServerID: id.String(), Files: suite.Files(s.Cast.DanishFund)},
	}, nil
}

// profile is the variable that names a file for the service's CPU profile.
func profile(name, file string) []string {
	if file == "" {
		return nil
	}
	return []string{"SAMVIRKE_" + strings.ToUpper(name) + "_DEBUG_PPROF_FILE=" + file}
}
