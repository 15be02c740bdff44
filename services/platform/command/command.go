// Package command is the command line that every program of the suite has: a verb, flags that set configuration keys, and arguments.
package command

import (
	"context"
	"io"
	"strings"

	"samvirke.dev/services/platform/app"
	"samvirke.dev/services/platform/config"
)

// Program is the command line of a program whose configuration is a C. Beside its verbs it knows "config", which prints every key with its
// meaning.
type Program[C any] struct {
	// Usage is what it says when it is called wrongly.
	Usage string
	// EnvPrefix begins the environment variables that set keys, such as SAMVIRKE_IDENTITY.
	EnvPrefix string
	// Defaults is the configuration before file, environment and flags.
	Defaults func() C
	Verbs    map[string]Verb[C]
}

// Verb is one thing that a program does.
type Verb[C any] struct {
	// Min and Max are how many arguments that are no flags it takes, from Min to Max; AnyNumber as Max is no limit.
	Min, Max int
	Run      func(ctx context.Context, call Call[C]) error
}

// AnyNumber of arguments.
const AnyNumber = 1 << 20

// Call is how a verb was called.
type Call[C any] struct {
	Config C
	Args   []string
	// Out takes results, Log the log.
	Out, Log io.Writer
}

// UsageError means that a program was called wrongly; its text is how to call it.
type UsageError string

// Error implements error.
func (e UsageError) Error() string { return string(e) }

// ExitCode implements app.ExitCoder.
func (UsageError) ExitCode() int { return app.ExitUsage }

// Main runs the verb that args begin with, writing results to out and the log to log. The error is a UsageError, config.SettingErrors, or the
// verb's own.
func (p Program[C]) Main(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return UsageError(p.Usage)
	}
	cfg := p.Defaults()
	if args[0] == "config" {
		_, err := io.WriteString(out, config.Reference(&cfg, p.EnvPrefix))
		return err
	}
	flags, rest := split(args[1:])
	verb, ok := p.Verbs[args[0]]
	if !ok || len(rest) < verb.Min || len(rest) > verb.Max {
		return UsageError(p.Usage)
	}
	if err := config.Load(&cfg, config.Options{EnvPrefix: p.EnvPrefix, Args: flags}); err != nil {
		return err
	}
	return verb.Run(ctx, Call[C]{Config: cfg, Args: rest, Out: out, Log: log})
}

// split parts flags, each with its value, from the other arguments, which come last.
func split(args []string) (flags, rest []string) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "--") {
			return flags, args[i:]
		}
		flags = append(flags, args[i])
		if !strings.Contains(args[i], "=") && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return flags, nil
}
