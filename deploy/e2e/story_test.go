package e2e_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"samvirke.dev/deploy/internal/stack"
	"samvirke.dev/deploy/internal/story"
)

// TestStory tells the sandbox's story, which asserts its own outcomes, at both doors, on both databases and every Vault.
//
// covers: SEC-01, SEC-02, SEC-05, SEC-07
func TestStory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rest bool
		opts []option
	}{
		"sqlite":                  {false, []option{sqlite}},
		"postgres":                {false, []option{postgres}},
		"sqlite real vault, REST": {true, []option{sqlite, realVault}},
		"postgres, REST":          {true, []option{postgres}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, append(tc.opts, withRegisters, whole)...)
			cast, err := f.scene.CastFor(f.Stack, f.registers)
			must(t, err)
			suite, door := story.Suite(f.Stack), newRESTDoor(t, f.Stack)
			if tc.rest {
				suite = door
			}
			result, err := story.Tell(t.Context(), suite, cast, &logWriter{t: t})
			must(t, err)
			if result.Steps < 28 || len(result.Events) != result.Steps-result.Unrecorded {
				t.Errorf("%d steps with %d records", result.Steps, len(result.Events))
			}
			if tc.rest && door.taken < 50 {
				t.Errorf("only %d calls went over REST", door.taken)
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
