package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes of a program.
const (
	ExitOK    = 0 // it did what it was asked, or was told to stop
	ExitFault = 1 // it failed
	ExitUsage = 2 // it was called or configured wrongly; starting it again does not help
)

// ExitCoder is an error that decides the exit code itself, such as a wrong configuration.
type ExitCoder interface {
	error
	ExitCode() int
}

// Main is the whole of a program's main function: it runs run with the arguments after the program's name, until it returns; SIGINT or
// SIGTERM ends its context, and a second one ends the process at once. Errors are printed one per line, each after the program's
// name. It never returns.
func Main(name string, run func(ctx context.Context, args []string) error) {
	os.Exit(execute(context.Background(), name, os.Args[1:], os.Stderr, run))
}

func execute(ctx context.Context, name string, args []string, stderr io.Writer, run func(ctx context.Context, args []string) error) int {
	ctx, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer release()
	// Once told to stop, the default handling comes back, so that an impatient second signal works.
	defer context.AfterFunc(ctx, release)()
	err := run(ctx, args)
	code := exitCode(ctx, err)
	if code != ExitOK {
		for line := range strings.Lines(err.Error()) {
			_, _ = fmt.Fprintf(stderr, "%s: %s\n", name, strings.TrimRight(line, "\n")) // nowhere left to report a failure to
		}
	}
	return code
}

// exitCode returns the code for the outcome of a program. To be told to stop is no fault, whatever the program makes of it.
func exitCode(ctx context.Context, err error) int {
	switch coder, ok := errors.AsType[ExitCoder](err); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return ExitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ExitOK
	case ok:
		return coder.ExitCode()
	default:
		return ExitFault
	}
}
