package e2e_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

// TestStory tells the sandbox's story, which asserts its own outcomes, on every database and every Vault.
//
// covers: SEC-01, SEC-02, SEC-05, SEC-07
func TestStory(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]option{
		"sqlite":            {sqlite, withRegisters},
		"postgres":          {postgres, withRegisters},
		"sqlite real vault": {sqlite, realVault, withRegisters},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, append(opts, whole)...)
			cast, err := f.scene.CastFor(f.Stack, f.registers)
			must(t, err)
			out := &logWriter{t: t}
			result, err := story.Tell(t.Context(), f.Stack, cast, out)
			must(t, err)
			if result.Steps < 28 || len(result.Events) != result.Steps-result.Unrecorded {
				t.Errorf("%d steps with %d records", result.Steps, len(result.Events))
			}
		})
	}
}

// whole runs every service.
func whole(_ *testing.T, c *setup) { c.only = nil }

// withRegisters connects the suite to simulated population registers.
func withRegisters(t *testing.T, c *setup) {
	t.Helper()
	r, err := stack.StartRegisters(t.Context(), filepath.Join(t.TempDir(), "registers"), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(r.Close)
	c.registers = r
}

// logWriter puts what is written into the test's log.
type logWriter struct{ t *testing.T }

var _ io.Writer = (*logWriter)(nil)

// Write implements io.Writer.
func (w *logWriter) Write(b []byte) (int, error) {
	w.t.Helper()
	w.t.Logf("%s", b)
	return len(b), nil
}
