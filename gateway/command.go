package gateway

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/pprof"

	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/config"
)

// version is the release; set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// Usage is what the program says when it is called wrongly.
const Usage = `usage:
  gatewayd serve  [--config FILE] [--KEY VALUE ...]   answer partners until told to stop
  gatewayd config                                     print every key with its meaning
Every key can be set in the file, as SAMVIRKE_GATEWAY_KEY in the environment, or as a flag; the last wins.`

const envPrefix = "SAMVIRKE_GATEWAY"

// usageError means that the program was called wrongly.
type usageError struct{}

// Error says how to call it.
func (usageError) Error() string { return Usage }

// ExitCode implements app.ExitCoder.
func (usageError) ExitCode() int { return app.ExitUsage }

// Main runs the command that args name, writing results to out and the log to log.
func Main(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return usageError{}
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], log)
	case "config":
		cfg := DefaultConfig()
		_, err := io.WriteString(out, config.Reference(&cfg, envPrefix))
		return err
	default:
		return usageError{}
	}
}

func serve(ctx context.Context, args []string, log io.Writer) (err error) {
	cfg := DefaultConfig()
	if err := config.Load(&cfg, config.Options{EnvPrefix: envPrefix, Args: args}); err != nil {
		return err
	}
	cfg.Memory.Use()
	stop, err := profile(cfg.Debug.PprofFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	a, err := New(ctx, cfg, log)
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
