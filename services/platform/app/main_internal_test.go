package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// usage is an error with an exit code of its own.
type usage struct{}

func (usage) Error() string { return "line one\nline two" }
func (usage) ExitCode() int { return ExitUsage }

func TestExecute(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		err  error
		code int
		out  string
	}{
		"success": {nil, 0, ""},
		"help":    {flag.ErrHelp, 0, ""},
		"fault":   {errors.New("broke"), 1, "prog: broke\n"},
		"joined":  {errors.Join(errors.New("a"), errors.New("b")), 1, "prog: a\nprog: b\n"},
		"usage":   {fmt.Errorf("wrapped: %w", usage{}), 2, "prog: wrapped: line one\nprog: line two\n"},
		"foreign": {context.Canceled, 1, "prog: context canceled\n"}, // nobody told it to stop
	}
	for name, c := range cases {
		var out bytes.Buffer
		code := execute(t.Context(), "prog", []string{"x"}, &out, func(_ context.Context, args []string) error {
			if !slices.Equal(args, []string{"x"}) {
				t.Errorf("args %v", args)
			}
			return c.err
		})
		if code != c.code || out.String() != c.out {
			t.Errorf("%s: code %d, output %q", name, code, out.String())
		}
	}
}

// Not parallel: the signal reaches the whole process, so every context of execute that lives at the moment.
func TestSignalEndsTheContext(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		var out bytes.Buffer
		code := execute(t.Context(), "prog", nil, &out, func(ctx context.Context, _ []string) error {
			if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if code != ExitOK || out.Len() != 0 {
			t.Errorf("%v: code %d, output %q", sig, code, out.String())
		}
	}
}
