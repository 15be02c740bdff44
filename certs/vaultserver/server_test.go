package vaultserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"samvirke.dev/certs/vaultserver"
)

// The server itself is exercised by every suite that runs through vaulttest.Each; here is what goes wrong before it serves.

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	dies := filepath.Join(t.TempDir(), "dies")
	if err := os.WriteFile(dies, []byte("#!/bin/sh\necho broken\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ binary, dir, want string }{
		"no binary":       {"", t.TempDir(), "must be given"},
		"no folder":       {dies, "", "must be given"},
		"not there":       {dies + "x", t.TempDir(), "launch"},
		"dies at once":    {dies, t.TempDir(), "the process has ended"},
		"unusable folder": {dies, filepath.Join(dies, "below"), "storage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := vaultserver.Start(t.Context(), vaultserver.Config{Binary: c.binary, Dir: c.dir})
			if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestLogIsNamed: whoever has to find out why gets the path of the log.
func TestLogIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dies := filepath.Join(dir, "dies")
	if err := os.WriteFile(dies, []byte("#!/bin/sh\necho broken\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := vaultserver.Start(t.Context(), vaultserver.Config{Binary: dies, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "vault.log")) {
		t.Errorf("got %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "vault.log")); err != nil || !strings.Contains(string(raw), "broken") {
		t.Errorf("log holds %q, %v", raw, err)
	}
}
