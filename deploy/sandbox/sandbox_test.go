package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noEnvironment(string) string { return "" }

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                        "",
		"--once --vault dev":      "",
		"--vault real --dir /new": "",
		"--vault other":           "want dev, real or auto",
		"extra":                   `unexpected argument "extra"`,
		"--nothing":               "not defined",
	} {
		_, err := parse(strings.Fields(line), io.Discard)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", line, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: error is %v, want %q", line, err, want)
		}
	}
}

// TestOnceTwice runs the command as a newcomer would, twice, and finds the same story each time and nothing left over.
func TestOnceTwice(t *testing.T) {
	t.Parallel()
	for range 2 {
		dir := filepath.Join(t.TempDir(), "box")
		var out bytes.Buffer
		if err := run(t.Context(), []string{"--once", "--vault", "dev", "--dir", dir}, &out, noEnvironment); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		for _, want := range []string{"start the services", "PURPOSE_NOT_ALLOWED", "CONTROLLER_MISMATCH", "at the TLS handshake", "Income: a month of many members", "each as it must be"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("output lacks %q:\n%s", want, out.String())
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "identity.log")); err != nil {
			t.Error(err)
		}
	}
}

// TestStaysUntilInterrupt reads what is printed, connects to the address, and ends the sandbox as Ctrl-C does.
func TestStaysUntilInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := &watched{wanted: "Try (", seen: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"--vault", "dev"}, out, noEnvironment) }()
	select {
	case <-out.seen:
	case err := <-done:
		t.Fatalf("ended: %v\n%s", err, out)
	}
	addr := between(out.String(), "\n  identity    ", " ")
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	dir := between(out.String(), "Everything lies in ", "\n")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("identityd is still there")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

func TestFolderMustBeNew(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"--once", "--dir", t.TempDir()}, io.Discard, noEnvironment)
	if err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("error is %v", err)
	}
}

func TestOutsideVaultMustBeWhole(t *testing.T) {
	t.Parallel()
	env := func(k string) string { return map[string]string{"VAULT_ADDR": "https://127.0.0.1:1"}[k] }
	err := run(t.Context(), []string{"--once"}, io.Discard, env)
	if err == nil || !strings.Contains(err.Error(), "VAULT_TOKEN") {
		t.Errorf("error is %v", err)
	}
}

// between cuts out what stands after one text and before the next.
func between(s, after, before string) string {
	_, s, _ = strings.Cut(s, after)
	s, _, _ = strings.Cut(s, before)
	return s
}

// watched is a buffer that tells when a text has come.
type watched struct {
	wanted string
	seen   chan struct{}

	mu   sync.Mutex
	buf  bytes.Buffer
	told bool
}

// Write implements io.Writer.
func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buf.Write(b)
	if !w.told && strings.Contains(w.buf.String(), w.wanted) {
		w.told = true
		close(w.seen)
	}
	return n, err
}

// String is what was written so far.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
