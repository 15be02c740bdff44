package sqltest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExternalMovesThePasswordToAFile(t *testing.T) {
	t.Parallel()
	srv, err := external("postgres://tester:hunter2@db.test:5432/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(filepath.Dir(srv.passwordFile)); err != nil {
			t.Error(err)
		}
	})
	secret, err := os.ReadFile(srv.passwordFile)
	if err != nil || string(secret) != "hunter2" || strings.Contains(srv.admin.String(), "hunter2") {
		t.Errorf("secret %q, URL %s, %v", secret, srv.admin, err)
	}
	if _, err := external("://"); err == nil || errors.Is(err, errMissing) {
		t.Errorf("bad URL: %v", err)
	}
}

// Not parallel: it changes the environment.
func TestNoBinaries(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); err != nil || len(found) > 0 {
		if _, err := binaries(); err != nil {
			t.Errorf("installed, but not found: %v", err)
		}
		return
	}
	if _, err := binaries(); !errors.Is(err, errMissing) {
		t.Errorf("got %v", err)
	}
}
