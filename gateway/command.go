package gateway

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/pprof"

	"samvirke.dev/services/platform/command"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// usage is what the program says when it is called wrongly.
const usage = `usage:
  gatewayd serve  [--config FILE] [--KEY VALUE ...]   answer partners until told to stop
  gatewayd config                                     print every key with its meaning
Every key can be set in the file, as SAMVIRKE_GATEWAY_KEY in the environment, or as a flag; the last wins.`

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	return command.Program[Config]{Usage: usage, EnvPrefix: "SAMVIRKE_GATEWAY", Defaults: DefaultConfig, Verbs: map[string]command.Verb[Config]{
		"serve": {Run: serve},
	}}.Main(ctx, args, out, log)
}

func serve(ctx context.Context, call command.Call[Config]) (err error) {
	cfg := call.Config
	cfg.Memory.Use()
	stop, err := profile(cfg.Debug.PprofFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	a, err := New(ctx, cfg, call.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close(context.WithoutCancel(ctx))) }()
	return a.Run(ctx, nil)
}

// profile writes a CPU profile of the whole run where the configuration asks for one.
func profile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
